// Cold start: videos that nobody has been shown or has clicked, added to a catalogue with a trained ranker. Words find them at
// once, and they reach viewers who like such things.

import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { launchChromium } from "./browser.mjs";
import { Client, isSlate } from "./client.mjs";
import { recsys } from "./made.mjs";
import { startSite } from "./server.mjs";
import { smallSite, withRecommender } from "./small_site.mjs";

/** Another world than the demo's, which has seed 1. */
const WORLD = ["--videos", "16", "--viewers", "1", "--seed", "7", "--frames", "8"];
const NEW = 8;
/** Most clicks of a viewer, all on videos of the new video's thing in its language. */
const CLICKS = 5;
/** Videos on the demo's page. */
const PAGE = 24;

/**
 * What must hold under the owner's rules (docs/ranking.md, "New videos"): where at least `MOST` of the new videos stand in the
 * list of the viewer who likes such things. Of 2,008 videos, by chance, 0.1 would be on a page.
 */
const RULES = {
  none: { policy: null, within: 3 * PAGE },
  freshness: { policy: { freshness: { weight: 0.3, halfLifeDays: 3 } }, within: PAGE },
};
const MOST = 6;
/** The longest list that a page can ask for. */
const LONGEST = 100;

let work;
let cases;
let browser;
let client;
/** One site for each of the rules. */
const servers = {};

const lines = async (file) => (await readFile(file, "utf8")).trim().split("\n").map((line) => JSON.parse(line));
const at = (name) => path.join(work, name);
const shared = (a, b) => a.keywords.filter((word) => b.keywords.includes(word)).length;

/** New videos, uploaded today and without counts, of scenes that the catalogue does not have. */
async function newVideos(catalogue) {
  await recsys("demo-world", ...WORLD, "--out", at("world"));
  const known = new Set(catalogue.map(({ name }) => name));
  const fresh = (await lines(at("world/videos.jsonl"))).filter(({ name }) => !known.has(name)).slice(0, NEW);
  assert.equal(fresh.length, NEW);
  const uploadDate = new Date().toISOString().slice(0, 10);
  return fresh.map(({ interactionStatistic: _, ...video }) => ({ ...video, id: `new-${video.id}`, uploadDate }));
}

/** What a viewer clicked who likes such things: of the same thing and language, those first that share most. */
function clicksLike(video, catalogue) {
  const like = catalogue.filter(
    ({ keywords: [thing], inLanguage }) => thing === video.keywords[0] && inLanguage === video.inLanguage,
  );
  assert.ok(like.length >= 3, `${like.length} videos are like ${video.keywords} in ${video.inLanguage}`);
  return like.sort((a, b) => shared(b, video) - shared(a, video)).slice(0, CLICKS).map(({ id, name }) => ({ id, name }));
}

/** Serves the demo's bundle with the new videos under some rules. */
async function serve(name) {
  const bundle = await smallSite(at(name));
  await cp(process.env.RECSYS_BUNDLE, bundle, { recursive: true });
  await recsys("add", "--bundle", bundle, "--catalogue", at("world/new.jsonl"), "--cache", at("cache"));
  const { policy } = RULES[name];
  if (policy) {
    await writeFile(at("policy.json"), JSON.stringify(policy));
    await recsys("policy", "--bundle", bundle, "--set", at("policy.json"));
  }
  servers[name] = await startSite({ site: at(name) });
}

before(async () => {
  work = await mkdtemp(path.join(tmpdir(), "recsys-cold-start-"));
  const catalogue = await lines(path.join(process.env.RECSYS_WORLD, "videos.jsonl"));
  const fresh = await newVideos(catalogue);
  cases = fresh.map(({ id, name, ...video }) => ({ id, name, clicks: clicksLike(video, catalogue) }));
  await writeFile(at("world/new.jsonl"), fresh.map((video) => `${JSON.stringify(video)}\n`).join(""));
  for (const name of Object.keys(RULES)) await serve(name);
  client = new Client(servers.none.url);
  browser = await launchChromium();
});

after(async () => {
  await browser?.close();
  for (const server of Object.values(servers)) await server.dispose();
  await rm(work, { recursive: true, force: true });
});

test("its words find a new video first", async () => {
  for (const { id, name } of cases) {
    const { items } = await isSlate(await client.get(`/v1/search?q=${encodeURIComponent(name)}&k=5`));
    assert.equal(items[0].id, id, `"${name}" finds ${items.map((item) => item.name).join(", ")}`);
  }
});

test("the clicks of who likes such things retrieve a new video", async () => {
  for (const { id, name, clicks } of cases) {
    const slate = await isSlate(await client.recs({ recent: clicks.map((click) => click.id), k: LONGEST }));
    assert.equal(slate.source, "personal");
    assert.ok(slate.items.some((item) => item.id === id), name);
  }
});

/** In a page: each viewer's recommendations, and why the new video is among them. */
async function recommended({ cases, mode, k }) {
  const viewers = [];
  for (const { id, clicks } of cases) {
    await rec.forget();
    for (const click of clicks) {
      // In standard mode a browser knows the videos that it was shown.
      if (mode === "standard") await rec.search({ text: click.name });
      await rec.record({ event: "click", item: click.id });
    }
    const { items, degraded } = await rec.recommend({ k });
    const ids = items.map(({ item }) => item.id);
    const hit = items[ids.indexOf(id)];
    viewers.push({ ids, degraded, score: hit?.score, why: hit && (await rec.explain(id)) });
  }
  return viewers;
}

/** Fails where a viewer's new video is not explained by the clicks, and by all of its score. */
function isExplained({ score, why }, { clicks }) {
  const clicked = clicks.find(({ id }) => id === why.becauseOf?.id);
  assert.ok(clicked, `${why.becauseOf?.id} was not clicked`);
  assert.ok(why.sentence.includes(clicked.name), why.sentence);
  assert.ok(why.reasons.length > 0);
  const { expected, features } = why.contributions;
  const sum = features.reduce((all, { contribution }) => all + contribution, expected);
  assert.ok(Math.abs(sum - score) < 1e-4, `the contributions add up to ${sum}, the score is ${score}`);
  const counts = features.filter(({ feature }) => ["clicks_log", "impressions_log"].includes(feature));
  assert.deepEqual(counts.map(({ value }) => value), [null, null], "nobody has seen it");
}

for (const [rules, { within }] of Object.entries(RULES)) {
  for (const mode of ["standard", "local"]) {
    test(`new videos reach who likes such things, and say why: ${mode} mode, rules: ${rules}`, async (t) => {
      const argument = { cases, mode, k: LONGEST };
      const viewers = await withRecommender(browser, servers[rules].url, { mode }, recommended, argument);
      // 1 is first.
      const place = ({ ids }, { id }) => ids.indexOf(id) + 1 || Infinity;
      const own = viewers.map((viewer, i) => place(viewer, cases[i]));
      t.diagnostic(`places of the new videos: ${own.join(", ")}`);
      assert.ok(own.filter((n) => n <= within).length >= MOST, `${own.join(", ")}: ${MOST} of ${NEW} among ${within}`);
      // Who likes other things is spared them, or it would be no recommendation.
      const others = viewers.flatMap((viewer, i) => cases.filter((_, j) => j !== i).map((other) => place(viewer, other)));
      const strewn = others.filter((n) => n <= within).length;
      assert.ok(strewn <= others.length / 8, `${strewn} of ${others.length} stand before viewers of other things`);
      for (const [i, viewer] of viewers.entries()) {
        assert.equal(viewer.degraded, undefined);
        if (Number.isFinite(own[i])) isExplained(viewer, cases[i]);
      }
    });
  }
}
