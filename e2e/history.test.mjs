// History mode: clicks kept by the site's server, where its owner and the viewer both want that.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { launchChromium } from "./browser.mjs";
import { Client, isProblem, isSlate } from "./client.mjs";
import { startRecorder } from "./recorder.mjs";
import { siteFromEnvironment, startSite, withHistory } from "./server.mjs";

/** Days, and milliseconds, after which the short-lived site erases a history. */
const SHORT_DAYS = "0.00003";
const SHORT_MS = 2_592;

let browser;
let off;
let on;
let short;

before(async () => {
  const site = siteFromEnvironment();
  [off, on, short, browser] = await Promise.all([
    startSite({ site, encoder: "unbound" }),
    startSite({ site, encoder: "unbound", change: withHistory() }),
    startSite({ site, encoder: "unbound", change: withHistory({ HISTORY_DAYS: SHORT_DAYS }) }),
    launchChromium(),
  ]);
});

after(async () => {
  await browser?.close();
  for (const server of [off, on, short]) await server?.dispose();
});

const NAMES = ["0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"];
const click = (item, ts, more = {}) => ({ event: "click", ts, item, ...more });
const ids = ({ items }) => items.map(({ id }) => id);

async function kept(client, viewer, events) {
  const response = await client.post("/v1/events", { viewer, events });
  assert.equal(response.status, 200, await response.clone().text());
  return (await response.json()).taken;
}

test("off by default: nothing is taken, and nobody is found by a name", async () => {
  const client = new Client(off.url);
  const refused = [
    await client.post("/v1/events", { viewer: NAMES[0], events: [] }),
    await client.recs({ viewer: NAMES[0], k: 3 }),
  ];
  for (const response of refused) {
    const { detail } = await isProblem(response, [403]);
    assert.match(detail, /keeps no histories.*HISTORY/);
  }
});

test("a viewer's newest clicks are the query, as if they had been sent, and nobody else's", async () => {
  const client = new Client(on.url);
  const [a, b, c] = ids(await isSlate(await client.recs({ k: 30 }))).filter((_, index) => index % 10 === 0);
  const taken = await kept(client, NAMES[0], [
    click(c, 3_000),
    click(a, 1_000),
    { event: "watch", ts: 2_000, item: b, watch_seconds: 31 },
    { event: "watch", ts: 2_500, item: "short-watch", watch_seconds: 3 },
  ]);
  assert.equal(taken, 3, "a short watch does not count");
  const slate = await isSlate(await client.recs({ viewer: NAMES[0], k: 8 }));
  assert.equal(slate.source, "personal");
  assert.deepEqual(ids(slate), ids(await isSlate(await client.recs({ recent: [a, b, c], k: 8 }))));
  assert.ok(![a, b, c].some((id) => ids(slate).includes(id)), "what was clicked does not come again");
  const other = await isSlate(await client.recs({ viewer: NAMES[1], k: 8 }));
  assert.equal(other.source, "popular", "another name has another history");

  assert.equal((await client.post("/v1/events", { viewer: NAMES[0], forget: true })).status, 200);
  assert.equal((await isSlate(await client.recs({ viewer: NAMES[0], k: 8 }))).source, "popular");
});

test("fifty clicks are kept, the newest, and a time that has not come is no newer than now", async () => {
  const client = new Client(on.url);
  const viewer = "00112233445566778899aabbccddeeff";
  // All near to each other, so that those that are missing are missing because they were clicked.
  const [first] = ids(await isSlate(await client.recs({ k: 1 })));
  const known = ids(await isSlate(await client.recs({ recent: [first], k: 70 })));
  await kept(client, viewer, [click(known[69], 9e15)]);
  for (const at of [0, 30]) await kept(client, viewer, known.slice(at, at + 30).map((id, i) => click(id, 1_000 + at + i)));
  const found = new Set(ids(await isSlate(await client.recs({ viewer, k: 1000 }))));
  const gone = known.filter((id) => !found.has(id));
  // The last video was clicked now, as far as the server knows, and the others long ago: the first eleven made room.
  assert.deepEqual(new Set(gone), new Set([...known.slice(11, 60), known[69]]));
});

test("a history that nothing is added to is erased", async () => {
  const client = new Client(short.url);
  const [first] = ids(await isSlate(await client.recs({ k: 1 })));
  await kept(client, NAMES[0], [click(first, Date.now())]);
  assert.equal((await isSlate(await client.recs({ viewer: NAMES[0], k: 3 }))).source, "personal");
  await pause(SHORT_MS + 2_000);
  assert.equal((await isSlate(await client.recs({ viewer: NAMES[0], k: 3 }))).source, "popular");
});

test("what is no history is refused, quotes nothing, and the next request is answered", async () => {
  const client = new Client(on.url);
  const viewer = NAMES[0];
  const secret = "s3cret";
  const bad = [
    { viewer: secret },
    { viewer: secret.repeat(1_700), events: [] },
    { viewer: NAMES[0].toUpperCase(), events: [] },
    { events: [] },
    { viewer, events: [click(secret, secret)] },
    { viewer, events: [click("", 1)] },
    { viewer, events: [{ ...click("x", 1), event: secret }] },
    { viewer, events: [{ ...click("x", 1), [secret]: 1 }] },
    { viewer, events: Array.from({ length: 101 }, () => click("x", 1)) },
    { viewer, events: [click("x", 1)], forget: true },
  ];
  for (const body of bad) {
    const problem = await isProblem(await client.post("/v1/events", body), [400, 422]);
    assert.ok(!JSON.stringify(problem).includes(secret), JSON.stringify(problem));
  }
  await isProblem(await client.recs({ viewer: secret, k: 3 }), [400, 422]);
  await isProblem(await client.recs({ viewer, recent: [], k: 3 }), [400, 422]);
  const settings = await startSite({ site: siteFromEnvironment(), encoder: "unbound", change: withHistory({ HISTORY_DAYS: "soon" }) });
  try {
    const { detail } = await isProblem(await new Client(settings.url).post("/v1/events", { viewer, events: [] }), [503]);
    assert.match(detail, /^HISTORY_DAYS: expected a number above 0/);
  } finally {
    await settings.dispose();
  }
  assert.equal(await kept(client, viewer, []), 0);
});

