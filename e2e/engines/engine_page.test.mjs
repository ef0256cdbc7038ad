// The demo's page, as it is, with every engine behind it: Redis, the outbox to Kafka's proxy, Milvus.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { launchChromium } from "../browser.mjs";
import { startWithEngines } from "../engine_site.mjs";
import { needs, until } from "../engines.mjs";
import { needsMilvus } from "../milvus.mjs";
import { Page, clickThreeOfOneKind, shareOfTop10 } from "../page.mjs";
import { hasRedis } from "../redis.mjs";

const option = hasRedis ? needsMilvus : needs(hasRedis, "redis-server");
const stops = [];

after(async () => {
  for (const stop of stops.reverse()) await stop();
});

test("the page recommends, remembers and forgets with Redis, Kafka and Milvus behind it", option, async (t) => {
  const site = await startWithEngines({ history: "redis", events: "kafka", candidates: "milvus", encoder: "ready" });
  stops.push(site.stop);
  const browser = await launchChromium();
  stops.push(() => browser.close());
  const page = await Page.open(browser, `${site.url}/?history`);
  await page.enterMode("history");
  const first = await page.cards();
  const { kind, clicked } = await clickThreeOfOneKind(page);
  const [was, is] = [shareOfTop10(first, kind), shareOfTop10(await page.cards(), kind)];
  t.diagnostic(`kind "${kind}": ${was} of the top 10 before, ${is} after three clicks`);
  assert.ok(is > was, `three clicks on "${kind}" must raise its share of the top 10; it was ${was} and is ${is}`);
  assert.match(await page.tab.locator("#claim").innerText(), /not private/);

  const [key] = (await site.redis.cli("KEYS", "recsys:history:*")).split("\n");
  assert.deepEqual((await site.redis.cli("ZRANGE", key, "0", "-1")).split("\n").sort(), clicked.toSorted());
  const arrived = () => site.peer.stored.map(({ value }) => value);
  await until("the clicks to arrive at Kafka", () => clicked.every((id) => arrived().some(({ item, event }) => item === id && event === "click")));
  assert.ok(!JSON.stringify(site.peer.stored).includes(key.split(":").at(-1)), "Kafka's records have no viewer's name");

  await page.tab.click("#forget");
  await page.tab.waitForFunction(() => document.querySelectorAll("#watched li").length === 0);
  await page.ready();
  assert.equal(await site.redis.cli("KEYS", "recsys:history:*"), "");
  await until("Kafka to be told", () => arrived().some(({ event }) => event === "forget"));
  assert.deepEqual((await page.cards()).map(({ id }) => id), first.map(({ id }) => id));
  const { engines, events } = await (await fetch(`${site.url}/healthz`)).json();
  assert.deepEqual(engines, { kafka: "ok", milvus: "ok", outbox: "ok", redis: "ok" });
  assert.equal(events.pending, 0);
  await page.close();
});

test("the page in every other mode is what it is without engines, but for what finds the candidates", option, async () => {
  const site = await startWithEngines({ candidates: "milvus", encoder: "ready" });
  stops.push(site.stop);
  const plain = await startWithEngines({ encoder: "ready" });
  stops.push(plain.stop);
  const browser = await launchChromium();
  stops.push(() => browser.close());
  const lists = [];
  for (const { url } of [site, plain]) {
    const page = await Page.open(browser, url);
    assert.ok(!(await page.tab.locator("#mode-history").isVisible()), "history is not on offer");
    await clickThreeOfOneKind(page);
    const found = await page.search("a red train");
    const standard = await page.cards();
    await page.enterMode("local");
    lists.push([standard, found, await page.cards()].map((cards) => cards.map(({ id }) => id)));
    await page.close();
  }
  assert.deepEqual(lists[0], lists[1]);
});
