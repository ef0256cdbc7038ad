// What operators read: probes, metrics, the log and the dashboard that shows them.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { Client, isProblem, isSlate } from "./client.mjs";
import { parseMetrics } from "./prometheus.mjs";
import { siteFromEnvironment, startSite, startWorker, withHistory } from "./server.mjs";

const TOKEN = "the token of the operator";
const VIEWER = "0123456789abcdef0123456789abcdef";

let site;
let client;

before(async () => {
  const vars = { METRICS_ENABLED: "true" };
  site = await startSite({ site: siteFromEnvironment(), encoder: "unbound", change: withHistory(vars), aggregates: { token: TOKEN } });
  client = new Client(site.url);
});

after(() => site?.dispose());

async function metrics(from = client) {
  const response = await from.get("/metrics");
  assert.equal(response.status, 200);
  assert.match(response.headers.get("content-type"), /^text\/plain; version=0\.0\.4/);
  return parseMetrics(await response.text());
}

const value = (families, family, labels = {}, name = family) => {
  const fits = (sample) => sample.name === name && Object.entries(labels).every(([key, text]) => sample.labels[key] === text);
  return (families.get(family)?.samples ?? []).filter(fits).reduce((sum, sample) => sum + sample.value, 0);
};

test("answers are counted by route and status, with their durations", async () => {
  const before = await metrics();
  for (let i = 0; i < 7; i += 1) await isSlate(await client.recs({ k: 3 }));
  await isProblem(await client.recs({ k: 0 }), [422]);
  await isSlate(await client.recs({ recent: ["nobody knows it"], k: 3 }));
  await client.get("/v1/none");
  const after = await metrics();
  const rise = (...what) => value(after, ...what) - value(before, ...what);
  assert.equal(rise("recsys_requests_total", { route: "recs", status: "2xx" }), 8);
  assert.equal(rise("recsys_requests_total", { route: "recs", status: "4xx" }), 1);
  assert.equal(rise("recsys_requests_total", { route: "other", status: "4xx" }), 1);
  assert.equal(rise("recsys_degraded_total", { reason: "unknown_ids" }), 1);
  const duration = "recsys_request_duration_seconds";
  assert.equal(rise(duration, { route: "recs" }, `${duration}_count`), 9);
  const buckets = after.get(duration).samples.filter(({ name, labels }) => name.endsWith("_bucket") && labels.route === "recs");
  const counts = buckets.map((bucket) => bucket.value);
  assert.deepEqual(counts, counts.toSorted((a, b) => a - b), "each bucket holds those below");
  assert.equal(buckets.at(-1).labels.le, "+Inf");
  assert.equal(buckets.at(-1).value, value(after, duration, { route: "recs" }, `${duration}_count`));
});

test("the bundle's age, its segments and the memory are there, and so is what was erased", async () => {
  assert.equal((await client.post("/v1/events", { viewer: VIEWER, forget: true })).status, 200);
  const families = await metrics();
  const { manifest } = await (await client.get("/v1/manifest")).json();
  assert.equal(value(families, "recsys_bundle_sequence"), manifest.sequence);
  assert.equal(value(families, "recsys_bundle_created_timestamp_seconds"), Date.parse(manifest.created) / 1_000);
  assert.equal(value(families, "recsys_segments", { state: "total" }), manifest.segments.length);
  assert.ok(value(families, "recsys_segments", { state: "at_hand" }) > 0);
  assert.ok(value(families, "recsys_memory_bytes") > 1 << 20);
  assert.equal(value(families, "recsys_viewers_erased_total"), 1);
});

test("metrics are off until they are turned on, and a token keeps strangers out", async () => {
  const settings = [
    [{}, undefined, 403],
    [{ METRICS_ENABLED: "true", METRICS_TOKEN: TOKEN }, undefined, 401],
    [{ METRICS_ENABLED: "true", METRICS_TOKEN: TOKEN }, "another token of the same", 401],
    [{ METRICS_ENABLED: "true", METRICS_TOKEN: TOKEN }, TOKEN, 200],
    [{ METRICS_ENABLED: "true", METRICS_TOKEN: "short" }, "short", 403],
    [{ METRICS_ENABLED: "true", METRICS_TOKEN: "" }, "", 403],
  ];
  for (const [vars, token, status] of settings) {
    const worker = await startWorker({ site: siteFromEnvironment(), vars });
    try {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const response = await fetch(`${worker.url}/metrics`, { headers });
      assert.equal(response.status, status, await response.text());
    } finally {
      await worker.dispose();
    }
  }
});

test("a worker without its bundle lives and is not ready", async () => {
  const worker = await startWorker({ site: siteFromEnvironment(), assets: () => new Response("gone", { status: 404 }) });
  try {
    const bare = new Client(worker.url);
    assert.deepEqual(await (await bare.get("/healthz?probe=live")).json(), { status: "ok" });
    for (const path of ["/healthz?probe=ready", "/healthz"]) await isProblem(await bare.get(path), [503]);
  } finally {
    await worker.dispose();
  }
  for (const path of ["/healthz?probe=live", "/healthz?probe=ready"]) assert.equal((await client.get(path)).status, 200);
});

test("the dashboard asks for metrics that there are", async () => {
  const dashboard = JSON.parse(await readFile(new URL("../deploy/grafana.json", import.meta.url), "utf8"));
  const sources = ["metrics.rs", "events/mod.rs"].map((file) => readFile(new URL(`../crates/edge-worker/src/${file}`, import.meta.url), "utf8"));
  const source = (await Promise.all(sources)).join("");
  const families = [...(await metrics()).keys()];
  const expressions = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  assert.ok(expressions.length >= 10);
  const asked = new Set(expressions.flatMap((expr) => expr.match(/recsys_[a-z_]+/g) ?? []));
  for (const name of asked) {
    const family = name.replace(/_(bucket|sum|count)$/, "");
    assert.ok(families.includes(family) || source.includes(`"${family}"`), `${name} is in no answer of /metrics`);
  }
  const shown = ["recsys_requests_total", "recsys_degraded_total", "recsys_bundle_created_timestamp_seconds", "recsys_engine_faults_total"];
  for (const family of shown) assert.ok(asked.has(family), `${family} is not shown`);
});
