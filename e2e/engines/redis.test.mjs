// Histories and features in a real Redis: the same as in the worker's own stores, and no answer waits for a server that fails.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { Client, isProblem, isSlate } from "../client.mjs";
import { parseCandidates } from "../candidates.mjs";
import { needs, until } from "../engines.mjs";
import { hasRedis, startRedis } from "../redis.mjs";

const PASSWORD = "p@ss:w/ord-of-the-owner";
const NAME = "0123456789abcdef0123456789abcdef";
const option = needs(hasRedis, "redis-server");
const folder = mkdtempSync(path.join(tmpdir(), "recsys-redis-"));
const tls = { cert: path.join(folder, "cert.pem"), key: path.join(folder, "key.pem") };
if (hasRedis) {
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  execFileSync("openssl", [...made, ...subject, "-keyout", tls.key, "-out", tls.cert], { stdio: "ignore" });
}
// The runtime takes it from here, as it starts.
process.env.NODE_EXTRA_CA_CERTS = tls.cert;
const { siteFromEnvironment, startSite, withHistory } = await import("../server.mjs");

const click = (item, ts) => ({ event: "click", ts, item });
const ids = ({ items }) => items.map(({ id }) => id);
const started = [];
const printed = [];

async function redis(options) {
  const server = await startRedis(options);
  started.push(() => server.stop());
  return server;
}

/** A site whose histories and features are in a Redis. */
async function site(vars = {}) {
  const kept = { HISTORY_STORE: "redis", FEATURE_STORE: "redis", METRICS_ENABLED: "true", ...vars };
  const server = await startSite({
    site: siteFromEnvironment(),
    encoder: "unbound",
    change: withHistory(kept),
    print: (bytes) => printed.push(bytes.toString()),
  });
  started.push(server.dispose);
  return new Client(server.url);
}

let store;
let on;

before(async () => {
  if (!hasRedis) return;
  store = await redis({ password: PASSWORD });
  on = await site({ REDIS_URL: `${store.url}/3` });
});

after(async () => {
  for (const stop of started.reverse()) await stop();
  rmSync(folder, { recursive: true, force: true });
});

const some = async (client, k) => ids(await isSlate(await client.recs({ k })));

async function kept(client, events, viewer = NAME) {
  const response = await client.post("/v1/events", { viewer, events });
  assert.equal(response.status, 200, await response.clone().text());
}

const health = async (client) => (await (await client.get("/healthz")).json()).engines.redis;

test("a history in Redis is the one that an object would keep", option, async () => {
  const objects = await site({ HISTORY_STORE: "object", FEATURE_STORE: "table" });
  const [near] = await some(on, 1);
  const known = ids(await isSlate(await on.recs({ recent: [near], k: 70 })));
  for (const client of [on, objects]) {
    await kept(client, known.slice(0, 60).map((id, i) => click(id, 1_000 + i)));
    await kept(client, [click(known[20], 500), click(known[59], 9e15), click(known[3], 5_000)]);
  }
  const [ours, theirs] = await Promise.all([on, objects].map(async (client) => {
    const slate = await isSlate(await client.recs({ viewer: NAME, k: 1000 }));
    assert.equal(slate.source, "personal");
    return ids(slate);
  }));
  assert.deepEqual(ours, theirs);
  assert.ok(ours.includes(known[0]) && !ours.includes(known[59]) && !ours.includes(known[3]));
});

test("a history expires, stands in the database of the address, and is erased with what is known of the viewer", option, async () => {
  const key = `recsys:history:${NAME}`;
  const cli = (...words) => store.cli("-n", "3", ...words);
  await kept(on, [click("a", 1)]);
  const left = Number(await cli("PTTL", key));
  assert.ok(left > 89 * 86_400_000 && left <= 90 * 86_400_000, `${left}`);
  assert.equal(await store.cli("EXISTS", key), "0");
  await cli("HSET", `recsys:viewer:${NAME}`, "age_band", "25-34", "segment", "7", "gender", "robot");
  const slate = await isSlate(await on.recs({ viewer: NAME, k: 3 }));
  assert.deepEqual(slate.user, { age_band: "25-34", segment: 7 }, "what is no gender is left out");
  assert.equal((await on.post("/v1/events", { viewer: NAME, forget: true })).status, 200);
  assert.equal(await cli("EXISTS", key, `recsys:viewer:${NAME}`), "0");
  assert.equal((await isSlate(await on.recs({ viewer: NAME, k: 3 }))).source, "popular");
});

