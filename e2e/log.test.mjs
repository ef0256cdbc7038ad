// The browser's own log: the features in it equal, bit for bit, those of a native replay over the same events; it is
// bounded, once an impression, and gone with `forget`. Counts leave only where page, owner and mode allow it.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { launchChromium } from "./browser.mjs";
import { siteFromEnvironment, startSite } from "./server.mjs";
import { seal } from "./signing.mjs";
import { withRecommender } from "./small_site.mjs";

const TOKEN = "a token of the tests";
const RECSYS = process.env.RECSYS_BIN;
const BUNDLE = process.env.RECSYS_BUNDLE;

let browser;
let server;
let plain;
let work;

before(async () => {
  const site = siteFromEnvironment();
  work = await mkdtemp(path.join(tmpdir(), "recsys-log-"));
  browser = await launchChromium();
  server = await startSite({ site, encoder: "unbound", aggregates: { token: TOKEN } });
  plain = await startSite({ site, encoder: "unbound" });
});

after(async () => {
  await browser?.close();
  await Promise.all([server?.dispose(), plain?.dispose()]);
  await rm(work, { recursive: true, force: true });
});

/** Runs `body` in a page of the site with a `Recommender` as `rec`; `body` gets `argument`. */
async function inBrowser(url, options, body, argument) {
  const requests = [];
  const note = (request) => requests.push({ path: new URL(request.url()).pathname, body: request.postData() });
  const value = await withRecommender(browser, url, options, body, argument, note);
  return { value, requests };
}

/** A visit with clicks, repeated and searched for, watches and searches, in which every slate is shown. */
async function visit() {
  const clicks = [];
  const show = async () => {
    const slate = await rec.recommend({ k: 12 });
    await rec.record({ event: "impression", request: slate.request });
    return slate;
  };
  for (let round = 0; round < 9; round += 1) {
    const slate = await show();
    const { item } = slate.items[(round * 5) % slate.items.length];
    await rec.record({ event: "click", item: item.id, request: slate.request });
    clicks.push(item.id);
    if (round % 2 === 0) await rec.record({ event: "watch", item: item.id, watchSeconds: 3.3 * round + 0.1 });
    if (round % 3 === 1) await rec.record({ event: "search", query: `${item.name} "snow"` });
    if (round === 6) await rec.record({ event: "click", item: clicks[1] });
  }
  await show();
  return rec.log();
}

const parsed = (log) => log.split("\n").filter(Boolean).map((line) => JSON.parse(line));
const key = ({ request, item }) => `${request} ${item}`;

const bits = (value) => (value === null ? "missing" : new Uint32Array(Float32Array.of(value).buffer)[0]);

for (const [mode, userFeatures] of [
  ["standard", { ageBand: "25-34", language: "en" }],
  ["local", {}],
  ["standard", { language: "a language that no video has" }],
]) {
  test(`features of a browser in ${mode} mode, ${JSON.stringify(userFeatures)}, equal the native replay's bit for bit`, async () => {
    const { value: log } = await inBrowser(server.url, { mode, userFeatures }, visit);
    const file = path.join(work, "log.jsonl");
    await writeFile(file, log);
    const args = ["features", "--events", file, "--bundle", BUNDLE, "--json"];
    const { stdout } = await promisify(execFile)(RECSYS, args, { maxBuffer: 64 << 20 });
    const replayed = new Map(parsed(stdout).map((row) => [key(row), row]));
    const impressions = parsed(log).filter(({ event }) => event === "impression");
    assert.equal(impressions.length, 120);
    assert.equal(replayed.size, impressions.length);
    let known = 0;
    for (const impression of impressions) {
      const native = replayed.get(key(impression));
      assert.equal(native.position, impression.position);
      const names = Object.keys(impression.features);
      assert.deepEqual(names, Object.keys(native.features));
      for (const name of names) {
        const [here, there] = [impression.features[name], native.features[name]];
        assert.equal(bits(here), bits(there), `${key(impression)}, ${name}: ${here} here, ${there} natively`);
        if (here !== null) known += 1;
      }
    }
    console.log(`${mode}: ${impressions.length} impressions, ${known} numbers the same bit for bit`);
  });
}

test("an impression is logged once, a click knows its slate, and forget leaves nothing", async () => {
  const { value } = await inBrowser(server.url, {}, async () => {
    const slate = await rec.recommend({ k: 3 });
    const [first, second] = slate.items.map(({ item }) => item.id);
    await rec.record({ event: "impression", item: first });
    await rec.record({ event: "impression", items: [first, second], request: slate.request });
    await rec.record({ event: "click", item: second });
    const unknown = await rec.record({ event: "impression", request: "no-such-slate" }).then(() => null, ({ name }) => name);
    const log = await rec.log();
    await rec.forget();
    return { slate: slate.request, first, second, unknown, log, after: await rec.log() };
  });
  const lines = parsed(value.log);
  assert.deepEqual(
    lines.map(({ event, item, position, request }) => [event, item, position, request]),
    [
      ["impression", value.first, 0, value.slate],
      ["impression", value.second, 1, value.slate],
      ["click", value.second, 1, value.slate],
    ],
  );
  assert.ok(lines.every(({ session, user }) => session && user.id), "every line names its visit and its viewer");
  assert.equal(value.unknown, "UnknownItem");
  assert.equal(value.after, "");
});

