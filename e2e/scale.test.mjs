// The simulation behind docs/scale.md: it keeps the worker's rules, agrees with what is known in closed form, and the page's
// tables are what it prints.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { crossing, kafka, milvus, objects, queue, redisHistory } from "../bench/scale/engines.mjs";
import { edgeCost, overLife } from "../bench/scale/fleet.mjs";
import { inputs } from "../bench/scale/inputs.mjs";
import { Isolate } from "../bench/scale/isolate.mjs";
import { crossings, grouped, memoryBytes, oneWorker, rowBytes } from "../bench/scale/layout.mjs";
import { withTables } from "../bench/scale/main.mjs";
import { Random } from "../bench/scale/random.mjs";
import { engineCrossings } from "../bench/scale/scenarios.mjs";
import { Simulation } from "../bench/scale/simulate.mjs";
import { che, meanOf, retained } from "../bench/scale/statistics.mjs";
import { tables } from "../bench/scale/tables.mjs";
import { Catalogue, Viewers, Weighted, zipf } from "../bench/scale/workload.mjs";

const given = inputs();
const close = (found, expected, within, what) =>
  assert.ok(Math.abs(found - expected) <= within, `${what}: ${found}, expected ${expected} ± ${within}`);

/** Share of a trace that an isolate has at hand, where what it reads comes at once. */
function hitRate(trace, count, memory, from = trace.length / 2) {
  const isolate = new Isolate(new Float64Array(count).fill(1), memory);
  let hits = 0;
  for (const [at, number] of trace.entries()) {
    isolate.touch([number]);
    if (isolate.isReady(number)) hits += at >= from ? 1 : 0;
    else if (isolate.begin(number)) isolate.settle(number);
    assert.ok(isolate.held <= Math.max(1, memory), `${isolate.held} held of ${memory}`);
  }
  return hits / (trace.length - from);
}

const traceOf = (weights, length, seed) => {
  const [random, drawn] = [new Random(seed), new Weighted(weights)];
  return Array.from({ length }, () => drawn.draw(random));
};

/** A simulation of workers that hold segments in turns; `own` changes its model. */
function simulation({ seed = 1, segments = 16, probes = 4, workers = 1, rate = 5, ...own } = {}) {
  const random = new Random(seed);
  const catalogue = new Catalogue({ segments, probes, cellsPerSegment: 16, skew: 1 }, seed);
  const viewers = new Viewers(catalogue, { again: 0.8, visits: 10 }, random);
  return new Simulation({
    sizes: new Float64Array(segments).fill(1e6), workerOf: Int32Array.from({ length: segments }, (_, at) => at % workers), workers,
    memory: 6e6, filesPerSegment: 3, firstByteMs: 60, bytesPerMs: 90_000, startMs: 180, idleMs: 300_000, lifeMs: 1e9,
    deadlineMs: 3_000, next: () => viewers.next(), gapMs: () => 1_000 * random.gap(rate), ...own,
  });
}

const sumOf = (phases, key) => phases.reduce((sum, phase) => sum + phase[key], 0);

test("the model's constants are the worker's", async () => {
  const read = (name) => readFile(new URL(`../crates/edge-worker/src/${name}`, import.meta.url), "utf8");
  const [config, bundle] = [await read("config.rs"), await read("bundle/mod.rs")];
  const constant = (text, name) => Number(text.match(new RegExp(`const ${name}: u64 = ([\\d_]+);`))[1].replaceAll("_", ""));
  assert.equal(constant(config, "MEMORY_MIB"), given.memoryMib);
  assert.equal(constant(config, "DEADLINE_MS"), given.deadlineMs);
  const simulated = await readFile(new URL("../bench/scale/simulate.mjs", import.meta.url), "utf8");
  for (const [ours, theirs] of [["LONGEST_PAUSE_MS", "PAUSE_MS"], ["RECHECK_MS", "RECHECK_MS"]]) {
    assert.equal(Number(simulated.match(new RegExp(`const ${ours} = ([\\d_]+);`))[1].replaceAll("_", "")), constant(bundle, theirs));
  }
});

