// The browser module by itself: how it fails, and that it says so.

import assert from "node:assert/strict";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { launchChromium } from "./browser.mjs";
import { recsys } from "./made.mjs";
import { siteFromEnvironment, startSite } from "./server.mjs";

let browser;
let server;

before(async () => {
  const site = siteFromEnvironment();
  [server, browser] = await Promise.all([startSite({ site }), launchChromium()]);
});

after(async () => {
  await browser?.close();
  await server?.dispose();
});

async function damaged(route) {
  const response = await route.fetch();
  const body = await response.body();
  body[body.length >> 1] ^= 1;
  await route.fulfill({ response, body });
}

/**
 * Opens a `Recommender` in a page of the site and calls `body` there, which finds it as `globalThis.rec`.
 * @param {() => Promise<unknown>} body
 * @param {{block?: string, damage?: string}} [options] URL patterns: of what the site seems not to have, and of what comes with
 *   a wrong byte, once
 * @returns {Promise<{value: unknown}|{name: string, message: string}>} what `open` and `body` gave or threw
 */
async function inBrowser(body, { block, damage } = {}) {
  const context = await browser.newContext();
  try {
    if (block) await context.route(block, (route) => route.fulfill({ status: 404, body: "" }));
    if (damage) await context.route(damage, damaged, { times: 1 });
    const tab = await context.newPage();
    // A document of the site that runs no script of its own.
    await tab.goto(`${server.url}/icon.svg`);
    await tab.evaluate(() => {
      globalThis.outcome = (work) =>
        Promise.race([work(), new Promise((_, reject) => setTimeout(reject, 10_000, new Error("no answer in 10 s")))]).then(
          (value) => ({ value }),
          ({ name, message }) => ({ name, message }),
        );
    });
    const opened = await tab.evaluate(() =>
      outcome(async () => {
        const { Recommender } = await import("/pkg/index.js");
        globalThis.Recommender = Recommender;
        globalThis.rec = await Recommender.open({ endpoint: location.origin });
      }),
    );
    if (opened.name) return opened;
    await tab.evaluate(`globalThis.body = ${body}`);
    return await tab.evaluate(() => outcome(globalThis.body));
  } finally {
    await context.close();
  }
}

test("a wrong argument is an error with a name and a remedy, and the next call works", async () => {
  const { value } = await inBrowser(async () => {
    const tries = [
      () => rec.record({ event: "click", item: "no-such-video" }),
      () => rec.record({ event: "wink", item: "x" }),
      () => rec.record({ event: "click" }),
      () => rec.explain("no-such-video"),
      () => rec.recommend({ k: 0 }),
      () => rec.recommend({ k: -1 }),
      () => rec.recommend({ k: 2.5 }),
      () => rec.recommend({ k: 1e9 }),
      () => rec.recommend({ k: "ten" }),
      () => rec.recommend({ filter: { colours: ["red"] } }),
      () => rec.recommend({ filter: "Food" }),
      () => rec.search({ text: "" }),
      () => rec.setMode("stealth"),
      () => Recommender.open(null),
      () => Recommender.open("standard"),
      () => Recommender.open({ endpoint: location.origin, userFeatures: "25-34" }),
      () => Recommender.open({ endpoint: location.origin, userFeatures: { device: "watch" } }),
    ];
    const errors = [];
    for (const attempt of tries) {
      errors.push(await attempt().then(() => null, ({ name, message }) => ({ name, message })));
    }
    return { errors, tries: tries.map(String), after: (await rec.recommend({ k: 5 })).items.length };
  });
  value.errors.forEach((error, index) => {
    assert.ok(error, `${value.tries[index]} must be refused`);
    assert.notEqual(error.name, "Error", `${value.tries[index]} must fail with a name of its own: ${error.message}`);
    assert.ok(error.message.length > 15, `${value.tries[index]} must say what is wrong; it says "${error.message}"`);
  });
  assert.equal(value.after, 5);
});

