// Which cards of the newest slate have been in view: reported together, each once, and kept in this browser.

/** Share of a card that must be in view. */
const VISIBLE = 0.5;
/** Milliseconds in which sightings are collected. */
const COLLECT_MS = 400;

export class Impressions {
  #record;
  #request = null;
  #seen = [];
  #timer = null;
  #observer = new IntersectionObserver((entries) => this.#notice(entries), { threshold: VISIBLE });

  /** @param {(event: object) => Promise<void>} record stores an event */
  constructor(record) {
    this.#record = record;
  }

  /** Watches the cards of a slate; those of the one before count no longer. */
  watch(request, list) {
    this.#report();
    this.#request = request;
    this.#observer.disconnect();
    for (const card of list.children) this.#observer.observe(card);
  }

  #notice(entries) {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      this.#observer.unobserve(target);
      this.#seen.push(target.dataset.id);
    }
    if (this.#seen.length > 0) this.#timer ??= setTimeout(() => this.#report(), COLLECT_MS);
  }

  #report() {
    clearTimeout(this.#timer);
    this.#timer = null;
    const items = this.#seen.splice(0);
    // Where the recommender is gone or cannot store, the page says so at the next click.
    if (items.length > 0) this.#record({ event: "impression", request: this.#request, items }).catch(() => {});
  }
}
