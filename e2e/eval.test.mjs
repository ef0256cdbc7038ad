// On the demo's newest events the full path beats similarity, popularity and chance, beyond what viewers differ by.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import path from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

const ORDER = ["random", "popularity", "similarity", "full"];
const KB = 1024;

test("each stage of the path ranks better than the one below it", async () => {
  const events = path.join(process.env.RECSYS_WORLD, "events.jsonl");
  const args = ["eval", "--events", events, "--bundle", process.env.RECSYS_BUNDLE, "-k", "10", "--json"];
  const { stdout } = await promisify(execFile)(process.env.RECSYS_BIN, args, { maxBuffer: 4096 * KB });
  const rows = JSON.parse(stdout);
  const ndcg = (name) => rows.find((r) => r.path === name && r.metric === "ndcg" && r.candidates === "slate");
  for (const name of ORDER) console.log(`${name}: NDCG@10 ${ndcg(name).value.toFixed(3)}`);
  for (const [i, better] of ORDER.slice(1).entries()) {
    const { path: pair, value, low, high, viewers } = ndcg(`${better} minus ${ORDER[i]}`);
    console.log(`${pair}: ${value.toFixed(3)}, 95 % [${low.toFixed(3)}, ${high.toFixed(3)}] over ${viewers} viewers`);
    assert.ok(low > 0, `${pair}: the interval from ${low} to ${high} does not exclude zero`);
  }
});
