// A catalogue at a rate, at all locations: how many isolates there are, and what one of each sees over its life.

import { memoryBytes, perMonth } from "./layout.mjs";
import { Random, seedOf } from "./random.mjs";
import { Simulation } from "./simulate.mjs";
import { meanOf, retained } from "./statistics.mjs";
import { Catalogue, Viewers, zipf } from "./workload.mjs";

const SEEDS = [1, 2, 3, 4, 5];
/** Requests of one run; what an isolate's life has beyond them is like the last quarter of them. */
const REQUESTS = 800;
const PHASES = 4;
/** Where all segments fit, so many requests are passed over without a clock, until even rare segments have come. */
const SKIPPED = 6_000;
/** Requests expected within the idle time at which a gap of that length does not come in practice: e^-12. */
const NEVER_IDLE = 12;
/** A worker looks at the manifest so often. */
const RECHECK_S = 15;
/** Requests a second at which an isolate has one at a time, nearly always. */
const CALM_RPS = 0.05;
const [FILES_PER_SEGMENT, FILES_PER_START] = [3, 3];

/** Locations in three classes, each with the mean rate of its locations: the busiest, the next four, all others. */
function locations(given, rps) {
  const weights = zipf(given.locations, given.locationSkew);
  const classes = [weights.slice(0, 1), weights.slice(1, 5), weights.slice(5)].filter((some) => some.length > 0);
  return classes.map((some) => {
    const share = some.reduce((a, b) => a + b, 0);
    return { count: some.length, share, rps: (rps * share) / some.length };
  });
}

/** Requests in a month at which a recommendation's own work is done in `ms` by how many isolates. */
const isolatesFor = (given, rps, ms) => Math.max(1, Math.ceil((rps * ms) / 1_000 / given.isolateBusy));

/** Whether the workers hold all segments between them. */
const fitsAll = ({ atHand, groups, segments }) => atHand * groups >= segments;

/** Milliseconds that the reading of a byte keeps an isolate's processor busy. */
const hashMs = (given, bytes) => bytes / given.hashBytesPerMs;

/** Catalogues that were drawn before: rates and locations share them. */
const drawn = new Map();

function catalogueOf({ cellsPerSegment, skew }, { segments, probes }, seed) {
  const key = [segments, probes, cellsPerSegment, skew, seed].join("/");
  if (!drawn.has(key)) drawn.set(key, new Catalogue({ segments, probes, cellsPerSegment, skew }, seedOf("catalogue", seed)));
  return drawn.get(key);
}

/** One run at one location: per request, over the life of its isolates. */
function oneRun(given, shape, place, isolates, seed, random) {
  const rate = place.rps / isolates;
  const catalogue = catalogueOf(given, shape, seed);
  const habit = {
    again: (1 - 1 / given.visitRequests) / isolates,
    visits: Math.min(2_000, Math.ceil(place.rps * given.visitGapS)),
  };
  const viewers = new Viewers(catalogue, habit, random);
  const bytesPerMs = Math.min(given.netBytesPerMs, given.hashBytesPerMs);
  const simulation = new Simulation({
    sizes: new Float64Array(shape.segments).fill(shape.bytes),
    workerOf: Int32Array.from({ length: shape.segments }, (_, segment) => segment % shape.groups),
    workers: shape.groups,
    memory: memoryBytes(given),
    filesPerSegment: FILES_PER_SEGMENT,
    firstByteMs: given.firstByteMs,
    bytesPerMs,
    startMs: FILES_PER_START * given.firstByteMs + shape.startBytes / bytesPerMs,
    idleMs: given.idleMs,
    lifeMs: given.lifeMs,
    keepsAll: fitsAll(shape),
    deadlineMs: shape.groups > 1 ? given.deadlineMs / 2 : given.deadlineMs,
    next: () => viewers.next(),
    gapMs: () => 1_000 * random.gap(rate),
  });
  const life = (rate * given.lifeMs) / 1_000;
  // Without a clock no isolate falls idle, so only where none does.
  const isBusy = (rate * shape.touched * given.idleMs) / 1_000 / shape.groups > NEVER_IDLE;
  const skip = fitsAll(shape) && isBusy ? Math.min(SKIPPED, Math.max(0, Math.floor(life) - REQUESTS)) : 0;
  const figures = overLife(simulation.run(REQUESTS, PHASES, skip), life);
  // Where a run is shorter than a few looks at the manifest, their number is known better than counted.
  const perWorker = (rate * shape.touched) / shape.groups;
  if (perWorker * RECHECK_S > NEVER_IDLE) figures.looks = figures.parts / (perWorker * RECHECK_S);
  return figures;
}

const NUMBERS = ["cold", "degraded", "waitMs", "overSecond", "asks", "hits", "loads", "loadBytes", "starts", "looks", "parts"];

/**
 * Counts a request, over a life of `life` requests: the first half of the run from its empty start, then what was skipped, and
 * for the rest what the last quarter shows. A life that is shorter than a run lies in it more than once.
 */