async function inTab(url, body, argument) {
  const context = await browser.newContext();
  try {
    const tab = await context.newPage();
    await tab.goto(`${url}/icon.svg`);
    return await tab.evaluate(body, argument);
  } finally {
    await context.close();
  }
}

test("the module: the viewer's own pick alone, clicks under a random name, and forget reaches the server", async () => {
  const recorder = await startRecorder(on.url);
  const client = new Client(on.url);
  try {
    const found = await inTab(recorder.url, async () => {
      const { Recommender } = await import("/pkg/index.js");
      const offer = ["history", "standard", "local"];
      const open = (options) => Recommender.open({ endpoint: location.origin, ...options });
      const refused = (work) => work().then(() => "accepted", ({ name }) => name);
      const refusals = [
        await refused(() => open({ mode: "history", offer })),
        await refused(() => open({ picked: "history" })),
        await refused(() => open({ offer: ["history"] })),
      ];
      const rec = await open({ offer });
      const first = (await rec.privacy()).mode;
      await rec.setMode("history");
      const { items } = await rec.recommend({ k: 5 });
      for (const { item } of items.slice(0, 2)) await rec.record({ event: "click", item: item.id });
      const after = await rec.recommend({ k: 5 });
      const { claim } = await rec.privacy();
      const { viewer } = await rec.export();
      const explained = (await rec.explain(after.items[0].item.id)).becauseOf.id;
      globalThis.rec = rec;
      return { refusals, first, viewer, claim, explained, clicked: items.slice(0, 2).map(({ item }) => item.id), source: after.source, mode: after.mode, after: after.items.map(({ item }) => item.id) };
    });
    assert.deepEqual(found.refusals, ["ModeForbids", "ModeForbids", "BadOption"]);
    assert.equal(found.first, "standard");
    assert.match(found.claim, /not private/);
    assert.deepEqual([found.source, found.mode], ["personal", "history"]);
    assert.ok(found.clicked.includes(found.explained));
    assert.match(found.viewer, /^[0-9a-f]{32}$/);
    const posts = recorder.take().filter(({ request }) => request.startsWith("POST "));
    const bodies = posts.map(({ request, body }) => [request, JSON.parse(body)]);
    assert.deepEqual(bodies.map(([request]) => request), ["POST /v1/events", "POST /v1/recs", "POST /v1/events", "POST /v1/events", "POST /v1/recs"]);
    assert.ok(bodies.every(([, { viewer }]) => viewer === found.viewer));
    assert.deepEqual(bodies[0][1].events, [], "the question whether histories are kept");
    assert.deepEqual(bodies.slice(2, 4).flatMap(([, { events }]) => events.map(({ item }) => item)), found.clicked);
    assert.deepEqual(bodies[4][1], { viewer: found.viewer, k: 200 });
    assert.equal((await isSlate(await client.recs({ viewer: found.viewer, k: 3 }))).source, "personal");
  } finally {
    await recorder.dispose();
  }
});

test("the module: forget erases the server's history, and where that fails it can be tried again", async () => {
  const recorder = await startRecorder(on.url);
  const client = new Client(on.url);
  try {
    const context = await browser.newContext();
    const tab = await context.newPage();
    await tab.goto(`${recorder.url}/icon.svg`);
    const viewer = await tab.evaluate(async () => {
      const { Recommender } = await import("/pkg/index.js");
      globalThis.rec = await Recommender.open({ endpoint: location.origin, offer: ["history", "standard"], picked: "history" });
      const [{ item }] = (await rec.recommend({ k: 3 })).items;
      await rec.record({ event: "click", item: item.id });
      return (await rec.export()).viewer;
    });
    const source = async () => (await isSlate(await client.recs({ viewer, k: 3 }))).source;
    assert.equal(await source(), "personal");
    const events = "**/v1/events";
    await context.route(events, (route) => route.abort());
    const failed = await tab.evaluate(() => rec.forget().then(() => null, ({ name }) => name));
    assert.equal(failed, "Network");
    const left = await tab.evaluate(() => rec.export());
    assert.deepEqual([left.viewer, left.watched], [viewer, []], "all is gone but the name, without which nothing could be erased");
    await context.unroute(events);
    await tab.evaluate(() => rec.forget());
    assert.equal(await source(), "popular");
    const after = await tab.evaluate(async () => [(await rec.export()).viewer, (await rec.privacy()).mode]);
    assert.deepEqual(after, ["", "standard"]);
    await context.close();
  } finally {
    await recorder.dispose();
  }
});

test("the module: a server that keeps no histories refuses the mode, and the old one stays", async () => {
  const found = await inTab(off.url, async () => {
    const { Recommender } = await import("/pkg/index.js");
    const rec = await Recommender.open({ endpoint: location.origin, offer: ["history", "standard"] });
    const refused = await rec.setMode("history").then(() => null, ({ name }) => name);
    return [refused, (await rec.privacy()).mode];
  });
  assert.deepEqual(found, ["Refused", "standard"]);
});
