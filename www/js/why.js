// "Why this": one popover for all cards, opened next to the button that asked.

import { byId, h } from "./dom.js";
import { measure } from "./format.js";

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

function render({ sentence, reasons }) {
  return [
    h("p", { class: "sentence" }, sentence),
    reasons.length === 0
      ? null
      : h(
          "table",
          {},
          h("caption", {}, "What the ranker read"),
          h(
            "tbody",
            {},
            ...reasons.map(({ feature, label, value, unit }) =>
              h("tr", { title: feature }, h("th", { scope: "row" }, label), h("td", {}, measure(value, unit))),
            ),
          ),
        ),
  ].filter(Boolean);
}
