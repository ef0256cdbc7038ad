// "Why this": one popover for all cards, opened next to the button that asked.

import { byId, h } from "./dom.js";
import { measure, signed } from "./format.js";

/** Parts of the score that are shown; the rest is summed up. */
const SHOWN = 6;

/** Distance to the button and to the window's edge, in pixels. */
const GAP = 8;

export class Why {
  #panel = byId("why");
  #title = byId("why-title");
  #body = byId("why-body");
  #button = null;

  constructor() {
    this.#panel.addEventListener("toggle", ({ newState }) => {
      this.#button?.setAttribute("aria-expanded", String(newState === "open"));
    });
  }

  /**
   * @param {object} item
   * @param {HTMLElement} button focus returns to it
   * @param {Promise<object>} explanation of the recommender
   */
  async show(item, button, explanation) {
    this.#button = button;
    this.#title.textContent = item.name;
    this.#body.replaceChildren(h("p", {}, "…"));
    const asked = explanation.then(render, (error) => [h("p", { class: "sentence" }, error.message)]);
    const content = await asked;
    if (this.#button !== button) return;
    this.#body.replaceChildren(...content);
    this.#panel.showPopover();
    this.#place(button);
    this.#panel.focus();
  }

  close() {
    if (this.#panel.matches(":popover-open")) this.#panel.hidePopover();
  }

  /** Below the button, or above it where there is more room; inside the window at any width. */
  #place(button) {
    const anchor = button.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.#panel;
    const page = document.documentElement;
    const left = Math.max(GAP, Math.min(anchor.left, page.clientWidth - width - GAP));
    const below = anchor.bottom + GAP;
    const above = anchor.top - GAP - height;
    const top = below + height > page.clientHeight && above > 0 ? above : below;
    this.#panel.style.left = `${left + scrollX}px`;
    this.#panel.style.top = `${top + scrollY}px`;
  }
}

function render({ sentence, reasons, contributions }) {
  const table = contributions ? parts(contributions.features) : inputs(reasons);
  return [h("p", { class: "sentence" }, sentence), table].filter(Boolean);
}

/** What the ranker read, where its scores cannot be split. */
function inputs(reasons) {
  if (reasons.length === 0) return null;
  const row = ({ feature, label, value, unit }) =>
    h("tr", { title: feature }, h("th", { scope: "row" }, label), h("td", {}, measure(value, unit)));
  return h("table", {}, h("caption", {}, "What the ranker read"), h("tbody", {}, ...reasons.map(row)));
}

/** What lifts or lowers this video compared with a typical one of the slate, as bars; they add up. */
function parts(features) {
  const all = features.map((part) => ({ ...part, effect: part.contribution - part.typical }));
  const shown = all.slice(0, SHOWN).filter(({ effect }) => effect !== 0);
  const rest = all.slice(SHOWN).reduce((sum, { effect }) => sum + effect, 0);
  const largest = Math.max(...shown.map(({ effect }) => Math.abs(effect)), Math.abs(rest));
  const row = ({ feature, label, value, unit, effect }) =>
    h(
      "tr",
      { title: value === undefined ? "" : `${feature}: ${measure(value, unit)}` },
      h("th", { scope: "row" }, label),
      h("td", {}, bar(effect, largest), signed(effect)),
    );
  return h(
    "table",
    { class: "parts" },
    h("caption", {}, "Score, compared with a typical video here"),
    h("tbody", {}, ...[...shown, { label: "everything else", effect: rest }].map(row)),
  );
}

/** A bar to the right of the middle for what lifts, to the left for what lowers. */
function bar(effect, largest) {
  const fill = h("span", { class: effect < 0 ? "down" : "up" });
  fill.style.width = `${largest > 0 ? (50 * Math.abs(effect)) / largest : 0}%`;
  return h("span", { class: "bar", "aria-hidden": "true" }, fill);
}
