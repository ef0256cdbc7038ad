// Everything that the figures of docs/scale.md rest on: what was measured here, what providers publish, and what is assumed.
// Put your own values in with `node bench/scale/main.mjs --set KEY=VALUE`. Money is US dollars.

const CF = "https://developers.cloudflare.com";
const BENCHMARKS = "docs/benchmarks.md";
const MEMORY = "from memory, check before relying";

/** What was measured in this project. */
const measured = {
  dim: [512, "dimensions", "CLIP ViT-B/32 and TinyCLIP"],
  shardBytesPerRow: [652, "bytes", `${BENCHMARKS}: 512 codes, scale, row, 32 links, upper layers`],
  itemBytesPerRow: [376, "bytes", "demo bundle: item tables ÷ rows (3,000); 316 of them are the card. MovieLens: 141 and 83"],
  coWatchBytesPerRow: [388, "bytes", "demo bundle: co-watch lists ÷ rows. MovieLens: 227. At most 64 neighbours of 6 bytes"],
  copies: [1.5, "rows a video", "half of the videos stand in two segments (`--copies`)"],
  cellsPerSegment: [16, "cells", "docs/scaling.md"],
  manifestBytesPerSegment: [436, "bytes", "demo bundle: one entry of `segments`"],
  manifestBytesPerSheet: [131, "bytes", "demo bundle: one entry of `sprites.sheets`, of 100 stills"],
  answerBytesPerCandidate: [1282, "bytes", "local worker: 179,578 bytes for k = 200 at 128 dimensions; 384 more at 512"],
  answerGzip: [0.49, "of its bytes", "the same answers, gzip (k = 200)"],
  queryBytesPerDim: [20, "bytes", "local worker: 2,547 bytes of JSON at 128 dimensions"],
  k: [200, "candidates", "what the browser module asks for"],
  cpuMsPerRequest: [3.45, "ms", "workerd at k = 200, all 16 segments of the demo scanned, 1,000 requests one after the other, with Miniflare's own hop"],
  hashBytesPerMs: [90_000, "bytes", "docs/decisions.md: SHA-256 in wasm, 80 to 100 MB/s"],
  encodeMsPerFrame: [19.5, "ms", `${BENCHMARKS}: TinyCLIP-8M, a picture, one thread (ViT-B/32: 55.4)`],
  framesPerVideo: [8, "frames", "docs/indexing.md, the most that are taken; the demo's videos have fewer"],
  mediaMsPerVideo: [133, "ms", "docs/decisions.md: two thirds of 80.5 s for 400 short videos is ffmpeg. Long films take seconds"],
  insertMs: [3.5, "ms", `${BENCHMARKS}: one insertion into a graph`],
  redisBytesPerViewer: [1434, "bytes", "redis-server 7.0.15: 10,000 sorted sets of 50 ids of 11 bytes, with an end (ids of 6 bytes: 1,178, of 36: 2,714)"],
  redisBytesPerItem: [155, "bytes", "redis-server 7.0.15: 100,000 hashes of impressions, clicks and popularity under keys of 22 bytes"],
  redisHistoryPerSecond: [66_000, "operations", "redis-benchmark, one core of two shared ones: ZREVRANGE of 50 ids (ZADD 87,000)"],
  redisFeaturesPerSecond: [6_000, "requests", "redis-benchmark: 1,200,000 HMGET of three fields a second, pipelined by 200, on one core of two shared ones"],
};

