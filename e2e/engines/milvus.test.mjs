// Candidates from Milvus: the real 2.3.5 by version 1 of its API where it is installed, and a peer of version 2. What they find is
// held to what the worker's own segments find, with the engine well, slow, gone, lying and back.

import assert from "node:assert/strict";
import { readFile, rm, mkdtemp, writeFile } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Client, isSlate } from "../client.mjs";
import { npy, recsys } from "../made.mjs";
import { needsMilvus, startMilvus } from "../milvus.mjs";
import { startPeer } from "../milvus_rest.mjs";
import { siteFromEnvironment, startSite, startWorker } from "../server.mjs";

const SITE = siteFromEnvironment();
const BUNDLE = process.env.RECSYS_BUNDLE ?? path.join(SITE, "bundle");
const DEADLINE_MS = 2_000;
const MILVUS_MS = 300;
/** Engines, by the version of the API. */
const engines = {};
let shard;
let folder;
let videos;

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "recsys-milvus-test-"));
  const started = [startPeer(), startSite({ site: SITE })];
  if (!needsMilvus.skip) started.push(startMilvus());
  [engines.v2, shard, engines.v1] = await Promise.all(started);
  shard.client = new Client(shard.url);
  for (const engine of Object.values(engines).filter(Boolean)) await load(engine, BUNDLE);
  const world = process.env.RECSYS_WORLD;
  videos = (await readFile(path.join(world, "videos.jsonl"), "utf8")).trim().split("\n").map((line) => JSON.parse(line));
});

after(async () => {
  await Promise.all([engines.v1?.stop(), engines.v2?.stop(), shard?.dispose()]);
  await rm(folder, { recursive: true, force: true });
});

const load = async ({ url }, bundle, ...more) =>
  JSON.parse(await recsys("milvus", "load", bundle, "--url", url, "--json", ...more));
const ids = (slate) => slate.items.map(({ id }) => id);
const from = ({ url }, api, vars) => ({
  CANDIDATES: "milvus",
  MILVUS_URL: url,
  MILVUS_API: api,
  DEADLINE_MS: String(DEADLINE_MS),
  MILVUS_DEADLINE_MS: String(MILVUS_MS),
  ...vars,
});

/** Runs `body` against a worker that asks Milvus. */
async function withWorker({ engine, api, site = SITE, vars, ...more }, body) {
  const worker = await startWorker({ site, vars: from(engine, api, vars), ...more });
  try {
    await body(new Client(worker.url));
  } finally {
    await worker.dispose();
  }
}

/** A vector of the bundle's dimension, the same for the same number. */
function vector(number, dim = 128) {
  let state = number * 2_654_435_761 + 1;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
  return Array.from({ length: dim }, next);
}

/** Asks both, checks that they say the same, and gives what the shard found. */
async function assertSame(client, body, what, ask = (client) => client.recs(body)) {
  const [found, expected] = await Promise.all([ask(client), ask(shard.client)].map(async (answer) => isSlate(await answer)));
  assert.equal(found.degraded, undefined, what);
  assert.deepEqual([found.source, found.bundle, found.matching], [expected.source, expected.bundle, expected.matching], what);
  const other = ids(found).filter((id) => !ids(expected).includes(id));
  const [best, last] = [expected.items[0]?.score, expected.items.at(-1)?.score];
  assert.equal(found.items.length, expected.items.length, what);
  for (const [i, item] of found.items.entries()) {
    const { score, ...shown } = expected.items[i];
    assert.ok(Math.abs(item.score - score) < 2e-3 * Math.max(1, best), `${what}: ${i}: ${item.score}, not ${score}`);
    if (item.id === shown.id) assert.deepEqual({ ...item, score }, { ...shown, score }, what);
  }
  // What one has and the other has not scores as the last one does.
  const scores = new Map(found.items.map(({ id, score }) => [id, score]));
  for (const id of other) assert.ok(Math.abs(scores.get(id) - last) < 2e-3, `${what}: ${id}`);
  return { expected, hits: expected.items.length - other.length };
}

function filters() {
  const [genre, other] = [...new Set(videos.map((video) => video.genre).filter(Boolean))];
  const [language] = [...new Set(videos.map((video) => video.inLanguage).filter(Boolean))];
  return [
    { categories: [genre] },
    { categories: [genre, other, 'no"such'], languages: [language] },
    { categories: ["no such"] },
    { languages: [language], durationSeconds: { min: 300.5 } },
    { durationSeconds: { max: 200 } },
    { durationSeconds: { min: 100, max: 411 }, uploaded: { from: "2024-01-01" } },
    { uploaded: { to: "2024-06-30" } },
    { uploaded: { from: "2024-02-01", to: "2025-06-30" }, categories: [genre] },
    { age: 6 },
    { age: 18, languages: [language] },
  ];
}

