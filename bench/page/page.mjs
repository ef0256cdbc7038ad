// Runs in Chromium: both sides in turns. `window.bench(options)` gives the times of each turn.

import * as ort from "/node_modules/onnxruntime-web/dist/ort.wasm.min.mjs";
import init, { Request } from "/target/bench/page/recsys_bench.js";
import { FEATURES, choose, fill } from "./plain.mjs";
import { CANDIDATES, makeWorld, prepare } from "./world.mjs";

const RULES = { pool: 100, lambda: 0.9, k: 20 };
const SEED = 7;

async function start() {
  const text = async (file) => (await fetch(`/target/bench/${file}`)).text();
  await init();
  const json = makeWorld(SEED);
  const request = new Request(JSON.stringify(json), await text("page.txt"));

  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = "/node_modules/onnxruntime-web/dist/";
  const session = await ort.InferenceSession.create("/target/bench/page.onnx", { executionProviders: ["wasm"] });
  const world = {
    now_ms: json.now_ms,
    clicks: json.session.clicks.map(prepare),
    candidates: json.candidates.map(prepare),
    seen: new Set(json.session.seen),
  };
  const rows = new Float32Array(CANDIDATES * FEATURES.length);
  const tensor = new ort.Tensor("float32", rows, [CANDIDATES, FEATURES.length]);
  const theirs = async () => {
    fill(world, rows);
    const { scores } = await session.run({ rows: tensor });
    return choose(world, scores.data, RULES);
  };
  return { ours: () => request.rerank(RULES.k), theirs, features: () => request.features(), rows };
}

/** Throws where both sides do not do the same work. */
async function compare({ ours, theirs, features, rows }) {
  const [a, b] = [ours(), await theirs()];
  const matrix = features();
  for (let at = 0; at < matrix.length; at++) {
    const name = FEATURES[at % FEATURES.length];
    // Ours adds days since 1970 in f32, which is good to some minutes.
    const near = name === "upload_gap_days" ? 0.01 : 1e-4 * Math.max(1, Math.abs(matrix[at]));
    const same = Number.isNaN(matrix[at]) ? Number.isNaN(rows[at]) : Math.abs(matrix[at] - rows[at]) <= near;
    if (!same) {
      throw new Error(`candidate ${Math.floor(at / FEATURES.length)}, ${name}: ours ${matrix[at]}, theirs ${rows[at]}`);
    }
  }
  // Features that differ in their last bit may fall on two sides of a threshold.
  const common = b.filter((index) => a.includes(index)).length;
  if (common < RULES.k - 2) throw new Error(`only ${common} of ${RULES.k} in common: ours ${a}, theirs ${b}`);
  return common;
}

window.bench = async ({ rounds, warmUp, passes }) => {
  const sides = await start();
  const common = await compare(sides);
  const times = { ours: [], theirs: [] };
  for (let round = 0; round < warmUp + rounds; round++) {
    for (const side of ["ours", "theirs"]) {
      const begin = performance.now();
      for (let pass = 0; pass < passes; pass++) await sides[side]();
      if (round >= warmUp) times[side].push((performance.now() - begin) / passes);
    }
  }
  return { common, ...times };
};
window.ready = true;
