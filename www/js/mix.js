// Which kinds of video the first ten are, so that a re-ranking can be read at a glance.

import { byId, h } from "./dom.js";

const TOP = 10;
/** Kinds named; the rest are summed up. */
const NAMED = 3;

/** Counts the kinds of the first ten, most frequent first. */
export function kinds(recommendations) {
  const counts = new Map();
  for (const { item } of recommendations.slice(0, TOP)) {
    const kind = item.category ?? "other";
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts].sort(([a, m], [b, n]) => n - m || a.localeCompare(b));
}

export function showMix(recommendations) {
  const all = kinds(recommendations);
  const shown = all.slice(0, NAMED);
  const rest = all.slice(NAMED).reduce((sum, [, n]) => sum + n, 0);
  if (rest > 0) shown.push(["others", rest]);
  byId("mix").replaceChildren(
    ...shown.map(([kind, n], index) => {
      const row = h("li", { class: kind === "others" ? "rest" : `kind-${index}` }, h("b", {}, String(n)), ` ${kind}`);
      row.style.flexGrow = n;
      return row;
    }),
  );
}
