// The worker over HTTP: its answers, and what it does with bad input. After each bad request a good one must work.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { Client, isProblem, isSlate } from "./client.mjs";
import { siteFromEnvironment, startSite } from "./server.mjs";

let server;
let client;
let manifest;
/** Ids of popular videos. */
let known;

before(async () => {
  server = await startSite({ site: siteFromEnvironment() });
  client = new Client(server.url);
  ({ manifest } = await (await client.get("/v1/manifest")).json());
  known = (await isSlate(await client.recs({ recent: [], k: 10 }))).items.map(({ id }) => id);
});

after(() => server?.dispose());

const unit = () => Array.from({ length: manifest.dim }, (_, i) => (i === 0 ? 1 : 0));
const ids = (slate) => slate.items.map(({ id }) => id);

test("health names the bundle, its size and the encoder", async () => {
  const response = await client.get("/healthz");
  const health = await response.json();
  assert.equal(response.status, 200);
  assert.equal(health.status, "ok");
  assert.equal(health.items, manifest.items);
  assert.equal(health.encoder, "ready");
  assert.ok(health.bundle.length > 0);
});

test("a vector, recent ids and a text each give k videos", async () => {
  for (const [query, source] of [
    [{ vector: unit() }, "personal"],
    [{ recent: known.slice(0, 3) }, "personal"],
    [{ text: "a red fox" }, "search"],
    [{ recent: [] }, "popular"],
  ]) {
    const slate = await isSlate(await client.recs({ ...query, k: 7 }));
    assert.equal(slate.source, source, JSON.stringify(query).slice(0, 80));
    assert.equal(slate.items.length, 7);
    assert.equal(slate.degraded, undefined);
  }
});

test("excluded and recent videos are not recommended", async () => {
  const recent = known.slice(0, 2);
  const first = await isSlate(await client.recs({ recent, k: 10 }));
  for (const id of recent) assert.ok(!ids(first).includes(id), `${id} was clicked`);
  const exclude = ids(first).slice(0, 5);
  const second = await isSlate(await client.recs({ recent, exclude, k: 5 }));
  assert.deepEqual(ids(second), ids(first).slice(5, 10));
});

test("/recs answers as /v1/recs does", async () => {
  const body = { recent: known.slice(0, 3), k: 20 };
  const [plain, versioned] = await Promise.all([client.post("/recs", body), client.post("/v1/recs", body)]);
  assert.deepEqual(await isSlate(plain), await isSlate(versioned));
});

test("a search by GET and by POST gives the same", async () => {
  const posted = await isSlate(await client.post("/v1/search", { text: "a blue boat", k: 5 }));
  const got = await isSlate(await client.get("/v1/search?q=a%20blue%20boat&k=5"));
  assert.equal(posted.source, "search");
  assert.deepEqual(got, posted);
});

test("no query at all, or an empty history, gives popular videos", async () => {
  const slate = await isSlate(await client.recs({ recent: [], k: 10 }));
  assert.equal(slate.source, "popular");
  assert.deepEqual(ids(slate), known);
});

/** The catalogue as it was written. */
async function catalogue() {
  const lines = await readFile(path.join(process.env.RECSYS_WORLD, "videos.jsonl"), "utf8");
  return lines.trim().split("\n").map((line) => JSON.parse(line));
}

const seconds = ({ duration }) => Number(/^PT(?:(\d+)M)?(?:(\d+)S)?$/.exec(duration).slice(1).reduce((sum, n) => sum * 60 + Number(n ?? 0), 0));

test("a filter lets through what fits, all of it, and says how much that is", async () => {
  const videos = await catalogue();
  const byId = new Map(videos.map((video) => [video.id, video]));
  const [{ genre, inLanguage, uploadDate }] = videos;
  const day = uploadDate.slice(0, 10);
  for (const [filter, fits] of [
    [{ categories: [genre] }, (video) => video.genre === genre],
    [{ languages: [inLanguage] }, (video) => video.inLanguage === inLanguage],
    [{ durationSeconds: { min: 120, max: 300 } }, (video) => seconds(video) >= 120 && seconds(video) <= 300],
    [{ uploaded: { from: day } }, (video) => video.uploadDate >= day],
    [{ uploaded: { from: day, to: day } }, (video) => video.uploadDate.startsWith(day)],
    [{ categories: [genre], uploaded: { to: day } }, (video) => video.genre === genre && video.uploadDate.slice(0, 10) <= day],
    [{ categories: ["no such"] }, () => false],
    // Every video of the demo world is rated fit for all.
    [{ age: 6 }, ({ contentRating }) => contentRating === "0+"],
  ]) {
    const expected = videos.filter(fits).length;
    for (const query of [{ vector: unit() }, { recent: [] }, { recent: known.slice(0, 2) }]) {
      const slate = await isSlate(await client.recs({ ...query, filter, k: 50 }));
      const excluded = (query.recent ?? []).filter((id) => fits(byId.get(id))).length;
      const what = `${JSON.stringify(filter)} ${Object.keys(query)}`;
      assert.deepEqual(slate.matching, { videos: expected - excluded, complete: true }, what);
      assert.equal(slate.items.length, Math.min(50, expected - excluded), what);
      assert.ok(slate.items.every(({ id }) => fits(byId.get(id))), what);
    }
  }
});

const wrongVector = (change) => () => {
  const vector = unit();
  change(vector);
  return JSON.stringify({ vector, k: 5 });
};