test("the log is bounded, and impressions do not push out clicks", async () => {
  const { value: log } = await inBrowser(server.url, { mode: "local" }, async () => {
    const first = await rec.recommend({ k: 100 });
    await rec.record({ event: "impression", request: first.request });
    await rec.record({ event: "click", item: first.items[0].item.id });
    for (let slate = 0; slate < 22; slate += 1) {
      const { request } = await rec.recommend({ k: 100 });
      await rec.record({ event: "impression", request });
    }
    return rec.log();
  });
  const lines = parsed(log);
  assert.equal(lines.filter(({ event }) => event === "impression").length, 2000);
  assert.equal(lines.filter(({ event }) => event === "click").length, 1);
});

async function sums() {
  const response = await fetch(`${server.url}/v1/aggregates`, { headers: { authorization: `Bearer ${TOKEN}` } });
  return parsed(await response.text());
}

/** Shows a slate and clicks its first two videos. */
async function showAndClick() {
  const slate = await rec.recommend({ k: 4 });
  await rec.record({ event: "impression", request: slate.request });
  const [a, b] = slate.items.map(({ item }) => item.id);
  await rec.record({ event: "click", item: a });
  await rec.record({ event: "click", item: b });
  await rec.flush();
  await rec.flush();
  return { a, b, ids: slate.items.map(({ item }) => item.id), sent: await rec.sent() };
}

test("counts are sent once where the page asks for it, and the receipt shows their bytes", async () => {
  assert.deepEqual(await sums(), []);
  const { value, requests } = await inBrowser(server.url, { aggregates: true }, showAndClick);
  const posts = requests.filter(({ path }) => path === "/v1/aggregates");
  assert.equal(posts.length, 1);
  const receipt = value.sent.filter(({ url }) => url.endsWith("/v1/aggregates"));
  assert.equal(receipt.length, 1);
  assert.equal(receipt[0].body, posts[0].body);
  assert.match(receipt[0].words, /4 impressions and 2 clicks of 4 videos, 1 pairs/);
  const rows = await sums();
  const row = (item) => rows.find((row) => row.item === item && !row.with);
  assert.deepEqual(row(value.a), { item: value.a, impressions: 1, clicks: 1 });
  assert.deepEqual(row(value.ids[3]), { item: value.ids[3], impressions: 1, clicks: 0 });
  assert.deepEqual(rows.filter((row) => row.with), [{ item: value.a, with: value.b, count: 1 }]);
});

test("without the option, or in local mode, nothing is counted or sent", async () => {
  const before = await sums();
  for (const options of [{}, { aggregates: false }, { aggregates: true, mode: "local" }]) {
    const { requests } = await inBrowser(server.url, options, showAndClick);
    assert.ok(!requests.some(({ path }) => path === "/v1/aggregates"), JSON.stringify(options));
  }
  assert.deepEqual(await sums(), before);
});

test("a page that is hidden sends its counts", async () => {
  const { value, requests } = await inBrowser(server.url, { aggregates: true }, async () => {
    const slate = await rec.recommend({ k: 2 });
    await rec.record({ event: "impression", request: slate.request });
    Object.defineProperty(document, "visibilityState", { value: "hidden" });
    document.dispatchEvent(new Event("visibilitychange"));
    return (await rec.sent()).length;
  });
  assert.ok(value > 0);
  assert.equal(requests.filter(({ path }) => path === "/v1/aggregates").length, 1);
});

test("where the owner has counts turned off, the module stops sending them", async () => {
  const { value } = await inBrowser(plain.url, { aggregates: true }, async () => {
    for (let round = 0; round < 2; round += 1) {
      const slate = await rec.recommend({ k: 2 });
      await rec.record({ event: "impression", request: slate.request });
      await rec.flush();
    }
    return (await rec.sent()).filter(({ url }) => url.endsWith("/v1/aggregates")).length;
  });
  assert.equal(value, 1);
});

/** A copy of what the worker and the module read of the site, with these fields in its manifest. */
async function siteWith(fields) {
  const site = await mkdtemp(path.join(work, "site-"));
  for (const part of ["index.html", "icon.svg", "pkg", "bundle"]) {
    await cp(path.join(siteFromEnvironment(), part), path.join(site, part), { recursive: true });
  }
  const file = path.join(site, "bundle/manifest.json");
  const { manifest } = JSON.parse(await readFile(file, "utf8"));
  await rm(file);
  await writeFile(file, seal({ ...manifest, ...fields }));
  return site;
}

