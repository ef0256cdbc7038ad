// What wrangler would upload: the two wrangler files of the project, and the one with everything in deploy/cloudflare.md.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const WRANGLER = path.join(ROOT, "node_modules/.bin/wrangler");

let work;

before(async () => {
  work = await mkdtemp(path.join(tmpdir(), "recsys-cloudflare-"));
  await mkdir(path.join(work, "assets"));
});

after(() => rm(work, { recursive: true, force: true }));

/** Packs without uploading: what is printed, and the modules with their bytes. */
async function packed(config, command = ["deploy"]) {
  const out = await mkdtemp(path.join(work, "out-"));
  // The static files are left out: thousands, of which a dry run only says how many.
  const options = ["-c", config, "--dry-run", "--outdir", out, "--assets", path.join(work, "assets")];
  const env = { ...process.env, WRANGLER_SEND_METRICS: "false", CI: "1", NO_COLOR: "1" };
  const { stdout, stderr } = await promisify(execFile)(WRANGLER, [...command, ...options], { cwd: ROOT, env });
  return { said: stdout + stderr, modules: await modulesOf(out) };
}

async function modulesOf(folder) {
  const names = (await readdir(folder, { recursive: true })).filter((name) => /\.(js|wasm)$/.test(name)).sort();
  return Promise.all(names.map(async (name) => [name, await readFile(path.join(folder, name), "base64")]));
}

for (const [config, built] of [["wrangler.toml", "dist/edge-worker"], ["wrangler.encoder.toml", "dist/edge-encoder"]]) {
  test(`${config} takes every module along that the tests run`, async () => {
    const { said, modules } = await packed(config);
    assert.ok(modules.length >= 4);
    assert.deepEqual(modules, await modulesOf(path.join(ROOT, built)));
    assert.ok(!/warning/i.test(said), said);
  });
}

test("the settings of deploy/cloudflare.md are accepted, bind what the worker asks for, and can be split", async () => {
  const text = await readFile(path.join(ROOT, "deploy/cloudflare.md"), "utf8");
  const [, settings] = /```toml\n(.*?)```/s.exec(text);
  const config = path.join(work, "wrangler.toml");
  await writeFile(config, settings.replaceAll('"dist/', `"${ROOT}dist/`));
  for (const command of [["deploy"], ["versions", "upload"]]) {
    const { said, modules } = await packed(config, command);
    assert.deepEqual(modules, await modulesOf(path.join(ROOT, "dist/edge-worker")));
    const bindings = [...settings.matchAll(/^(?:binding|name) = "([A-Z_]+)"/gm), ...settings.matchAll(/^([A-Z_]+) = "/gm)].map(([, name]) => name);
    assert.ok(bindings.length >= 12);
    assert.deepEqual(bindings.filter((name) => !said.includes(`env.${name} `)), [], said);
    assert.ok(!/warning/i.test(said), said);
  }
});
