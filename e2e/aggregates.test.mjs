// Counts in, sums out: off by default, strict about what comes in, and the sums for the owner alone.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import Ajv from "ajv/dist/2020.js";
import { Client, isProblem, isSlate } from "./client.mjs";
import { siteFromEnvironment, startSite } from "./server.mjs";

const TOKEN = "a token of the tests";
const PATH = "/v1/aggregates";

let server;
let client;
/** Ids of three videos. */
let known;

before(async () => {
  server = await startSite({ site: siteFromEnvironment(), encoder: "unbound", aggregates: { token: TOKEN } });
  client = new Client(server.url);
  known = (await isSlate(await client.recs({ k: 3 }))).items.map(({ id }) => id);
});

after(() => server?.dispose());

async function taken(body) {
  const response = await client.post(PATH, body);
  assert.equal(response.status, 200, await response.clone().text());
  assert.match(response.headers.get("cache-control"), /no-store/);
  return response.json();
}

const asOwner = (token = TOKEN) => client.request(PATH, { headers: { authorization: `Bearer ${token}` } });

async function sums() {
  const response = await asOwner();
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "application/jsonl");
  return (await response.text()).split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

/** Runs `body` against a site with other settings. */
async function withSite(options, body) {
  const site = await startSite({ site: siteFromEnvironment(), encoder: "unbound", ...options });
  try {
    await body(new Client(site.url));
  } finally {
    await site.dispose();
  }
}

test("the sums start empty, add up over batches, and keep rows of one video apart", async () => {
  assert.deepEqual(await sums(), []);
  const [a, b, c] = known;
  const first = {
    items: [{ item: a, impressions: 3, clicks: 1 }, { item: b, impressions: 2 }],
    pairs: [{ item: a, with: b, count: 1 }],
    arms: [{ experiment: "list", arm: "control", exposures: 1, outcomes: 3, sumSquares: 9 }],
  };
  assert.deepEqual(await taken(first), { taken: 4, dropped: 0 });
  const second = {
    items: [{ item: b, impressions: 5, clicks: 2 }, { item: c, clicks: 1 }],
    pairs: [{ item: b, with: a, count: 4 }, { item: a, with: b, count: 2 }],
    arms: [
      { experiment: "list", arm: "control", exposures: 1, outcomes: 1 },
      { experiment: "list", arm: "new", exposures: 1, outcomes: 0, sumSquares: 0 },
    ],
  };
  assert.deepEqual(await taken(second), { taken: 6, dropped: 0 });
  assert.deepEqual(await sums(), [
    { item: a, impressions: 3, clicks: 1 },
    { item: b, impressions: 7, clicks: 2 },
    { item: c, impressions: 0, clicks: 1 },
    { item: a, with: b, count: 3 },
    { item: b, with: a, count: 4 },
    { experiment: "list", arm: "control", exposures: 2, outcomes: 4, sumSquares: 10 },
    { experiment: "list", arm: "new", exposures: 1, outcomes: 0, sumSquares: 0 },
  ]);
});

test("rows of unknown videos are left out and counted", async () => {
  const before = await sums();
  const [a] = known;
  const body = { items: [{ item: "no-such-video", clicks: 1 }], pairs: [{ item: a, with: "no-such-video", count: 1 }] };
  assert.deepEqual(await taken(body), { taken: 0, dropped: 2 });
  assert.deepEqual(await sums(), before);
});

test("two hundred batches at once lose none", async () => {
  const clicks = async () => (await sums()).find(({ item, with: other }) => item === known[2] && !other).clicks;
  const before = await clicks();
  const batch = { items: [{ item: known[2], clicks: 5 }] };
  await Promise.all(Array.from({ length: 200 }, () => taken(batch)));
  assert.equal(await clicks(), before + 1000);
});

