// The server without Cloudflare: deploy/workerd on plain workerd.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { HEALTH, WORKERD, startApiServer } from "./api_server.mjs";
import { apply, parse } from "../deploy/workerd/headers.js";
import { launchChromium } from "./browser.mjs";
import { Client, isProblem, isSlate } from "./client.mjs";
import { Page } from "./page.mjs";
import { siteFromEnvironment } from "./server.mjs";
import { seal } from "./signing.mjs";
import { smallSite } from "./small_site.mjs";

/** How long the worker trusts a manifest, and some more for a busy machine. */
const RECHECK_MS = 20_000;
const VIEWER = "0123456789abcdef0123456789abcdef";

let work;
let server;
let client;
/** A site of which the bundle is replaced, and what it served at first. */
let rolling;

const at = (...parts) => path.join(work, ...parts);
const health = async ({ url }) => (await fetch(`${url}/healthz`)).json();
const ids = ({ items }) => items.map(({ id }) => id);

/** Replaces a bundle's manifest by one of another sequence, as `recsys publish` does: at once. */
async function publish(bundle, change) {
  const { manifest } = JSON.parse(await readFile(path.join(bundle, "manifest.json"), "utf8"));
  const next = path.join(bundle, "next");
  await writeFile(next, seal({ ...manifest, sequence: change(manifest.sequence) }));
  await rename(next, path.join(bundle, "manifest.json"));
}

/** A small site around the demo's bundle. */
async function siteAt(name) {
  const bundle = await smallSite(at(name));
  await cp(process.env.RECSYS_BUNDLE, bundle, { recursive: true });
  return { site: at(name), bundle, data: await mkdtemp(at("data-")) };
}

before(async () => {
  work = await mkdtemp(path.join(tmpdir(), "recsys-api-server-"));
  server = await startApiServer({ site: siteFromEnvironment() });
  client = new Client(server.url);
  rolling = await siteAt("rolling");
  rolling.server = await startApiServer(rolling);
  rolling.first = await health(rolling.server);
  await publish(rolling.bundle, (sequence) => sequence + 1);
});

after(async () => {
  await server?.dispose();
  await rolling?.server?.dispose();
  await rm(work, { recursive: true, force: true });
});

/** The headers that the site's file `_headers` states for the path that stands there as it is. */
async function stated(rule) {
  const text = await readFile(path.join(siteFromEnvironment(), "_headers"), "utf8");
  const block = text.split(/\n(?=\/)/).find((part) => part.startsWith(`${rule}\n`));
  const lines = [...block.matchAll(/^ {2}([\w-]+): (.*)$/gm)];
  assert.ok(lines.length, `${rule} states no header`);
  return lines.map(([, name, value]) => [name, value]);
}

async function hasHeaders(response, rules) {
  for (const rule of rules) {
    for (const [name, value] of await stated(rule)) assert.equal(response.headers.get(name), value, `${response.url}: ${name}`);
  }
}

test("the page and its module run in a browser, which has nothing to complain of", async () => {
  const browser = await launchChromium();
  try {
    const page = await Page.open(browser, server.url);
    assert.ok(page.requests.some(({ method, path }) => method === "POST" && path === "/v1/recs"));
    await page.close();
  } finally {
    await browser.close();
  }
});

test("files have their types and the headers that _headers states", async () => {
  const shard = (await (await client.get("/v1/manifest")).json()).manifest.segments[0].shard.file;
  const files = [
    ["/", /^text\/html; charset=utf-8$/, ["/*", "/"]],
    ["/js/main.js", /^text\/javascript/, ["/*"]],
    ["/pkg/index.js", /^text\/javascript/, ["/*"]],
    ["/pkg/recsys.wasm", /^application\/wasm$/, ["/*"]],
    ["/icon.svg", /^image\/svg\+xml$/, ["/*"]],
    ["/bundle/manifest.json", /^application\/json$/, ["/*", "/bundle/manifest.json"]],
    [`/bundle/${shard}`, /^application\/octet-stream$/, ["/*", "/bundle/*.bin"]],
  ];
  for (const [name, type, rules] of files) {
    const response = await client.get(name);
    assert.equal(response.status, 200, name);
    assert.match(response.headers.get("content-type"), type, name);
    await hasHeaders(response, rules);
    const bytes = Buffer.from(await response.arrayBuffer());
    assert.deepEqual(bytes, await readFile(path.join(siteFromEnvironment(), name === "/" ? "index.html" : name)), name);
    const head = await client.request(name, { method: "HEAD" });
    assert.deepEqual([head.status, await head.text()], [200, ""]);
    assert.deepEqual([...head.headers], [...response.headers], `HEAD ${name}`);
  }
  assert.equal((await client.get("/icon.svg")).headers.get("integrity-policy"), null, "a rule of another path");
});

