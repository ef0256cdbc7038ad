// One video in a grid: a button that plays it, its rank and how that changed, and its "why this".

import { h } from "./dom.js";
import { duration } from "./format.js";
import { playOnHover, still } from "./thumb.js";

/** Handlers: `onPlay(item, card)`, `onWhy(item, button)`. */
export class Card {
  constructor(item, sheets, { onPlay, onWhy }) {
    this.item = item;
    this.rank = h("span", { class: "rank", "aria-hidden": "true" });
    this.move = h("span", { class: "move" });
    const frame = h("span", { class: "frame" }, still(item, sheets), this.rank, this.move);
    if (item.durationSeconds !== undefined) {
      frame.append(h("span", { class: "length" }, duration(item.durationSeconds)));
    }
    this.button = h("button", { type: "button", class: "play" }, frame, h("span", { class: "name" }, item.name));
    this.button.addEventListener("click", () => onPlay(item, this));
    if (!sheets) playOnHover(this.button, frame, item);

    const why = h("button", { type: "button", class: "link why-button", "aria-haspopup": "dialog" }, "Why this?");
    why.setAttribute("aria-label", `Why this? ${item.name}`);
    why.addEventListener("click", () => onWhy(item, why));

    const by = [item.category, item.creator].filter(Boolean).join(" · ");
    this.root = h(
      "li",
      { class: "card", data: { id: item.id, category: item.category ?? "" } },
      this.button,
      h("span", { class: "meta" }, h("span", { class: "by", title: by }, by), why),
    );
  }

  /**
   * @param {number} rank 1 is first
   * @param {number|null|undefined} before the rank it had; `null` if it is new here; `undefined` shows no change
   */
  place(rank, before) {
    this.rank.textContent = rank;
    const rise = before ? before - rank : 0;
    this.move.className = "move";
    this.move.textContent = "";
    if (before === null) this.#mark("new", "new");
    else if (rise > 0) this.#mark(`▲ ${rise}`, "up");
    else if (rise < 0) this.#mark(`▼ ${-rise}`, "down");
  }

  #mark(text, kind) {
    this.move.textContent = text;
    this.move.classList.add(kind);
  }
}
