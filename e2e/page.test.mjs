// The page in a real browser against a real workerd.

import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";
import { launchChromium } from "./browser.mjs";
import { Page, clickThreeOfOneKind, shareOfTop10 } from "./page.mjs";
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

/** A test with an open page, closed and checked for complaints at its end. */
function pageTest(name, options, body) {
  test(name, async (t) => {
    const page = await Page.open(browser, `${server.url}/${options.hash ?? ""}`, options.context);
    try {
      await body(page, t);
    } catch (error) {
      await page.close().catch((complaint) => t.diagnostic(complaint.message));
      throw error;
    }
    await page.close();
  });
}

const TRAIN = /train|locomotive|railway/i;
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };
const ids = (cards) => cards.map((card) => card.id);

pageTest("three clicks raise their kind, a reload keeps them, forget takes them back", {}, async (page, t) => {
  const first = await page.cards();
  const { kind, clicked } = await clickThreeOfOneKind(page);
  const after = await page.cards();
  const [was, is] = [shareOfTop10(first, kind), shareOfTop10(after, kind)];
  t.diagnostic(`kind "${kind}": ${was} of the top 10 before, ${is} after three clicks`);
  assert.ok(is > was, `three clicks on "${kind}" must raise its share of the top 10; it was ${was} and is ${is}`);
  for (const id of clicked) assert.ok(!ids(after).includes(id), `${id} was clicked and must not be recommended`);

  await page.tab.reload();
  await page.ready();
  assert.deepEqual(await page.watched(), clicked.toReversed(), "a reload keeps the clicks");
  assert.deepEqual(ids(await page.cards()), ids(after), "a reload gives the same list");

  await page.tab.click("#forget");
  await page.tab.waitForFunction(() => document.querySelectorAll("#watched li").length === 0);
  await page.ready();
  assert.deepEqual(ids(await page.cards()), ids(first), "forget returns the first order");
  await page.tab.reload();
  await page.ready();
  assert.deepEqual(ids(await page.cards()), ids(first), "what was forgotten stays forgotten");
});

pageTest("in standard mode a click sends one vector and no id", {}, async (page) => {
  await page.idle();
  const before = page.requests.length;
  const [{ id }] = await page.cards();
  await page.click(id);
  await page.idle();
  const calls = page.requests.slice(before).filter(({ path }) => path.startsWith("/v1/"));
  assert.deepEqual(
    calls.map(({ method, path }) => `${method} ${path}`),
    ["POST /v1/recs"],
  );
  const body = JSON.parse(calls[0].body);
  assert.ok(body.vector.every(Number.isFinite), "the body holds a vector of numbers");
  assert.ok(!calls[0].body.includes(id), `the body must not name the clicked video; it is ${calls[0].body}`);

  const row = page.tab.locator("#requests details").first();
  await row.locator("summary").click();
  assert.equal(await row.locator("pre").textContent(), calls[0].body, "the panel shows the exact bytes");
  const stated = await row.locator(".bytes").textContent();
  assert.equal(stated, `${new Intl.NumberFormat("en-GB").format(Buffer.byteLength(calls[0].body))} B`);
});

