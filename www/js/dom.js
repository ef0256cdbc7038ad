// Small helpers over the DOM. Styles are set through CSSOM only, so that the page runs under `style-src 'self'`.

/** @returns {HTMLElement} the element with this id; the page can't work without it. */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`index.html has no element with id "${id}"`);
  return element;
}

/**
 * Makes an element.
 * @param {string} tag
 * @param {object} props properties; `class`, `data` (data-… attributes) and names with a hyphen are attributes
 * @param {...(Node|string|null|undefined)} children
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "class") element.className = value;
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name.includes("-") || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** A CSS `url()` for a path that may hold any character. */
export function cssUrl(path) {
  return `url("${path.replace(/[\\"\n\r]/g, (found) => `\\${found.codePointAt(0).toString(16)} `)}")`;
}

const stillness = matchMedia("(prefers-reduced-motion: reduce)");

/** Whether the viewer asked for less motion. */
export function prefersStillness() {
  return stillness.matches;
}
