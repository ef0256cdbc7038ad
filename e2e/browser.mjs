// Finds Chromium and starts it with a fresh profile. The one place that knows where browsers are.

import { accessSync, constants } from "node:fs";
import path from "node:path";
import { chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

function isProgram(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Path of the browser: `RECSYS_CHROMIUM`, or the first Chromium on the usual paths.
 * @throws {Error} with the remedy, where there is none
 */
export function findChromium() {
  const wanted = process.env.RECSYS_CHROMIUM;
  if (wanted) {
    if (isProgram(wanted)) return wanted;
    throw new Error(`RECSYS_CHROMIUM names ${wanted}, which is no program that can be run. Correct or unset it.`);
  }
  const folders = ["/usr/bin", ...(process.env.PATH ?? "").split(path.delimiter).filter(Boolean)];
  const found = NAMES.flatMap((name) => folders.map((folder) => path.join(folder, name))).find(isProgram);
  if (found) return found;
  throw new Error(
    `No Chromium found (looked for ${NAMES.join(", ")} in ${folders.join(", ")}). ` +
      "Install one (`apt-get install chromium`), or name it in RECSYS_CHROMIUM.",
  );
}

/**
 * Starts Chromium without a window.
 * @returns {Promise<import("playwright-core").Browser>} each `newContext()` of it is a fresh profile
 */
export function launchChromium() {
  return chromium.launch({ executablePath: findChromium(), headless: true, args: FLAGS });
}