export function overLife({ phases, skipped }, life) {
  const pooled = (some) => {
    const requests = some.reduce((sum, phase) => sum + phase.requests, 0);
    const each = (key) => some.reduce((sum, phase) => sum + phase[key], 0) / requests;
    const loadsOf = some[0].loadsOf.map((_, at) => some.reduce((sum, phase) => sum + phase.loadsOf[at], 0) / requests);
    return { ...Object.fromEntries(NUMBERS.map((key) => [key, each(key)])), loadsOf };
  };
  const all = phases.reduce((sum, phase) => sum + phase.requests, 0);
  if (life <= all) return pooled(phases);
  const [early, late] = [pooled(phases.slice(0, phases.length / 2)), pooled(phases.slice(-1))];
  // Without a clock nothing waits: of those requests, what waits long or lacks something is as in the last quarter.
  const { waitMs, overSecond, degraded } = late;
  const between = skipped.requests > 0 ? { ...pooled([skipped]), waitMs, overSecond, degraded } : late;
  const shares = [all / 2 / life, skipped.requests / life];
  const mixed = (a, b, c) => a * shares[0] + b * shares[1] + c * (1 - shares[0] - shares[1]);
  return {
    ...Object.fromEntries(NUMBERS.map((key) => [key, mixed(early[key], between[key], late[key])])),
    loadsOf: early.loadsOf.map((value, at) => mixed(value, between.loadsOf[at], late.loadsOf[at])),
  };
}

/**
 * How many isolates of each worker a location has. Reading keeps them busy too: a first run, with so many isolates that none
 * is pressed, says how much a request reads.
 */
function isolatesAt(given, shape, place, name) {
  const perCall = shape.groups > 1 ? shape.touched / shape.groups : 1;
  const own = isolatesFor(given, place.rps * perCall, given.cpuMsPerRequest);
  if (fitsAll(shape)) return own;
  const calm = Math.max(own, Math.ceil(place.rps / CALM_RPS));
  const first = oneRun(given, shape, place, calm, SEEDS[0], new Random(seedOf(name, "first")));
  return isolatesFor(given, place.rps, given.cpuMsPerRequest + hashMs(given, first.loadBytes));
}

/** One seed's figures, of all locations together. */
function oneSeed(given, shape, places, rps, name, seed) {
  const sum = Object.fromEntries(NUMBERS.map((key) => [key, 0]));
  let fromBucket = 0;
  for (const [at, place] of places.entries()) {
    const random = new Random(seedOf(name, at, seed));
    const run = oneRun(given, shape, place, place.isolates, seed, random);
    for (const key of NUMBERS) sum[key] += place.share * run[key];
    const hit = retained(Array.from(run.loadsOf, (loads) => loads * place.rps), given.dcRetentionS);
    fromBucket += place.share * run.loads * (1 - hit);
  }
  return { ...sum, hitRate: sum.hits / sum.asks, dcHitRate: sum.loads ? 1 - fromBucket / sum.loads : 1, fromBucket, rps };
}

/**
 * A layout at a rate.
 * @returns {object} means with half widths of 95 % intervals by seed, isolates in all, and the cost
 */
export function simulateFleet(given, shape, rps) {
  const name = `${shape.videos}/${shape.groups}/${rps}`;
  const places = locations(given, rps).map((place) => ({ ...place, isolates: isolatesAt(given, shape, place, `${name}/${place.count}`) }));
  const seeds = SEEDS.map((seed) => oneSeed(given, shape, places, rps, name, seed));
  const figures = Object.fromEntries(
    [...NUMBERS, "hitRate", "dcHitRate", "fromBucket"].map((key) => [key, meanOf(seeds.map((one) => one[key]))]),
  );
  const front = (place) => (shape.groups > 1 ? isolatesFor(given, place.rps, given.cpuMsPerRequest + shape.touched * given.groupCallMs) : 0);
  const isolates = places.reduce((sum, place) => sum + place.count * (place.isolates * shape.groups + front(place)), 0);
  const costs = seeds.map((one) => edgeCost(given, shape, one, rps));
  const cost = (key) => meanOf(costs.map((one) => one[key]));
  return { shape, rps, isolates, ...figures, cost: cost("bucket"), cached: cost("cached"), assets: cost("assets") };
}

/** Dollars a million recommendations, with the files in R2, in R2 behind the data centre's cache, and in static assets. */
export function edgeCost(given, shape, figures, rps) {
  const millions = perMonth(rps) / 1e6;
  const groupMs = shape.groups > 1 ? figures.parts * (given.cpuMsPerRequest + given.groupCallMs) : 0;
  const cpuMs = given.cpuMsPerRequest + groupMs + hashMs(given, figures.loadBytes + figures.starts * shape.startBytes);
  const plain = given.requests + cpuMs * given.cpuMs + given.plan / millions;
  const storage = (shape.bytes * shape.segments * given.r2Storage) / 1e9 / millions;
  const starts = figures.starts * FILES_PER_START + figures.looks;
  const bucket = plain + storage + (figures.loads * FILES_PER_SEGMENT + starts) * given.r2Read;
  const cached = plain + storage + (figures.fromBucket * FILES_PER_SEGMENT + starts) * given.r2Read;
  return { bucket, cached, assets: plain };
}
