// The screen at the side. Standard mode plays the film, or runs the strip where there is no film. Local mode shows
// the still from the sheets and fetches the film only when the viewer asks for that.

import { byId, h } from "./dom.js";
import { duration } from "./format.js";
import { running, still } from "./thumb.js";

export class Player {
  #root = byId("player");
  #screen = byId("screen");
  #placeholder = [...this.#screen.childNodes];

  constructor() {
    byId("player-close").addEventListener("click", () => this.close());
  }

  get open() {
    return this.#root.classList.contains("on");
  }

  /**
   * @param {object} item
   * @param {object[]|null} sheets the shared sheets; `null` in standard mode
   */
  show(item, sheets) {
    this.#stop();
    this.#root.classList.add("on");
    byId("playing").hidden = false;
    byId("playing-name").textContent = item.name;
    byId("playing-by").textContent = [
      item.category,
      item.creator,
      item.durationSeconds !== undefined ? duration(item.durationSeconds) : null,
    ]
      .filter(Boolean)
      .join(" · ");
    if (sheets) this.#offer(item, sheets);
    else this.#play(item);
  }

  close() {
    this.#stop();
    this.#root.classList.remove("on");
    byId("playing").hidden = true;
    this.#screen.replaceChildren(...this.#placeholder);
  }

  /** Local mode: the still, and a button that says what it does. */
  #offer(item, sheets) {
    const picture = still(item, sheets);
    if (!item.contentUrl) {
      this.#screen.replaceChildren(picture);
      return;
    }
    const button = h("button", { type: "button", class: "button fetch" }, "Play (fetches this file)");
    button.addEventListener("click", () => {
      this.#play(item);
      this.#screen.querySelector("video")?.focus();
    });
    this.#screen.replaceChildren(picture, button);
  }

  #play(item) {
    if (!item.contentUrl) {
      this.#run(item);
      return;
    }
    const video = h("video", { src: item.contentUrl, muted: true, autoplay: true, loop: true, controls: true });
    video.playsInline = true;
    video.setAttribute("aria-label", item.name);
    video.addEventListener("error", () => video.isConnected && this.#run(item));
    this.#screen.replaceChildren(video);
  }

  #run(item) {
    this.#screen.replaceChildren(...[still(item, null), running(item)].filter(Boolean));
  }

  /** Ends a download that still runs; taking the element away does not. */
  #stop() {
    const video = this.#screen.querySelector("video");
    if (!video) return;
    video.remove();
    video.removeAttribute("src");
    video.load();
  }
}