for (const [api, name, needed] of [
  ["v1", "Milvus 2.3.5", needsMilvus],
  ["v2", "a peer of API v2", {}],
]) {
  test(`${name} finds what the segments find, which are not read`, needed, async () => {
    const asked = [];
    const assets = async (request) => {
      const file = path.basename(new URL(request.url).pathname);
      asked.push(file);
      return new Response(await readFile(path.join(BUNDLE, file)));
    };
    await withWorker({ engine: engines[api], api, assets }, async (client) => {
      let [hits, all] = [0, 0];
      const same = async (body, what) => {
        const { expected, hits: own } = await assertSame(client, body, `${what}: ${JSON.stringify(body).slice(0, 200)}`);
        hits += own;
        all += expected.items.length;
        return expected;
      };
      const popular = ids(await isSlate(await shard.client.recs({ k: 40 })));
      for (let i = 0; i < 40; i += 1) await same({ vector: vector(i), k: 10 }, "a vector");
      for (let i = 0; i < 20; i += 1) await same({ recent: popular.slice(i, i + 1 + (i % 5)), k: 10 }, "clicks");
      await same({ recent: ['no"such', "a\\", "é", ...popular.slice(0, 2)], k: 10 }, "clicks, some of them not known");
      for (const filter of filters()) {
        const expected = await same({ vector: vector(7), k: 10, filter }, "a filter");
        await same({ vector: vector(7), k: 10, filter, exclude: ids(expected).slice(0, 5) }, "a filter and ids");
        await same({ recent: popular.slice(0, 3), k: 10, filter }, "clicks and a filter");
      }
      for (const k of [1, 100, 1000]) await same({ vector: vector(3), k }, "many");
      const first = await same({ vector: vector(5), k: 1000 }, "all");
      await same({ vector: vector(5), k: 20, exclude: ids(first).slice(0, 990) }, "a long list of ids");
      console.log(`${name}: ${hits} of ${all} are those of the segments`);
      assert.ok(hits / all >= 0.99, `${hits} of ${all}`);
      assert.deepEqual(asked.filter((file) => /^(shard|items|cowatch)-/.test(file)), [], "segments were read");
      // Where none is known popular videos come, from the segments.
      const none = await isSlate(await client.recs({ recent: ['no"such'], k: 10 }));
      assert.deepEqual([none.source, ids(none)], ["popular", popular.slice(0, 10)]);
      assert.match(none.degraded, /none of the ids/);
    });
  });
}

test("words and pictures are searched by it, and what a browser ranks comes with pins", async () => {
  const site = await startSite({ site: SITE, vars: from(engines.v2, "v2") });
  try {
    const client = new Client(site.url);
    for (const text of ["a red fox", "boats at night"]) {
      await assertSame(client, { text, k: 10 }, text, (client) => client.post("/v1/search", { text, k: 10 }));
    }
    const type = "application/vnd.recsys.candidates";
    const binary = async (client) => {
      const options = { method: "POST", headers: { "content-type": "application/json", accept: type } };
      const answer = await client.request("/v1/recs", { ...options, body: JSON.stringify({ vector: vector(1), k: 50 }) });
      assert.equal(answer.headers.get("content-type"), type);
      return Buffer.from(await answer.arrayBuffer());
    };
    const [found, expected] = await Promise.all([binary(client), binary(shard.client)]);
    assert.equal(found.length, expected.length);
    // Scores alone may differ, in their last bits.
    const differ = found.reduce((sum, byte, i) => sum + (byte !== expected[i]), 0);
    assert.ok(differ <= 4 * 50, `${differ} bytes differ`);
  } finally {
    await site.dispose();
  }
});

const recs = async (client, body = { vector: vector(1), k: 10 }) => {
  const start = performance.now();
  const slate = await isSlate(await client.recs(body));
  const took = performance.now() - start;
  assert.ok(took < DEADLINE_MS + 500, `${took} ms`);
  return slate;
};

/** Asks until Milvus answers again. */
async function recovered(client) {
  const start = performance.now();
  while ((await recs(client)).degraded) {
    assert.ok(performance.now() - start < 12_000, "it is still left alone");
    await pause(200);
  }
  return performance.now() - start;
}

