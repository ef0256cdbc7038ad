// A thumbnail: an image with a hover preview in standard mode, a window on a shared sheet in all others.

import { cssUrl, h, prefersStillness } from "./dom.js";

/** Frames in one preview strip. */
const FRAMES = 8;

/**
 * Where a sprite's cell lies, as CSS background values in per cent.
 * @param {{sheet: number, x: number, y: number}} sprite column and row of the cell
 * @param {{columns: number, rows: number}} sheet
 */
export function cellBackground(sprite, sheet) {
  const along = (index, cells) => (cells > 1 ? (index / (cells - 1)) * 100 : 0);
  return {
    size: `${sheet.columns * 100}% ${sheet.rows * 100}%`,
    position: `${along(sprite.x, sheet.columns)}% ${along(sprite.y, sheet.rows)}%`,
  };
}

/**
 * The still picture of an item.
 * @param {object} item
 * @param {object[]|null} sheets the shared sheets; `null` in standard mode
 */
export function still(item, sheets) {
  if (!sheets) {
    if (!item.thumbnailUrl) return h("span", { class: "blank" });
    return h("img", { src: item.thumbnailUrl, alt: "", width: 240, height: 135, decoding: "async", draggable: false });
  }
  const sheet = item.sprite && sheets[item.sprite.sheet];
  if (!sheet) return h("span", { class: "blank" });
  const picture = h("span", { class: "sprite" });
  const { size, position } = cellBackground(item.sprite, sheet);
  picture.style.backgroundImage = cssUrl(sheet.url);
  picture.style.backgroundSize = size;
  picture.style.backgroundPosition = position;
  return picture;
}

/** The item's strip of frames, running; `null` where there is none or the viewer wants no motion. */
export function running(item) {
  if (!item.previewUrl || prefersStillness()) return null;
  const strip = h("span", { class: "preview" });
  strip.style.backgroundImage = cssUrl(item.previewUrl);
  strip.style.backgroundSize = `${FRAMES * 100}% 100%`;
  return strip;
}

/**
 * Plays the preview in `frame` while `trigger` is hovered or has keyboard focus.
 * The strip is fetched at the first of these, not before.
 */
export function playOnHover(trigger, frame, item) {
  let strip = null;
  const start = () => {
    if (strip) return;
    strip = running(item);
    if (strip) frame.append(strip);
  };
  const stop = () => {
    if (trigger.matches(":hover, :focus-visible")) return;
    strip?.remove();
    strip = null;
  };
  trigger.addEventListener("pointerenter", start);
  trigger.addEventListener("pointerleave", stop);
  trigger.addEventListener("focus", () => trigger.matches(":focus-visible") && start());
  trigger.addEventListener("blur", stop);
}

/**
 * Fetches every sheet whole and keeps it, so that showing a thumbnail later fetches nothing: which sheet is fetched
 * must not depend on what is shown.
 * @returns {Promise<HTMLImageElement[]>} hold on to it for as long as the sheets are shown
 */
export function loadSheets(sheets) {
  return Promise.all(
    sheets.map(async ({ url }) => {
      const image = new Image();
      image.src = url;
      await image.decode().catch(() => {
        throw new Error(`The thumbnail sheet ${url} could not be loaded. Check that the site serves this file.`);
      });
      return image;
    }),
  );
}
