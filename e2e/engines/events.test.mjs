// The event sink: what viewers of history mode hand in goes on to a queue or to Kafka, and nothing that was acknowledged is lost.

import assert from "node:assert/strict";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, afterEach, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Client, isProblem } from "../client.mjs";
import { aliasOf, startKafkaRest } from "../kafka_rest.mjs";
import { siteFromEnvironment, startSite, withHistory, withSink } from "../server.mjs";

const SECRET = "Basic dXNlcjpzM2NyZXQ=";
const site = siteFromEnvironment();
const printed = [];
const print = (bytes) => printed.push(Buffer.from(bytes));

let peer;
let folder;
/** What a test started. */
const started = [];

before(async () => {
  peer = await startKafkaRest({ authorization: SECRET });
  folder = await mkdtemp(path.join(tmpdir(), "recsys-events-"));
});

after(async () => {
  await peer?.stop();
  await rm(folder, { recursive: true, force: true });
});

afterEach(async () => {
  for (const { dispose } of started.splice(0)) await dispose();
  Object.assign(peer, { behaviour: "good", refuses: () => undefined });
  await peer.stop();
  await peer.start();
  peer.stored.length = 0;
  peer.requests.length = 0;
});

async function start(options, more = {}) {
  const server = await startSite({ site, encoder: "unbound", print, change: withSink(options), ...more });
  let disposed;
  const dispose = () => (disposed ??= server.dispose());
  started.push({ dispose });
  return { ...server, dispose, client: new Client(server.url) };
}

/** Kafka behind a site; `vars` change its variables. */
const kafka = (vars = {}, more, options = {}) =>
  start(
    { sink: "kafka", vars: { KAFKA_REST_URL: peer.url, KAFKA_REST_AUTHORIZATION: SECRET, ...vars }, ...options },
    more,
  );

const viewer = (number) => number.toString(16).padStart(8, "0").repeat(4);
const TS = Date.now() - 60_000;
const click = (item, more = {}) => ({ event: "click", ts: TS, item, ...more });
const numbered = (from, count) => Array.from({ length: count }, (_, i) => click(`v${from + i}`, { ts: TS + from + i }));

async function hand(client, name, events) {
  const response = await client.post("/v1/events", { viewer: name, events });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text);
}

async function forget(client, name) {
  const response = await client.post("/v1/events", { viewer: name, forget: true });
  assert.equal(response.status, 200, await response.text());
}

async function sink(client) {
  const { events } = await (await client.get("/healthz")).json();
  return events;
}

/** Waits until something holds. */
async function until(what, holds, seconds = 30) {
  const end = Date.now() + seconds * 1_000;
  for (;;) {
    const found = await holds();
    if (found) return found;
    assert.ok(Date.now() < end, `waited ${seconds} s: ${what}`);
    await pause(50);
  }
}

const drained = (client) => until("the outbox is empty", async () => (await sink(client)).pending === 0);
const items = (values) => values.map(({ item }) => item);
const log = () => Buffer.concat(printed).toString();

test("Karapace says 422 where one record failed: what it confirms there is not sent again, and others go on", async () => {
  const { client } = await kafka();
  let busy = true;
  [peer.karapace, peer.refuses] = [true, ({ value }) => (busy && value.item.startsWith("bad") ? 1 : undefined)];
  try {
    await hand(client, viewer(1), [click("bad1"), click("bad2", { ts: TS + 1 }), click("behind", { ts: TS + 2 })]);
    await hand(client, viewer(2), numbered(0, 20));
    await until("those of another viewer arrive", () => peer.values(viewer(2)).length === 20);
    const asked = peer.requests.length;
    await pause(1_500);
    assert.ok(peer.requests.length - asked < 5, "records that wait are not asked for again and again");
    await hand(client, viewer(3), numbered(0, 20));
    await until("and later ones", () => peer.values(viewer(3)).length === 20);
    busy = false;
    await drained(client);
    assert.deepEqual(items(peer.values(viewer(2))), items(numbered(0, 20)), "each once");
    assert.deepEqual(new Set(items(peer.values(viewer(1)))), new Set(["bad1", "bad2", "behind"]));
  } finally {
    peer.karapace = false;
  }
});

test("what no reader could read is refused, not acknowledged", async () => {
  const { client } = await kafka();
  for (const seconds of ["3.4028235e38", "1e39", "-1"]) {
    const body = `{"viewer":"${viewer(1)}","events":[{"event":"watch","ts":${TS},"item":"a","watch_seconds":${seconds}}]}`;
    assert.equal((await client.post("/v1/events", body)).status, 400, seconds);
  }
  await hand(client, viewer(1), [{ event: "watch", ts: TS, item: "a", watch_seconds: 1e7 }]);
  await drained(client);
  assert.equal(peer.values(viewer(1))[0].watch_seconds, 1e7);
});

