// Drives page.mjs in headless Chromium and prints JSON: {browser, common, ours, theirs}, times in milliseconds.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";
import { launchChromium } from "../../e2e/browser.mjs";

const ROOT = path.resolve(import.meta.dirname, "../..");
const SERVED = ["/bench/page/", "/target/bench/", "/node_modules/onnxruntime-web/dist/"];
const TYPES = { ".html": "text/html", ".mjs": "text/javascript", ".js": "text/javascript", ".wasm": "application/wasm" };

const server = createServer(async (request, response) => {
  const file = path.posix.normalize(new URL(request.url, "http://localhost").pathname);
  try {
    if (!SERVED.some((folder) => file.startsWith(folder))) throw new Error("not served");
    const body = await readFile(path.join(ROOT, file));
    response.writeHead(200, {
      "content-type": TYPES[path.extname(file)] ?? "application/octet-stream",
      // Isolated pages have a clock of 5 µs, others of 100.
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-embedder-policy": "require-corp",
    });
    response.end(body);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const browser = await launchChromium();
try {
  const page = await browser.newPage();
  page.on("pageerror", (error) => console.error(error));
  await page.goto(`http://127.0.0.1:${server.address().port}/bench/page/index.html`);
  await page.waitForFunction(() => window.ready, undefined, { timeout: 60_000 });
  const result = await page.evaluate(() => window.bench({ rounds: 41, warmUp: 15, passes: 4 }));
  console.log(JSON.stringify({ browser: browser.version(), ...result }));
} finally {
  await browser.close();
  server.close();
}