const FAULTS = [
  ["says garbage", () => ({ body: "<html>" }), /no answer of it/],
  ["says nothing", () => ({ body: "" }), /no answer of it/],
  ["says yes and nothing more", () => ({ body: '{"code":0}' }), /no answer of it/],
  ["fails", () => ({ status: 500, body: "oops" }), /no answer of it/],
  ["has too much to do", () => ({ body: '{"code":8,"message":"rate limit exceeded"}' }), /cannot answer now/],
  ["starts", () => ({ status: 503, body: "" }), /cannot answer now/],
  ["lost the collection", () => ({ body: '{"code":100,"message":"collection not found"}' }), /not there/],
  ["does not know us", () => ({ status: 401, body: '{"code":1800,"message":"who?"}' }), /credentials/],
  ["sends us elsewhere", () => ({ status: 302, body: "" }), /no answer of it/],
  ["says far too much", () => ({ body: `{"code":0,"data":[${"1,".repeat(9 << 20)}1]}` }), /no answer of it/],
  ["gives more than was asked for", () => hits(Array.from({ length: 50 }, () => ["a", ""])), /no answer of it|another form/],
  ["gives entries that are none", () => hits([["a", "AAAA"]]), /another form/],
  ["gives ids that are none", () => hits([["a\tb", "AAAA"]]), /no answer of it|another form/],
];

const hits = (rows) => ({ body: JSON.stringify({ code: 0, data: rows.map(([video, entry]) => ({ video, entry, distance: 1 })) }) });

test("whatever it says wrong, the segments answer and say why, and it is asked again", async () => {
  const expected = ids(await isSlate(await shard.client.recs({ vector: vector(1), k: 10 })));
  await withWorker({ engine: engines.v2, api: "v2" }, async (client) => {
    for (const [what, lie, reason] of FAULTS) {
      engines.v2.answer(lie);
      try {
        const slate = await recs(client);
        assert.match(slate.degraded, /^milvus: /, what);
        assert.match(slate.degraded, reason, what);
        assert.deepEqual([ids(slate), slate.source], [expected, "personal"], what);
        assert.match((await (await client.get("/healthz")).json()).engines.milvus, /^milvus: /, what);
      } finally {
        engines.v2.answer();
      }
      // Two failures in a row are not enough to let it rest.
      const slate = await recs(client);
      assert.deepEqual([slate.degraded, ids(slate)], [undefined, expected], what);
      assert.equal((await (await client.get("/healthz")).json()).engines.milvus, "ok", what);
    }
  });
});

/** A bundle of made vectors, in a folder with an index.html. */
async function smallSite(name, names, dim) {
  const site = path.join(folder, name);
  const at = (file) => path.join(folder, `${name}.${file}`);
  await writeFile(at("npy"), npy(names.map((_, i) => vector(i, dim))));
  await writeFile(at("txt"), `${names.join("\n")}\n`);
  await recsys("index", "--vectors", at("npy"), "--ids", at("txt"), "--out", path.join(site, "bundle"));
  await writeFile(path.join(site, "index.html"), "<!doctype html><title>made</title>");
  return { site, bundle: path.join(site, "bundle") };
}

test("ids may have quotes, and an expression is none of them", async () => {
  const names = ['"', "\\", '\\"', '"] or age >= 0 or video in ["', "a'b", "é 😀", "{x}", "video", "a%b", "\u2028"];
  const nasty = [...names, ...Array.from({ length: 30 }, (_, i) => `plain ${i}`)];
  const { site, bundle } = await smallSite("nasty", nasty, 16);
  const alone = await startWorker({ site });
  try {
    const direct = new Client(alone.url);
    for (const [api, engine] of Object.entries(engines).filter(([, engine]) => engine)) {
      await load(engine, bundle);
      await withWorker({ engine, api, site }, async (client) => {
        for (const [i, name] of names.entries()) {
          for (const body of [
            { recent: [name], k: 41 },
            { vector: vector(i, 16), exclude: names, k: 41 },
            { vector: vector(i, 16), exclude: [name], k: 5 },
          ]) {
            const [found, expected] = await Promise.all([client, direct].map(async (one) => isSlate(await one.recs(body))));
            assert.deepEqual([ids(found), found.degraded], [ids(expected), undefined], JSON.stringify(body));
          }
        }
      });
    }
  } finally {
    await alone.dispose();
  }
});