/** Limits of the platform, and of our format. */
const limits = {
  memoryMib: [80, "MiB", "MEMORY_MIB (docs/scaling.md); an isolate has 128 MB"],
  deadlineMs: [3_000, "ms", "DEADLINE_MS (docs/scaling.md); a group gets half"],
  assetBytes: [25 * 2 ** 20, "bytes", `${CF}/workers/platform/limits/`],
  assetFilesFree: [20_000, "files", `${CF}/workers/platform/limits/`],
  assetFilesPaid: [100_000, "files", `${CF}/workers/platform/limits/`],
  workersPerAccount: [500, "workers", `${CF}/workers/platform/limits/`],
  workersPerRequest: [32, "workers", `Workers that one request may pass through by service bindings; ${MEMORY}`],
  items: [2 ** 24, "videos", "docs/bundle-format.md"],
  segments: [4_096, "segments", "docs/bundle-format.md"],
  manifestBytes: [4 * 2 ** 20, "bytes", "docs/bundle-format.md"],
  objectPerSecond: [1_000, "requests", `${CF}/durable-objects/platform/limits/: soft limit of one object`],
  queuePerSecond: [5_000, "messages", `${CF}/queues/platform/limits/ as copied by api-evangelist/cloudflare-queues, 2026`],
};

/** Published prices. */
const prices = {
  plan: [5, "a month", `${CF}/workers/platform/pricing/ (cloudflare-docs at 07acbb66)`],
  requests: [0.3, "a million", `${CF}/workers/platform/pricing/; service bindings, static assets and transfer are free`],
  cpuMs: [0.02, "a million ms", `${CF}/workers/platform/pricing/`],
  r2Storage: [0.015, "a GB-month", `${CF}/r2/pricing/ (cloudflare-docs at 07ec87d4)`],
  r2Read: [0.36, "a million", `${CF}/r2/pricing/, class B`],
  objectRequests: [0.15, "a million", `${CF}/durable-objects/platform/pricing/ (cloudflare-docs at 07e200b7)`],
  objectGbSeconds: [12.5, "a million GB-s", `${CF}/durable-objects/platform/pricing/, 128 MB while it runs`],
  objectRowsRead: [0.001, "a million", `${CF}/durable-objects/platform/pricing/`],
  objectRowsWritten: [1, "a million", `${CF}/durable-objects/platform/pricing/; setting an alarm is one row`],
  objectStorage: [0.2, "a GB-month", `${CF}/durable-objects/platform/pricing/`],
  queueOperations: [0.4, "a million", `${CF}/queues/platform/pricing/ as copied by api-evangelist/cloudflare-queues, 2026; write, read and delete are one each, up to 64 KB`],
  vcpuMonth: [20.5, "a vCPU-month", `m7g.large ($0.0816/h, 2 vCPU, 8 GiB; factualminds.com, June 2026) less its memory`],
  gibMonth: [2.33, "a GiB-month", `r7g.large ($0.1071/h, 16 GiB; ${MEMORY}) less m7g.large, ÷ 8`],
  diskGbMonth: [0.08, "a GB-month", `AWS gp3; ${MEMORY}. Hetzner volumes: €0.0572 (pricing API, 2026-05-27)`],
  transferFlatGb: [0.0012, "a GB", "Hetzner: €1.00 a TB beyond 20 TB a server (pricing API, 2026-05-27, github.com/devantler-tech/platform cb791c6f)"],
  transferGb: [0.09, "a GB", "AWS to other clouds (huggingface.co/datasets/f20180301/adrs-data, cost.csv); less beyond 10 TB, and under a contract"],
};

