// How a catalogue is laid out: segments, probes and groups, and where the limits of the format and of the platform lie.

const SECONDS_PER_MONTH = 30 * 86_400;
export const perMonth = (rate) => rate * SECONDS_PER_MONTH;

/** Bytes of a row with all that stands beside its vector. */
export const rowBytes = (given) => given.shardBytesPerRow + given.itemBytesPerRow + given.coWatchBytesPerRow;

/** Bytes of segments that an isolate holds. */
export const memoryBytes = (given) => given.memoryMib * 2 ** 20;

/** Segments that a query is asked of: √segments, as measured at 16 (4) and 64 (8); beyond 64 it is carried on. */
export const probesOf = (segments) => Math.round(Math.sqrt(segments));

const powersOfTwo = (from, to) => Array.from({ length: Math.log2(to / from) + 1 }, (_, at) => from * 2 ** at);

/** Bytes of one segment of so many; copies stand in the neighbours. */
const segmentBytes = (given, videos, segments) => (videos * (segments > 1 ? given.copies : 1) * rowBytes(given)) / segments;

/**
 * One worker that reads what it is asked for: as few segments as let it hold those of `requests` requests at a time; undefined
 * where the format has not so many.
 */
export function oneWorker(given, videos, requests = 4) {
  const memory = memoryBytes(given);
  if (segmentBytes(given, videos, 1) <= memory) return shape(given, videos, 1, 1);
  const fits = (segments) => requests * probesOf(segments) * segmentBytes(given, videos, segments) <= memory;
  const segments = powersOfTwo(16, given.segments).find(fits);
  return segments && shape(given, videos, segments, 1);
}

/**
 * Workers that hold all between them: as few segments as can be static assets, else as many as a request may reach; undefined
 * where one worker does, and beyond a limit.
 */
export function grouped(given, videos) {
  if (videos > given.items) return undefined;
  const counts = Array.from({ length: 61 }, (_, at) => (at + 4) ** 2);
  const possible = counts.map((segments) => inGroups(given, videos, segments)).filter(Boolean);
  return possible.find((made) => made.bytes <= given.assetBytes) ?? possible.at(-1);
}

function inGroups(given, videos, segments) {
  const each = Math.floor(memoryBytes(given) / segmentBytes(given, videos, segments));
  const groups = Math.ceil(segments / Math.max(1, each));
  const made = shape(given, videos, segments, groups);
  const isAllowed = groups < given.workersPerAccount && made.touched + 1 <= given.workersPerRequest;
  return each >= 1 && groups >= 2 && isAllowed ? made : undefined;
}

function shape(given, videos, segments, groups) {
  const probes = segments === 1 ? 1 : probesOf(segments);
  const bytes = segmentBytes(given, videos, segments);
  return {
    videos, segments, probes, groups, bytes,
    atHand: Math.min(segments, Math.floor(memoryBytes(given) / bytes)),
    // Groups that a query of so many segments touches, where the segments lie in them by chance.
    touched: groups === 1 ? 1 : groups * (1 - (1 - 1 / groups) ** probes),
    // What an isolate reads before its first segment.
    startBytes: segments * (given.manifestBytesPerSegment + (segments > 1 ? given.cellsPerSegment * (given.dim + 8) : 0)),
  };
}

/** The largest catalogue for which `holds` is true, to three digits. */
function largest(holds) {
  let [low, high] = [1, 1e10];
  while (high / low > 1.0005) {
    const middle = Math.sqrt(low * high);
    if (holds(middle)) low = middle;
    else high = middle;
  }
  return low;
}

/** Where each way of holding a catalogue ends, and which limit ends it. */
export function crossings(given) {
  const memory = memoryBytes(given);
  const lean = { ...given, itemBytesPerRow: 60, coWatchBytesPerRow: 0 };
  const sheets = (files) => files * 100;
  return [
    ["one segment in static assets", given.assetBytes / given.shardBytesPerRow, "25 MiB a file ÷ 652 bytes: the shard is one file; R2 has no such limit"],
    ["one segment, with cards and co-watch lists", largest((n) => n * rowBytes(given) <= memory), `MEMORY_MIB ÷ ${rowBytes(given)} bytes a row`],
    ["one segment, vectors and bare rows (ids, features)", largest((n) => n * rowBytes(lean) <= memory), `MEMORY_MIB ÷ ${rowBytes(lean)} bytes a row`],
    ["one worker, several segments, all at hand", memory / (given.copies * rowBytes(given)), `MEMORY_MIB ÷ (${given.copies} rows × ${rowBytes(given)} bytes)`],
    ["one worker with eviction, four requests at a time", largest((n) => oneWorker(given, n)), `4 × √${given.segments} segments fill MEMORY_MIB`],
    ["the same, one request at a time", largest((n) => oneWorker(given, n, 1)), `√${given.segments} segments fill MEMORY_MIB; beyond it no request can have its segments together`],
    ["groups of workers", largest((n) => grouped(given, n)), "2^24 videos a bundle, 500 workers an account, or 32 workers a request: whichever comes first"],
    ["stills in static assets, free plan", sheets(given.assetFilesFree), "20,000 files of 100 stills"],
    ["stills in static assets, paid plan", sheets(given.assetFilesPaid), "100,000 files of 100 stills"],
    ["stills named in the manifest", sheets(given.manifestBytes / given.manifestBytesPerSheet), "4 MiB ÷ 131 bytes a sheet of 100; without stills this limit is away"],
    ["one bundle", given.items, "2^24 videos"],
  ].map(([what, videos, why]) => ({ what, videos, why }));
}
