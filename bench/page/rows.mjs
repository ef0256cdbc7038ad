// Rows to train the bench's ranker on: node rows.mjs OUT. Forty viewers, 500 candidates each.

import { writeFile } from "node:fs/promises";
import path from "node:path";
import { FEATURES, fill } from "./plain.mjs";
import { CANDIDATES, makeWorld, prepare } from "./world.mjs";

const VIEWERS = 40;
const [out] = process.argv.slice(2);
const rows = new Float32Array(VIEWERS * CANDIDATES * FEATURES.length);
for (let viewer = 0; viewer < VIEWERS; viewer++) {
  const { now_ms, session, candidates } = makeWorld(100 + viewer);
  const width = CANDIDATES * FEATURES.length;
  const world = { now_ms, clicks: session.clicks.map(prepare), candidates: candidates.map(prepare) };
  fill(world, rows.subarray(viewer * width, (viewer + 1) * width));
}
await writeFile(path.join(out, "page.train"), rows);
await writeFile(path.join(out, "page.features"), FEATURES.join("\n"));