/** What nobody here has measured. The section "What this does not know" of docs/scale.md says what hangs on it. */
const assumed = {
  locations: [50, "locations", "data centres that a site's viewers reach; Cloudflare has more than 300, few sites are asked in all"],
  locationSkew: [1, "exponent", "traffic of a location: 1 / rank"],
  groupCallMs: [1, "ms", "the front worker's own work for each group that it asks"],
  visitGapS: [30, "s", "between two requests of a visit"],
  isolateBusy: [0.5, "of a core", "how busy an isolate is before there is a second one"],
  idleMs: [300_000, "ms", "an isolate that nobody asked for so long is gone"],
  lifeMs: [3 * 3_600_000, "ms", "an isolate's longest life"],
  skew: [1, "exponent", "popularity of cells: 1 / rank; fits MovieLens's 16 segments (table below)"],
  visitRequests: [5, "requests", "a viewer's visit"],
  firstByteMs: [60, "ms", "R2 or the data centre's cache, to the first byte"],
  netBytesPerMs: [100_000, "bytes", "what one isolate reads from R2, all its streams together"],
  dcRetentionS: [3_600, "s", "how long a data centre's cache keeps a file that nobody asks for"],
  milvusBytesPerVector: [612, "bytes", "beside the raw vector: 1.1 GB loaded for 488 MiB of 128 dimensions, HNSW (zilliz.com/sizing-tool)"],
  milvusSegmentBytes: [2 ** 30, "bytes", `sealed segments of 1 GiB; every one is searched; ${MEMORY}`],
  milvusMsPerSegment: [0.24, "ms", `${BENCHMARKS}: usearch, f32, recall .98 at 20,000 vectors; larger segments take more`],
  milvusReplicas: [2, "copies", "so that one node may fail"],
  milvusVcpu: [40.5, "vCPU", "smallest cluster with its log, object store and etcd (zilliz.com/sizing-tool)"],
  milvusGib: [167.5, "GiB", "the same"],
  milvusSmallVcpu: [4, "vCPU", "one server (standalone), without a second copy"],
  milvusSmallGib: [16, "GiB", "the same"],
  milvusSmallItems: [1_000_000, "videos", "what one such server is asked to hold at most here"],
  serverBusy: [0.6, "of a core", "how busy servers are run"],
  viewersPerRps: [10_000, "viewers", "with a kept history, for each recommendation a second: 260 recommendations a viewer and month"],
  clicksPerRec: [0.2, "clicks", "handed in for each recommendation"],
  objectMs: [10, "ms", "an object runs for each request"],
  objectRowsPerClick: [5, "rows", "alarm, click and its key's index, and the same of the one that leaves"],
  objectBytes: [16_384, "bytes", "an object's storage: 12 KB when empty (Durable Objects FAQ) and 50 clicks"],
  redisCopies: [2, "copies", "primary and replica"],
  redisSlack: [1.3, "times", "fragmentation and a copy on write"],
  eventBytes: [5_000, "bytes", "a slate of 20 impressions as JSON, and its clicks: one message a recommendation"],
  kafkaBytesPerBroker: [64e6, "bytes a second", "193 MB/s over three brokers, three copies written later, three producers (LinkedIn's benchmark, engineering.fyi); 40 MB/s from one producer that waits for all copies"],
  kafkaBrokers: [3, "brokers", "the fewest"],
  kafkaVcpu: [4, "vCPU a broker", "a common size"],
  kafkaGib: [16, "GiB a broker", "a common size"],
  kafkaReplicas: [3, "copies", "the usual number"],
  kafkaDays: [1, "days", "how long events are kept before something reads them"],
};

/** Shares of clicks of MovieLens's 16 segments (`cells.public` of the bundle of docs/privacy.md), most popular first. */
export const MOVIELENS_SHARES = [
  0.198, 0.178, 0.141, 0.11, 0.067, 0.056, 0.038, 0.038, 0.032, 0.027, 0.026, 0.026, 0.023, 0.015, 0.012, 0.012,
];

const SECTIONS = { measured, limits, prices, assumed };

/** All of it as a table: `{key, value, unit, source}`. */
export const listed = Object.entries(SECTIONS).flatMap(([section, entries]) =>
  Object.entries(entries).map(([key, [value, unit, source]]) => ({ section, key, value, unit, source })),
);

/**
 * The values alone, by key.
 * @param {Record<string, number>} [own] the caller's values
 * @throws {Error} a key that there is not, or a value that is no number
 */
export function inputs(own = {}) {
  const values = Object.fromEntries(listed.map(({ key, value }) => [key, value]));
  for (const [key, value] of Object.entries(own)) {
    if (!(key in values)) throw new Error(`there is no input ${key}; bench/scale/inputs.mjs lists them`);
    if (!Number.isFinite(value) || value < 0) throw new Error(`${key}: expected a number, 0 or more`);
    values[key] = value;
  }
  return values;
}
