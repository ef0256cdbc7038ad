// No query stays behind: canaries are sent through every path, in requests that are answered and in requests that fail, and
// then everything that the workers printed, answered and stored is searched for every form of them.

import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { Canaries } from "./canaries.mjs";
import { BINARY, bad, beginOversized, good, histories, questions, send } from "./canary_requests.mjs";
import { Client, isSlate } from "./client.mjs";
import { LEAKS, leaking } from "./leaks.mjs";
import { siteFromEnvironment, startSite, startWorker, withHistory, withRateLimit, withSink } from "./server.mjs";

const TOKEN = "the token of the owner";
const FORMS = ["application/json", BINARY];
/** A body that may not fit what the system holds of a connection, in bytes. */
const LONG = 1 << 15;

let folder;
let canaries;
/** Ids of videos that the bundle has. */
let known;
let bundle;

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "recsys-canary-"));
  const server = await startSite({ site: siteFromEnvironment() });
  try {
    const { manifest } = await (await fetch(`${server.url}/v1/manifest`)).json();
    const slate = await isSlate(await new Client(server.url).recs({ k: 3 }));
    known = slate.items.map(({ id }) => id);
    bundle = slate.bundle;
    canaries = new Canaries(manifest.dim);
    const encoded = async (path, body) => (await (await server.askEncoder(path, { method: "POST", body })).json()).vector;
    canaries.addVector("the words' vector", await encoded("text", JSON.stringify({ text: canaries.words })));
    canaries.addVector("the picture's vector", await encoded("image", canaries.picture));
  } finally {
    await server.dispose();
  }
});

after(() => rm(folder, { recursive: true, force: true }));

/** Every file below a folder, one after the other. */
async function stored(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return Buffer.concat(await Promise.all(files.map((entry) => readFile(path.join(entry.parentPath ?? entry.path, entry.name)))));
}

/** What must hold of every answer, whatever it answers. */
function assertSealed({ status, headers }, what) {
  assert.equal(headers.get("set-cookie"), null, what);
  assert.equal(headers.get("referrer-policy"), "no-referrer", what);
  assert.equal(headers.get("x-content-type-options"), "nosniff", what);
  const kept = what.includes("the manifest") && status === 200;
  assert.equal(headers.get("cache-control"), kept ? "no-cache" : "no-store", what);
}

/**
 * Starts workers, sends them requests and searches what comes of it.
 * @param {(print: (bytes: Uint8Array) => void) => Promise<{url: string, dispose: () => Promise<void>}>} start
 * @param {(answer: Response, what: string) => void} [check] of every answer; without one the requests are all there is, for
 *   builds that read a body to its end
 * @param {string} [storage] folder of what is stored
 * @param {string[]} [unread] gets the requests whose answers could not be read
 * @returns {Promise<{where: string, what: string, forms: string[]}[]>} where which canaries were found
 */
async function searched(start, requests, check, storage, unread = []) {
  const printed = [];
  const findings = [];
  const search = (where, what, bytes) => {
    const forms = canaries.found(bytes);
    if (forms.length) findings.push({ where, what, forms });
  };
  const read = async (what, answer) => {
    check?.(answer, `${what}: ${answer.status}`);
    search("header", what, Buffer.from(JSON.stringify([...answer.headers])));
    search("body", what, Buffer.from(await answer.arrayBuffer()));
  };
  const server = await start((bytes) => printed.push(Buffer.from(bytes)));
  try {
    for (const accept of FORMS) {
      for (const sent of requests) {
        const ask = () => send(server.url, sent, accept, canaries);
        // A connection that was closed so may also be the next request's.
        const answer = await ask().catch(ask).catch(ask).catch(ask).catch((error) => {
          // Who sends a long body to a worker that refuses before its end may find the connection closed.
          if (!(sent[2].body?.length > LONG)) throw error;
        });
        if (answer) await read(`${sent[0]}, ${accept}`, answer);
        else unread.push(sent[0]);
      }
    }
    if (!check) return findings;
    const oversized = [
      ["/v1/recs", JSON.stringify({ text: canaries.words }), "application/json"],
      ["/v1/search", canaries.picture, "image/png"],
      ["/v1/aggregates", JSON.stringify({ [canaries.id]: canaries.vector }), "application/json"],
    ];
    for (const request of oversized) await read(`${request[0]}, oversized`, await beginOversized(server.url, ...request));
    await read("health", await fetch(`${server.url}/healthz`));
    await read("metrics", await fetch(`${server.url}/metrics`));
    const owner = { headers: { authorization: `Bearer ${TOKEN}` } };
    await read("the sums", await fetch(`${server.url}/v1/aggregates`, owner));
  } finally {
    await server.dispose();
    search("log", "all that was printed", Buffer.concat(printed));
    if (storage) search("storage", "all that was stored", await stored(storage));
  }
  return findings;
}

