// The same 200 queries natively, on workerd and in Chromium: the same 20 ids in the same order, and the same scores.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { launchChromium } from "./browser.mjs";
import { siteFromEnvironment, startSite } from "./server.mjs";

const K = 20;
const QUERIES = 200;
const run = promisify(execFile);

function fromEnvironment(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set. \`cargo xtask test\` builds what it names and sets it.`);
  return value;
}

const recsys = (...args) => run(fromEnvironment("RECSYS_BIN"), args, { maxBuffer: 64 << 20 });

/** The rows of an .npy file of f32. */
async function readNpy(file) {
  const bytes = await readFile(file);
  const start = 10 + bytes.readUInt16LE(8);
  const [, rows, columns] = /\((\d+), (\d+)\)/.exec(bytes.subarray(10, start).toString("latin1")).map(Number);
  const values = new Float32Array(bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + bytes.length));
  return Array.from({ length: rows }, (_, row) => values.subarray(row * columns, (row + 1) * columns));
}

let work;
let browser;

before(async () => {
  work = await mkdtemp(path.join(tmpdir(), "recsys-parity-"));
  browser = await launchChromium();
});

after(async () => {
  await browser?.close();
  await rm(work, { recursive: true, force: true });
});

async function natively(bundle, queries, forceGraph) {
  const flags = ["--json", "--stats", "-k", String(K), ...(forceGraph ? ["--graph"] : [])];
  const { stdout, stderr } = await recsys("search", "--bundle", bundle, "--vectors", queries, ...flags);
  const lines = (text) => text.trim().split("\n").map((line) => JSON.parse(line));
  return lines(stdout).map((list, i) => ({ list, ...lines(stderr)[i] }));
}

async function onWorkerd(url, vectors) {
  const answers = [];
  for (const vector of vectors) {
    const body = JSON.stringify({ vector: Array.from(vector), k: K });
    const response = await fetch(`${url}/v1/recs`, { method: "POST", headers: { "content-type": "application/json" }, body });
    assert.equal(response.status, 200);
    const { items, search } = await response.json();
    answers.push({ list: items.map(({ id, score }) => ({ id, score })), ...search });
  }
  return answers;
}

/** Searches in the page's own wasm module, in local mode over the bundle that the site serves. */
async function inChromium(url, vectors) {
  const page = await browser.newPage();
  try {
    await page.goto(`${url}/healthz`);
    return await page.evaluate(
      async ({ queries, k }) => {
        const { default: init, Recommender } = await import("/pkg/recsys.js");
        await init({ module_or_path: "/pkg/recsys.wasm" });
        const { manifest } = await (await fetch("/v1/manifest")).json();
        const rec = await Recommender.open({ endpoint: location.origin, mode: "local" });
        const model = manifest.encoder?.sha256;
        const answers = [];
        for (const query of queries) {
          const { items } = await rec.call("search", { vector: new Float32Array(query), model, k });
          answers.push({ list: items.map(({ item, score }) => ({ id: item.id, score })) });
        }
        return answers;
      },
      { queries: vectors.map((v) => Array.from(v)), k: K },
    );
  } finally {
    await page.close();
  }
}

function assertSame(what, expected, found) {
  assert.equal(found.length, expected.length, what);
  for (const [i, { list }] of expected.entries()) {
    assert.equal(list.length, K);
    assert.deepEqual(found[i].list.map(({ id }) => id), list.map(({ id }) => id), `${what}, query ${i}`);
    for (const [j, { score }] of list.entries()) {
      assert.ok(Math.abs(found[i].list[j].score - score) < 1e-4, `${what}, query ${i}, rank ${j}`);
    }
  }
}

/** A site with this bundle and the browser module. */
async function siteWith(bundle) {
  const site = path.join(work, "site");
  await rm(site, { recursive: true, force: true });
  await mkdir(site, { recursive: true });
  await cp(path.join(siteFromEnvironment(), "index.html"), path.join(site, "index.html"));
  await cp(path.join(siteFromEnvironment(), "pkg"), path.join(site, "pkg"), { recursive: true });
  await cp(bundle, path.join(site, "bundle"), { recursive: true });
  return startSite({ site, encoder: "unbound" });
}

async function compare(bundle, queriesFile, { graph, share }) {
  const vectors = await readNpy(queriesFile);
  assert.equal(vectors.length, QUERIES);
  const { manifest } = JSON.parse(await readFile(path.join(bundle, "manifest.json"), "utf8"));
  const native = await natively(bundle, queriesFile, false);
  for (const { strategy } of native) assert.equal(strategy, graph ? "graph" : "scan");
  const most = Math.max(...native.map(({ distances }) => distances));
  console.log(`${manifest.items} videos: at most ${most} distances (${((100 * most) / manifest.items).toFixed(1)} %)`);
  assert.ok(most <= share * manifest.items, `${most} distances of ${manifest.items}`);
  const server = await siteWith(bundle);
  try {
    const worker = await onWorkerd(server.url, vectors);
    assertSame("workerd", native, worker);
    const chromium = await inChromium(server.url, vectors);
    assertSame("Chromium", native, chromium);
    for (const [i, { distances }] of native.entries()) {
      assert.equal(worker[i].distances, distances);
    }
  } finally {
    await server.dispose();
  }
}

/** Makes so many vectors and a bundle of them, and compares. */
async function compareMade(items, options, expected) {
  const [made, bundle] = ["made", "bundle"].map((name) => path.join(work, `${name}-${items}`));
  await recsys("demo-vectors", "--out", made, "--items", String(items), "--queries", String(QUERIES));
  const inputs = ["--vectors", path.join(made, "items.npy"), "--ids", path.join(made, "ids.txt")];
  await recsys("index", ...inputs, "--out", bundle, ...options);
  await recsys("verify", bundle);
  await compare(bundle, path.join(made, "queries.npy"), expected);
}

test("200 queries over 20,000 made vectors, the graph forced", () =>
  compareMade(20_000, ["--flat-up-to", "0", "--ef", "48"], { graph: true, share: 0.1 }));

test("200 queries over 1,000 made vectors, which have no graph", () => compareMade(1_000, [], { graph: false, share: 1 }));

test("200 queries over the demo catalogue", async () => {
  const bundle = fromEnvironment("RECSYS_BUNDLE");
  const { manifest: { dim } } = JSON.parse(await readFile(path.join(bundle, "manifest.json"), "utf8"));
  const made = path.join(work, "demo-queries");
  await recsys("demo-vectors", "--out", made, "--items", "1000", "--dim", String(dim), "--queries", String(QUERIES));
  // Its segments are small, and some videos stand in two of them.
  await compare(bundle, path.join(made, "queries.npy"), { graph: false, share: 1.6 });
});