pageTest("in local mode a click sends no request", {}, async (page) => {
  await page.enterMode("local");
  await page.idle();
  const before = page.requests.length;
  const first = await page.cards();
  for (let clicks = 0; clicks < 3; clicks += 1) await page.click((await page.cards())[0].id);
  await page.tab.locator("#grid .why-button").first().click();
  await page.tab.locator("#why .sentence").waitFor();
  await page.tab.keyboard.press("Escape");
  await page.idle();
  assert.deepEqual(page.requests.slice(before), [], "three clicks and an explanation send nothing");
  assert.notDeepEqual(ids(await page.cards()), ids(first), "the list is ranked again all the same");
  assert.equal(await page.tab.locator("#grid img, .preview").count(), 0, "thumbnails come from the shared sheets only");

  await page.tab.click("#screen .fetch");
  await page.tab.locator("#screen video").waitFor();
  await page.idle();
  const fetched = page.requests.slice(before).map(({ path }) => path);
  assert.ok(fetched.length > 0 && new Set(fetched).size === 1, `playing fetches that one file; got ${fetched}`);
  assert.match(fetched[0], /^\/media\//);
});

pageTest("local mode from the start fetches the same for everybody, and a search sends nothing", { hash: "#local" }, async (page) => {
  await page.idle();
  const sent = page.requests.filter(({ method }) => method !== "GET");
  assert.deepEqual(sent, [], "nothing is posted");
  assert.ok(await page.tab.locator("#search-note").isVisible());
  const files = page.requests.map(({ path }) => path);
  assert.ok(!files.some((path) => /^\/(thumbs|previews|media)\//.test(path)), "no file of a single video is fetched");
  const before = page.requests.length;
  const found = await page.search("a train");
  assert.ok(found.filter(({ name }) => TRAIN.test(name)).length >= 6, found.map(({ name }) => name).join(", "));
  await page.idle();
  assert.deepEqual(page.requests.slice(before), [], "the words stay here");
});

pageTest("a picture finds its own video, in either mode", {}, async (page) => {
  const still = path.join(siteFromEnvironment(), "thumbs/v00001.jpg");
  for (const mode of ["standard", "local"]) {
    await page.enterMode(mode);
    const found = await page.searchByPicture(still);
    assert.ok(found.slice(0, 5).some(({ id }) => id === "v00001"), `${mode}: ${found.map(({ name }) => name).join(", ")}`);
  }
});

pageTest("a hovered thumbnail plays", {}, async (page) => {
  const play = page.tab.locator("#grid .play").first();
  assert.equal(await page.tab.locator(".preview").count(), 0);
  await play.hover();
  const preview = play.locator(".preview");
  await preview.waitFor();
  const states = await preview.evaluate((strip) => strip.getAnimations().map((animation) => animation.playState));
  assert.deepEqual(states, ["running"]);
  await page.idle();
  assert.ok(page.requests.some(({ path }) => path.startsWith("/previews/")), "the strip of frames is fetched");
  await page.tab.mouse.move(2, 2);
  await preview.waitFor({ state: "detached" });
});

pageTest("a new order moves the cards visibly", {}, async (page) => {
  assert.equal(await page.animatedCards(), 0);
  await page.click((await page.cards())[0].id);
  assert.ok((await page.animatedCards()) > 0);
});

pageTest("less motion: nothing plays by itself and nothing flies", { context: { reducedMotion: "reduce" } }, async (page) => {
  const [{ id }] = await page.cards();
  await page.tab.locator("#grid .play").first().hover();
  await page.click(id);
  assert.equal(await page.tab.locator(".card .preview").count(), 0);
  assert.equal(await page.animatedCards(), 0);
});

pageTest("the keyboard reaches a video, plays it and keeps its place", {}, async (page) => {
  const inGrid = () => page.tab.evaluate(() => document.activeElement?.closest("#grid .card")?.dataset.id ?? null);
  for (let tabs = 0; tabs < 30 && !(await inGrid()); tabs += 1) await page.tab.keyboard.press("Tab");
  const [{ id }] = await page.cards();
  assert.equal(await inGrid(), id, "the first video is reached by Tab");
  await page.tab.locator("#grid .play .preview").first().waitFor();
  await page.tab.keyboard.press("Enter");
  await page.tab.waitForFunction((id) => document.querySelector("#watched li")?.dataset.id === id, id);
  await page.ready();
  assert.equal(await inGrid(), (await page.cards())[0].id, "the focus stays on the first place");
  assert.ok(await page.tab.locator("#playing").isVisible());
  await page.tab.keyboard.press("Escape");
  await page.tab.locator("#playing").waitFor({ state: "hidden" });
});

pageTest("why this opens with reasons, and Escape gives the focus back", {}, async (page) => {
  const { clicked } = await clickThreeOfOneKind(page);
  assert.equal(clicked.length, 3);
  const button = page.tab.locator("#grid .why-button").first();
  await button.focus();
  await page.tab.keyboard.press("Enter");
  await page.tab.locator("#why .sentence").waitFor();
  assert.ok((await page.tab.locator("#why .sentence").innerText()).length > 10);
  assert.ok((await page.tab.locator("#why tbody tr").count()) > 0, "the ranker's inputs are listed");
  await page.tab.keyboard.press("Escape");
  await page.tab.locator("#why").waitFor({ state: "hidden" });
  assert.ok(await button.evaluate((node) => node === document.activeElement));
});

pageTest("a search finds videos by their content", {}, async (page, t) => {
  const found = await page.search("a train");
  const hits = found.filter(({ name }) => TRAIN.test(name)).length;
  t.diagnostic(`"a train": ${hits} of ${found.length} results name one`);
  assert.ok(hits * 2 > found.length, `most results must name a train; found ${found.map(({ name }) => name).join(" | ")}`);
});

pageTest("the stored data can be downloaded", {}, async (page) => {
  const [{ id }] = await page.cards();
  await page.click(id);
  const [download] = await Promise.all([page.tab.waitForEvent("download"), page.tab.click("#export")]);
  const chunks = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  JSON.parse(text);
  assert.ok(text.includes(JSON.stringify(id)), "the clicked video is in the file");
});

pageTest("a phone shows the page without sideways scrolling", { context: PHONE }, async (page) => {
  const widths = () => page.tab.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.deepEqual(await widths(), [390, 390]);
  const [{ id }] = await page.cards();
  await page.click(id);
  await page.tab.locator("#grid .why-button").first().click();
  await page.tab.locator("#why .sentence").waitFor();
  await page.tab.keyboard.press("Escape");
  await page.tab.locator("#requests summary").first().click();
  assert.deepEqual(await widths(), [390, 390]);
  await page.enterMode("local");
  assert.deepEqual(await widths(), [390, 390]);
});
