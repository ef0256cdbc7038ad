// "What left your browser": every request of the recommender with its exact bytes, and a count of the plain files.

import { byId, h } from "./dom.js";
import { bytes, count, time } from "./format.js";

/** Requests shown before "show all". */
const SHORT = 6;

export class Receipt {
  #list = byId("requests");
  #more = byId("requests-more");
  #total = byId("total");
  #sent = [];
  #all = false;

  constructor() {
    this.#more.addEventListener("click", () => {
      this.#all = !this.#all;
      this.#draw();
    });
  }

  /** @param {{mode: string, claim: string, epsilon: {report: number, spent: number, budget: number}}} privacy as `rec.privacy()` gives it */
  promise({ mode, claim, epsilon }) {
    byId("claim").textContent = claim;
    byId("epsilon").hidden = mode !== "noised";
    byId("epsilon").textContent = `ε ${epsilon.report} for each period. Spent: ${epsilon.spent} of ${epsilon.budget}.`;
  }

  /** @param {object[]} sent as `rec.sent()` gives it, oldest first */
  show(sent) {
    if (sent.length === this.#sent.length && sent.length > 0) return;
    this.#sent = sent;
    this.#draw();
  }

  #draw() {
    const sent = this.#sent;
    const open = new Set([...this.#list.querySelectorAll("details[open]")].map((row) => row.dataset.index));
    const shown = this.#all ? sent.length : Math.min(SHORT, sent.length);
    const rows = [];
    for (let index = sent.length - 1; index >= sent.length - shown; index -= 1) {
      rows.push(row(sent[index], index, open.has(String(index))));
    }
    if (rows.length === 0) rows.push(h("li", { class: "empty" }, "Nothing."));
    this.#list.replaceChildren(...rows);
    this.#more.hidden = sent.length <= SHORT;
    this.#more.textContent = this.#all ? "Show the latest only" : `Show all ${sent.length}`;
    this.#total.replaceChildren(
      h("dt", {}, "Total"),
      h("dd", {}, count(sent.length, "request")),
      h("dd", { class: "sum" }, `${bytes(sent.reduce((sum, request) => sum + request.bytes, 0))} of body`),
    );
  }
}

function row(request, index, open) {
  const path = new URL(request.url, location.href).pathname;
  return h(
    "li",
    {},
    h(
      "details",
      { open, data: { index: String(index) } },
      h(
        "summary",
        {},
        h("span", { class: "line" }, `${request.method} ${path}`),
        h("span", { class: "bytes" }, bytes(request.bytes)),
        h("span", { class: "words" }, request.words),
      ),
      h("p", { class: "when" }, `${time(request.at)} · ${request.url}`),
      h("pre", { tabIndex: 0, "aria-label": "Exact request body" }, request.body || (request.bytes > 0 ? "(the picture itself)" : "(no body)")),
    ),
  );
}

/** Counts the files that the page itself fetched to show pictures and films. */
export class Files {
  #summary = byId("files-summary");
  #list = byId("files");
  #names = [];

  constructor() {
    this.#draw();
    const observer = new PerformanceObserver((list) => {
      const shown = list.getEntries().filter(({ initiatorType }) => ["img", "css", "video"].includes(initiatorType));
      this.#names.push(...shown.map(({ name }) => new URL(name).pathname).filter((path) => !path.endsWith(".css")));
      this.#draw();
    });
    observer.observe({ type: "resource", buffered: true });
  }

  #draw() {
    this.#summary.textContent = `Besides: ${count(this.#names.length, "picture or film file", "picture and film files")}`;
    this.#list.replaceChildren(...this.#names.slice(-50).reverse().map((name) => h("li", {}, name)));
  }
}
