// A site around one bundle: the built module and model, and no page.

import { cp, mkdir } from "node:fs/promises";
import path from "node:path";
import { siteFromEnvironment } from "./server.mjs";

/** What is taken over from the built site. */
const PARTS = ["index.html", "icon.svg", "_headers", "pkg", "model"];

/**
 * Makes a site that holds no bundle yet.
 * @param {string} folder made if missing
 * @returns {Promise<string>} where its bundle belongs
 */
export async function smallSite(folder) {
  await mkdir(folder, { recursive: true });
  for (const part of PARTS) await cp(path.join(siteFromEnvironment(), part), path.join(folder, part), { recursive: true });
  return path.join(folder, "bundle");
}

/**
 * Calls `body` in a page of the site that runs no script of its own, with a `Recommender` as `rec`, in a fresh profile.
 * @param {import("playwright-core").Browser} browser
 * @param {string} url the site's
 * @param {object} options for `Recommender.open`, besides the endpoint
 * @param {(argument: any) => Promise<unknown>} body its argument and its value travel as JSON
 * @param {(request: import("playwright-core").Request) => void} [note] told of each request
 */
export async function withRecommender(browser, url, options, body, argument, note = () => {}) {
  const context = await browser.newContext();
  try {
    context.on("request", note);
    const tab = await context.newPage();
    await tab.goto(`${url}/icon.svg`);
    await tab.evaluate(async (options) => {
      const { Recommender } = await import("/pkg/index.js");
      globalThis.rec = await Recommender.open({ endpoint: location.origin, ...options });
    }, options);
    return await tab.evaluate(body, argument);
  } finally {
    await context.close();
  }
}
