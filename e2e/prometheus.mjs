// Reads Prometheus's text format (https://prometheus.io/docs/instrumenting/exposition_formats/), strictly.

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="([^"\\\n]*)"$/;

function sample(line) {
  const [, name, labels = "", value] = SAMPLE.exec(line) ?? [];
  if (name === undefined || !Number.isFinite(Number(value))) throw new Error(`no sample: ${line}`);
  const pairs = labels.split(",").filter(Boolean).map((label) => {
    const [, key, text] = LABEL.exec(label) ?? [];
    if (key === undefined) throw new Error(`no label: ${line}`);
    return [key, text];
  });
  return { name, labels: Object.fromEntries(pairs), value: Number(value) };
}

/**
 * The samples of a text, by family.
 * @returns {Map<string, {type: string, samples: {name: string, labels: object, value: number}[]}>}
 * @throws {Error} where a line is none, a family comes twice or a sample stands outside of its family
 */
export function parseMetrics(text) {
  if (!text.endsWith("\n")) throw new Error("the last line has no end");
  const families = new Map();
  let current;
  for (const line of text.slice(0, -1).split("\n")) {
    const [, kind, name, rest] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (kind === "HELP") {
      if (!NAME.test(name) || families.has(name)) throw new Error(`a family twice, or without a name: ${line}`);
      current = { name, type: undefined, samples: [] };
      families.set(name, current);
    } else if (kind === "TYPE") {
      if (name !== current?.name || current.type) throw new Error(`a type without its family: ${line}`);
      if (!["counter", "gauge", "histogram"].includes(rest)) throw new Error(`no type: ${line}`);
      current.type = rest;
    } else {
      const found = sample(line);
      const suffixes = current?.type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
      if (!suffixes.some((suffix) => found.name === current?.name + suffix)) throw new Error(`outside of its family: ${line}`);
      current.samples.push(found);
    }
  }
  return families;
}