test("a filter holds in both modes, and changes with the call", async () => {
  const { value } = await inBrowser(async () => {
    const categories = async (filter) => {
      const { items } = await rec.recommend({ k: 20, filter });
      return items.map(({ item }) => item.category);
    };
    const [{ item }] = (await rec.recommend({ k: 5 })).items;
    await rec.record({ event: "click", item: item.id });
    const food = { categories: ["Food"] };
    const standard = [await categories(food), await categories(), await categories({ categories: [] })];
    const [sent] = (await rec.sent()).filter(({ body }) => body.includes("filter"));
    await rec.setMode("local");
    const before = (await rec.sent()).length;
    const local = [await categories(food), await categories(), await categories({ categories: [] })];
    return { standard, local, body: JSON.parse(sent.body), sent: (await rec.sent()).length - before };
  });
  for (const [food, all, none] of [value.standard, value.local]) {
    assert.equal(food.length, 20);
    assert.ok(food.every((category) => category === "Food"), food.join(", "));
    assert.ok(new Set(all).size > 1 || all[0] !== "Food", all.join(", "));
    assert.deepEqual(none, []);
  }
  assert.deepEqual(value.body.filter, { categories: ["Food"] });
  assert.equal(value.sent, 0, "local mode sends nothing");
});

test("without an encoder a search in local mode is refused and sends nothing", async () => {
  const { value } = await inBrowser(async () => {
    await rec.setMode("local");
    const before = (await rec.sent()).length;
    const refusal = await rec.search({ text: "a fox" }).then(() => null, ({ name }) => name);
    return { refusal, sent: (await rec.sent()).length - before };
  });
  assert.deepEqual(value, { refusal: "ModeForbids", sent: 0 });
});

test("with an encoder local mode finds what the server finds, and sends nothing", async () => {
  const { value } = await inBrowser(async () => {
    const found = async (sought) => (await rec.search({ ...sought, k: 10 })).items.map(({ item }) => item.id);
    const standard = await found({ text: "a red train at night" });
    const other = await Recommender.open({ endpoint: location.origin, mode: "local", encoder: true, database: "encoder" });
    const sought = async (options) => (await other.search({ ...options, k: 10 })).items.map(({ item }) => item.id);
    const before = await other.sent();
    const local = await sought({ text: "a red train at night" });
    const still = await (await fetch("/thumbs/v00001.jpg")).blob();
    const refusals = [];
    for (const options of [{ text: "zzzyx qqwv" }, { text: "" }, { picture: "v00001.jpg" }, { picture: new Blob(["no picture"]) }]) {
      refusals.push(await other.search(options).then(() => "none", ({ name }) => name));
    }
    const byPicture = await sought({ picture: still });
    const after = (await other.sent()).length - before.length;
    const again = await Recommender.open({ endpoint: location.origin, mode: "local", encoder: true, database: "encoder" });
    const fetchedAgain = (await again.sent()).filter(({ url }) => /\.tower|tokens/.test(url)).length;
    await other.forget();
    const kept = (await caches.keys()).length;
    const urls = before.map(({ url }) => new URL(url).pathname);
    for (const recommender of [other, again]) recommender.close();
    return { standard, local, refusals, byPicture, after, fetchedAgain, kept, urls };
  });
  assert.equal(value.after, 0, "words and pictures stay in the browser");
  assert.equal(value.local.length, 10);
  assert.deepEqual(value.local, value.standard);
  assert.ok(value.byPicture.slice(0, 5).includes("v00001"), value.byPicture.join(", "));
  assert.deepEqual(value.refusals, ["Refused", "BadOption", "BadOption", "BadOption"]);
  for (const file of ["encoder.wasm", "model.json", "text.tower", "tokens.bin", "image.tower"]) {
    assert.ok(value.urls.some((url) => url.endsWith(file)), `${file} is among ${value.urls.join(", ")}`);
  }
  assert.equal(value.fetchedAgain, 0, "the model's files were kept");
  assert.equal(value.kept, 0, "forget deletes them");
});

