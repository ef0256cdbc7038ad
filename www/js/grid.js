// A list of cards that keeps each card through a new order and moves it there visibly (first, last, invert, play).

import { Card } from "./card.js";
import { prefersStillness } from "./dom.js";

const MOVE = { duration: 480, easing: "cubic-bezier(.2, .8, .2, 1)", fill: "backwards" };
const ENTER = { duration: 360, easing: "ease-out", fill: "backwards" };
/** Delay from one card to the next, in milliseconds. */
const STAGGER = 14;

export class Grid {
  #list;
  #handlers;
  #cards = new Map();

  /** Handlers are those of `Card`. */
  constructor(list, handlers) {
    this.#list = list;
    this.#handlers = handlers;
  }

  /**
   * Shows a slate.
   * @param {{item: object, rank: number}[]} recommendations
   * @param {object[]|null} sheets see `still`
   * @returns {{fresh: number, moved: number}|null} how many cards are new and how many changed their rank; `null`
   *   where there was nothing before
   */
  show(recommendations, sheets) {
    const first = this.#cards.size === 0;
    const old = new Map([...this.#cards].map(([id, card]) => [id, card.root.getBoundingClientRect()]));
    const oldRanks = new Map([...this.#cards.keys()].map((id, index) => [id, index + 1]));

    const cards = new Map();
    const change = { fresh: 0, moved: 0 };
    recommendations.forEach(({ item }, index) => {
      const card = this.#cards.get(item.id) ?? new Card(item, sheets, this.#handlers);
      const before = oldRanks.get(item.id) ?? null;
      card.place(index + 1, first ? undefined : before);
      if (before === null) change.fresh += 1;
      else if (before !== index + 1) change.moved += 1;
      cards.set(item.id, card);
    });
    this.#cards = cards;
    this.#list.replaceChildren(...[...cards.values()].map((card) => card.root));
    if (!first && !prefersStillness()) this.#animate(old);
    return first ? null : change;
  }

  /** Drops all cards, so that the next slate is drawn anew. */
  clear() {
    this.#cards.clear();
    this.#list.replaceChildren();
  }

  /** Index of a card, or -1. */
  indexOf(card) {
    return [...this.#cards.values()].indexOf(card);
  }

  /** Puts the keyboard on the card at `index`, or on the last one. */
  focus(index) {
    const cards = [...this.#cards.values()];
    cards[Math.min(index, cards.length - 1)]?.button.focus();
  }

  #animate(old) {
    let index = 0;
    for (const [id, { root }] of this.#cards) {
      const delay = STAGGER * index++;
      const from = old.get(id);
      if (!from) {
        root.animate([{ opacity: 0, transform: "translateY(14px) scale(.96)" }, {}], { ...ENTER, delay: delay + 120 });
        continue;
      }
      const to = root.getBoundingClientRect();
      const [dx, dy] = [from.left - to.left, from.top - to.top];
      if (dx || dy) root.animate([{ transform: `translate(${dx}px, ${dy}px)` }, {}], { ...MOVE, delay });
    }
  }
}
