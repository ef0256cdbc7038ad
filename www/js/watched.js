// The strip of videos that were clicked, newest first, as this browser's store has them.

import { byId, h } from "./dom.js";
import { still } from "./thumb.js";

/** Videos shown. */
const LENGTH = 12;

export class Watched {
  #list = byId("watched");
  #empty = byId("watched-empty");
  #onPlay;

  /** @param {(item: object) => void} onPlay */
  constructor(onPlay) {
    this.#onPlay = onPlay;
  }

  /**
   * @param {object[]} items newest first
   * @param {object[]|null} sheets the shared sheets; `null` in standard mode
   */
  show(items, sheets) {
    this.#empty.hidden = items.length > 0;
    this.#list.hidden = items.length === 0;
    this.#list.replaceChildren(
      ...items.slice(0, LENGTH).map((item) => {
        const button = h("button", { type: "button", title: item.name }, still(item, sheets));
        button.setAttribute("aria-label", `Play again: ${item.name}`);
        button.addEventListener("click", () => this.#onPlay(item));
        return h("li", { data: { id: item.id } }, button);
      }),
    );
  }
}