test("uniform askings hit as often as there is room", () => {
  const trace = traceOf(zipf(200, 0), 200_000, 1);
  for (const room of [20, 50, 150]) close(hitRate(trace, 200, room), room / 200, 0.01, `${room} of 200`);
});

test("skewed askings hit as often as Che's approximation says", () => {
  for (const [exponent, room] of [[0.7, 30], [1, 30], [1, 100], [1.3, 10]]) {
    const weights = zipf(300, exponent);
    const found = hitRate(traceOf(weights, 200_000, 2), 300, room);
    close(found, che(Array.from(weights), room), 0.01, `exponent ${exponent}, room for ${room}`);
  }
});

test("more memory never lowers the hit rate of the same trace", () => {
  const trace = traceOf(zipf(100, 0.9), 20_000, 3);
  const rates = Array.from({ length: 25 }, (_, at) => hitRate(trace, 100, 4 * at + 4, 0));
  for (const [at, rate] of rates.entries()) assert.ok(at === 0 || rate >= rates[at - 1], `${rates[at - 1]} then ${rate}`);
  assert.ok(rates.at(-1) > rates[0] + 0.3);
});

test("a data centre's cache answers the share that the formula says", () => {
  const [rates, seconds, random] = [[0.001, 0.01, 0.05, 0.2], 30, new Random(4)];
  const drawn = new Weighted(rates);
  const [last, total] = [[-1e9, -1e9, -1e9, -1e9], rates.reduce((a, b) => a + b, 0)];
  let [now, hits] = [0, 0];
  for (let asked = 0; asked < 200_000; asked += 1) {
    now += random.gap(total);
    const file = drawn.draw(random);
    hits += now - last[file] <= seconds ? 1 : 0;
    last[file] = now;
  }
  close(hits / 200_000, retained(rates, seconds), 0.005, "share");
  assert.equal(retained([0, 0], 30), 1);
});

test("what is on its way takes room and does not leave; of the rest the one asked longest ago does", () => {
  const isolate = new Isolate(new Float64Array(5).fill(2), 6);
  for (const number of [0, 1, 2]) {
    isolate.touch([number]);
    assert.ok(isolate.begin(number));
  }
  assert.equal(isolate.begin(3), false);
  assert.equal(isolate.begin(0), false);
  isolate.settle(1);
  isolate.settle(2);
  isolate.touch([1]);
  assert.ok(isolate.begin(3));
  assert.deepEqual([0, 1, 2, 3].map((number) => [isolate.isReady(number), isolate.isLoading(number)]),
    [[false, true], [true, false], [false, false], [false, true]]);
  const small = new Isolate(new Float64Array([9]), 6);
  assert.ok(small.begin(0), "one that is too large by itself is tried");
});

test("one segment is read once a life, and all who wait share the reading", () => {
  const one = simulation({ segments: 1, probes: 1, rate: 200 });
  const { phases } = one.run(1_000, 4);
  assert.deepEqual([sumOf(phases, "loads"), sumOf(phases, "starts"), sumOf(phases, "degraded")], [1, 1, 0]);
  const lives = simulation({ segments: 1, probes: 1, rate: 1, lifeMs: 50_000 }).run(1_000, 4);
  assert.equal(sumOf(lives.phases, "loads"), sumOf(lives.phases, "starts"));
  assert.ok(sumOf(lives.phases, "starts") >= 18, `${sumOf(lives.phases, "starts")} lives in 1,000 s`);
});

