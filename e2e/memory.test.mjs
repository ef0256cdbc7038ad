// Memory of the worker with a large shard: 100,000 videos of 512 dimensions and 1,000 queries within 96 MiB.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { Client, isSlate } from "./client.mjs";
import { npyOf, recsys } from "./made.mjs";
import { startWorker } from "./server.mjs";
import { seal } from "./signing.mjs";

const ITEMS = 100_000;
const DIM = 512;
const QUERIES = 1_000;
const MOST_BYTES = 96 * 2 ** 20;
const LINKS = 32;

let folder;
let bundle;
let shardBytes;

/** Numbers that look random and are the same every time. */
function noise(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

/** A .npy file of rows of noise. */
function matrix(rows) {
  return npyOf(Float32Array.from({ length: rows * DIM }, noise(1)), rows, DIM);
}

/**
 * A shard's bytes with a graph of one layer, each node linked to the next one and to others by chance. A real graph takes
 * minutes to build, and as much memory.
 */
function withGraph(flat) {
  const nodes = flat.readUInt32LE(16);
  const links = new Uint32Array(nodes * LINKS);
  const next = noise(2);
  for (let at = 0; at < links.length; at += 1) links[at] = Math.floor(((next() + 1) / 2) * nodes) % nodes;
  for (let node = 0; node < nodes; node += 1) links[node * LINKS] = (node + 1) % nodes;
  const header = Buffer.alloc(64);
  flat.copy(header, 0, 0, 48);
  header.writeUInt32LE(LINKS, 24);
  header.writeUInt32LE(LINKS / 2, 28);
  header.writeUInt32LE(1, 32);
  header.writeUInt32LE(nodes, 48);
  const bytes = Buffer.concat([header, flat.subarray(48), Buffer.from(links.buffer)]);
  bytes.writeBigUInt64LE(BigInt(bytes.length), 8);
  return bytes;
}

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "recsys-memory-"));
  const at = (name) => path.join(folder, name);
  bundle = at("bundle");
  await writeFile(at("items.npy"), matrix(ITEMS));
  await writeFile(at("ids.txt"), Array.from({ length: ITEMS }, (_, i) => `video-${i}\n`).join(""));
  await recsys("index", "--vectors", at("items.npy"), "--ids", at("ids.txt"), "--no-graph", "--out", bundle);
  const { manifest } = JSON.parse(await readFile(path.join(bundle, "manifest.json"), "utf8"));
  const entry = manifest.segments[0].shard;
  const bytes = withGraph(await readFile(path.join(bundle, entry.file)));
  await writeFile(path.join(bundle, entry.file), bytes);
  Object.assign(entry, { bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") });
  await writeFile(path.join(bundle, "manifest.json"), seal(manifest, []));
  await writeFile(at("index.html"), "<!doctype html><title>memory</title>");
  shardBytes = bytes.length;
});

after(() => rm(folder, { recursive: true, force: true }));

const serve = async (request) => new Response(await readFile(path.join(bundle, path.basename(new URL(request.url).pathname))));

test("100,000 videos of 512 dimensions and 1,000 queries take at most 96 MiB, and one copy", async () => {
  assert.ok(shardBytes / ITEMS <= 680, `${shardBytes / ITEMS} bytes a video`);
  const worker = await startWorker({ site: folder, assets: serve, vars: { DEADLINE_MS: "60000" } });
  try {
    const client = new Client(worker.url);
    const next = noise(3);
    const query = () => ({ vector: Array.from({ length: DIM }, next), k: 20 });
    const start = performance.now();
    const first = await isSlate(await client.recs(query()));
    const coldMs = performance.now() - start;
    assert.deepEqual([first.items.length, first.search.strategy, first.degraded], [20, "graph", undefined]);
    const memory = async () => (await (await client.get("/healthz")).json()).memoryBytes;
    const cold = await memory();
    for (let asked = 1; asked < QUERIES; asked += 1) {
      const slate = await isSlate(await client.recs(query()));
      assert.equal(slate.items.length, 20);
    }
    const warm = await memory();
    const mib = (bytes) => (bytes / 2 ** 20).toFixed(1);
    console.log(
      `${(shardBytes / ITEMS).toFixed(0)} bytes a video; first answer ${coldMs.toFixed(0)} ms after the start; ` +
        `memory then ${mib(cold)} MiB, after ${QUERIES} queries ${mib(warm)} MiB`,
    );
    assert.ok(cold < 1.5 * shardBytes, `${mib(cold)} MiB for a shard of ${mib(shardBytes)}: two copies?`);
    assert.ok(warm <= MOST_BYTES, `${mib(warm)} MiB`);
  } finally {
    await worker.dispose();
  }
});
