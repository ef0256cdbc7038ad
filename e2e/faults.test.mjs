// The worker with a part missing or damaged: it says which, serves what it can, and goes on.

import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { Client, isProblem, isSlate } from "./client.mjs";
import { siteFromEnvironment, startSite } from "./server.mjs";

/** What of the site the worker itself reads; the rest is pictures. */
const PARTS = ["index.html", "bundle"];

/**
 * Runs `body` against a worker whose bundle was damaged first.
 * @param {(bundle: string, manifest: object) => Promise<void>} damage gets the bundle's folder and its manifest
 * @param {(client: Client) => Promise<void>} body
 */
async function withDamage(damage, body) {
  const site = await mkdtemp(path.join(tmpdir(), "recsys-fault-"));
  let server;
  try {
    for (const part of PARTS) {
      await cp(path.join(siteFromEnvironment(), part), path.join(site, part), { recursive: true });
    }
    const bundle = path.join(site, "bundle");
    const { manifest } = JSON.parse(await readFile(path.join(bundle, "manifest.json"), "utf8"));
    await damage(bundle, manifest);
    server = await startSite({ site });
    await body(new Client(server.url));
  } finally {
    await server?.dispose();
    await rm(site, { recursive: true, force: true });
  }
}

async function withEncoder(encoder, body) {
  const server = await startSite({ site: siteFromEnvironment(), encoder });
  try {
    await body(new Client(server.url));
  } finally {
    await server.dispose();
  }
}

/** Ids that exist, from the item table of the undamaged site. */
async function someIds() {
  let found;
  await withEncoder("ready", async (client) => {
    found = (await isSlate(await client.recs({ recent: [], k: 3 }))).items.map(({ id }) => id);
  });
  return found;
}

const SHARD_FAULTS = [
  ["missing", (file) => rm(file)],
  ["cut to half its length", async (file) => truncate(file, Math.floor((await stat(file)).size / 2))],
  ["empty", (file) => truncate(file, 0)],
  ["changed in its middle", flipMiddle],
];

async function flipMiddle(file) {
  const bytes = await readFile(file);
  bytes[bytes.length >> 1] ^= 0xff;
  await writeFile(file, bytes);
}

for (const [what, damage] of SHARD_FAULTS) {
  test(`a shard that is ${what} gives popular videos and says so`, async () => {
    const recent = await someIds();
    await withDamage(
      async (bundle, manifest) => {
        for (const { shard } of manifest.segments) await damage(path.join(bundle, shard.file));
      },
      async (client) => {
        for (let round = 0; round < 2; round += 1) {
          const slate = await isSlate(await client.recs({ recent, k: 5 }));
          assert.equal(slate.source, "popular");
          assert.equal(slate.items.length, 5);
          assert.match(slate.degraded, /shard/);
        }
        assert.equal((await client.get("/healthz")).status, 200);
      },
    );
  });
}

const BUNDLE_FAULTS = [
  ["no item tables", (bundle, { segments }) => Promise.all(segments.map(({ items }) => rm(path.join(bundle, items.file))))],
  [
    "half of each item table",
    (bundle, { segments }) => Promise.all(segments.map(({ items }) => truncate(path.join(bundle, items.file), items.bytes >> 1))),
  ],
  ["no dictionaries", (bundle, { dictionaries }) => rm(path.join(bundle, dictionaries.file))],
  ["no manifest", (bundle) => rm(path.join(bundle, "manifest.json"))],
  ["half a manifest", (bundle) => truncate(path.join(bundle, "manifest.json"), 60)],
];

for (const [what, damage] of BUNDLE_FAULTS) {
  test(`a bundle with ${what} is a problem document on every path that needs it`, async () => {
    await withDamage(damage, async (client) => {
      for (let round = 0; round < 2; round += 1) {
        await isProblem(await client.recs({ recent: [], k: 5 }), [503]);
        await isProblem(await client.recs("{broken"), [400, 503]);
        await isProblem(await client.get("/healthz"), [503]);
      }
    });
  });
}

for (const encoder of ["unbound", "failing"]) {
  test(`with the encoder ${encoder} words are refused and everything else works`, async () => {
    await withEncoder(encoder, async (client) => {
      const popular = await isSlate(await client.recs({ recent: [], k: 5 }));
      await isProblem(await client.post("/v1/search", { text: "a fox", k: 5 }), [503]);
      await isProblem(await client.recs({ text: "a fox", k: 5 }), [503]);
      const slate = await isSlate(await client.recs({ recent: [popular.items[0].id], k: 5 }));
      assert.equal(slate.source, "personal");
      const health = await client.get("/healthz");
      assert.equal(health.status, 200);
      assert.equal((await health.json()).encoder, "missing");
    });
  });
}
