// The site with engines behind its worker, all of them real and started for it: for the demo, the fault run and the bench.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { startKafkaRest } from "./kafka_rest.mjs";
import { recsys } from "./made.mjs";
import { startMilvus } from "./milvus.mjs";
import { startRedis } from "./redis.mjs";
import { startRelay } from "./relay.mjs";
import { siteFromEnvironment, startSite, withHistory, withSink } from "./server.mjs";

/** How the worker's settings change for each engine, and what is started for it. */
async function engines({ history, features, events, candidates, bundle }) {
  const stops = [];
  const faults = [];
  const vars = {};
  const changes = [];
  let redis;
  const stop = async () => {
    for (const end of stops.reverse()) await end();
  };
  try {
    if (history || events) changes.push(withHistory());
    if (history === "redis" || features === "redis") {
      const folder = await mkdtemp(path.join(tmpdir(), "recsys-redis-"));
      stops.push(() => rm(folder, { recursive: true, force: true }));
      redis = await startRedis({ args: ["--appendonly", "yes", "--dir", folder] });
      stops.push(() => redis.stop());
      Object.assign(vars, { REDIS_URL: redis.url }, history === "redis" && { HISTORY_STORE: "redis" }, features === "redis" && { FEATURE_STORE: "redis" });
      faults.push({ name: "Redis hangs", fail: () => redis.signal("SIGSTOP"), mend: () => redis.signal("SIGCONT") });
      faults.push({ name: "Redis is killed and started again", fail: () => redis.stop(), mend: () => redis.start() });
    }
    if (candidates === "milvus") {
      const milvus = await startMilvus();
      stops.push(() => milvus.stop());
      await recsys("milvus", "load", bundle, "--url", milvus.url);
      const relay = await startRelay(new URL(milvus.url).port);
      stops.push(() => relay.down());
      Object.assign(vars, { CANDIDATES: "milvus", MILVUS_URL: `http://127.0.0.1:${relay.port}`, MILVUS_API: "v1" });
      faults.push({ name: "Milvus hangs", fail: () => milvus.pause(), mend: () => milvus.resume() });
      faults.push({ name: "Milvus is gone", fail: () => relay.down(), mend: () => relay.up() });
    }
    let peer;
    if (events === "kafka") {
      peer = await startKafkaRest();
      stops.push(() => peer.stop());
      changes.push(withSink({ sink: "kafka", vars: { KAFKA_REST_URL: peer.url } }));
    } else if (events === "queue") {
      changes.push(withSink({ sink: "queue", bucket: true }));
    }
    const change = (worker) => {
      const changed = changes.reduce((one, more) => more(one), worker);
      return { ...changed, bindings: { ...changed.bindings, ...vars } };
    };
    return { change, faults, peer, redis, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * Starts it.
 * @param {object} [options]
 * @param {"object" | "redis"} [options.history] histories are on, and kept there
 * @param {"redis"} [options.features] fresher features than the bundle's
 * @param {"queue" | "kafka"} [options.events] histories are on, and events go there too
 * @param {"milvus"} [options.candidates] what finds candidates
 * @param {string} [options.bundle] the bundle that is loaded into Milvus
 * @returns {Promise<{url: string, faults: {name: string, fail: Function, mend: Function}[], stop: () => Promise<void>,
 *   peer?: import("./kafka_rest.mjs").KafkaRest}>} `faults` are ways in which the engines can fail
 */
export async function startWithEngines({ bundle = process.env.RECSYS_BUNDLE, site, ...options } = {}) {
  const { history, features, events, candidates, ...more } = options;
  const { change, stop, ...rest } = await engines({ history, features, events, candidates, bundle });
  try {
    const server = await startSite({ site: site ?? siteFromEnvironment(), encoder: "unbound", print: () => {}, ...more, change });
    return { ...rest, url: server.url, stop: async () => (await server.dispose(), await stop()) };
  } catch (error) {
    await stop();
    throw error;
  }
}