test("every request is counted once, and every read begins, comes or is lost", () => {
  for (const own of [{}, { workers: 4, memory: 3e6 }, { rate: 60 }, { lifeMs: 5_000, rate: 20 }, { workers: 16, memory: 1e6 }]) {
    const made = simulation(own);
    const { phases, skipped } = made.run(2_000, 4, 500);
    assert.deepEqual(phases.map(({ requests }) => requests), [500, 500, 500, 500]);
    assert.equal(skipped.requests, 500);
    const all = [...phases, skipped];
    assert.equal(sumOf(all, "asks"), 2_500 * 4);
    assert.equal(made.flow.began, sumOf(all, "loads"));
    assert.equal(made.flow.began, made.flow.came + made.flow.lost);
    assert.equal(sumOf(all, "loadBytes"), 1e6 * sumOf(all, "loads"));
    assert.equal(all.reduce((sum, { loadsOf }) => sum + loadsOf.reduce((a, b) => a + b, 0), 0), sumOf(all, "loads"));
    // Without a clock every miss is a read.
    assert.equal(skipped.asks - skipped.hits, skipped.loads);
    for (const phase of all) assert.ok(phase.degraded <= phase.cold && phase.hits <= phase.asks);
  }
});

test("the same seed gives the same run to the byte, another one another", () => {
  const run = (seed) => JSON.stringify(simulation({ seed, rate: 20 }).run(1_000, 4, 200));
  assert.equal(run(7), run(7));
  assert.notEqual(run(7), run(8));
});

test("looks that are left out where nothing leaves would have changed nothing", () => {
  const run = (keepsAll) => JSON.stringify(simulation({ workers: 4, memory: 4e6, rate: 40, bytesPerMs: 5_000, lifeMs: 7_000, keepsAll }).run(1_000, 4));
  assert.equal(run(true), run(false));
});

test("a request whose segments do not fit together waits for the deadline and lacks something", () => {
  const { phases } = simulation({ memory: 3e6, rate: 0.05 }).run(40, 1);
  assert.equal(sumOf(phases, "degraded"), 40);
  close(sumOf(phases, "waitMs") / 40, 3_000, 200, "wait");
  const enough = simulation({ memory: 4e6, rate: 0.05 }).run(40, 1);
  assert.equal(sumOf(enough.phases, "degraded"), 0);
});

test("requests at the same time take each other's segments", () => {
  const shared = (rate) => sumOf(simulation({ memory: 5e6, rate, bytesPerMs: 20_000 }).run(1_000, 1).phases, "degraded") / 1_000;
  assert.ok(shared(0.02) < 0.02, `${shared(0.02)} at one in fifty seconds`);
  assert.ok(shared(20) > 0.5, `${shared(20)} at twenty a second`);
});

test("a life's figures are those of its parts", () => {
  const phase = (loads) => ({ requests: 10, cold: 0, degraded: 0, waitMs: 0, overSecond: 0, asks: 10, hits: 10, loads, loadBytes: 0, starts: 0, looks: 0, parts: 10, loadsOf: [loads] });
  const phases = [phase(10), phase(6), phase(4), phase(2)];
  const skipped = { ...phase(30), requests: 60 };
  assert.equal(overLife({ phases, skipped }, 40).loads, 22 / 40);
  // 20 requests of .8, 60 of .5, 120 of .2.
  close(overLife({ phases, skipped }, 200).loads, (20 * 0.8 + 60 * 0.5 + 120 * 0.2) / 200, 1e-12, "loads a request");
  close(overLife({ phases, skipped: { ...phase(0), requests: 0 } }, 200).loads, (20 * 0.8 + 180 * 0.2) / 200, 1e-12, "without skipping");
});

test("nearby cells share segments, and popularity follows the skew", () => {
  const catalogue = new Catalogue({ segments: 64, probes: 8, cellsPerSegment: 16, skew: 1 }, 5);
  for (let cell = 0; cell < 200; cell += 1) {
    const near = catalogue.near(cell);
    assert.deepEqual([near.length, new Set(near).size, near[0]], [8, 8, catalogue.home[cell]]);
  }
  const [random, counts] = [new Random(6), new Float64Array(1_024)];
  for (let asked = 0; asked < 100_000; asked += 1) counts[catalogue.cell(random)] += 1;
  close(counts[0] / counts[9], 10, 1, "most popular cell to the tenth");
});

test("intervals of a mean cover it", () => {
  const random = new Random(9);
  let covered = 0;
  for (let round = 0; round < 1_000; round += 1) {
    const { mean, half } = meanOf(Array.from({ length: 5 }, () => 3 + random.normal()));
    covered += Math.abs(mean - 3) <= half ? 1 : 0;
  }
  close(covered / 1_000, 0.95, 0.025, "share of intervals that hold the mean");
});

