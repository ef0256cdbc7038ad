// onnxruntime-web's side of `cargo xtask bench encode`: node onnxruntime_peer.mjs FOLDER SUFFIX [TOWER], where the towers are
// FOLDER/text SUFFIX and FOLDER/image SUFFIX. It answers the lines of crates/core/examples/encode.rs; with a TOWER it encodes once
// and prints the milliseconds since this script began.

import { readFile } from "node:fs/promises";
import path from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";

const began = performance.now();
const ort = await import("onnxruntime-web");
ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";
const [folder, suffix, once] = process.argv.slice(2);

async function tower(name, file, input, shape) {
  const bytes = await readFile(path.join(folder, `${name}${suffix}`));
  const session = await ort.InferenceSession.create(new Uint8Array(bytes), { executionProviders: ["wasm"] });
  const raw = await readFile(path.join(folder, file));
  const values = new Float32Array(raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.length));
  const tensor = new ort.Tensor("float32", values, shape(values.length));
  return async () => (await session.run({ [input]: tensor })).vector.data;
}

const open = {
  text: () => tower("text", "tokens.f32", "embeddings", (n) => [1, 16, n / 16]),
  image: () => tower("image", "pixels.f32", "pixels", (n) => [1, 3, Math.sqrt(n / 3), Math.sqrt(n / 3)]),
};

if (once) {
  const run = await open[once]();
  await run();
  console.log(performance.now() - began);
} else {
  const towers = { text: await open.text(), image: await open.image() };
  for await (const line of createInterface({ input: process.stdin })) {
    const [what, name, times] = line.split(" ");
    if (what === "vector") {
      console.log(JSON.stringify([...(await towers[name]())]));
    } else {
      const start = performance.now();
      for (let i = 0; i < Number(times); i++) await towers[name]();
      console.log((performance.now() - start) / Number(times));
    }
  }
}
