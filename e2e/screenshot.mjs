// Takes the pictures of the page for the documentation: RECSYS_SITE=… node e2e/screenshot.mjs [DIRECTORY]
//
// Writes page.png (1280×800, after three clicks on one kind of video), page-dark.png and page-phone.png. Inter makes
// the page look the same everywhere: `apt-get install fonts-inter`.

import path from "node:path";
import { launchChromium } from "./browser.mjs";
import { Page, clickThreeOfOneKind } from "./page.mjs";
import { siteFromEnvironment, startSite } from "./server.mjs";

const DESK = { viewport: { width: 1280, height: 800 } };
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
/** Milliseconds until all cards have arrived at their places. */
const SETTLED_MS = 1500;

async function take(browser, url, file, options) {
  const page = await Page.open(browser, url, options);
  await clickThreeOfOneKind(page);
  if (await page.tab.locator("#results").isVisible()) await page.tab.click("#results-close");
  await page.tab.evaluate(() => scrollTo(0, 0));
  await page.tab.mouse.move(2, 2);
  await page.idle();
  await page.tab.waitForTimeout(SETTLED_MS);
  await page.tab.screenshot({ path: file });
  await page.close();
  console.log(file);
}

const directory = path.resolve(process.argv[2] ?? "docs");
const server = await startSite({ site: siteFromEnvironment() });
const browser = await launchChromium();
try {
  await take(browser, server.url, path.join(directory, "page.png"), DESK);
  await take(browser, server.url, path.join(directory, "page-dark.png"), { ...DESK, colorScheme: "dark" });
  await take(browser, server.url, path.join(directory, "page-phone.png"), PHONE);
} finally {
  await browser.close();
  await server.dispose();
}
