// onnxruntime-web's side of `cargo xtask bench rank`: node onnxruntime_peer.mjs MODEL.onnx ROWS FEATURES

import * as ort from "onnxruntime-web";
import { answer, readRows } from "./peer.mjs";

const [model, file, features] = process.argv.slice(2);
ort.env.wasm.numThreads = 1;
const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
const rows = await readRows(file);
// The tensors are made once: only the run is timed.
const tensors = new Map();
await answer(async (n) => {
  if (!tensors.has(n)) {
    tensors.set(n, new ort.Tensor("float32", rows.subarray(0, n * Number(features)), [n, Number(features)]));
  }
  const { scores } = await session.run({ rows: tensors.get(n) });
  return scores.data;
});
