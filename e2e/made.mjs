// A site of made vectors in several segments, with the command's own answers to compare with.

import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export const DIM = 64;
const SEGMENTS = 8;
const ITEMS = 4000;

/** Runs the command; its standard output. */
export async function recsys(...args) {
  const { stdout } = await run(process.env.RECSYS_BIN, args, { maxBuffer: 1 << 28 });
  return stdout;
}

/** The rows of a .npy matrix of f32. */
export async function matrix(file) {
  const bytes = await readFile(file);
  const start = 10 + bytes.readUInt16LE(8);
  const [, rows, columns] = /'shape': \((\d+), (\d+)\)/.exec(bytes.toString("latin1", 10, start));
  const values = new Float32Array(new Uint8Array(bytes.subarray(start)).buffer);
  return Array.from({ length: Number(rows) }, (_, row) => [...values.subarray(row * columns, (row + 1) * columns)]);
}

/** A .npy file of f32 values, row by row. */
export function npyOf(values, rows, columns) {
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${columns}), }`;
  const length = Math.ceil((10 + header.length + 1) / 64) * 64 - 10;
  const start = Buffer.from(`\x93NUMPY\x01\x00\x00\x00${header.padEnd(length - 1)}\n`, "latin1");
  start.writeUInt16LE(length, 8);
  return Buffer.concat([start, Buffer.from(values.buffer)]);
}

/** A .npy file of some rows. */
export const npy = (rows) => npyOf(new Float32Array(rows.flat()), rows.length, rows[0].length);

/** A folder with `site/bundle`, the made `queries` and a way to be rid of it. */
export async function madeSite() {
  const folder = await mkdtemp(path.join(tmpdir(), "recsys-made-"));
  const at = (name) => path.join(folder, name);
  const made = ["--items", String(ITEMS), "--dim", String(DIM), "--clusters", "60", "--queries", "40"];
  await recsys("demo-vectors", ...made, "--out", folder);
  const [vectors, ids, bundle] = ["items.npy", "ids.txt", "site/bundle"].map(at);
  const index = ["--vectors", vectors, "--ids", ids, "--shards", String(SEGMENTS), "--probes", "3"];
  await recsys("index", ...index, "--flat-up-to", "100", "--out", bundle);
  await writeFile(at("site/index.html"), "<!doctype html><title>made</title>");
  return {
    folder,
    site: at("site"),
    bundle,
    queries: await matrix(at("queries.npy")),
    manifest: async () => JSON.parse(await readFile(path.join(bundle, "manifest.json"), "utf8")).manifest,
    /** What the command finds for every query. */
    async expected(k = 10) {
      const lines = await recsys("search", "--bundle", bundle, "--vectors", at("queries.npy"), "-k", String(k), "--json");
      return lines.trim().split("\n").map((line) => JSON.parse(line).map(({ id }) => id));
    },
    copy: (name) => cp(bundle, at(name), { recursive: true }).then(() => at(name)),
    dispose: () => rm(folder, { recursive: true, force: true }),
  };
}
