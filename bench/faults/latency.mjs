// What each engine costs over what the worker has of its own: the same requests to both, one after the other, in one run.

import { startWithEngines } from "../../e2e/engine_site.mjs";

const BINARY = "application/vnd.recsys.candidates";
const VIEWER = "0123456789abcdef0123456789abcdef";

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

async function post(url, path, body, accept = "application/json") {
  const response = await fetch(url + path, { method: "POST", headers: { "content-type": "application/json", accept }, body: JSON.stringify(body) });
  const bytes = await response.arrayBuffer();
  if (response.status !== 200) throw new Error(`${path}: ${response.status}: ${Buffer.from(bytes).toString().slice(0, 300)}`);
  return bytes;
}

/** A time, increasing, so that no two events are the same. */
let now = Date.now() - 3_600_000;
const click = (item) => ({ event: "click", ts: (now += 1), item });

/** Each: what is asked, of which engine, beside which of the worker's own. */
const CASES = [
  {
    what: "recommendations for a viewer's history, 20 videos",
    engine: ["history in Redis", { history: "redis" }],
    own: ["a Durable Object", { history: "object" }],
    ask: (url) => post(url, "/v1/recs", { viewer: VIEWER, k: 20 }),
  },
  {
    what: "a click handed in",
    engine: ["history in Redis", { history: "redis" }],
    own: ["a Durable Object", { history: "object" }],
    ask: (url, { items }) => post(url, "/v1/events", { viewer: VIEWER, events: [click(items[0])] }),
  },
  {
    what: "a click handed in",
    engine: ["history, and the outbox to Kafka", { history: "object", events: "kafka" }],
    own: ["a history alone", { history: "object" }],
    ask: (url, { items }) => post(url, "/v1/events", { viewer: VIEWER, events: [click(items[0])] }),
  },
  {
    what: "a click handed in",
    engine: ["history, and a queue", { history: "object", events: "queue" }],
    own: ["a history alone", { history: "object" }],
    ask: (url, { items }) => post(url, "/v1/events", { viewer: VIEWER, events: [click(items[0])] }),
  },
  {
    what: "200 candidates in the binary layout, after five clicks",
    engine: ["counts from Redis", { features: "redis" }],
    own: ["the item table", {}],
    ask: (url, { items }) => post(url, "/v1/recs", { recent: items.slice(0, 5), k: 200 }, BINARY),
  },
  {
    what: "20 candidates after five clicks",
    engine: ["Milvus 2.3.5", { candidates: "milvus" }],
    own: ["the segments", {}],
    ask: (url, { items }) => post(url, "/v1/recs", { recent: items.slice(0, 5), k: 20 }),
  },
  {
    what: "200 candidates in the binary layout, after five clicks",
    engine: ["Milvus 2.3.5", { candidates: "milvus" }],
    own: ["the segments", {}],
    ask: (url, { items }) => post(url, "/v1/recs", { recent: items.slice(0, 5), k: 200 }, BINARY),
  },
];

async function prepared(options) {
  const site = await startWithEngines(options);
  const popular = JSON.parse(Buffer.from(await post(site.url, "/v1/recs", { k: 20 })));
  const items = popular.items.map(({ id }) => id);
  if (options.history) await post(site.url, "/v1/events", { viewer: VIEWER, events: items.slice(0, 6).map(click) });
  return { ...site, items };
}

/**
 * Measures all cases.
 * @param {number} rounds requests to each side of a case
 * @returns {Promise<{case: string, peer: string, ours: number, peers: number}[]>} medians in milliseconds
 */
export async function latencies(rounds) {
  const sites = new Map();
  const rows = [];
  const site = async (options) => {
    const name = JSON.stringify(options);
    if (!sites.has(name)) sites.set(name, await prepared(options));
    return sites.get(name);
  };
  try {
    for (const { what, engine, own, ask } of CASES) {
      const sides = [await site(engine[1]), await site(own[1])];
      const times = [[], []];
      for (let round = -20; round < rounds; round += 1) {
        for (const [side, { url, ...more }] of sides.entries()) {
          const start = performance.now();
          await ask(url, more);
          if (round >= 0) times[side].push(performance.now() - start);
        }
      }
      const [ours, peers] = times.map(median);
      rows.push({ case: `${what}: ${engine[0]}`, peer: own[0], ours, peers });
    }
  } finally {
    for (const { stop } of sites.values()) await stop();
  }
  return rows;
}