test("without a sink the new fields are taken, and nothing is said of one", async () => {
  const server = await startSite({ site, encoder: "unbound", change: withHistory() });
  started.push(server);
  const client = new Client(server.url);
  const events = [
    { event: "impression", ts: TS, item: "v1", request: "r", position: 0 },
    click("v1", { request: "r", position: 0, id: "a-1" }),
  ];
  assert.deepEqual(await hand(client, viewer(1), events), { taken: 1 });
  assert.equal(await sink(client), undefined);
});

for (const version of ["2", "3"]) {
  const vars = { KAFKA_REST_VERSION: version, KAFKA_REST_CLUSTER: "cluster-1" };

  test(`v${version}: every event arrives as a record of docs/events.md, keyed by its viewer and in order`, async () => {
    const { client } = await kafka(vars);
    const name = viewer(7);
    const events = [
      { event: "impression", ts: TS, item: "a\"é", request: "r1", position: 2 },
      click("b", { ts: TS + 1, request: "r1", position: 1, id: "mine_1" }),
      { event: "watch", ts: TS + 2, item: "c", watch_seconds: 2.5 },
      { event: "watch", ts: TS + 3, item: "d", watch_seconds: 31 },
      { event: "watch", ts: TS + 4, item: "of no length" },
      click("e", { ts: 9e15 }),
    ];
    assert.deepEqual(await hand(client, name, events), { taken: 3, sent: 5 });
    await drained(client);
    const values = peer.values(name);
    const [made, , , , late] = values;
    assert.match(made.id, /^[0-9a-f]{32}$/);
    assert.ok(late.ts <= Date.now() && late.ts > TS + 3, "a time that has not come is now");
    const session = aliasOf(name);
    assert.deepEqual(values, [
      { event: "impression", ts: TS, session, id: made.id, request: "r1", item: "a\"é", position: 2 },
      { event: "click", ts: TS + 1, session, id: "mine_1", request: "r1", item: "b", position: 1 },
      { event: "watch", ts: TS + 2, session, id: values[2].id, item: "c", watch_seconds: 2.5 },
      { event: "watch", ts: TS + 3, session, id: values[3].id, item: "d", watch_seconds: 31 },
      { event: "click", ts: late.ts, session, id: late.id, item: "e" },
    ]);
    assert.equal(peer.requests[0].authorization, SECRET);
  });

  test(`v${version}: whatever the proxy does, all arrives, in order of first arrival, and what comes twice has the same id`, async () => {
    const { client } = await kafka({ ...vars, KAFKA_REST_TIMEOUT_MS: "700" });
    const faults = [{ status: 503 }, "lost", "cut", "good", "fewer", "garbage", "more", "hang", { status: 500 }];
    for (const [at, fault] of faults.entries()) {
      // One fault, then none: whatever follows waits a second or two.
      const first = peer.requests.length;
      peer.behaviour = ({ number }) => (number === first ? fault : "good");
      await Promise.all([1, 2].map((name) => hand(client, viewer(name), numbered(at * 10, 10))));
      await drained(client);
    }
    for (const name of [viewer(1), viewer(2)]) {
      const ids = new Map();
      for (const { id, item } of peer.values(name)) ids.set(id, item);
      assert.deepEqual([...ids.values()], items(numbered(0, faults.length * 10)), "in order of first arrival");
      assert.ok(peer.values(name).length > ids.size, "some came twice");
    }
  });

  test(`v${version}: credentials and a topic that is missing are waited for, nothing is dropped, and nothing is quoted`, async () => {
    for (const [changed, fault] of [
      [{ KAFKA_REST_AUTHORIZATION: "Basic b3RoZXI=" }, "credentials"],
      [{ KAFKA_TOPIC: "another" }, "missing"],
    ]) {
      const { client, dispose } = await kafka({ ...vars, ...changed });
      await hand(client, viewer(3), numbered(0, 20));
      const health = await until("the fault is known", async () => {
        const found = await sink(client);
        return found.fault && found;
      });
      assert.deepEqual([health.fault, health.pending, health.dead], [fault, 20, 0]);
      assert.equal(peer.stored.length, 0);
      await dispose();
    }
    assert.match(log(), /"event":"kafka_waits"/);
    assert.ok(!log().includes("b3RoZXI") && !log().includes(SECRET) && !log().includes(viewer(3)));
  });

  test(`v${version}: a record that is refused for good is dead after some tries, and holds up its own viewer alone`, async () => {
    const { client } = await kafka(vars);
    peer.refuses = ({ value }) => (value.item === "bad" ? (version === "2" ? 1 : 400) : undefined);
    await hand(client, viewer(4), [click("v0"), click("bad", { ts: TS + 1 })]);
    await until("the others arrive", () => peer.stored.length === 1);
    await hand(client, viewer(4), [click("behind", { ts: TS + 2 })]);
    await hand(client, viewer(5), numbered(0, 30));
    await until("those of another viewer arrive", () => peer.values(viewer(5)).length === 30, 5);
    assert.deepEqual(items(peer.values(viewer(4))), ["v0"], "a later one waits behind the one that is refused");
    const health = await until("it is dead", async () => {
      const found = await sink(client);
      return found.dead === 1 && found.pending === 0 && found;
    }, 60);
    assert.equal(health.fault, null);
    assert.deepEqual(items(peer.values(viewer(4))), ["v0", "behind"]);
    assert.match(log(), /"event":"events_dead"/);
  });

  test(`v${version}: a record that the broker cannot take yet holds up its own viewer alone`, async () => {
    const { client } = await kafka(vars);
    let busy = true;
    peer.refuses = ({ value }) => (busy && value.item === "v0" ? (version === "2" ? 2 : 503) : undefined);
    await hand(client, viewer(1), numbered(0, 1));
    await hand(client, viewer(2), numbered(1, 20));
    await until("the others arrive", () => peer.stored.length === 20);
    await hand(client, viewer(1), numbered(50, 2));
    await hand(client, viewer(2), numbered(60, 2));
    await until("later ones of another viewer arrive", () => peer.values(viewer(2)).length === 22);
    assert.deepEqual(peer.values(viewer(1)), []);
    busy = false;
    await drained(client);
    assert.deepEqual(items(peer.values(viewer(1))), ["v0", "v50", "v51"]);
  });
}