test("layouts keep the limits, and crossings are where they end", () => {
  for (const videos of [1e4, 1e5, 5e5, 1e6, 5e6, 1e7, 1.6e7]) {
    const one = oneWorker(given, videos);
    if (one) assert.ok(one.segments <= given.segments && one.probes * one.bytes <= memoryBytes(given), `${videos} in one worker`);
    const many = grouped(given, videos);
    if (!many) continue;
    assert.ok(many.groups * many.atHand >= many.segments && many.atHand * many.bytes <= memoryBytes(given));
    assert.ok(many.groups < given.workersPerAccount && many.touched + 1 <= given.workersPerRequest, `${videos} in groups`);
  }
  const at = Object.fromEntries(crossings(given).map(({ what, videos }) => [what, videos]));
  close(at["one segment, with cards and co-watch lists"], memoryBytes(given) / rowBytes(given), 60, "one segment");
  assert.equal(oneWorker(given, 1.01 * at["one worker with eviction, four requests at a time"]), undefined);
  assert.equal(grouped(given, 2 ** 24 + 1), undefined);
});

test("costs add up by hand", () => {
  const figures = { loads: 2, loadBytes: 3e6, starts: 0.5, looks: 0.1, fromBucket: 1, parts: 1 };
  const { bucket, cached, assets } = edgeCost(given, { groups: 1, bytes: 1e6, segments: 10, startBytes: 9e4 }, figures, 1);
  const millions = 2.592;
  const plain = 0.3 + (3.45 + (3e6 + 4.5e4) / 90_000) * 0.02 + 5 / millions;
  const storage = (1e7 * 0.015) / 1e9 / millions;
  close(assets, plain, 1e-9, "static assets");
  close(bucket, plain + storage + (2 * 3 + 0.5 * 3 + 0.1) * 0.36, 1e-9, "R2");
  close(cached, plain + storage + (1 * 3 + 0.5 * 3 + 0.1) * 0.36, 1e-9, "behind the cache");
  const grouped1 = edgeCost(given, { groups: 4, bytes: 0, segments: 0, startBytes: 0 }, { ...figures, loads: 0, loadBytes: 0, starts: 0, looks: 0, fromBucket: 0, parts: 3 }, 1e6);
  close(grouped1.assets, 0.3 + (3.45 + 3 * 4.45) * 0.02 + 5 / 2.592e6, 1e-9, "three groups asked");
});

test("where engines cross, both cost the same", () => {
  const { history, events } = engineCrossings(given);
  const same = (a, b, what) => close(a / b, 1, 0.02, what);
  same(objects(given, history), redisHistory(given, history).monthly, "objects and Redis");
  same(queue(given, events).monthly, kafka(given, events).monthly, "Queues and Kafka");
  assert.ok(objects(given, 10 * history) > redisHistory(given, 10 * history).monthly);
  assert.equal(crossing(() => 1, () => 2), undefined);
  // A hundred times the videos are searched in about a hundred times the segments.
  close(milvus(given, 1e8, 1).segments / milvus(given, 1e6, 1).segments, 100, 20, "Milvus's segments");
});

test("inputs of one's own are taken, and others refused", () => {
  assert.equal(inputs({ r2Read: 0.5 }).r2Read, 0.5);
  assert.throws(() => inputs({ r2Reads: 0.5 }), /no input r2Reads/);
  assert.throws(() => inputs({ r2Read: NaN }), /expected a number/);
});

test("the tables of docs/scale.md are what the program prints", async () => {
  const page = await readFile(new URL("../docs/scale.md", import.meta.url), "utf8");
  const made = tables(given).tables;
  assert.equal(page, withTables(page, made), "run: node bench/scale/main.mjs --update");
  assert.throws(() => withTables("<!-- scale:other -->\n\n<!-- /scale -->", made), /a table other/);
  assert.throws(() => withTables("", made), /no place for/);
});
