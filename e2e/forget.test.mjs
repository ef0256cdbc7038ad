// `forget` leaves nothing of the viewer in any store that a browser has for a site.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchChromium } from "./browser.mjs";
import { Page } from "./page.mjs";
import { siteFromEnvironment, startSite } from "./server.mjs";

/** Words that stand nowhere but in the viewer's searches. */
const WORDS = "a red train at dusk";

let browser;
let server;

before(async () => {
  [server, browser] = await Promise.all([startSite({ site: siteFromEnvironment() }), launchChromium()]);
});

after(async () => {
  await browser?.close();
  await server?.dispose();
});

/** Nothing at all. */
const NOTHING = {
  databases: {},
  caches: {},
  serviceWorkers: [],
  localStorage: [],
  sessionStorage: [],
  files: [],
  cookie: "",
};

/** Everything that the site keeps in this profile. */
async function traces(tab) {
  const found = await tab.evaluate(async () => {
    const settled = (request) =>
      new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    const databases = {};
    for (const { name } of await indexedDB.databases()) {
      const database = await settled(indexedDB.open(name));
      databases[name] = {};
      for (const store of database.objectStoreNames) {
        const opened = database.transaction(store).objectStore(store);
        const [keys, values] = await Promise.all([settled(opened.getAllKeys()), settled(opened.getAll())]);
        databases[name][store] = keys.map((key, i) => [key, values[i]]);
      }
      database.close();
    }
    const kept = {};
    for (const name of await caches.keys()) {
      kept[name] = (await (await caches.open(name)).keys()).map(({ url }) => url);
    }
    const files = [];
    for await (const name of (await navigator.storage.getDirectory()).keys()) files.push(name);
    return {
      databases,
      caches: kept,
      serviceWorkers: (await navigator.serviceWorker.getRegistrations()).map(({ scope }) => scope),
      localStorage: Object.entries(localStorage),
      sessionStorage: Object.entries(sessionStorage),
      files,
      cookie: document.cookie,
    };
  });
  assert.deepEqual(await tab.context().cookies(), [], "no cookie, whatever scripts may see");
  return found;
}

/** A tab of the site that runs no script of its own, with an open `rec`. */
async function openedTab(context, options) {
  const tab = await context.newPage();
  await tab.goto(`${server.url}/icon.svg`);
  await tab.evaluate(async (options) => {
    const { Recommender } = await import("/pkg/index.js");
    globalThis.rec = await Recommender.open({ endpoint: location.origin, ...options });
  }, options);
  return tab;
}

/** Clicks, an impression and a search in the tab's mode; the ids of what was clicked. */
function visit(tab) {
  return tab.evaluate(async (words) => {
    const clicked = [];
    for (let click = 0; click < 2; click += 1) {
      const slate = await rec.recommend({ k: 5 });
      await rec.record({ event: "impression", request: slate.request });
      await rec.record({ event: "click", item: slate.items[0].item.id, request: slate.request });
      clicked.push(slate.items[0].item.id);
    }
    await rec.record({ event: "watch", item: clicked[0], watchSeconds: 40 });
    await rec.search({ text: words, k: 3 });
    await rec.record({ event: "search", query: words });
    return clicked;
  }, WORDS);
}

test("after use in both modes forget leaves nothing", async () => {
  const context = await browser.newContext();
  try {
    const tab = await openedTab(context, { encoder: true, aggregates: true });
    const clicked = await visit(tab);
    await tab.evaluate(() => rec.setMode("local"));
    clicked.push(...(await visit(tab)));

    // What is looked through does hold all of it before.
    const full = await traces(tab);
    assert.deepEqual(Object.keys(full.databases), ["recsys"]);
    assert.deepEqual(Object.keys(full.databases.recsys).sort(), ["actions", "impressions", "viewer"]);
    const text = JSON.stringify(full);
    for (const trace of [...clicked, WORDS]) assert.ok(text.includes(trace), `${trace} is stored`);
    const seen = full.databases.recsys.viewer.map(([key]) => key);
    assert.deepEqual(seen.sort(), [`last seen of ${server.url}`, "state"]);
    assert.deepEqual(Object.keys(full.caches), ["recsys-model"]);
    const { databases, caches, ...others } = NOTHING;
    assert.deepEqual(full, { databases: full.databases, caches: full.caches, ...others }, "no other store is used");

    await tab.evaluate(() => rec.forget());
    assert.deepEqual(await traces(tab), NOTHING);
    assert.deepEqual(await tab.evaluate(() => rec.sent()), []);
    assert.equal(await tab.evaluate(() => rec.log()), "");
    const exported = JSON.stringify(await tab.evaluate(() => rec.export()));
    for (const trace of [...clicked, WORDS]) assert.ok(!exported.includes(trace), `${trace} is still exported: ${exported}`);
  } finally {
    await context.close();
  }
});

test("what another tab knows is not written back after forget", async () => {
  const context = await browser.newContext();
  try {
    const [one, other] = [await openedTab(context), await openedTab(context)];
    const clicked = [...(await visit(one)), ...(await visit(other))];
    const { key } = JSON.parse(Object.fromEntries((await traces(one)).databases.recsys.viewer).state);
    assert.match(key, /^[0-9a-f]{32}$/);
    await one.evaluate(() => rec.forget());
    const later = await other.evaluate(async () => {
      const { items } = await rec.recommend({ k: 5 });
      await rec.record({ event: "click", item: items[0].item.id });
      return items[0].item.id;
    });
    const { viewer, actions } = (await traces(other)).databases.recsys;
    const state = JSON.parse(Object.fromEntries(viewer).state);
    assert.deepEqual(state.watched.map(({ id }) => id), [later]);
    assert.notEqual(state.key, key, "the key that deals the arms is a new one");
    assert.deepEqual(actions.map(([, line]) => JSON.parse(line).item), [later]);
    for (const trace of [...clicked, WORDS]) assert.ok(!JSON.stringify([viewer, actions]).includes(trace), trace);
  } finally {
    await context.close();
  }
});

test("the page's button forgets the viewer; what is shown next is stored for somebody new", async () => {
  const page = await Page.open(browser, `${server.url}/`);
  for (const mode of ["standard", "local"]) {
    await page.enterMode(mode);
    await page.click((await page.cards())[0].id);
    await page.search(WORDS);
  }
  await page.idle();
  const before = await traces(page.tab);
  const { identity, key } = JSON.parse(Object.fromEntries(before.databases.recsys.viewer).state);
  await page.tab.click("#forget");
  await page.tab.waitForFunction(() => document.querySelectorAll("#watched li").length === 0);
  await page.ready();
  await page.idle();

  const { databases, ...others } = await traces(page.tab);
  const { databases: _, ...none } = NOTHING;
  assert.deepEqual(others, none);
  const { viewer = [], actions = [], impressions = [] } = databases.recsys ?? {};
  const text = JSON.stringify(databases);
  assert.deepEqual(actions, []);
  assert.ok(impressions.length <= (await page.cards()).length, "only the slate that is shown");
  const state = Object.fromEntries(viewer).state;
  if (state) assert.deepEqual(JSON.parse(state).watched, []);
  for (const trace of [WORDS, key, ...Object.values(identity).filter((value) => typeof value === "string")]) {
    assert.ok(trace.length > 0 && !text.includes(trace), `${trace} is left in ${text.slice(0, 400)}`);
  }
  await page.close();
});
