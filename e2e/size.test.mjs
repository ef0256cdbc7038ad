// Sizes on the wire are budgets, and exact.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const KB = 1000;
const BUDGETS = [
  ["recsys.wasm", "dist/pkg/recsys.wasm", 200 * KB],
  ["the edge worker without encoder", "dist/edge-worker/index_bg.wasm", 600 * KB],
  ["the encoder with tokenizer and picture decoders", "dist/edge-encoder/index_bg.wasm", 1300 * KB],
];

for (const [what, file, budget] of BUDGETS) {
  test(`${what} is at most ${budget / KB} KB gzipped`, async () => {
    const bytes = await readFile(fileURLToPath(new URL(`../${file}`, import.meta.url)));
    const size = gzipSync(bytes, { level: 9 }).length;
    console.log(`${what}: ${(size / KB).toFixed(1)} KB gzipped, ${(bytes.length / KB).toFixed(1)} KB as it is`);
    assert.ok(size <= budget, `${size} bytes`);
  });
}