test("rules of _headers: all that fit hold, of one header the values are joined, and what is none is refused", () => {
  const rules = parse("# all\n/*\n  X-One: a\n  X-Two: b: c\n\n/js/*.js\n  X-One: d\n/js/\n  X-Three: e\n");
  const of = (pathname) => {
    const headers = new Headers({ "x-two": "own", "x-own": "own" });
    apply(rules, pathname, headers);
    return Object.fromEntries(headers);
  };
  assert.deepEqual(of("/"), { "x-one": "a", "x-two": "b: c", "x-own": "own" });
  assert.deepEqual(of("/js/a.js"), { "x-one": "a, d", "x-two": "b: c", "x-own": "own" });
  assert.deepEqual(of("/js/axjs"), { "x-one": "a", "x-two": "b: c", "x-own": "own" });
  const none = ["  X: y\n", "/a/:name\n  X: y\n", "/a\n  ! X\n", "/a\n  X:\n", "https://a.example/*\n  X: y\n", "a\n"];
  for (const text of none) {
    assert.throws(() => parse(text), /^Error: _headers, line \d/, text);
  }
});

test("a file that a browser has is not sent again, and a film can be had in parts", async () => {
  const first = await client.get("/pkg/recsys.wasm");
  const etag = first.headers.get("etag");
  assert.ok(etag);
  const ask = (headers, name = "/pkg/recsys.wasm") => client.request(name, { headers });
  assert.equal((await ask({ "if-none-match": etag })).status, 304);
  assert.equal((await ask({ "if-none-match": '"other"' })).status, 200);
  const whole = Buffer.from(await first.arrayBuffer());
  const part = await ask({ range: "bytes=8-15" });
  assert.deepEqual([part.status, part.headers.get("content-range")], [206, `bytes 8-15/${whole.length}`]);
  assert.deepEqual(Buffer.from(await part.arrayBuffer()), whole.subarray(8, 16));
  assert.equal((await ask({ range: "bytes=8-15", "if-range": '"other"' })).status, 200);
  assert.equal((await ask({ range: `bytes=${whole.length}-` })).status, 416);
});

/** The answer to a path as it stands here: `fetch` would tidy it up. */
function raw(target, method = "GET") {
  const { hostname, port } = new URL(server.url);
  return new Promise((resolve, reject) => {
    const request = http.request({ hostname, port, path: target, method }, async (answer) => {
      resolve({ status: answer.statusCode, headers: answer.headers, text: Buffer.concat(await answer.toArray()).toString() });
    });
    request.on("error", reject).end();
  });
}

test("nothing outside the site is served, no listing, and no settings", async () => {
  const up = ["../", "%2e%2e/", "..%2f", "%2e%2e%2f", "..%5c", ".%2e/"].map((one) => `/${one.repeat(8)}etc/passwd`);
  const listings = ["/bundle", "/bundle/", "/bundle//", "//bundle/", "/js/", "/.", "/bundle/.", "/bundle/%2e/", "/bundle/..", "//"];
  const hidden = ["/_headers", "/%5fheaders", "/.git/config", "/%2egit/config"];
  const odd = ["/index.html%00", "/%00", "/%ff", "/%", "/js%2fmain.js", "/js%5cmain.js", "/index.html/", "//example.com/index.html"];
  const none = ["/nothing", "/v1", "/recs/", "/../../../deploy/workerd/config.capnp", "/bundle/../../edge-worker/worker.js"];
  // A path that leads back to the page is the page: the URL parser has taken the dots out.
  const page = await readFile(path.join(siteFromEnvironment(), "index.html"), "utf8");
  for (const target of [...up, ...listings, ...hidden, ...odd, ...none]) {
    const { status, text } = await raw(target);
    if (status === 200) assert.equal(text, page, target);
    else assert.ok([400, 404].includes(status), `${target}: ${status}`);
    assert.ok(!/root:|"type":|Content-Security|capnp|wasm\./.test(text) || text === page, `${target}: ${text.slice(0, 80)}`);
  }
  const missing = await client.get("/bundle/shard-0000000000000000.bin");
  assert.deepEqual([missing.status, missing.headers.get("cache-control")], [404, "no-store"]);
  await hasHeaders(missing, ["/*"]);
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
    const refused = await client.request("/icon.svg", { method });
    assert.deepEqual([refused.status, refused.headers.get("allow")], [405, "GET, HEAD"], method);
  }
  const moved = await client.request("/index.html", { redirect: "manual" });
  assert.deepEqual([moved.status, moved.headers.get("location")], [307, "/"]);
});

