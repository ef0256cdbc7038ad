// What leaves the browser in each mode: as the wire shows it, and as the module says.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { launchChromium } from "./browser.mjs";
import { Page } from "./page.mjs";
import { startRecorder } from "./recorder.mjs";
import { siteFromEnvironment, startSite } from "./server.mjs";

let browser;
let server;
let recorder;
/** Files of each segment, by the manifest. */
let segments;
let manifest;

before(async () => {
  const site = siteFromEnvironment();
  [server, browser] = await Promise.all([startSite({ site }), launchChromium()]);
  recorder = await startRecorder(server.url);
  ({ manifest } = JSON.parse(await readFile(path.join(site, "bundle/manifest.json"), "utf8")));
  segments = manifest.segments.map(({ shard, items, coWatch }) => [shard, items, coWatch].filter(Boolean).map(({ file }) => file));
});

after(async () => {
  await browser?.close();
  await recorder?.dispose();
  await server?.dispose();
});

/** Opens the page in a mode, fresh, and hands what came before it away. */
async function openIn(mode) {
  recorder.take();
  const page = await Page.open(browser, `${recorder.url}/#${mode}`);
  await page.idle();
  return page;
}

/** Clicks what stands at these places of the list, one after the other. */
async function clickAt(page, places) {
  for (const place of places) {
    const cards = await page.cards();
    await page.click(cards[place].id);
  }
  await page.idle();
}

/** The numbers of the segments of which files were asked for, in the order of the first file of each. */
function segmentsOf(records) {
  const files = records.map(({ request }) => /^GET \/bundle\/(.+)$/.exec(request)?.[1]).filter(Boolean);
  const numbers = files.map((file) => segments.findIndex((names) => names.includes(file))).filter((number) => number >= 0);
  for (const number of new Set(numbers)) {
    const whole = numbers.filter((other) => other === number).length;
    assert.equal(whole % segments[number].length, 0, `segment ${number} was not fetched whole`);
  }
  return [...new Set(numbers)];
}

/** One viewer's whole visit in local mode: what is clicked and searched differs, what is done does not. */
async function visit({ places, words }) {
  const page = await openIn("local");
  const trace = [recorder.take()];
  await clickAt(page, places);
  await page.search(words);
  await page.tab.locator("#results-close").click();
  await page.tab.locator("#grid .why-button").first().click();
  await page.tab.locator("#why .sentence").waitFor();
  await page.tab.keyboard.press("Escape");
  await page.idle();
  trace.push(recorder.take());
  await page.tab.reload();
  await page.ready();
  await page.idle();
  trace.push(recorder.take());
  const watched = await page.watched();
  await page.tab.click("#forget");
  await page.tab.waitForFunction(() => document.querySelectorAll("#watched li").length === 0);
  await page.idle();
  trace.push(recorder.take());
  await page.close();
  return { trace, watched };
}

test("local: two viewers with different histories send the same bytes", async (t) => {
  const first = await visit({ places: [0, 1, 2], words: "a train" });
  const second = await visit({ places: [9, 5, 12], words: "fruit in a bowl" });
  assert.notDeepEqual(first.watched, second.watched, "the viewers must differ, or the test shows nothing");
  const [opened, used, again] = first.trace;
  t.diagnostic(`${opened.length} requests at open, ${used.length} during use, ${again.length} after a reload`);
  assert.ok(opened.length > segments.flat().length, "the first phase holds the whole catalogue");
  assert.deepEqual(used, [], "clicks, a search and an explanation send nothing");
  assert.equal(first.trace.length, second.trace.length);
  // What the module asks for has one order; pictures and scripts that the browser fetches side by side have none.
  const ordered = (records) => records.filter(({ request }) => /^\w+ \/(v1|bundle\/(?!sprites))/.test(request));
  const sorted = (records) => records.map((record) => JSON.stringify(record)).sort();
  for (const [phase, records] of first.trace.entries()) {
    assert.deepEqual(ordered(second.trace[phase]), ordered(records), `phase ${phase}: order, bytes, headers and sizes of the module's requests`);
    assert.deepEqual(sorted(second.trace[phase]), sorted(records), `phase ${phase}: bytes, headers and sizes of all requests`);
  }
});