test("a model of other bytes than its manifest says is refused, and fetched anew the next time", async () => {
  const { value } = await inBrowser(
    async () => {
      const open = () => Recommender.open({ endpoint: location.origin, mode: "local", encoder: true, database: "damaged" });
      const refusal = await open().then(() => null, ({ name, message }) => ({ name, message }));
      const mended = await open();
      const { items } = await mended.search({ text: "a train", k: 3 });
      mended.close();
      await caches.delete("recsys-model");
      return { refusal, found: items.length };
    },
    { damage: "**/model/text.tower*" },
  );
  assert.equal(value.refusal.name, "BadModel");
  assert.match(value.refusal.message, /text\.tower/);
  assert.equal(value.found, 3);
});

test("local mode misses a removed video at the next open", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "recsys-removed-"));
  const context = await browser.newContext();
  try {
    const bundle = path.join(folder, "bundle");
    await cp(path.join(siteFromEnvironment(), "bundle"), bundle, { recursive: true });
    await context.route("**/v1/manifest", (route) => route.fulfill({ path: path.join(bundle, "manifest.json") }));
    await context.route("**/bundle/**", (route) =>
      route.fulfill({ path: path.join(bundle, path.basename(new URL(route.request().url()).pathname)) }),
    );
    const opened = async () => {
      const tab = await context.newPage();
      await tab.goto(`${server.url}/icon.svg`);
      const found = await tab.evaluate(async () => {
        const { Recommender } = await import("/pkg/index.js");
        const rec = await Recommender.open({ endpoint: location.origin, mode: "local" });
        const { items } = await rec.recommend({ k: 10 });
        return items.map(({ item }) => item.id);
      });
      await tab.close();
      return found;
    };
    const first = await opened();
    const gone = first.slice(0, 3);
    await recsys("remove", "--bundle", bundle, ...gone);
    const second = await opened();
    assert.equal(second.length, 10);
    assert.deepEqual(second.filter((id) => gone.includes(id)), []);
  } finally {
    await context.close();
    await rm(folder, { recursive: true, force: true });
  }
});

test("without the ranker the order is by similarity, and the slate says so", async () => {
  const { manifest } = await (await fetch(`${server.url}/v1/manifest`)).json();
  const { value } = await inBrowser(
    async () => {
      const [{ item }] = (await rec.recommend({ k: 5 })).items;
      await rec.record({ event: "click", item: item.id });
      const { items, degraded } = await rec.recommend({ k: 5 });
      return { length: items.length, degraded };
    },
    { block: `**/${manifest.ranker.file}` },
  );
  assert.equal(value.length, 5);
  assert.match(value.degraded, /ranker/);
});

test("a closed recommender rejects pending and later calls", async () => {
  const { value } = await inBrowser(async () => {
    const pending = rec.recommend({ k: 5 }).then(() => null, ({ name }) => name);
    rec.close();
    return [await pending, await rec.sent().then(() => null, ({ name }) => name)];
  });
  assert.deepEqual(value, ["Closed", "Closed"]);
});

test("an argument that can't be cloned is refused by name", async () => {
  const { value } = await inBrowser(() => rec.record({ event: "click", item: () => 1 }).then(() => null, ({ name }) => name));
  assert.equal(value, "NotCloneable");
});

test("`new Recommender` says how one is made", async () => {
  const error = await inBrowser(async () => new Recommender());
  assert.equal(error.name, "TypeError");
  assert.match(error.message, /Recommender\.open/);
});

for (const [part, block, name] of [
  ["worker script", "**/pkg/worker.js", "Network"],
  ["WebAssembly file", "**/pkg/recsys.wasm", "Network"],
]) {
  test(`without its ${part}, open fails with ${name}`, async () => {
    const error = await inBrowser(async () => "opened", { block });
    assert.equal(error.name, name, `it gave ${JSON.stringify(error)}`);
    assert.ok(error.message.includes("/pkg/"), `the message names the file: ${error.message}`);
  });
}