test("dotfiles are not served, and a site whose _headers cannot be read is not either", async () => {
  const { site } = await siteAt("odd");
  await writeFile(path.join(site, ".env"), "secret");
  const odd = await startApiServer({ site, print: () => {} });
  try {
    const asked = new Client(odd.url);
    assert.equal((await asked.get("/.env")).status, 404);
    assert.equal((await asked.get("/icon.svg")).status, 200);
    await writeFile(path.join(site, "_headers"), "X-Broken: yes\n");
    await pause(2_100);
    const broken = await asked.get("/icon.svg");
    assert.equal(broken.status, 500);
    assert.ok(!(await broken.text()).includes("<svg"));
    await isSlate(await asked.recs({ k: 3 }));
  } finally {
    await odd.dispose();
  }
});

test("recommendations, and words through the encoder", async () => {
  const slate = await isSlate(await client.recs({ k: 5 }));
  const personal = await isSlate(await client.recs({ recent: ids(slate).slice(0, 2), k: 5 }));
  assert.equal(personal.source, "personal");
  const alias = await isSlate(await client.post("/recs", { recent: ids(slate).slice(0, 2), k: 5 }));
  assert.deepEqual(ids(alias), ids(personal));
  const found = await isSlate(await client.post("/v1/search", { text: "red sailing boat", k: 3 }));
  assert.equal(found.source, "search");
  assert.match(found.items[0].name, /boat/i);
  const { status, encoder, degraded } = await health(server);
  assert.deepEqual([status, encoder, degraded], ["ok", "ready", null]);
});

test("what is not set is not set: histories and aggregates are off, and no page of another origin may read", async () => {
  const refusals = [
    await client.post("/v1/events", { viewer: VIEWER, events: [] }),
    await client.post("/v1/aggregates", {}),
    await client.get("/v1/aggregates"),
  ];
  for (const response of refusals) await isProblem(response, [403]);
  const foreign = await client.request("/v1/manifest", { headers: { origin: "https://shop.example" } });
  assert.deepEqual([foreign.status, foreign.headers.get("access-control-allow-origin")], [200, null]);
});

test("histories survive kill -9, and each setting is read", async () => {
  const data = await mkdtemp(at("data-"));
  const [origin, token] = ["https://shop.example", "a-token-of-some-length"];
  const vars = { HISTORY_ENABLED: "true", ALLOWED_ORIGINS: origin, AGGREGATES_ENABLED: "true", AGGREGATES_TOKEN: token };
  const start = () => startApiServer({ site: siteFromEnvironment(), data, vars });
  const one = await start();
  const [first] = ids(await isSlate(await new Client(one.url).recs({ k: 1 })));
  const events = [{ event: "click", ts: Date.now(), item: first }];
  const kept = await new Client(one.url).post("/v1/events", { viewer: VIEWER, events });
  assert.deepEqual([kept.status, await kept.json()], [200, { taken: 1 }]);
  assert.equal(await one.kill("SIGKILL"), null);
  const two = await start();
  try {
    const again = new Client(two.url);
    const slate = await isSlate(await again.recs({ viewer: VIEWER, k: 8 }));
    assert.equal(slate.source, "personal");
    assert.ok(!ids(slate).includes(first));
    const foreign = await again.request("/v1/manifest", { headers: { origin } });
    assert.equal(foreign.headers.get("access-control-allow-origin"), origin);
    await isProblem(await again.get("/v1/aggregates"), [401]);
    const sums = await again.request("/v1/aggregates", { headers: { authorization: `Bearer ${token}` } });
    assert.equal(sums.status, 200);
  } finally {
    await two.dispose();
  }
});

