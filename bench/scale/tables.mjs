// The tables of docs/scale.md, by name.

import { indexing, kafka, milvus, milvusBytes, objects, queue, redisFeatures, redisHistory } from "./engines.mjs";
import { listed, MOVIELENS_SHARES } from "./inputs.mjs";
import { crossings, perMonth, rowBytes } from "./layout.mjs";
import { CATALOGUES, RATES, choose, engineCrossings, grid, milvusCost, modelShares, variations } from "./scenarios.mjs";

/** A number in so many digits, with separators, without an exponent. */
export function digits(value, count = 3) {
  if (value === 0) return "0";
  const rounded = Number(value.toPrecision(count));
  const decimals = Math.max(0, count - 1 - Math.floor(Math.log10(Math.abs(rounded))));
  return rounded.toLocaleString("en-GB", { maximumFractionDigits: Math.min(decimals, 6) });
}

const power = (value) => `10^${Math.round(Math.log10(value))}`;
const percent = ({ mean, half }) => (mean < 5e-5 ? "0" : `${digits(100 * mean)} ± ${half < 5e-7 ? 0 : digits(100 * half, 1)}`);
const dollars = ({ mean, half }) => `${digits(mean)} ± ${half < 5e-4 ? 0 : digits(half, 1)}`;
const rateOf = (rps) => rps.toLocaleString("en-GB");

function table(head, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(head.map(([name]) => name)), line(head.map(([, align]) => (align === "right" ? "---:" : "---"))), ...rows.map(line)].join("\n");
}

const left = (...names) => names.map((name) => [name, "left"]);
const right = (...names) => names.map((name) => [name, "right"]);

const layoutOf = ({ segments, probes, groups }) =>
  groups > 1 ? `${segments} segments, ${groups} groups, ${probes} asked` : segments === 1 ? "one segment" : `${segments} segments, ${probes} asked`;

function limitsTable(given) {
  return table([...left("what holds the catalogue"), ...right("videos, at most"), ...left("because")],
    crossings(given).map(({ what, videos, why }) => [what, digits(videos), why]));
}

function runsTable(runs) {
  const head = [
    ...right("videos", "requests a second"), ...left("layout"),
    ...right("isolates", "groups asked", "hits in the isolate, %", "hits in the data centre, %", "segments read for 1,000 requests",
      "MB read a request", "wait, %", "over 1 s, %", "degraded, %"),
  ];
  return table(head, runs.map((run) => [
    power(run.shape.videos), rateOf(run.rps), layoutOf(run.shape), rateOf(run.isolates), digits(run.parts.mean, 2), percent(run.hitRate),
    run.loads.mean < 1e-3 ? "–" : percent(run.dcHitRate), digits(1_000 * run.loads.mean), digits(run.loadBytes.mean / 1e6, 2),
    percent(run.cold), percent(run.overSecond), percent(run.degraded),
  ]));
}

function costTable(given, runs) {
  const head = [...right("videos", "requests a second"), ...left("layout"), ...right("static assets", "R2", "R2 behind the cache", "Milvus, $0.09 a GB", "Milvus, $0.0012 a GB")];
  const rows = [];
  for (const videos of CATALOGUES) {
    for (const rps of RATES) {
      const own = runs.filter((run) => run.shape.videos === videos && run.rps === rps);
      const beside = [given.transferGb, given.transferFlatGb].map((gb) => digits(milvusCost(given, videos, rps, gb).perMillion));
      const assetsFit = (run) => (run.shape.bytes * given.shardBytesPerRow) / rowBytes(given) <= given.assetBytes;
      for (const run of own) {
        const assets = assetsFit(run) ? dollars(run.assets) : "–";
        rows.push([power(videos), rateOf(rps), layoutOf(run.shape), assets, dollars(run.cost), dollars(run.cached), ...beside]);
      }
      if (own.length === 0) rows.push([power(videos), rateOf(rps), "Milvus alone", "–", "–", "–", ...beside]);
    }
  }
  return table(head, rows);
}

const WAYS = {
  "one segment": () => "one worker, one segment",
  eviction: ({ segments, probes }) => `one worker, \`--shards ${segments} --probes ${probes}\``,
  groups: ({ segments, probes, groups }) => `\`--shards ${segments} --probes ${probes}\`, \`GROUPS\` of ${groups}`,
  milvus: () => "`CANDIDATES=milvus`",
};

function decisionTable(given, runs) {
  const cross = engineCrossings(given);
  const history = (rps) => (rps > cross.history ? "`redis`" : "objects");
  const events = (rps) => (rps > cross.queueLimit || rps > cross.events ? "`kafka`" : "`queue`");
  const rows = CATALOGUES.flatMap((videos) => RATES.map((rps) => {
    const [dear, cheap] = [given.transferGb, given.transferFlatGb].map((gb) => choose(given, runs, videos, rps, gb));
    const same = WAYS[dear.way](dear.shape) === WAYS[cheap.way](cheap.shape);
    return [power(videos), rateOf(rps), WAYS[dear.way](dear.shape), digits(dear.cost), same ? "the same" : WAYS[cheap.way](cheap.shape), digits(cheap.cost), history(rps), events(rps)];
  }));
  const head = [...right("videos", "requests a second"), ...left("candidates, servers at $0.09 a GB"), ...right("$ a million"), ...left("servers at $0.0012 a GB"), ...right("$ a million"), ...left("`HISTORY_STORE`", "`EVENT_SINK`")];
  return table(head, rows);
}

