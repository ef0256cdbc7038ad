// Our side of the time to the first vector: node first_vector.mjs ENCODE.wasm FOLDER TOWER prints the milliseconds since this
// script began, with compiling the module and reading the tower's file.

import { readFile } from "node:fs/promises";
import process from "node:process";

const began = performance.now();
process.removeAllListeners("warning");
const { WASI } = await import("node:wasi");
const [file, ...args] = process.argv.slice(2);
const cwd = process.cwd();
const wasi = new WASI({ version: "preview1", args: [file, ...args], preopens: { [cwd]: cwd } });
const module = await WebAssembly.compile(await readFile(file));
wasi.start(await WebAssembly.instantiate(module, wasi.getImportObject()));
console.log(performance.now() - began);