/** Bad bodies of `/v1/recs`, and the statuses that they may get. */
const BAD_BODIES = [
  ["k = 0", () => '{"recent":[],"k":0}', [400, 422]],
  ["k = 10^9", () => '{"recent":[],"k":1000000000}', [400, 422]],
  ["a negative k", () => '{"recent":[],"k":-1}', [400, 422]],
  ["a fractional k", () => '{"recent":[],"k":2.5}', [400, 422]],
  ["k as a string", () => '{"recent":[],"k":"5"}', [400, 422]],
  ["a NaN in the vector", () => '{"vector":[NaN],"k":5}', [400]],
  ["a null in the vector", wrongVector((vector) => (vector[1] = null)), [400, 422]],
  ["a string in the vector", wrongVector((vector) => (vector[1] = "1")), [400, 422]],
  ["a number beyond f32", () => JSON.stringify({ vector: unit(), k: 5 }).replace("1", "1e39"), [400, 422]],
  ["a number beyond f64", () => JSON.stringify({ vector: unit(), k: 5 }).replace("1", "1e999"), [400, 422]],
  ["a vector that is too short", wrongVector((vector) => vector.pop()), [400, 422]],
  ["a vector that is too long", wrongVector((vector) => vector.push(0)), [400, 422]],
  ["an empty vector", () => '{"vector":[],"k":5}', [400, 422]],
  ["a vector of zeros", wrongVector((vector) => vector.fill(0)), [400, 422]],
  ["a vector that is a string", () => '{"vector":"abc","k":5}', [400, 422]],
  ["recent ids that are numbers", () => '{"recent":[1,2],"k":5}', [400, 422]],
  ["recent that is no list", () => '{"recent":"v1","k":5}', [400, 422]],
  ["an empty id", () => '{"recent":[""],"k":5}', [400, 422]],
  ["exclude that is no list", () => '{"recent":[],"exclude":"v1","k":5}', [400, 422]],
  ["two queries at once", () => JSON.stringify({ vector: unit(), text: "a fox", k: 5 }), [400, 422]],
  ["an empty text", () => '{"text":"","k":5}', [400, 422]],
  ["a text that is a number", () => '{"text":7,"k":5}', [400, 422]],
  ["a filter that is no object", () => '{"filter":[],"k":5}', [400, 422]],
  ["a filter with an unknown field", () => '{"filter":{"colour":"red"},"k":5}', [400, 422]],
  ["a filter with a date that is none", () => '{"filter":{"uploaded":{"from":"2026-02-30"}},"k":5}', [400, 422]],
  ["broken JSON", () => '{"recent":[', [400]],
  ["an empty body", () => "", [400]],
  ["JSON that is no object", () => "[]", [400, 422]],
  ["bytes that are no JSON", () => "\u0000\u0001", [400]],
  ["JSON nested 100,000 deep", () => "[".repeat(100_000), [400, 413]],
];

async function answersTheNext() {
  const slate = await isSlate(await client.recs({ recent: known.slice(0, 2), k: 5 }));
  assert.equal(slate.items.length, 5);
}

for (const [what, body, statuses] of BAD_BODIES) {
  test(`${what} is a problem document, and the next request is answered`, async () => {
    await isProblem(await client.recs(body()), statuses);
    await answersTheNext();
  });
}

// Who sends the whole body may find the connection closed before the answer is read: these stop and listen.
for (const [what, headers, sent] of [
  ["that is stated to have 16 MiB", { "content-length": 1 << 24 }, 1 << 10],
  ["that is sent in pieces, beyond 1 MiB", { "transfer-encoding": "chunked" }, (1 << 20) + (1 << 16)],
]) {
  test(`a body ${what} is refused before all of it is there, and the next request is answered`, async () => {
    await isProblem(await client.begin("/v1/recs", headers, Buffer.alloc(sent, " ")), [413]);
    await answersTheNext();
  });
}

test("another content type is refused", async () => {
  await isProblem(await client.post("/v1/recs", '{"recent":[],"k":5}', "text/plain"), [415]);
  await answersTheNext();
});

test("another method and an unknown path are refused", async () => {
  const response = await client.get("/v1/recs");
  assert.match(response.headers.get("allow") ?? "", /POST/);
  await isProblem(response, [405]);
  await isProblem(await client.request("/v1/recs", { method: "DELETE" }), [405]);
  await isProblem(await client.get("/v1/no-such-path"), [404]);
  await answersTheNext();
});

test("a bad search is refused", async () => {
  for (const body of [{}, { text: "" }, { text: "   " }, { text: 7 }, { text: "a fox", k: 0 }]) {
    await isProblem(await client.post("/v1/search", body), [400, 422]);
  }
  await isProblem(await client.get("/v1/search"), [400, 422]);
  await isProblem(await client.get("/v1/search?q=fox&k=ten"), [400, 422]);
  await answersTheNext();
});

test("unknown ids are passed over, and told", async () => {
  const some = await isSlate(await client.recs({ recent: ["no-such-video", known[0]], k: 5 }));
  assert.equal(some.source, "personal");
  assert.equal(some.items.length, 5);
  const none = await isSlate(await client.recs({ recent: ["no-such-video"], k: 5 }));
  assert.equal(none.source, "popular");
  assert.ok(none.degraded, "that no id was known must be said");
});

test("10,000 recent ids are answered or refused, not dropped", async () => {
  const many = Array.from({ length: 10_000 }, (_, i) => known[i % known.length]);
  const response = await client.recs({ recent: many, k: 5 });
  await (response.status === 200 ? isSlate(response) : isProblem(response, [400, 413, 422]));
  await answersTheNext();
});

test("a hundred requests at once are all answered", async () => {
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, i) => client.recs(i % 2 ? { recent: [known[i % 10]], k: 5 } : "{broken")),
  );
  await Promise.all(answers.map((answer, i) => (i % 2 ? isSlate(answer) : isProblem(answer, [400]))));
});