function milvusTable(given) {
  return table([...right("videos", "vectors in f32, GB", "in 8 bits, GB", "its segments", "CPU a query, ms", "vCPU at 100 a second", "at 100,000", "GiB, all copies", "$ a month at 100 a second", "at 100,000")],
    [1e5, 1e6, 1e7, 1e8].map((videos) => {
      const [some, most] = [milvus(given, videos, 100), milvus(given, videos, 1e5)];
      return [power(videos), ...[4, 1].map((bytes) => digits(milvusBytes(given, videos, bytes) / 1e9)), some.segments, digits(some.cpuMs), digits(some.vcpu), digits(most.vcpu), digits(some.gib), digits(some.monthly), digits(most.monthly)];
    }));
}

function storesTable(given) {
  return table([...right("requests a second", "viewers kept", "objects, $ a month", "Redis, $ a month", "Redis, GiB", "queues", "Queues, $ a month", "brokers", "Kafka, $ a month", "features of 10^7 videos in Redis, $ a month")],
    RATES.slice(1).map((rps) => {
      const [redis, stream, queued] = [redisHistory(given, rps), kafka(given, rps), queue(given, rps)];
      return [rateOf(rps), digits(rps * given.viewersPerRps), digits(objects(given, rps)), digits(redis.monthly), digits(redis.gib), queued.queues, digits(queued.monthly), stream.brokers, digits(stream.monthly), digits(redisFeatures(given, 1e7, rps).monthly)];
    }));
}

function crossingsTable(given) {
  const cross = engineCrossings(given);
  return table([...left("from", "to"), ...right("requests a second"), ...left("because")], [
    ["Durable Objects, one a viewer", "`HISTORY_STORE=redis`", digits(cross.history), "price: rows written for clicks against two small servers"],
    ["`EVENT_SINK=queue`", "`EVENT_SINK=kafka`", digits(cross.events), "price: three operations a message against three brokers"],
    ["one queue", "several, or Kafka", digits(cross.queueLimit), "5,000 messages a second in a queue, one message a recommendation"],
    ["one object for aggregates", "events", digits(cross.aggregates), `1,000 requests a second in an object, one batch for ${given.visitRequests} recommendations`],
  ]);
}

function indexingTable(given) {
  return table(right("videos", "vectors, CPU hours", "graphs, CPU hours", "days on 64 vCPU", "$", "R2, GB", "R2, $ a month", "Redis features, GiB"),
    CATALOGUES.map((videos) => {
      const { encodeS, graphS, cost } = indexing(given, videos);
      const gb = (videos * given.copies * rowBytes(given)) / 1e9;
      return [power(videos), digits(encodeS / 3_600), digits(graphS / 3_600), digits((encodeS + graphS) / 64 / 86_400, 2), digits(cost), digits(gb), digits(gb * given.r2Storage, 2), digits(redisFeatures(given, videos, 1).gib, 2)];
    }));
}

function wireTable(given) {
  const answer = given.k * given.answerBytesPerCandidate;
  const mb = (bytes) => `${digits(bytes / 1e6)} MB`;
  const rows = [
    ["query, standard mode", `${digits((given.queryBytesPerDim * given.dim) / 1e3)} kB`, "10^4 to 10^8 alike"],
    [`answer, ${given.k} candidates`, `${digits(answer / 1e3)} kB, ${digits((answer * given.answerGzip) / 1e3)} gzipped`, "10^4 to 10^8 alike"],
    ["local mode, all segments", [1e4, 1e5, 1e6].map((n) => mb(n * given.copies * rowBytes(given))).join(", "), "10^4, 10^5, 10^6"],
    ["bucket mode, a set of 4 of 16 segments", [1e4, 1e5, 1e6].map((n) => mb((4 * n * given.copies * rowBytes(given)) / 16)).join(", "), "10^4, 10^5, 10^6"],
    ["bucket mode, a set of 4 segments of 1,000 rows", mb(4_000 * rowBytes(given)), "any, where so many segments are allowed"],
  ];
  return table([...left("what"), ...right("bytes"), ...left("videos")], rows);
}

function variationsTable(runs) {
  return table([...left("base", "changed"), ...right("isolates", "hits in the isolate, %", "segments read for 1,000 requests", "wait, %", "degraded, %", "$ a million, R2")],
    runs.map((run, at) => [run.what === runs[at - 1]?.what ? "" : run.what, run.change, rateOf(run.isolates), percent(run.hitRate), digits(1_000 * run.loads.mean), percent(run.cold), percent(run.degraded), dollars(run.cost)]));
}

function skewTable(given) {
  const model = modelShares(given, 16);
  const shares = (values) => values.map((value) => digits(100 * value, 2)).join(", ");
  return table(left("16 segments, most popular first", "share of requests, %"), [["MovieLens", shares(MOVIELENS_SHARES)], ["model", shares(model)]]);
}

const inputsTable = (section) => () => table([...left("key"), ...right("value"), ...left("unit", "source")],
  listed.filter((one) => one.section === section).map(({ key, value, unit, source }) => [`\`${key}\``, digits(value, 6), unit, source]));

/** All tables and what they were made of. */
export function tables(given) {
  const runs = grid(given);
  const changed = variations(given);
  const made = {
    limits: limitsTable(given),
    decision: decisionTable(given, runs),
    runs: runsTable(runs),
    cost: costTable(given, runs),
    engines: crossingsTable(given),
    stores: storesTable(given),
    milvus: milvusTable(given),
    indexing: indexingTable(given),
    wire: wireTable(given),
    variations: variationsTable(changed),
    skew: skewTable(given),
    ...Object.fromEntries(["measured", "limits", "prices", "assumed"].map((section) => [`inputs-${section}`, inputsTable(section)()])),
  };
  return { tables: made, runs, variations: changed };
}

/** Seconds in a month are 30 days: a rate of 1 is so many recommendations. */
export const recommendationsPerMonth = (rps) => perMonth(rps);