test("a request that is too large is sent in parts, and a record that is too large alone is dead in the end", async () => {
  const small = await startKafkaRest({ maxBytes: 4_000 });
  started.push({ dispose: () => small.stop() });
  const { client } = await start({ sink: "kafka", vars: { KAFKA_REST_URL: small.url } });
  await hand(client, viewer(1), numbered(0, 100));
  await drained(client);
  assert.deepEqual(items(small.values()), items(numbered(0, 100)));
  assert.ok(small.requests.some(({ status }) => status === 413));
});

test("a backlog of several thousand is sent in batches of at most 500", async () => {
  const { client } = await kafka();
  await peer.stop();
  for (let from = 0; from < 3_000; from += 100) await hand(client, viewer(from % 7), numbered(from, 100));
  assert.equal((await sink(client)).pending, 3_000);
  await peer.start();
  await drained(client);
  assert.equal(new Set(peer.values().map(({ id }) => id)).size, 3_000);
  assert.ok(peer.requests.every(({ records }) => records <= 500) && peer.requests.some(({ records }) => records === 500));
});

test("the same event, handed in again, has the same id, and is not stored twice while it waits", async () => {
  const { client } = await kafka();
  await peer.stop();
  for (let i = 0; i < 3; i += 1) await hand(client, viewer(1), [click("a"), click("b", { id: "b-1" })]);
  assert.equal((await sink(client)).pending, 2);
  await hand(client, viewer(2), [click("a"), click("b", { id: "b-1" })]);
  assert.equal((await sink(client)).pending, 4, "another viewer's are others");
  await peer.start();
  await drained(client);
  const [first] = peer.values(viewer(1));
  await hand(client, viewer(1), [click("a")]);
  await drained(client);
  assert.deepEqual(peer.values(viewer(1)).filter(({ item }) => item === "a").map(({ id }) => id), [first.id, first.id]);
});

test("an outbox that is full refuses and loses nothing, and a viewer can still be forgotten", async () => {
  const { client } = await kafka({ OUTBOX_MAX: "30" });
  await peer.stop();
  await hand(client, viewer(1), numbered(0, 25));
  for (let i = 0; i < 5; i += 1) {
    const refused = await client.post("/v1/events", { viewer: viewer(2), events: numbered(0, 6) });
    const { detail } = await isProblem(refused, [503]);
    assert.match(detail, /^outbox: it has no room/);
    assert.equal(refused.headers.get("retry-after"), "5");
  }
  await hand(client, viewer(2), numbered(0, 5));
  await forget(client, viewer(3));
  assert.equal((await sink(client)).pending, 31);
  await forget(client, viewer(1));
  assert.equal((await sink(client)).pending, 7);
  await peer.start();
  await drained(client);
  assert.deepEqual(items(peer.values(viewer(2))), items(numbered(0, 5)));
});