for (const [api, needed] of [["v1", needsMilvus], ["v2", {}]]) {
  test(`a connection that breaks while videos come in leaves none of them twice, by ${api}`, needed, async () => {
    const { bundle } = await smallSite(`broken-${api}`, Array.from({ length: 20 }, (_, i) => `${api} ${i}`), 16);
    let puts = 0;
    const breaking = await startBreaking(engines[api], (url) => /insert|upsert/.test(url) && (puts += 1) === 2);
    try {
      const loaded = await load(breaking, bundle, "--batch", "5");
      assert.deepEqual([loaded.videos, loaded.done, loaded.api], [20, "loaded", api]);
      // Four batches and the head; by version 1 all over again, by version 2 one of them.
      assert.equal(puts, api === "v1" ? 2 + 5 : 5 + 1);
    } finally {
      await breaking.stop();
    }
  });
}

test("one that hangs, dies and never was there costs its deadline, then nothing", needsMilvus, async () => {
  const expected = ids(await isSlate(await shard.client.recs({ vector: vector(1), k: 10 })));
  await withWorker({ engine: engines.v1, api: "v1" }, async (client) => {
    assert.equal((await recs(client)).degraded, undefined);
    engines.v1.pause();
    try {
      const slow = [];
      for (let i = 0; i < 8; i += 1) {
        const start = performance.now();
        const slate = await recs(client);
        slow.push(performance.now() - start);
        assert.match(slate.degraded, /^milvus: (no answer in time|it failed lately)/);
        assert.deepEqual(ids(slate), expected);
      }
      // Three wait, then it rests.
      assert.ok(slow.filter((ms) => ms > MILVUS_MS - 20).length <= 4, `${slow}`);
      assert.ok(slow.slice(4).some((ms) => ms < MILVUS_MS / 2), `${slow}`);
    } finally {
      engines.v1.resume();
    }
    console.log(`back ${((await recovered(client)) / 1000).toFixed(1)} s after it went on`);
    // Clicks and what is near to them are two questions: one fault is enough to ask the segments for the rest.
    engines.v1.kill();
    const slate = await recs(client, { recent: expected.slice(0, 3), k: 10 });
    assert.match(slate.degraded, /^milvus: /);
    const other = await isSlate(await shard.client.recs({ recent: expected.slice(0, 3), k: 10 }));
    assert.deepEqual(ids(slate), ids(other));
  });
});

test("a bundle that was not loaded, or not to its end, is served by the segments", async () => {
  const vars = { MILVUS_COLLECTION: "other" };
  await withWorker({ engine: engines.v2, api: "v2", vars }, async (client) => {
    assert.match((await recs(client)).degraded, /^milvus: what it is asked for is not there$/);
    await load(engines.v2, BUNDLE, "--collection", "other");
    await recovered(client);
  });
  await withWorker({ engine: engines.v2, api: "v2" }, async (client) => {
    engines.v2.answer((path) => (path === "entities/query" ? { body: '{"code":0,"data":[]}' } : undefined));
    assert.match((await recs(client)).degraded, /not there/);
    engines.v2.answer();
    await recovered(client);
  });
});

test("a wrong token is refused by name, and never sent on", async () => {
  const secret = "root:a secret of the owner";
  const peer = await startPeer({ token: secret });
  try {
    const file = path.join(folder, "token");
    await writeFile(file, "root:wrong\n");
    await assert.rejects(load(peer, BUNDLE, "--token-file", file), /does not take the token[^]*found another/);
    await assert.rejects(load(peer, BUNDLE), /does not take the token[^]*found none/);
    await writeFile(file, `${secret}\n`);
    await load(peer, BUNDLE, "--token-file", file);
    await withWorker({ engine: peer, api: "v2", vars: { MILVUS_TOKEN: "root:wrong" } }, async (client) => {
      const slate = await recs(client);
      assert.equal(slate.degraded, "milvus: it refuses the credentials");
    });
    await withWorker({ engine: peer, api: "v2", vars: { MILVUS_TOKEN: secret } }, async (client) => {
      assert.equal((await recs(client)).degraded, undefined);
    });
  } finally {
    await peer.stop();
  }
});