const requestsOf = () => [...good(canaries, known), ...bad(canaries, known)];

test("with every part at hand good requests are answered, bad ones refused, and no canary is found", async () => {
  const storage = path.join(folder, "sums");
  await mkdir(storage);
  const site = siteFromEnvironment();
  const options = { site, aggregates: { token: TOKEN, folder: storage }, vars: { ALLOWED_ORIGINS: "https://shop.example", METRICS_ENABLED: "true" } };
  const answered = new Set(good(canaries, known).map(([what]) => what));
  const [counts, unread] = [{ good: 0, bad: 0 }, []];
  const findings = await searched(
    async (print) => {
      const server = await startSite({ ...options, print });
      // Something is stored, so that there is something to search.
      await new Client(server.url).post("/v1/aggregates", { items: [{ item: known[0], clicks: 1 }] });
      return server;
    },
    requestsOf(),
    (answer, what) => {
      assertSealed(answer, what);
      const isGood = answered.has(what.replace(/, application.*/, "")) || /^(health|metrics|the sums): /.test(what);
      counts[isGood ? "good" : "bad"] += 1;
      assert.equal(answer.status === 200, isGood, what);
      assert.ok(answer.status < 500, what);
      if (answer.status !== 200) assert.match(answer.headers.get("content-type"), /^application\/problem\+json/, what);
    },
    storage,
    unread,
  );
  assert.deepEqual(unread, []);
  console.log(`${counts.good} good and ${counts.bad} bad requests`);
  assert.deepEqual(findings, []);
  assert.ok((await stored(storage)).includes(known[0]), "the storage that was searched is that of the sums");
});

/** Static files of the site, without those that a pattern fits. */
const without = (pattern) => async (request) => {
  const name = path.basename(new URL(request.url).pathname);
  const there = pattern.test(name) ? undefined : await readFile(path.join(siteFromEnvironment(), "bundle", name)).catch(() => undefined);
  return there ? new Response(there) : new Response("not there", { status: 404 });
};

/** A service that answers with what it was sent. */
const echo = (status, headers) => async (request) => {
  const { Response } = await import("miniflare");
  return new Response(await request.arrayBuffer(), { status, headers });
};

for (const [what, options] of [
  ["without a shard", () => ({ assets: without(/^shard/) })],
  ["without a manifest", () => ({ assets: without(/^manifest/) })],
  ["with a variable that is wrong", () => ({ vars: { DEADLINE_MS: "soon" } })],
  ["with an encoder that is no encoder", () => ({ services: { ENCODER: echo(200) } })],
  ["with an encoder that refuses and repeats", () => ({ services: { ENCODER: echo(500) } })],
  ["with a worker of segments that repeats", () => ({ vars: { GROUPS: "A=0-99" }, services: { A: echo(500) } })],
  ["with a worker of segments that is none", () => ({ vars: { GROUPS: "A=0-99" }, services: { A: echo(200, { "x-recsys-found": "{}" }) } })],
]) {
  test(`${what} no canary is found`, async () => {
    const site = siteFromEnvironment();
    const start = (print) => startWorker({ site, print, ...options() });
    assert.deepEqual(await searched(start, requestsOf(), assertSealed), []);
  });
}

