// `cargo xtask bench faults`: the long run of faults, and what the engines cost. Prints one line of JSON:
// {"events": …, "recs": …, "rows": […]}
//
// RECSYS_SITE, RECSYS_BUNDLE, RECSYS_BIN and RECSYS_SERVERS are set as for the tests.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { startApiServer } from "../../e2e/api_server.mjs";
import { startWithEngines } from "../../e2e/engine_site.mjs";
import { eventFaultRun } from "../../e2e/fault_run.mjs";
import { startKafkaRest } from "../../e2e/kafka_rest.mjs";
import { recsFaultRun } from "../../e2e/recs_fault_run.mjs";
import { latencies } from "./latency.mjs";

const EVENTS = 20_000;
const KILLS = 6;
/** So that the run lasts long enough to meet every fault several times. */
const PACE_MS = 1_500;
const SEED = 20_261_127;
const ROUNDS = 300;
/** How often every fault of Redis and Milvus comes, and how long it lasts. */
const TIMES = 3;
const HOLD_MS = 4_000;

const say = (text) => console.error(`faults: ${text}`);

/** Memory of the worker's module, the highest of all that a server said, in bytes. */
function watchMemory(url) {
  let [most, stopped] = [0, false];
  const watching = (async () => {
    while (!stopped) {
      const health = await fetch(`${url()}/healthz`, { signal: AbortSignal.timeout(5_000) }).then((answer) => answer.json(), () => null);
      most = Math.max(most, health?.memoryBytes ?? 0);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  })();
  return async () => ((stopped = true), await watching, most);
}

/** Events on plain workerd, which is killed and started again on the same data. */
async function events() {
  const data = await mkdtemp(path.join(tmpdir(), "recsys-faults-"));
  const peer = await startKafkaRest();
  const vars = { HISTORY_ENABLED: "true", EVENT_SINK: "kafka", KAFKA_REST_URL: peer.url, KAFKA_REST_TIMEOUT_MS: "2000" };
  const restart = () => startApiServer({ site: process.env.RECSYS_SITE, vars, data, print: () => {} });
  let server = await restart();
  const memory = watchMemory(() => server.url);
  try {
    const again = async () => (server = await restart());
    const pids = async ({ pid }) => [pid];
    const found = await eventFaultRun({ events: EVENTS, seed: SEED, server, peer, restart: again, kills: KILLS, paceMs: PACE_MS, pids });
    return { ...found, moduleBytes: await memory() };
  } finally {
    await memory();
    await server.dispose();
    await peer.stop();
    await rm(data, { recursive: true, force: true });
  }
}

/** Recommendations while Redis and Milvus hang, fall and come back. */
async function recs() {
  const site = await startWithEngines({ history: "redis", features: "redis", candidates: "milvus" });
  const memory = watchMemory(() => site.url);
  try {
    const faults = Array.from({ length: TIMES }, () => site.faults).flat();
    const found = await recsFaultRun({ url: site.url, faults, seed: SEED, holdMs: HOLD_MS, askers: 8 });
    return { ...found, moduleBytes: await memory() };
  } finally {
    await memory();
    await site.stop();
  }
}

say(`${EVENTS} events, ${KILLS} kills`);
const found = { events: await events() };
say(JSON.stringify(found.events));
say(`recommendations, every fault ${TIMES} times`);
found.recs = await recs();
say(JSON.stringify(found.recs));
say(`latency, ${ROUNDS} requests a side`);
found.rows = await latencies(ROUNDS);
console.log(JSON.stringify(found));
const bad = found.events.lost || !found.events.identifiable || found.recs.failed || found.recs.silent || found.recs.empty;
process.exit(bad ? 1 : 0);