test("a load that cannot be of use is refused, and says what would be", async () => {
  const { bundle } = await smallSite("small", ["a", "b", "c"], 16);
  const peer = await startPeer();
  const html = http.createServer((_, response) => response.writeHead(404).end("404 page not found"));
  await new Promise((resolve) => html.listen(0, "127.0.0.1", resolve));
  try {
    const first = await load(peer, bundle);
    assert.deepEqual([first.done, first.videos, first.api, first.dim], ["loaded", 3, "v2", 16]);
    assert.equal((await load(peer, bundle)).done, "there already");
    await assert.rejects(load(peer, bundle, "--metric", "IP"), /expected the metric IP, found "COSINE"[^]*--replace/);
    assert.equal((await load(peer, bundle, "--metric", "IP", "--replace")).done, "replaced");
    await assert.rejects(load(peer, bundle, "--api", "v1"), /no such path[^]*another --api/);
    await assert.rejects(load(peer, bundle, "--collection", "a-b"), /expected letters/);
    await assert.rejects(load({ url: peer.url.replace("http", "https") }, bundle), /expected TLS[^]*http:\/\//);
    await assert.rejects(load({ url: `http://127.0.0.1:${html.address().port}` }, bundle), /expected Milvus[^]*port 19530/);
    // Another dimension under the same name, as after a change of the model without one of the bundle.
    const described = { fields: [{ name: "vector", type: "FloatVector", params: [{ key: "dim", value: "8" }] }], indexes: [] };
    peer.answer((path) => path === "collections/describe" && { body: JSON.stringify({ code: 0, data: described }) });
    await assert.rejects(load(peer, bundle), /expected vectors of 16 dimensions, found 8; load it anew with --replace/);
    // Entities that got lost, and an index that finds nothing.
    peer.answer((path) => path === "entities/search" && { body: '{"code":0,"data":[]}' });
    await assert.rejects(load(peer, bundle, "--replace"), /3 of 3 videos are not among the nearest/);
    peer.answer();
    const other = await smallSite("other", ["d"], 16);
    await load(peer, other.bundle);
    const list = async () => JSON.parse(await recsys("milvus", "list", "--url", peer.url, "--json"));
    assert.deepEqual((await list()).map(({ whole }) => whole), [true, true]);
    await recsys("milvus", "prune", "--keep", "1", "--in-use", bundle, "--in-use", other.bundle, "--url", peer.url);
    assert.equal((await list()).length, 2);
    await recsys("milvus", "prune", "--keep", "1", "--url", peer.url);
    const [{ collection: kept }, ...rest] = await list();
    assert.deepEqual(rest, []);
    await recsys("milvus", "drop", kept, "--url", peer.url);
    assert.deepEqual(await list(), []);
    await assert.rejects(recsys("milvus", "drop", kept, "--url", peer.url), /there is no such collection/);
  } finally {
    html.close();
    await peer.stop();
  }
});

test("a bundle of the same videos has the same collection", async () => {
  const { bundle } = await smallSite("again", ["a", "b", "c"], 16);
  const peer = await startPeer();
  try {
    const first = await load(peer, bundle);
    const to = path.join(folder, "published");
    await recsys("publish", bundle, "--to", to);
    await recsys("publish", bundle, "--to", to, "--as-new");
    const again = await load(peer, to);
    assert.notEqual(again.bundle, first.bundle);
    assert.deepEqual([again.collection, again.done], [first.collection, "there already"]);
    await recsys("remove", "--bundle", bundle, "b");
    const less = await load(peer, bundle);
    assert.notEqual(less.collection, first.collection);
    assert.deepEqual([less.videos, less.done], [2, "loaded"]);
  } finally {
    await peer.stop();
  }
});

/** Stands before an engine, and breaks the connection instead of the answers that `breaks` names, once they are there. */
async function startBreaking(engine, breaks) {
  const server = http.createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray());
    const { method, url } = request;
    const headers = { "content-type": "application/json" };
    const answer = await fetch(engine.url + url, { method, headers, ...(method === "POST" && { body }) });
    const text = await answer.text();
    if (breaks(url)) request.socket.destroy();
    else response.writeHead(answer.status, headers).end(text);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, stop: () => new Promise((resolve) => server.close(resolve)) };
}

test("what is busy for a while is asked again until it takes the videos", async () => {
  const { bundle } = await smallSite("patient", ["a", "b", "c"], 16);
  const peer = await startPeer();
  try {
    let times = 0;
    peer.answer((path) => {
      if (path !== "entities/upsert" || (times += 1) > 2) return undefined;
      return times === 1 ? { body: '{"code":8,"message":"rate limit exceeded"}' } : { status: 503, body: "" };
    });
    assert.equal((await load(peer, bundle, "--batch", "2")).videos, 3);
    assert.equal(times, 2 + 3, "two refusals, two batches and the head");
  } finally {
    await peer.stop();
  }
});
