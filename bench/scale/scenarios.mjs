// What is simulated: catalogues × rates in each way of holding them, variations of two of them, and what follows for owners.

import { crossing, kafka, milvus, objects, queue, redisFeatures, redisHistory } from "./engines.mjs";
import { edgeCost, simulateFleet } from "./fleet.mjs";
import { grouped, oneWorker, perMonth } from "./layout.mjs";
import { Random, seedOf } from "./random.mjs";
import { Catalogue } from "./workload.mjs";

export const CATALOGUES = [1e4, 1e5, 1e6, 1e7, 1e8];
export const RATES = [0.1, 1, 10, 100, 1e3, 1e4, 1e5];
/** A worker that reads segments again and again is simulated up to this rate; beyond it, it only gets worse. */
const EVICTING_UP_TO = 100;

/** What an owner is taken to accept: requests that take more than a second, and answers that lack something. */
export const ACCEPTED = { overSecond: 0.05, degraded: 0.005 };

/** All layouts at all rates. */
export function grid(given) {
  const out = [];
  for (const videos of CATALOGUES) {
    for (const rps of RATES) {
      const one = oneWorker(given, videos);
      if (one && (one.segments === 1 || rps <= EVICTING_UP_TO)) {
        out.push({ way: one.segments === 1 ? "one segment" : "eviction", ...simulateFleet(given, one, rps) });
      }
      const many = grouped(given, videos);
      if (many) out.push({ way: "groups", ...simulateFleet(given, many, rps) });
    }
  }
  return out;
}

/** Dollars a million recommendations by way of Milvus: the worker in front, the servers, and what they send. */
export function milvusCost(given, videos, rps, transferGb = given.transferGb) {
  const front = edgeCost(given, { groups: 1, bytes: 0, segments: 0, startBytes: 0 }, { loads: 0, loadBytes: 0, starts: 0, looks: 0, fromBucket: 0, parts: 1 }, rps);
  const needs = milvus({ ...given, transferGb }, videos, rps);
  return { ...needs, perMillion: front.assets + needs.monthly / (perMonth(rps) / 1e6) + needs.transferPerMillion };
}

/** The cheapest way that an owner would accept. */
export function choose(given, runs, videos, rps, transferGb) {
  const fits = runs.filter((run) => run.shape.videos === videos && run.rps === rps)
    .filter((run) => run.overSecond.mean <= ACCEPTED.overSecond && run.degraded.mean <= ACCEPTED.degraded)
    .map((run) => ({ way: run.way, cost: run.cost.mean, shape: run.shape }));
  fits.push({ way: "milvus", cost: milvusCost(given, videos, rps, transferGb).perMillion });
  return fits.reduce((best, one) => (one.cost < best.cost ? one : best));
}

/** Rates at which the other engines become the cheaper ones. */
export function engineCrossings(given) {
  const monthly = (engine) => (rps) => engine(rps).monthly;
  return {
    history: crossing((rps) => objects(given, rps), monthly((rps) => redisHistory(given, rps))),
    events: crossing(monthly((rps) => queue(given, rps)), monthly((rps) => kafka(given, rps))),
    queueLimit: given.queuePerSecond,
    aggregates: given.objectPerSecond * given.visitRequests,
    features: redisFeatures(given, 1e6, 1).monthly,
  };
}

/** One thing changed at a time. */
export function variations(given) {
  const bases = [
    { what: "10^5 videos, eviction, 10 a second", of: oneWorker, videos: 1e5, rps: 10 },
    { what: "10^6 videos, groups, 10 a second", of: grouped, videos: 1e6, rps: 10 },
  ];
  const changes = [
    ["as above", {}],
    ["popularity uniform (skew 0)", { skew: 0 }],
    ["skew 0.7", { skew: 0.7 }],
    ["skew 1.3", { skew: 1.3 }],
    ["idle isolates gone after a minute", { idleMs: 60_000 }],
    ["idle isolates kept for an hour", { idleMs: 3_600_000 }],
    ["10 locations", { locations: 10 }],
    ["300 locations", { locations: 300 }],
    ["reading at 20 MB/s", { netBytesPerMs: 20_000 }],
    ["MEMORY_MIB = 60", { memoryMib: 60 }],
    ["cards of 80 bytes, no co-watch lists", { itemBytesPerRow: 140, coWatchBytesPerRow: 0 }],
  ];
  return bases.flatMap(({ what, of, videos, rps }) =>
    changes.map(([change, own]) => {
      const changed = { ...given, ...own };
      return { what, change, ...simulateFleet(changed, of(changed, videos), rps) };
    }),
  );
}

/** Shares of requests by the segment of their cell, most popular first, as the model draws them. */
export function modelShares(given, segments) {
  const runs = Array.from({ length: 40 }, (_, seed) => {
    const shape = { segments, probes: 1, cellsPerSegment: given.cellsPerSegment, skew: given.skew };
    const catalogue = new Catalogue(shape, seedOf("catalogue", seed));
    const random = new Random(seedOf("shares", seed));
    const counts = new Array(segments).fill(0);
    for (let asked = 0; asked < 4_000; asked += 1) counts[catalogue.home[catalogue.cell(random)]] += 1;
    return counts.map((count) => count / 4_000).sort((a, b) => b - a);
  });
  return Array.from({ length: segments }, (_, at) => runs.reduce((sum, run) => sum + run[at], 0) / runs.length);
}
