// What the browser tests share: an open page that notes every request and every complaint of the browser.

import assert from "node:assert/strict";
import path from "node:path";

/** Milliseconds of silence after which the page counts as idle. */
const QUIET_MS = 700;
/** Milliseconds that anything on the page may take before its test fails. */
const TIMEOUT_MS = 15_000;

export class Page {
  /** @type {import("playwright-core").Page} */
  tab;
  /** Every request of the page, its workers and its service workers: `{method, path, body}`, oldest first. */
  requests = [];
  /** Console errors, uncaught exceptions and violations of the content security policy. */
  complaints = [];
  #context;
  #lastRequest = Date.now();

  /**
   * Opens the site in a fresh profile and waits for the first slate.
   * @param {import("playwright-core").Browser} browser
   * @param {string} url
   * @param {import("playwright-core").BrowserContextOptions} [options]
   */
  static async open(browser, url, options = {}) {
    const page = new Page();
    page.#context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    page.#context.on("request", (request) => {
      page.#lastRequest = Date.now();
      page.requests.push({
        method: request.method(),
        path: new URL(request.url()).pathname,
        body: request.postData() ?? "",
      });
    });
    page.tab = await page.#context.newPage();
    page.tab.setDefaultTimeout(TIMEOUT_MS);
    await page.tab.addInitScript(() => {
      globalThis.violations = [];
      document.addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI }) =>
        globalThis.violations.push(`${effectiveDirective}: ${blockedURI}`),
      );
      const { animate } = Element.prototype;
      globalThis.animatedCards = 0;
      Element.prototype.animate = function (...motion) {
        if (this.matches(".card")) globalThis.animatedCards += 1;
        return animate.apply(this, motion);
      };
    });
    page.tab.on("console", (message) => message.type() === "error" && page.complaints.push(message.text()));
    page.tab.on("pageerror", (error) => page.complaints.push(String(error)));
    await page.tab.goto(url);
    await page.ready();
    return page;
  }

  /** Ends the profile; fails where the browser had something to complain of. */
  async close() {
    await this.#context.close();
    assert.deepEqual(this.complaints, [], "the browser's console must stay free of errors and CSP violations");
  }

  /** Waits until a slate is shown and nothing is being ranked. */
  async ready() {
    await this.tab.waitForFunction(
      () =>
        (document.querySelector("#grid .card") && !document.querySelector("#grid[aria-busy]")) ||
        !document.querySelector("#fault").hidden,
    );
    const fault = this.tab.locator("#fault");
    if (await fault.isVisible()) assert.fail(`the page shows a fault: ${await fault.innerText()}`);
  }

  /** Waits until the network has been silent for a while. */
  async idle() {
    for (;;) {
      const quiet = Date.now() - this.#lastRequest;
      if (quiet >= QUIET_MS) return;
      await this.tab.waitForTimeout(QUIET_MS - quiet);
    }
  }

  /** The cards of a grid in their order: `{id, category, name}`. */
  cards(grid = "#grid") {
    return this.tab
      .locator(`${grid} .card`)
      .evaluateAll((cards) =>
        cards.map((card) => ({
          id: card.dataset.id,
          category: card.dataset.category,
          name: card.querySelector(".name").textContent,
        })),
      );
  }

  /** What this document's content security policy has refused, oldest first. */
  violations() {
    return this.tab.evaluate(() => globalThis.violations);
  }

  /** How many cards have been moved visibly since the page was loaded. */
  animatedCards() {
    return this.tab.evaluate(() => globalThis.animatedCards);
  }

  /** Ids in "recently watched", newest first. */
  watched() {
    return this.tab.locator("#watched li").evaluateAll((rows) => rows.map((row) => row.dataset.id));
  }

  /** Clicks a video and waits until the list is ranked again. */
  async click(id, grid = "#grid") {
    await this.tab.locator(`${grid} .card[data-id=${JSON.stringify(id)}] .play`).click();
    await this.tab.waitForFunction((id) => document.querySelector("#watched li")?.dataset.id === id, id);
    await this.ready();
  }

  /** Searches and waits for the results. */
  async search(text) {
    await this.tab.fill("#search-text", text);
    await this.tab.keyboard.press("Enter");
    await this.tab.waitForFunction(
      (text) => document.querySelector("#results-title").textContent.includes(text),
      text,
    );
    await this.ready();
    return this.cards("#results-grid");
  }

  /** Searches with a picture file and waits for the results. */
  async searchByPicture(file) {
    await this.tab.evaluate(() => (document.querySelector("#results-title").textContent = ""));
    await this.tab.setInputFiles("#search-picture", file);
    await this.tab.waitForFunction((name) => document.querySelector("#results-title").textContent.includes(name), path.basename(file));
    await this.ready();
    return this.cards("#results-grid");
  }

  async enterMode(mode) {
    await this.tab.locator(`#modes input[value=${mode}]`).check();
    await this.tab.waitForFunction((mode) => document.documentElement.dataset.mode === mode, mode);
    await this.ready();
  }
}

/** How many of the first ten cards are of a kind. */
export function shareOfTop10(cards, category) {
  return cards.slice(0, 10).filter((card) => card.category === category).length;
}

/**
 * Clicks three videos of one kind: one that is shown but does not lead, then whatever is shown of that kind, found
 * through the search where the list has none left.
 * @returns {Promise<{kind: string, clicked: string[]}>}
 */
export async function clickThreeOfOneKind(page) {
  const shown = await page.cards();
  const kind = rarestKind(shown);
  const clicked = [];
  let last = null;
  while (clicked.length < 3) {
    let grid = "#grid";
    let next = (await page.cards()).find((card) => card.category === kind);
    if (!next) {
      grid = "#results-grid";
      next = (await page.search(last.name)).find((card) => card.category === kind && !clicked.includes(card.id));
    }
    assert.ok(next, `no further video of kind ${kind} is shown or found`);
    await page.click(next.id, grid);
    clicked.push(next.id);
    last = next;
  }
  return { kind, clicked };
}

/** The kind with the fewest videos among the first ten, of all kinds that are shown. */
function rarestKind(cards) {
  const kinds = [...new Set(cards.map((card) => card.category))];
  return kinds.sort((a, b) => shareOfTop10(cards, a) - shareOfTop10(cards, b) || a.localeCompare(b))[0];
}
