// Runs a test binary that was compiled to wasm32-wasip1. Its folder and $RECSYS_DATA are its only files.

import { readFile } from "node:fs/promises";
import process from "node:process";

// Node warns that WASI is experimental; the tests' output is what should be read.
process.removeAllListeners("warning");
const { WASI } = await import("node:wasi");

const [file, ...args] = process.argv.slice(2);
const data = process.env.RECSYS_DATA;
const wasi = new WASI({
  version: "preview1",
  args: [file, ...args],
  env: data ? { RECSYS_DATA: data } : {},
  preopens: { [process.cwd()]: process.cwd(), ...(data ? { [data]: data } : {}) },
});
const module = await WebAssembly.compile(await readFile(file));
const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
process.exitCode = wasi.start(instance);