test("more lines than a page of the object come out whole and once", async () => {
  const ids = (await isSlate(await client.recs({ k: 1000 }))).items.map(({ id }) => id);
  const pairs = ids.slice(0, 80).flatMap((item) => ids.slice(0, 80).map((other) => ({ item, with: other, count: 1 })));
  const wanted = pairs.filter(({ item, with: other }) => item !== other);
  const before = new Map((await sums()).filter((row) => row.with).map((row) => [`${row.item} ${row.with}`, row.count]));
  for (let at = 0; at < wanted.length; at += 500) await taken({ pairs: wanted.slice(at, at + 500) });
  const rows = (await sums()).filter((row) => row.with);
  const found = new Map(rows.map((row) => [`${row.item} ${row.with}`, row.count]));
  assert.equal(found.size, rows.length, "no line comes twice");
  for (const { item, with: other } of wanted) {
    const key = `${item} ${other}`;
    assert.equal(found.get(key), (before.get(key) ?? 0) + 1, key);
  }
});

const BAD = [
  ["no counts", () => ({}), [422]],
  ["a viewer in it", () => ({ items: [{ item: known[0], clicks: 1, viewer: "x" }] }), [400]],
  ["a time in it", () => ({ ts: 1, items: [{ item: known[0], clicks: 1 }] }), [400]],
  ["a count above the limit", () => ({ items: [{ item: known[0], clicks: 1001 }] }), [422]],
  ["a negative count", () => ({ items: [{ item: known[0], clicks: -1 }] }), [400]],
  ["a fraction", () => ({ pairs: [{ item: known[0], with: known[1], count: 0.5 }] }), [400]],
  ["a video next to itself", () => ({ pairs: [{ item: known[0], with: known[0], count: 1 }] }), [422]],
  ["a name with a space", () => ({ arms: [{ experiment: "my list", arm: "a", exposures: 1 }] }), [422]],
  ["501 rows", () => ({ items: Array.from({ length: 501 }, () => ({ item: known[0], clicks: 1 })) }), [422]],
  ["broken JSON", () => "{", [400]],
];

for (const [what, body, statuses] of BAD) {
  test(`a batch with ${what} is refused as a whole`, async () => {
    const before = await sums();
    await isProblem(await client.post(PATH, body()), statuses);
    assert.deepEqual(await sums(), before);
  });
}

test("a batch of 300 KB is refused before all of it is there", async () => {
  const before = await sums();
  await isProblem(await client.begin(PATH, { "content-length": 300_000 }, Buffer.from('{"items":[')), [413]);
  assert.deepEqual(await sums(), before);
});

test("another content type and another method are refused", async () => {
  await isProblem(await client.post(PATH, "{}", "text/plain"), [415]);
  const response = await client.request(PATH, { method: "DELETE" });
  assert.match(response.headers.get("allow"), /GET, POST/);
  await isProblem(response, [405]);
});

test("a stranger reads nothing", async () => {
  for (const answer of [client.get(PATH), asOwner("a token of the test"), asOwner(`${TOKEN}s`), asOwner("")]) {
    const response = await answer;
    assert.equal(response.headers.get("www-authenticate"), "Bearer");
    await isProblem(response, [401]);
  }
  await isProblem(await client.request(PATH, { headers: { authorization: `Basic ${TOKEN}` } }), [401]);
});

test("without a token, or with a short one, nobody reads", async () => {
  for (const token of [undefined, "short"]) {
    await withSite({ aggregates: { token } }, async (site) => {
      const headers = { authorization: `Bearer ${token}` };
      await isProblem(await site.request(PATH, { headers }), [403]);
    });
  }
});

test("by default the path is off", async () => {
  await withSite({}, async (site) => {
    await isProblem(await site.post(PATH, { items: [{ item: known[0], clicks: 1 }] }), [403]);
    await isProblem(await site.request(PATH, { headers: { authorization: `Bearer ${TOKEN}` } }), [403]);
    await isSlate(await site.recs({ k: 3 }));
  });
});

test("answers match docs/http-api.json", async () => {
  const api = JSON.parse(await readFile(new URL("../docs/http-api.json", import.meta.url), "utf8"));
  const schemas = new Ajv({ strict: false });
  schemas.addSchema({ $id: "api", ...api });
  const matches = (name, value) =>
    assert.ok(schemas.validate(`api#/components/schemas/${name}`, value), `${name}: ${schemas.errorsText()}`);
  matches("Taken", await taken({ items: [{ item: known[0], clicks: 1 }] }));
  for (const row of await sums()) matches("Sum", row);
});