test("fresher counts than the bundle's reach a browser that ranks", option, async () => {
  const binary = async () => {
    const headers = { "content-type": "application/json", accept: "application/vnd.recsys.candidates" };
    const response = await on.request("/v1/recs", { method: "POST", headers, body: JSON.stringify({ k: 5 }) });
    assert.equal(response.status, 200);
    return parseCandidates(new Uint8Array(await response.arrayBuffer()));
  };
  const plain = await binary();
  const [first, second] = plain.ids;
  const hash = (id, ...fields) => store.cli("-n", "3", "HSET", `recsys:video:${id}`, ...fields);
  await hash(first, "impressions", "123456", "clicks", "789.5");
  await hash(second, "impressions", "many", "popularity", "-1");
  const fresh = await binary();
  assert.deepEqual(fresh.ids, plain.ids);
  assert.deepEqual([fresh.impressions[0], fresh.clicks[0]], [123456, 789.5]);
  assert.equal(fresh.popularity[0], plain.popularity[0]);
  for (const column of ["impressions", "clicks", "popularity", "duration"]) {
    assert.deepEqual(fresh[column].slice(1), plain[column].slice(1), "what is no count counts as none");
  }
});

test("TLS with a certificate that the runtime trusts", option, async () => {
  const secure = await redis({ password: PASSWORD, tls });
  const client = await site({ REDIS_URL: secure.url });
  assert.equal(await health(client), "ok");
  await kept(client, [click("a", 1)]);
  assert.equal(await secure.cli("ZRANGE", `recsys:history:${NAME}`, "0", "-1"), "a");
  const plain = await site({ REDIS_URL: secure.url.replace("rediss", "redis") });
  assert.match(await health(plain), /TLS/);
});

/** A server that does not do what it should costs no recommendation. */
async function answersWithout(client, reason) {
  const slate = await isSlate(await client.recs({ viewer: NAME, k: 3 }));
  assert.equal(slate.source, "popular");
  assert.match(slate.degraded, /history is not at hand/);
  const { detail } = await isProblem(await client.post("/v1/events", { viewer: NAME, events: [click("a", 1)] }), [503]);
  assert.match(detail, reason);
  const known = await health(client);
  assert.match(known, reason);
  return known;
}

test("a wrong password, and TLS to a plain port, are told apart and cost no recommendation", option, async () => {
  const login = (password) => store.url.replace(encodeURIComponent(PASSWORD), password);
  const wrong = await site({ REDIS_URL: login("wr0ng") });
  await answersWithout(wrong, /refuses the credentials|asked again soon/);
  assert.match(await (await wrong.get("/metrics")).text(), /recsys_engine_faults_total\{engine="redis",kind="credentials"\} [1-9]/);
  const none = await site({ REDIS_URL: `redis://127.0.0.1:${store.port}` });
  await answersWithout(none, /refuses the credentials|asked again soon/);
  const secure = await site({ REDIS_URL: store.url.replace("redis", "rediss") });
  assert.match(await health(secure), /speaks plainly where TLS is expected/);
});

test("a key of another type counts as not there, and costs nobody else anything", option, async () => {
  const [item] = await some(on, 1);
  await store.cli("-n", "3", "SET", `recsys:video:${item}`, "a slip");
  const headers = { "content-type": "application/json", accept: "application/vnd.recsys.candidates" };
  for (let i = 0; i < 5; i += 1) {
    const response = await on.request("/v1/recs", { method: "POST", headers, body: JSON.stringify({ k: 5 }) });
    assert.equal(parseCandidates(new Uint8Array(await response.arrayBuffer())).degraded, undefined);
  }
  assert.equal(await health(on), "ok");
});