test("a browser keeps its arm, shows that arm's rules, logs it and counts it once", async () => {
  const arms = [
    { name: "control", weight: 1 },
    { name: "capped", weight: 1, policy: { caps: { perCategory: 1 } } },
  ];
  const site = await startSite({
    site: await siteWith({ experiments: [{ name: "list", arms }] }),
    encoder: "unbound",
    aggregates: { token: TOKEN },
  });
  try {
    const seen = new Map();
    for (let browser = 0; browser < 24 && seen.size < 2; browser += 1) {
      const { value } = await inBrowser(site.url, { aggregates: true }, async () => {
        const arm = await rec.arm("list");
        const slate = await rec.recommend({ k: 6 });
        await rec.record({ event: "impression", request: slate.request });
        for (const { item } of slate.items.slice(0, 2)) {
          await rec.record({ event: "click", item: item.id, request: slate.request });
        }
        await rec.flush();
        return {
          arm,
          again: await rec.arm("list"),
          none: await rec.arm("no-such-experiment"),
          categories: slate.items.map(({ item }) => item.category),
          log: await rec.log(),
          sent: (await rec.sent()).filter(({ url }) => url.endsWith("/v1/aggregates")).map(({ body }) => JSON.parse(body)),
        };
      });
      assert.equal(value.again, value.arm);
      assert.equal(value.none, undefined);
      const shown = parsed(value.log).filter(({ event }) => event === "impression");
      assert.ok(shown.every(({ arm, propensity }) => arm === `list=${value.arm}` && propensity === 1));
      assert.deepEqual(value.sent[0].arms, [
        { experiment: "list", arm: value.arm, exposures: 1, outcomes: 2, sumSquares: 4 },
      ]);
      if (value.arm === "capped") assert.equal(new Set(value.categories).size, value.categories.length);
      seen.set(value.arm, value);
    }
    assert.deepEqual([...seen.keys()].sort(), ["capped", "control"], "both arms are dealt");
  } finally {
    await site.dispose();
  }
});

test("exploration logs its exact propensities, and a rule without a code is told", async () => {
  const policy = {
    exploration: { positions: [2, 4], pool: 20 },
    boosts: [{ creator: "A creator that no video has", add: 0.5 }],
  };
  const site = await startSite({ site: await siteWith({ policy }), encoder: "unbound" });
  try {
    const { value } = await inBrowser(site.url, {}, async () => {
      const slates = [];
      for (let page = 0; page < 8; page += 1) {
        const slate = await rec.recommend({ k: 6 });
        await rec.record({ event: "impression", request: slate.request });
        slates.push({ degraded: slate.degraded, ids: slate.items.map(({ item }) => item.id) });
      }
      return { slates, log: await rec.log() };
    });
    assert.match(value.slates[0].degraded, /policy names what this bundle lacks: A creator that no video has/);
    const shown = parsed(value.log).filter(({ event }) => event === "impression");
    assert.equal(shown.length, 48);
    for (const { position, propensity } of shown) {
      // Two places for twenty videos; positions in the log start at 0.
      assert.equal(propensity, [1, 3].includes(position) ? 0.1 : 1, `position ${position}`);
    }
    // The other places stay, and chance has its way with these two.
    const [first, ...others] = value.slates.map(({ ids }) => ids);
    for (const ids of others) assert.deepEqual([ids[0], ids[2]], [first[0], first[2]]);
    assert.ok(new Set(value.slates.map(({ ids }) => ids[1])).size > 2);
  } finally {
    await site.dispose();
  }
});

test("two interleaved lists share each page, and each click counts for the list that brought it", async () => {
  const arms = [{ name: "plain" }, { name: "varied", policy: { lambda: 0.2 } }];
  const site = await startSite({
    site: await siteWith({ experiments: [{ name: "duel", interleave: true, arms }] }),
    encoder: "unbound",
    aggregates: { token: TOKEN },
  });
  try {
    const { value } = await inBrowser(site.url, { aggregates: true }, async () => {
      const first = await rec.recommend({ k: 1 });
      // So that the two lists differ: without a slate, it counts for none.
      await rec.record({ event: "click", item: first.items[0].item.id });
      const slate = await rec.recommend({ k: 10 });
      await rec.record({ event: "impression", request: slate.request });
      await rec.record({ event: "click", item: slate.items[3].item.id, request: slate.request });
      await rec.flush();
      const sent = (await rec.sent()).find(({ url }) => url.endsWith("/v1/aggregates"));
      return {
        request: slate.request,
        ids: slate.items.map(({ item }) => item.id),
        log: await rec.log(),
        counts: JSON.parse(sent.body).arms,
      };
    });
    assert.equal(new Set(value.ids).size, 10);
    const shown = parsed(value.log).filter(({ event, request }) => event === "impression" && request === value.request);
    const teams = shown.map(({ arm }) => arm);
    assert.deepEqual([...new Set(teams)].sort(), ["duel=plain", "duel=varied"]);
    // Team draft: of each two places one is each list's.
    for (let pair = 0; pair < 10; pair += 2) assert.notEqual(teams[pair], teams[pair + 1], `places ${pair} and ${pair + 1}`);
    const outcomes = new Map();
    for (const { arm, outcomes: n } of value.counts) outcomes.set(`duel=${arm}`, n);
    const other = teams[3] === "duel=plain" ? "duel=varied" : "duel=plain";
    assert.ok(outcomes.get(teams[3]) > (outcomes.get(other) ?? 0), JSON.stringify(value.counts));
  } finally {
    await site.dispose();
  }
});
