// node bench/scale/main.mjs [--json FILE] [--update] [--set KEY=VALUE …]
//
// Prints the tables of docs/scale.md. `--json` writes every run's figures; `--update` puts the tables into docs/scale.md;
// `--set` takes an input of your own (bench/scale/inputs.mjs), which `--update` refuses: the page is about the inputs as they stand.

import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { inputs } from "./inputs.mjs";
import { tables } from "./tables.mjs";

const DOCUMENT = fileURLToPath(new URL("../../docs/scale.md", import.meta.url));
const MARKED = /(<!-- scale:([\w-]+) -->\n)[\s\S]*?(\n<!-- \/scale -->)/g;

/**
 * The page with its tables put in.
 * @throws {Error} the page asks for a table that there is not, or leaves one out
 */
export function withTables(page, made) {
  const placed = new Set();
  const text = page.replace(MARKED, (_, open, name, close) => {
    if (!(name in made)) throw new Error(`docs/scale.md asks for a table ${name}, which bench/scale/tables.mjs does not make`);
    placed.add(name);
    return open + made[name] + close;
  });
  const missing = Object.keys(made).filter((name) => !placed.has(name));
  if (missing.length > 0) throw new Error(`docs/scale.md has no place for: ${missing.join(", ")}`);
  return text;
}

/** One object a run, without what a reader of JSON does not need. */
const plain = ({ shape, loadsOf: _, ...run }) => ({ ...shape, ...run });

async function main() {
  const { values } = parseArgs({
    options: { json: { type: "string" }, update: { type: "boolean" }, set: { type: "string", multiple: true } },
  });
  const own = Object.fromEntries((values.set ?? []).map((pair) => {
    const at = pair.indexOf("=");
    if (at < 1) throw new Error(`--set ${pair}: expected KEY=VALUE`);
    return [pair.slice(0, at), Number(pair.slice(at + 1))];
  }));
  if (values.update && values.set) throw new Error("--update and --set do not go together: docs/scale.md is about the inputs as they stand");
  const { tables: made, runs, variations } = tables(inputs(own));
  for (const [name, text] of Object.entries(made)) if (!name.startsWith("inputs-")) process.stdout.write(`${name}\n${text}\n\n`);
  if (values.json) await writeFile(values.json, `${JSON.stringify({ inputs: inputs(own), runs: runs.map(plain), variations: variations.map(plain) }, null, 1)}\n`);
  if (values.update) await writeFile(DOCUMENT, withTables(await readFile(DOCUMENT, "utf8"), made));
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  main().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
