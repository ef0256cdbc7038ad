// `recsys publish` into a local R2 through wrangler, and the worker that serves from there.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Client, isProblem } from "./client.mjs";
import { siteFromEnvironment, startSite } from "./server.mjs";
import { newKey, seal } from "./signing.mjs";

const BUCKET = "recsys-bundle";
/** Longer than the worker trusts a manifest. */
const RECHECK_MS = 15_500;
const WRANGLER = fileURLToPath(new URL("../node_modules/.bin/wrangler", import.meta.url));

let work;
let store;

before(async () => {
  work = await mkdtemp(path.join(tmpdir(), "recsys-publish-"));
  store = path.join(work, "store");
  const made = path.join(work, "made");
  await recsys("demo-vectors", "--out", made, "--items", "300", "--dim", "16", "--queries", "1");
  const inputs = ["--vectors", path.join(made, "items.npy"), "--ids", path.join(made, "ids.txt")];
  await recsys("key", "new", "--out", path.join(work, "key.pem"));
  await recsys("index", ...inputs, "--out", bundle("old"), "--sign", path.join(work, "key.pem"));
  await recsys("index", ...inputs, "--out", bundle("new"), "--ef", "48");
});

after(() => rm(work, { recursive: true, force: true }));

const bundle = (name) => path.join(work, name);

async function recsys(...args) {
  const bin = process.env.RECSYS_BIN;
  assert.ok(bin, "RECSYS_BIN is not set: it names the recsys command. `cargo xtask test` sets it.");
  const env = { ...process.env, WRANGLER_SEND_METRICS: "false", CI: "1" };
  return promisify(execFile)(bin, args, { env, cwd: work }).then(
    ({ stdout }) => ({ stdout, stderr: "" }),
    ({ stdout, stderr }) => ({ stdout, stderr: stderr || "failed" }),
  );
}

async function published(name, ...more) {
  const to = ["--to", `r2://${BUCKET}`, "--local", store, "--wrangler", WRANGLER];
  const { stdout, stderr } = await recsys("publish", bundle(name), ...to, "--json", ...more);
  assert.equal(stderr, "");
  return JSON.parse(stdout);
}

const serve = (vars) =>
  startSite({
    site: siteFromEnvironment(),
    encoder: "unbound",
    bucket: { name: BUCKET, folder: store },
    cache: path.join(work, "cache"),
    vars,
  });

const health = async (server) => (await fetch(`${server.url}/healthz`)).json();

const put = async (server, text) => {
  const bytes = new Uint8Array(Buffer.from(text));
  await (await server.bucket()).put("manifest.json", bytes.buffer);
};

test("R2: files once, then the manifest; a roll-back is a new sequence; a fresh isolate refuses a lower one", async () => {
  const key = path.join(work, "key.pem");
  const [hex] = (await recsys("key", "public", key)).stdout.split(" ");
  const first = await published("old");
  assert.deepEqual([first.sequence, first.published, first.added], [1, true, 3]);
  assert.deepEqual((await published("old")).published, false);
  // The same files under other settings: only the manifest is sent.
  const second = await published("new", "--as-new", "--sign", key);
  assert.deepEqual([second.sequence, second.added], [2, 0]);
  const rolledBack = await published("old", "--as-new", "--sign", key);
  assert.deepEqual([rolledBack.sequence, rolledBack.added], [3, 0]);

  const server = await serve({ BUNDLE_KEYS: hex });
  try {
    const { sequence, degraded } = await health(server);
    assert.deepEqual([sequence, degraded], [3, null]);
    // Somebody who can write to the bucket brings back the first manifest, which is signed.
    await put(server, await readFile(path.join(bundle("old"), "manifest.json"), "utf8"));
  } finally {
    await server.dispose();
  }
  const fresh = await serve({ BUNDLE_KEYS: hex });
  try {
    const { detail } = await isProblem(await new Client(fresh.url).recs({ k: 3 }), [503]);
    assert.match(detail, /sequence 3.*found 1/);
  } finally {
    await fresh.dispose();
  }
});

test("a worker with keys keeps its bundle where the new one is not signed, says so, and takes one that is", async () => {
  const [old, other] = [newKey(), newKey()];
  const { manifest } = JSON.parse(await readFile(path.join(bundle("old"), "manifest.json"), "utf8"));
  const at = (sequence, keys) => seal({ ...manifest, sequence }, keys);
  const server = await serve({ BUNDLE_KEYS: `${old.hex}, ${other.hex}` });
  try {
    const client = new Client(server.url);
    const wait = () => new Promise((resolve) => setTimeout(resolve, RECHECK_MS));
    await put(server, at(10, [newKey()]));
    assert.match((await isProblem(await client.recs({ k: 3 }), [503])).detail, new RegExp(`${old.id}, ${other.id}`));
    await put(server, at(10, [other]));
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    assert.equal((await health(server)).sequence, 10);
    await put(server, at(11, []));
    await wait();
    const kept = await health(server);
    assert.equal(kept.sequence, 10);
    assert.match(kept.degraded, /signature/);
    await put(server, at(12, [old]));
    await wait();
    const { sequence, degraded } = await health(server);
    assert.deepEqual([sequence, degraded], [12, null]);
  } finally {
    await server.dispose();
  }
});

test("keys that are none are told, not passed over", async () => {
  const server = await serve({ BUNDLE_KEYS: "0123" });
  try {
    const { detail } = await isProblem(await new Client(server.url).recs({ k: 3 }), [503]);
    assert.match(detail, /BUNDLE_KEYS.*64/);
  } finally {
    await server.dispose();
  }
});