test("a history is erased in time though the server was killed before", async () => {
  const data = await mkdtemp(at("data-"));
  // 2.6 seconds.
  const vars = { HISTORY_ENABLED: "true", HISTORY_DAYS: "0.00003" };
  const start = () => startApiServer({ site: siteFromEnvironment(), data, vars });
  const source = async ({ url }) => (await isSlate(await new Client(url).recs({ viewer: VIEWER, k: 3 }))).source;
  const one = await start();
  const [item] = ids(await isSlate(await new Client(one.url).recs({ k: 1 })));
  await new Client(one.url).post("/v1/events", { viewer: VIEWER, events: [{ event: "click", ts: Date.now(), item }] });
  assert.equal(await source(one), "personal");
  await one.kill("SIGKILL");
  const two = await start();
  try {
    const until = Date.now() + 10_000;
    while ((await source(two)) === "personal" && Date.now() < until) await pause(200);
    assert.equal(await source(two), "popular");
  } finally {
    await two.dispose();
  }
});

test("a setting that is none is named in a 503, and the site still opens", async () => {
  const bad = { DEADLINE_MS: "soon", MEMORY_MIB: "0", ALLOWED_ORIGINS: "*" };
  for (const [name, value] of Object.entries(bad)) {
    const odd = await startApiServer({ site: siteFromEnvironment(), vars: { [name]: value } });
    try {
      const { detail } = await isProblem(await new Client(odd.url).recs({ k: 3 }), [503]);
      assert.ok(detail.startsWith(name), detail);
      assert.equal((await fetch(odd.url)).status, 200);
    } finally {
      await odd.dispose();
    }
  }
});

test("told to stop, it answers what it has begun and ends with 0", async () => {
  const { url, kill, dispose } = await startApiServer({ site: siteFromEnvironment() });
  try {
    await isSlate(await new Client(url).recs({ k: 3 }));
    const body = JSON.stringify({ k: 3 });
    const headers = { "content-type": "application/json", "content-length": body.length };
    const post = http.request(`${url}/v1/recs`, { method: "POST", headers, agent: false });
    const answered = new Promise((resolve, reject) => post.on("response", resolve).on("error", reject));
    await new Promise((resolve) => post.write(body.slice(0, 3), resolve));
    await pause(100);
    const ended = kill("SIGTERM");
    await pause(100);
    post.end(body.slice(3));
    const answer = await answered;
    assert.equal(answer.statusCode, 200);
    assert.equal(JSON.parse(Buffer.concat(await answer.toArray())).items.length, 3);
    assert.equal(await ended, 0);
  } finally {
    await dispose();
  }
});

/** Asks as the image's HEALTHCHECK does. */
const check = ({ url }) =>
  promisify(execFile)(WORKERD, [...HEALTH, `-eserver=${new URL(url).host}`]).then(
    () => true,
    ({ code }) => (assert.equal(code, 1), false),
  );

test("the image's health check passes where there is a bundle, and fails where there is none", async () => {
  assert.equal(await check(server), true);
  await smallSite(at("empty"));
  const empty = await startApiServer({ site: at("empty") });
  try {
    assert.equal(await check(empty), false);
  } finally {
    await empty.dispose();
  }
  assert.equal(await check(empty), false, "nothing listens");
});

test("a bundle that is published is served without a restart; a lower sequence is refused after one too", async () => {
  const { site, bundle, data, first } = rolling;
  const until = Date.now() + RECHECK_MS;
  let now = await health(rolling.server);
  while (now.sequence === first.sequence && Date.now() < until) {
    await pause(250);
    now = await health(rolling.server);
  }
  assert.deepEqual([now.sequence, now.degraded], [first.sequence + 1, null]);
  await rolling.server.kill("SIGKILL");
  await publish(bundle, () => first.sequence);
  rolling.server = await startApiServer({ site, data });
  const { detail } = await isProblem(await fetch(`${rolling.server.url}/healthz`), [503]);
  assert.match(detail, /recsys publish --as-new/);
});