test("whoever answers where TLS is expected gets no password", option, async () => {
  const heard = [];
  const server = net.createServer((socket) => socket.on("error", () => {}).on("data", (bytes) => {
    heard.push(bytes);
    socket.end("-ERR unknown\r\n");
  }));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const client = await site({ REDIS_URL: `rediss://:${encodeURIComponent(PASSWORD)}@127.0.0.1:${server.address().port}/3` });
    assert.match(await health(client), /redis:/);
    const said = Buffer.concat(heard).toString("latin1");
    assert.match(said, /PING/, "it was asked whether it speaks plainly");
    assert.ok(!said.includes("AUTH") && !said.includes(PASSWORD), "without the password");
  } finally {
    server.close();
  }
});

test("a full server keeps no history, says so, and what it has is still read", option, async () => {
  const full = await redis({ args: ["--maxmemory-policy", "noeviction"] });
  const client = await site({ REDIS_URL: full.url });
  const [item] = await some(client, 1);
  await kept(client, [click(item, 1)]);
  await full.cli("CONFIG", "SET", "maxmemory", "1");
  for (let i = 0; i < 6; i += 1) {
    const refused = await client.post("/v1/events", { viewer: NAME, events: [click("b", 2)] });
    assert.match((await isProblem(refused, [503])).detail, /has no room/);
  }
  assert.equal((await isSlate(await client.recs({ viewer: NAME, k: 3 }))).source, "personal");
  assert.equal((await client.post("/v1/events", { viewer: NAME, forget: true })).status, 200, "erasing needs no room");
  assert.equal((await isSlate(await client.recs({ viewer: NAME, k: 3 }))).source, "popular");
  await full.cli("CONFIG", "SET", "maxmemory", "0");
  await kept(client, [click("b", 2)]);
});

test("a server that stops, hangs or is no Redis costs no recommendation, and nobody has to help when it is back", option, async () => {
  const shaky = await redis();
  const client = await site({ REDIS_URL: shaky.url, REDIS_DEADLINE_MS: "200" });
  const [item] = await some(client, 1);
  const personal = async () => (await isSlate(await client.recs({ viewer: NAME, k: 3 }))).source === "personal";
  for (const [fail, mend] of [
    [() => shaky.signal("SIGSTOP"), () => shaky.signal("SIGCONT")],
    [() => shaky.stop(), () => shaky.start()],
  ]) {
    await fail();
    for (let i = 0; i < 5; i += 1) {
      const began = Date.now();
      const slate = await isSlate(await client.recs({ viewer: NAME, k: 3 }));
      assert.match(slate.degraded, /history/);
      assert.ok(Date.now() - began < 2_000, "within the deadline");
    }
    await mend();
    await until("the first history after the failure", async () => {
      const response = await client.post("/v1/events", { viewer: NAME, events: [click(item, 1)] });
      return response.status === 200 && personal();
    });
  }
  const { port } = new URL((await client.get("/healthz")).url);
  const noRedis = await site({ REDIS_URL: `redis://127.0.0.1:${port}` });
  await answersWithout(noRedis, /no answer of it|no connection|asked again soon|no answer in time/);
});

test("settings that are wrong are refused, and nothing of a password is said anywhere", option, async () => {
  const secret = "s3cret-of-the-owner";
  for (const [vars, expected] of [
    [{ REDIS_URL: "" }, /REDIS_URL.*found none/],
    [{ REDIS_URL: `${secret}@host` }, /REDIS_URL: expected redis:/],
    [{ REDIS_URL: store.url, HISTORY_STORE: secret }, /HISTORY_STORE: expected object or redis/],
    [{ REDIS_URL: store.url, FEATURE_STORE: secret }, /FEATURE_STORE: expected table or redis/],
    [{ REDIS_URL: store.url, REDIS_DEADLINE_MS: secret }, /REDIS_DEADLINE_MS: expected a whole number/],
  ]) {
    const client = await site(vars);
    const { detail } = await isProblem(await client.recs({ k: 1 }), [503]);
    assert.match(detail, expected);
    assert.ok(!detail.includes(secret));
  }
  const said = printed.join("");
  for (const word of [secret, PASSWORD, encodeURIComponent(PASSWORD), "wr0ng", NAME]) assert.ok(!said.includes(word), word);
  assert.match(said, /"event":"engine_rests"/);
});