for (const encoder of ["unbound", "failing"]) {
  test(`with the encoder ${encoder} no canary is found`, async () => {
    const start = (print) => startSite({ site: siteFromEnvironment(), encoder, print });
    assert.deepEqual(await searched(start, requestsOf(), assertSealed), []);
  });
}

test("beyond the rate limit no canary is found", async () => {
  const options = { site: siteFromEnvironment(), encoder: "unbound", change: withRateLimit(1) };
  assert.deepEqual(await searched((print) => startSite({ ...options, print }), requestsOf(), assertSealed), []);
});

test("in a worker of segments, and in the one that asks it, no canary is found", async () => {
  const site = siteFromEnvironment();
  const segments = (print) => startWorker({ site, print, vars: { SEGMENTS: "0-99" } });
  const asked = [...questions(canaries, bundle), ...requestsOf()];
  assert.deepEqual(await searched(segments, asked, assertSealed), []);
  const inFront = async (print) => {
    const group = await segments(print);
    const A = { external: { address: new URL(group.url).host, http: {} } };
    const front = await startWorker({ site, print, vars: { GROUPS: "A=0-99" }, services: { A } });
    const dispose = async () => {
      await front.dispose();
      await group.dispose();
    };
    return { url: front.url, dispose };
  };
  assert.deepEqual(await searched(inFront, requestsOf(), assertSealed), []);
});

for (const [what, change] of [["on", withHistory()], ["off", (worker) => worker], ["set up wrongly", withHistory({ HISTORY_DAYS: "soon" })]]) {
  test(`with histories ${what} no canary is found, and what was forgotten is not stored`, async () => {
    const storage = path.join(folder, `histories-${what}`);
    await mkdir(storage);
    const aggregates = { token: TOKEN, folder: storage };
    const options = { site: siteFromEnvironment(), encoder: "unbound", aggregates, change };
    const sent = histories(canaries, known);
    const start = (print) => startSite({ ...options, print });
    assert.deepEqual(await searched(start, sent, assertSealed, storage), []);
  });
}

for (const [what, vars] of [["cannot be reached", { KAFKA_REST_URL: "http://127.0.0.1:9" }], ["is set up wrongly", { KAFKA_REST_URL: "kafka:9092" }]]) {
  test(`with an event sink that ${what} no canary is found in answers and logs`, async () => {
    const options = { site: siteFromEnvironment(), encoder: "unbound", aggregates: { token: TOKEN }, change: withSink({ sink: "kafka", vars }) };
    assert.deepEqual(await searched((print) => startSite({ ...options, print }), histories(canaries, known), assertSealed), []);
  });
}

for (const [i, leak] of LEAKS.entries()) {
  test(`a build that ${leak.what} is found out`, async () => {
    const [build, storage] = ["build", "sums"].map((name) => path.join(folder, `leak-${i}-${name}`));
    await Promise.all([mkdir(build), mkdir(storage)]);
    const options = { site: siteFromEnvironment(), encoder: "unbound", aggregates: { token: TOKEN, folder: storage } };
    const change = await leaking(build, leak);
    // All answers but those of the leak itself are as they are, so the requests are few.
    const few = good(canaries, known).filter(([what]) => /^(a vector|ids, one unknown|words|a search by URL)$/.test(what));
    const findings = await searched((print) => startSite({ ...options, change, print }), few, undefined, storage);
    const there = findings.filter(({ where }) => where === leak.where).flatMap(({ forms }) => forms);
    assert.ok(there.some((form) => leak.forms.test(form)), `expected ${leak.forms} in the ${leak.where}, found ${JSON.stringify(findings)}`);
  });
}