test("the recorder tells viewers apart in standard mode", async () => {
  const traces = [];
  for (const places of [[0, 1], [9, 5]]) {
    const page = await openIn("standard");
    recorder.take();
    await clickAt(page, places);
    traces.push(recorder.take());
    await page.close();
  }
  const bodies = traces.map((records) => records.filter(({ request }) => request === "POST /v1/recs").map(({ body }) => body));
  assert.ok(bodies.every((sent) => sent.length === 2));
  assert.notDeepEqual(bodies[0], bodies[1], "a trace that is the same in every mode would prove nothing");
});

/** What of a mode with clusters may leave the browser: a list of cluster files, and the request for popular videos. */
function onlyClusters(records) {
  const posts = records.filter(({ request }) => !request.startsWith("GET "));
  for (const { request, body } of posts) assert.deepEqual([request, body], ["POST /v1/recs", '{"k":200}'], "the same for everybody");
  const names = records.map(({ request }) => request);
  assert.ok(!names.some((name) => /\/(thumbs|previews|media)\//.test(name)), "no file of a single video");
  return segmentsOf(records);
}

test("dummies are drawn from what the public clicks, as the manifest has it", () => {
  const { items, cells, segments } = manifest;
  assert.equal(cells.public.length, segments.length);
  const clicks = cells.public.map((weight, at) => weight - segments[at].home);
  assert.ok(clicks.every((count) => count > 0), `training counted clicks in every segment: ${clicks}`);
  assert.ok(cells.public.reduce((sum, weight) => sum + weight, 0) > 5 * items);
});

test("bucket: whole clusters, four at a time, ascending, and the same ones after a reload", async () => {
  const page = await openIn("bucket");
  assert.deepEqual(onlyClusters(recorder.take()), [], "nothing but what everybody fetches before the first click");
  await clickAt(page, [0]);
  const set = onlyClusters(recorder.take());
  assert.equal(set.length, 4);
  assert.deepEqual(set, [...set].sort((a, b) => a - b), "no place in the order tells which one was meant");
  await clickAt(page, [1, 2]);
  const later = onlyClusters(recorder.take());
  assert.equal(later.length % 4, 0, "a taste that moved brings a whole new set");
  await page.tab.reload();
  await page.ready();
  await page.idle();
  const again = onlyClusters(recorder.take());
  const all = new Set([...set, ...later]);
  assert.ok(again.every((number) => all.has(number)), `a reload asks for nothing new: ${again} after ${[...all]}`);
  assert.ok((await page.cards()).length > 0);
  const claim = await page.tab.locator("#claim").textContent();
  assert.match(claim, /never which group you wanted/);
  await page.close();
});

test("noised: one cluster for the epoch, paid for once, also after a reload", async () => {
  const page = await openIn("noised");
  assert.deepEqual(onlyClusters(recorder.take()), []);
  await clickAt(page, [0]);
  const [reported, ...others] = onlyClusters(recorder.take());
  assert.ok(reported !== undefined && others.length === 0, `expected one cluster, got ${[reported, ...others]}`);
  await clickAt(page, [7, 3]);
  assert.deepEqual(onlyClusters(recorder.take()), [], "further clicks of the epoch ask for nothing");
  assert.match(await page.tab.locator("#epsilon").textContent(), /Spent: 4 of 16/);
  const stills = () => page.tab.locator("#watched .sprite").count();
  assert.equal(await stills(), 3, "what was clicked has its still, wherever it came from");
  await page.tab.reload();
  await page.ready();
  await page.idle();
  assert.equal(await stills(), 3);
  assert.ok(onlyClusters(recorder.take()).every((number) => number === reported));
  assert.match(await page.tab.locator("#epsilon").textContent(), /Spent: 4 of 16/);
  await page.close();
});

for (const [signal, define] of [
  ["Global Privacy Control", () => Object.defineProperty(Navigator.prototype, "globalPrivacyControl", { get: () => true })],
  ["Do Not Track", () => Object.defineProperty(Navigator.prototype, "doNotTrack", { get: () => "1" })],
]) {
  test(`${signal} picks the strictest mode that is offered, and the viewer's own pick stands`, async () => {
    const context = await browser.newContext();
    await context.addInitScript(define);
    const tab = await context.newPage();
    await tab.goto(`${server.url}/icon.svg`);
    const modes = await tab.evaluate(async () => {
      const { Recommender } = await import("/pkg/index.js");
      const opened = async (options) => {
        const rec = await Recommender.open({ endpoint: location.origin, ...options });
        const { mode } = await rec.privacy();
        rec.close();
        return mode;
      };
      return [
        await opened({ mode: "standard" }),
        await opened({ mode: "standard", offer: ["bucket", "standard"] }),
        await opened({ picked: "standard" }),
      ];
    });
    assert.deepEqual(modes, ["local", "bucket", "standard"]);
    await context.close();
  });
}

test("the module: budget, offers, settings, and what it says of itself", async () => {
  const context = await browser.newContext();
  const tab = await context.newPage();
  await tab.goto(`${server.url}/icon.svg`);
  const found = await tab.evaluate(async () => {
    const { Recommender } = await import("/pkg/index.js");
    const refused = (work) => work().then(() => "accepted", ({ name, message }) => `${name}: ${message}`);
    const open = (options) => Recommender.open({ endpoint: location.origin, ...options });
    const rec = await open({ mode: "noised", privacy: { epsilon: 2, budget: 1 }, offer: ["standard", "noised"] });
    const [{ item }] = (await rec.recommend({ k: 3 })).items;
    await rec.record({ event: "click", item: item.id });
    const spent = await rec.recommend({ k: 3 });
    const sent = await rec.sent();
    const outcome = {
      spent: spent.degraded,
      fallback: [spent.source, spent.items.length],
      privacy: await rec.privacy(),
      unoffered: await refused(() => rec.setMode("local")),
      sent: sent.filter(({ words }) => words.includes("group")).length,
      bad: [],
    };
    rec.close();
    for (const options of [
      { privacy: { epsilon: 0 } },
      { privacy: { epsilon: "much" } },
      { privacy: { bucket: 2.5 } },
      { privacy: { epochDays: 0 } },
      { offer: [] },
      { offer: ["stealth"] },
      { mode: "stealth" },
      { mode: "local", offer: ["standard"] },
    ]) {
      outcome.bad.push(await refused(() => open(options)));
    }
    const bucket = await open({ mode: "bucket", privacy: { bucket: 2 }, database: "other" });
    const [first] = (await bucket.recommend({ k: 3 })).items;
    await bucket.record({ event: "click", item: first.item.id });
    const filtered = await bucket.recommend({ k: 5, filter: { categories: [first.item.category] } });
    outcome.filtered = filtered.items.map(({ item }) => item.category === first.item.category);
    outcome.explained = (await bucket.explain(filtered.items[0].item.id)).sentence.length;
    const groups = (await bucket.sent()).filter(({ words }) => words.includes("one of a set"));
    outcome.groups = new Set(groups.map(({ url }) => url)).size;
    outcome.exported = (await bucket.export()).bucket.clusters.length;
    await bucket.forget();
    outcome.forgotten = (await bucket.export()).bucket.clusters.length;
    bucket.close();
    return outcome;
  });
  await context.close();
  assert.deepEqual(found.fallback, ["popular", 3], "popular videos are left");
  assert.match(found.spent, /budget is spent: ε 0.0 of 1.0/);
  assert.deepEqual(found.privacy.epsilon, { report: 2, spent: 0, budget: 1 });
  assert.equal(found.privacy.mode, "noised");
  assert.match(found.privacy.claim, /differential privacy/);
  assert.match(found.unoffered, /^ModeForbids: .*offers standard, noised/);
  assert.equal(found.sent, 0, "where the budget is spent nothing is asked for");
  for (const message of found.bad) assert.match(message, /^(BadOption|ModeForbids): .{15}/);
  assert.ok(found.filtered.length > 0 && found.filtered.every(Boolean));
  assert.ok(found.explained > 10);
  assert.equal(found.groups, 2 * segments[0].length, "two clusters of their files each");
  assert.deepEqual([found.exported, found.forgotten], [2, 0]);
});
