// What the browser module demands of a manifest: a signature by one of the page's keys, and no lower sequence.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchChromium } from "./browser.mjs";
import { siteFromEnvironment, startSite } from "./server.mjs";
import { newKey, seal } from "./signing.mjs";

let browser;
let server;
let manifest;

before(async () => {
  [server, browser] = await Promise.all([startSite({ site: siteFromEnvironment(), encoder: "unbound" }), launchChromium()]);
  ({ manifest } = await (await fetch(`${server.url}/v1/manifest`)).json());
});

after(async () => {
  await browser?.close();
  await server?.dispose();
});

/** Opens the module again and again in one profile, each time with these options and this manifest. */
async function opened(turns) {
  const context = await browser.newContext();
  const outcomes = [];
  try {
    const tab = await context.newPage();
    await tab.goto(`${server.url}/icon.svg`);
    for (const { file, ...options } of turns) {
      await context.unroute("**/v1/manifest");
      await context.route("**/v1/manifest", (route) => route.fulfill({ status: 200, contentType: "application/json", body: file }));
      outcomes.push(
        await tab.evaluate(async (options) => {
          const { Recommender } = await import("/pkg/index.js");
          try {
            const rec = await Recommender.open({ endpoint: location.origin, mode: "local", ...options });
            const [{ item }] = (await rec.recommend({ k: 3 })).items;
            await rec.record({ event: "click", item: item.id });
            const { items, degraded = "" } = await rec.recommend({ k: 3 });
            rec.close();
            return `${items.length} videos${degraded}`;
          } catch ({ name, message }) {
            return `${name}: ${message}`;
          }
        }, options),
      );
    }
  } finally {
    await context.close();
  }
  return outcomes;
}

test("with keys, a manifest opens where one of them has signed it", async () => {
  const [own, old] = [newKey(), newKey()];
  const signed = seal(manifest, [old, own]);
  const changed = signed.replace(`"items":${manifest.items}`, `"items":${manifest.items + 1}`);
  assert.notEqual(changed, signed);
  const outcomes = await opened([
    { file: signed, keys: [own.hex] },
    { file: signed, keys: [newKey().hex, old.hex] },
    { file: signed, keys: [] },
    { file: seal(manifest), keys: [own.hex] },
    { file: signed, keys: [newKey().hex] },
    { file: changed, keys: [own.hex] },
    { file: signed, keys: ["abc"] },
    { file: signed, keys: [own.hex], mode: "standard" },
    { file: signed, keys: [newKey().hex], mode: "standard" },
  ]);
  assert.deepEqual(outcomes.slice(0, 3), ["3 videos", "3 videos", "3 videos"]);
  assert.match(outcomes[3], /^BadReply: .*found none/);
  assert.match(outcomes[4], new RegExp(`^BadReply: .*found signatures by ${old.id}, ${own.id}`));
  assert.match(outcomes[5], new RegExp(`^BadReply: .*${own.id} does not hold`));
  assert.match(outcomes[6], /^BadOption: .*`keys`.*64/);
  // Candidates come from the worker, and are shown without what the manifest would have added.
  assert.equal(outcomes[7], "3 videos");
  assert.match(outcomes[8], /^3 videos.+found signatures by/);
});

test("a lower sequence than one that was seen is refused, also after the page was closed", async () => {
  const at = (sequence) => seal({ ...manifest, sequence });
  const outcomes = await opened([
    { file: at(7) },
    { file: at(7) },
    { file: at(6) },
    { file: at(6), database: "another" },
    { file: at(Number.MAX_SAFE_INTEGER) },
    { file: at(Number.MAX_SAFE_INTEGER - 1) },
  ]);
  const refused = /^BadReply: .*expected sequence (\d+).*found (\d+)/;
  assert.deepEqual(outcomes.filter((_, i) => ![2, 5].includes(i)), Array(4).fill("3 videos"));
  assert.deepEqual(refused.exec(outcomes[2]).slice(1), ["7", "6"]);
  assert.equal(refused.exec(outcomes[5])[1], String(Number.MAX_SAFE_INTEGER));
});
