// No acknowledged event is lost though the proxy fails in every way and the server is killed again and again.

import assert from "node:assert/strict";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { eventFaultRun } from "../fault_run.mjs";
import { startKafkaRest } from "../kafka_rest.mjs";
import { siteFromEnvironment, startSite, withSink } from "../server.mjs";

/** The memory budget of a worker, and what the runtime itself takes. */
const MAX_MEMORY_BYTES = 512 * 2 ** 20;

/** The processes of workerd that this one started. */
async function runtimes() {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const read = async (pid) => {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
    const [, name, parent] = /^\d+ \((.*)\) \S (\d+)/.exec(stat) ?? [];
    return { pid, ours: name === "workerd" && Number(parent) === process.pid };
  };
  return (await Promise.all(pids.map(read))).filter(({ ours }) => ours).map(({ pid }) => pid);
}

/** Starts the site on Miniflare, with its objects in a folder; `kill` ends the runtime itself, without a word. */
async function start(site, objects, vars) {
  const before = new Set(await runtimes());
  const server = await startSite({ site, encoder: "unbound", objects, print: () => {}, change: withSink({ sink: "kafka", vars }) });
  const [pid] = (await runtimes()).filter((pid) => !before.has(pid));
  assert.ok(pid, "no workerd was started");
  const kill = async (signal) => {
    process.kill(pid, signal);
    while ((await runtimes()).includes(pid)) await new Promise((resolve) => setTimeout(resolve, 5));
    await server.dispose().catch(() => {});
  };
  return { ...server, pid, kill };
}

for (const [version, ids] of [["2", true], ["3", false]]) {
  test(`v${version}: a run of faults and kills loses nothing, and what comes twice can be told`, async () => {
    const site = siteFromEnvironment();
    const objects = await mkdtemp(path.join(tmpdir(), "recsys-faults-"));
    const peer = await startKafkaRest();
    const vars = { KAFKA_REST_URL: peer.url, KAFKA_REST_VERSION: version, KAFKA_REST_CLUSTER: "cluster-1", KAFKA_REST_TIMEOUT_MS: "2000" };
    let server = await start(site, objects, vars);
    const restart = async () => (server = await start(site, objects, vars));
    try {
      const pids = async ({ pid }) => [pid];
      const found = await eventFaultRun({ events: 5_000, seed: 7, server, peer, restart, kills: 3, pids, ids });
      console.log(JSON.stringify(found));
      assert.equal(found.acknowledged, 5_000);
      assert.equal(found.lost, 0);
      assert.ok(found.identifiable && found.inOrder);
      assert.equal(found.kills, 3);
      assert.ok(found.duplicates > 0, "half answers must have had records sent twice");
      assert.ok(found.maxMemoryBytes > 0 && found.maxMemoryBytes < MAX_MEMORY_BYTES, `${found.maxMemoryBytes}`);
    } finally {
      // Where it was killed and did not come back, there is nothing to dispose of, and another error to be seen.
      await server.dispose().catch(() => {});
      await peer.stop();
      await rm(objects, { recursive: true, force: true });
    }
  });
}
