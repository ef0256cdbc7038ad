// hnswlib-node and hnswlib-wasm behind the lines that crates/core/examples/search.rs documents.
//
// Usage: javascript_peer.mjs ENGINE ITEMS.npy QUERIES.npy INDEX PEERS, where PEERS is the folder with the engines'
// node_modules. INDEX is a file that keeps the graph from one run to the next, for the engine that can write one.

import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const CONNECTIVITY = 16;
const EF_CONSTRUCTION = 200;
const SEED = 1;

const [name, itemsFile, queriesFile, indexFile, peers] = process.argv.slice(2);

/** A .npy matrix of f32 as rows. */
async function matrix(file) {
  const bytes = await readFile(file);
  const start = 10 + bytes.readUInt16LE(8);
  const [, rows, columns] = bytes.toString("latin1", 10, start).match(/\((\d+), (\d+)\)/);
  const values = new Float32Array(bytes.buffer.slice(bytes.byteOffset + start));
  return Array.from({ length: Number(rows) }, (_, row) => values.subarray(row * columns, (row + 1) * columns));
}

async function hnswlibNode(items, file) {
  const { HierarchicalNSW } = createRequire(path.resolve(peers, "package.json"))("hnswlib-node");
  const index = new HierarchicalNSW("ip", items[0].length);
  if (existsSync(file)) {
    index.readIndexSync(file);
  } else {
    index.initIndex(items.length, CONNECTIVITY, EF_CONSTRUCTION, SEED);
    items.forEach((item, row) => index.addPoint(Array.from(item), row));
    index.writeIndexSync(file);
  }
  return {
    prepare: (query) => Array.from(query),
    setEf: (ef) => index.setEf(ef),
    search: (query, k) => index.searchKnn(query, k).neighbors,
  };
}

async function hnswlibWasm(items) {
  // Its loader wants a browser and IndexedDB; the module that it loads wants to see a window alone.
  globalThis.window = globalThis;
  globalThis.document = { currentScript: { src: "" } };
  const folder = path.resolve(peers, "node_modules/hnswlib-wasm/dist");
  const [module] = (await readdir(folder)).filter((file) => /^hnswlib-[0-9a-f]+\.js$/.test(file));
  const { default: load } = await import(pathToFileURL(path.join(folder, module)).href);
  const library = await load();
  const index = new library.HierarchicalNSW("ip", items[0].length, "");
  index.initIndex(items.length, CONNECTIVITY, EF_CONSTRUCTION, SEED);
  items.forEach((item, row) => index.addPoint(item, row, false));
  return {
    prepare: (query) => query,
    setEf: (ef) => index.setEfSearch(ef),
    search: (query, k) => index.searchKnn(query, k, undefined).neighbors,
  };
}

const ENGINES = { "hnswlib-node": hnswlibNode, "hnswlib-wasm": hnswlibWasm };

const engine = await ENGINES[name](await matrix(itemsFile), indexFile);
const queries = (await matrix(queriesFile)).map(engine.prepare);
for await (const line of createInterface({ input: process.stdin })) {
  const [what, n, k, ef] = line.split(" ");
  const few = queries.slice(0, Number(n));
  engine.setEf(Math.max(Number(ef), Number(k)));
  const start = performance.now();
  const rows = few.map((query) => engine.search(query, Number(k)));
  const elapsed = performance.now() - start;
  console.log(what === "time" ? elapsed : JSON.stringify(rows.map((row) => Array.from(row))));
}