test("forget drops what waits, and tells every reader", async () => {
  const { client } = await kafka();
  await hand(client, viewer(1), numbered(0, 2));
  await drained(client);
  await peer.stop();
  await hand(client, viewer(1), numbered(2, 3));
  await hand(client, viewer(2), numbered(0, 1));
  await forget(client, viewer(1));
  await peer.start();
  await drained(client);
  const values = peer.values(viewer(1));
  assert.deepEqual(values.map(({ event, item }) => item ?? event), ["v0", "v1", "forget"]);
  const { ts, session, id } = values[2];
  assert.deepEqual([session, id.length], [aliasOf(viewer(1)), 32]);
  assert.ok(Math.abs(Date.now() - ts) < 30_000);
  assert.equal(peer.values(viewer(2)).length, 1);
});

test("what was forgotten is not on the disk once every reader was told", async () => {
  const objects = path.join(folder, "forgotten");
  const { client, dispose } = await kafka({}, { objects });
  const name = viewer(0xabcdef);
  const onDisk = async () => {
    const entries = (await readdir(objects, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    const files = await Promise.all(entries.map((entry) => readFile(path.join(entry.parentPath ?? entry.path, entry.name))));
    return Buffer.concat(files).includes(aliasOf(name));
  };
  await peer.stop();
  await hand(client, name, numbered(0, 100));
  assert.ok(await onDisk());
  await forget(client, name);
  await peer.start();
  await drained(client);
  assert.deepEqual(peer.values(name).map(({ event }) => event), ["forget"]);
  await hand(client, viewer(2), numbered(0, 3));
  await drained(client);
  assert.equal(peer.values(viewer(2)).length, 3, "it goes on");
  await dispose();
  assert.ok(!(await onDisk()));
});

test("what was acknowledged outlives the worker", async () => {
  const objects = path.join(folder, "restart");
  const first = await kafka({}, { objects });
  await peer.stop();
  await hand(first.client, viewer(1), numbered(0, 50));
  await first.dispose();
  await peer.start();
  const second = await kafka({}, { objects });
  // Nobody asks the new one for anything: the alarm alone must send it.
  await until("all arrived", () => peer.stored.length >= 50);
  await drained(second.client);
  assert.deepEqual(items(peer.values(viewer(1))), items(numbered(0, 50)));
});

test("viewers are spread over outboxes", async () => {
  const { client } = await kafka({ OUTBOX_SHARDS: "4", OUTBOX_MAX: "400" });
  await peer.stop();
  for (let name = 0; name < 8; name += 1) await hand(client, viewer(name), numbered(0, 10));
  assert.equal((await sink(client)).pending, 80);
  await peer.start();
  await drained(client);
  assert.equal(peer.stored.length, 80);
});

test("settings that are wrong are named, with what was expected and no secret, and recommendations go on", async () => {
  const cases = [
    [{ KAFKA_REST_URL: "" }, {}, /^KAFKA_REST_URL: expected an address/],
    [{ KAFKA_REST_URL: "kafka:9092" }, {}, /^KAFKA_REST_URL: expected an address/],
    [{ KAFKA_REST_URL: "http://user:s3cret@127.0.0.1" }, {}, /^KAFKA_REST_URL: expected an address/],
    [{ KAFKA_REST_VERSION: "4" }, {}, /^KAFKA_REST_VERSION: expected 2 or 3/],
    [{ KAFKA_REST_VERSION: "3" }, {}, /^KAFKA_REST_CLUSTER: expected the id of Kafka's cluster.*found none/],
    [{ KAFKA_TOPIC: "s3cret/.." }, {}, /^KAFKA_TOPIC: expected a topic's name/],
    [{ KAFKA_REST_AUTHORIZATION: "Basic s3cret\r\nX: y" }, {}, /^KAFKA_REST_AUTHORIZATION: expected a header's value/],
    [{ OUTBOX_SHARDS: "s3cret" }, {}, /^OUTBOX_SHARDS: expected a whole number from 1 to 64/],
    [{ EVENT_SINK: "s3cret" }, {}, /^EVENT_SINK: expected none or queue or kafka/],
    [{}, { without: ["OUTBOX"] }, /^EVENT_SINK: expected a binding OUTBOX/],
    [{}, { sink: "queue", without: ["EVENTS"] }, /^EVENT_SINK: expected a binding EVENTS/],
  ];
  for (const [vars, options, expected] of cases) {
    const { client, dispose } = await kafka(vars, {}, options);
    const { detail } = await isProblem(await client.post("/v1/events", { viewer: viewer(1), events: numbered(0, 1) }), [503]);
    assert.match(detail, expected);
    assert.ok(!detail.includes("s3cret"), detail);
    assert.equal((await client.recs({ k: 3 })).status, 200);
    assert.equal((await sink(client)).fault, detail);
    await dispose();
  }
  assert.ok(!log().includes("s3cret"));
});

test("with a sink, an event needs a time", async () => {
  const { client } = await kafka();
  const response = await client.post("/v1/events", { viewer: viewer(1), events: [click("a"), click("b", { ts: 5 })] });
  const { detail } = await isProblem(response, [422]);
  assert.match(detail, /^`events\[1\]\.ts`: expected milliseconds/);
  assert.equal((await sink(client)).pending, 0, "all of a request is taken or nothing");
});

test("queue to Kafka: messages go through the outbox, poisoned ones are passed over and counted", async () => {
  const { client, queue } = await start({
    sink: "queue",
    vars: { KAFKA_REST_URL: peer.url, KAFKA_REST_AUTHORIZATION: SECRET },
  });
  const producer = await queue("EVENTS");
  const good = { event: "click", ts: TS, session: aliasOf(viewer(1)), id: "x", item: "direct" };
  const canary = "qz-canary";
  const bad = [canary, "{}", JSON.stringify({ ...good, session: canary }), JSON.stringify({ ...good, id: `${canary}!` })];
  bad.push(JSON.stringify({ ...good, event: canary }), JSON.stringify({ ...good, padding: canary.repeat(500) }));
  for (const body of bad) await producer.send(body, { contentType: "text" });
  await producer.send({ note: canary }, { contentType: "json" });
  await producer.send(JSON.stringify(good), { contentType: "text" });
  assert.deepEqual(await hand(client, viewer(2), numbered(0, 100)), { taken: 100, sent: 100 });
  await until("all arrived", () => peer.stored.length >= 101);
  await drained(client);
  assert.deepEqual(new Set(items(peer.values(viewer(2)))), new Set(items(numbered(0, 100))));
  assert.deepEqual(peer.values(viewer(1)), [good]);
  const counts = [...log().matchAll(/"count":(\d+),"event":"events_poisoned"/g)].map(([, count]) => Number(count));
  assert.equal(counts.reduce((sum, count) => sum + count, 0), bad.length + 1);
  assert.ok(!log().includes(canary));
  await forget(client, viewer(2));
  await until("the record says so", () => peer.values(viewer(2)).some(({ event }) => event === "forget"));
});

test("queue to a bucket: JSON Lines by the hour", async () => {
  const { client, bucket } = await start({ sink: "queue", bucket: true });
  await hand(client, viewer(1), numbered(0, 100));
  await hand(client, viewer(2), numbered(0, 3));
  await forget(client, viewer(2));
  const files = await bucket("EVENTS_BUCKET");
  const lines = await until("all is there", async () => {
    const { objects } = await files.list();
    for (const { key } of objects) assert.match(key, /^events\/\d{4}\/\d\d\/\d\d\/\d\d\/[0-9a-f]{32}\.jsonl$/);
    const texts = await Promise.all(objects.map(async ({ key }) => (await files.get(key)).text()));
    const all = texts.join("").split("\n").filter(Boolean);
    return all.length >= 104 && all;
  });
  const values = lines.map((line) => JSON.parse(line));
  assert.equal(new Set(values.map(({ id }) => id)).size, 104);
  assert.equal(values.filter(({ event, session }) => event === "forget" && session === aliasOf(viewer(2))).length, 1);
  assert.deepEqual((await sink(client)), { sink: "queue" });
});

test("queue to nowhere: messages stay, and the log says what is missing", async () => {
  const { client } = await start({ sink: "queue" });
  await hand(client, viewer(1), numbered(0, 2));
  await until("the log says so", () => log().includes('"event":"events_wait"'));
  assert.match(log(), /its consumer needs KAFKA_REST_URL and OUTBOX, or EVENTS_BUCKET/);
  assert.ok(!log().includes(viewer(1)));
});
