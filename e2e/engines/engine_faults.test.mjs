// Redis and Milvus hang, fall and come back while viewers ask for recommendations: no answer is late, and none is silent.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { recsFaultRun } from "../recs_fault_run.mjs";
import { startWithEngines } from "../engine_site.mjs";
import { needs } from "../engines.mjs";
import { hasRedis } from "../redis.mjs";
import { needsMilvus } from "../milvus.mjs";

const DEADLINE_MS = 3_000;
const MEMORY_BYTES = 96 * 2 ** 20;
const option = hasRedis ? needsMilvus : needs(hasRedis, "redis-server");

let started;

after(() => started?.stop());

test("engines that fail amid the load cost no answer, and are asked again when they are back", option, async () => {
  started = await startWithEngines({ history: "redis", features: "redis", candidates: "milvus" });
  const found = await recsFaultRun({ url: started.url, faults: started.faults, seed: 11, holdMs: 1_500 });
  console.log(JSON.stringify(found));
  assert.equal(found.failed, 0, "every answer is 200");
  assert.equal(found.silent, 0, "what lacks something says so");
  assert.equal(found.empty, 0);
  assert.ok(found.slowestMs < DEADLINE_MS, `${found.slowestMs} ms`);
  assert.ok(found.faults.every(({ degraded }) => degraded > 0), "every fault was met");
  const { memoryBytes, engines } = await (await fetch(`${started.url}/healthz`)).json();
  assert.ok(memoryBytes < MEMORY_BYTES, `${memoryBytes}`);
  assert.deepEqual(engines, { redis: "ok", milvus: "ok" });
});
