// The site's file `_headers`, as Cloudflare's static assets have it: rules of a path, in which `*` stands for any characters, and
// the headers below it. All rules that fit hold; of one header the values are joined. Placeholders (`:name`), rules of a host and
// headers that are taken away (`! Name`) are not known, and refused.

const RULE = /^\/[^\s:]*$/;
const HEADER = /^\s+([A-Za-z0-9-]+):\s*(\S.*?)\s*$/;

const literal = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
const pattern = (path) => new RegExp(`^${path.split("*").map(literal).join(".*")}$`);

/**
 * Reads the rules.
 * @throws {Error} where a line is neither rule, header nor comment: a page must not go out without its policy
 */
export function parse(text) {
  const rules = [];
  for (const [index, line] of text.split("\n").entries()) {
    const [, name, value] = HEADER.exec(line) ?? [];
    if (!line.trim() || line.trimStart().startsWith("#")) continue;
    else if (RULE.test(line.trimEnd())) rules.push({ fits: pattern(line.trimEnd()), headers: [] });
    else if (name && rules.length) rules.at(-1).headers.push([name, value]);
    else throw new Error(`_headers, line ${index + 1}: expected a path, or below one "  Name: value"`);
  }
  return rules;
}

/** Puts the headers that hold for a path into an answer's; a rule's value replaces the answer's own. */
export function apply(rules, pathname, headers) {
  const stated = new Headers();
  for (const rule of rules) {
    if (!rule.fits.test(pathname)) continue;
    for (const [name, value] of rule.headers) stated.append(name, value);
  }
  for (const [name, value] of stated) headers.set(name, value);
}
