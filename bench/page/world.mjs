// A viewer and the candidates of one request, made by a seeded generator: what both sides of `bench page` rank.

export const CANDIDATES = 500;
const DIMENSIONS = 512;
const CLICKS = 50;
const CATEGORIES = 12;
const TAGS = 32;
const NOW_MS = 1_760_000_000_000;
const DAY_MS = 86_400_000;

/** FNV-1a, as `recsys_core::catalogue::id_hash`. */
function hash(id) {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(id)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** mulberry32: numbers from 0 to below 1. */
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * JSON with the fields of core's `SessionData`, `FactsData` and `ClickData`; vectors are unit length in f32.
 * @param {number} seed one viewer each
 */
export function makeWorld(seed) {
  const next = random(seed);
  const below = (n) => Math.floor(next() * n);
  const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const centres = Array.from({ length: CATEGORIES }, () => Float64Array.from({ length: DIMENSIONS }, normal));
  const item = (number) => {
    const category = below(CATEGORIES);
    const vector = Float32Array.from(centres[category], (x) => x + 1.5 * normal());
    const length = Math.hypot(...vector);
    const impressions = 1 + below(2000);
    const clicks = below(1 + impressions / 5);
    return {
      id: `v${number}`,
      vector: Array.from(vector, (x) => Math.fround(x / length)),
      facts: {
        category,
        language: below(3),
        creator: below(60),
        tags: Array.from({ length: TAGS }, (_, tag) => tag).filter(() => next() < 0.12),
        duration_s: Math.fround(10 + next() * 900),
        uploaded_day: Math.fround(20_300 - next() * 400),
        impressions,
        clicks,
        popularity: Math.fround(clicks * next()),
      },
    };
  };
  const candidates = Array.from({ length: CANDIDATES }, (_, number) => item(number));
  const clicks = Array.from({ length: CLICKS }, (_, at) => {
    const { id, vector, facts } = item(CANDIDATES + at);
    // The newest eight belong to this visit.
    const left = CLICKS - at;
    const ts_ms = NOW_MS - (left <= 8 ? left * 60_000 : left * DAY_MS);
    const watched = new Map(Array.from({ length: 30 }, () => [hash(`v${below(CANDIDATES)}`), 1 + below(60_000)]));
    return { item: id, ts_ms, vector, facts, neighbours: [...watched], after_search: false, watch_seconds: Math.fround(next() * 300) };
  });
  const session = {
    version: 2,
    clicks,
    seen: clicks.map(({ item }) => item),
    searches: 0,
    search_words: [],
    searching: false,
    last_active_ms: clicks.at(-1).ts_ms,
  };
  return { now_ms: NOW_MS, session, candidates };
}

/** What plain JavaScript would keep of a candidate or click: typed vectors, tags as bits, the id's hash. */
export function prepare({ id, item, vector, facts, ...rest }) {
  return {
    id: id ?? item,
    hash: hash(id ?? item),
    vector: Float32Array.from(vector),
    ...facts,
    tags: facts.tags.reduce((bits, tag) => bits | (1 << tag), 0),
    ...rest,
  };
}
