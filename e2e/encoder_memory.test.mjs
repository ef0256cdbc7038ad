// Memory of real CLIPs, with weights by chance: TinyCLIP ViT-8M/16 within its budgets, and ViT-B/32, whose towers do not fit an
// isolate together. On workerd and in Chromium.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createReadStream } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { launchChromium } from "./browser.mjs";
import { writeClip } from "./clip.mjs";
import { siteFromEnvironment, startEncoder, startSite } from "./server.mjs";

const run = promisify(execFile);
const MIB = 2 ** 20;
/** An isolate's share of linear memory. */
const MOST = 96 * MIB;
const TEXT = "a photo of a red train in the rain at night, seen from a bridge";

let folder;
let browser;
let site;
let thumb;
let tinyclip;

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "recsys-clip-"));
  [browser, site] = await Promise.all([launchChromium(), startSite({ site: siteFromEnvironment(), encoder: "unbound" })]);
  thumb = await readFile(path.join(siteFromEnvironment(), "thumbs/v00001.jpg"));
  tinyclip = await imported("tinyclip-8m");
});

after(async () => {
  await browser?.close();
  await site?.dispose();
  await rm(folder, { recursive: true, force: true });
});

/** A model directory of a shape; what `recsys model import` said of each tower's peak, in bytes. */
async function imported(shape) {
  const [from, model] = [path.join(folder, shape, "hugging-face"), path.join(folder, shape, "model")];
  await writeClip(shape, from);
  const { stderr } = await run(process.env.RECSYS_BIN, ["model", "import", from, "--out", model]);
  await rm(from, { recursive: true });
  const peak = (tower) => Number(new RegExp(`${tower} tower (\\d+) MiB`).exec(stderr)[1]) * MIB;
  return { model, peaks: { image: peak("image"), text: peak("text") } };
}

/** Linear memory of an encoder's worker after encoding so. Its model lies in R2: static files end at 25 MiB. */
async function onWorkerd(model, ...whats) {
  const encoder = await startEncoder(model, { bucket: true });
  try {
    for (const what of whats) {
      const body = what === "text" ? JSON.stringify({ text: TEXT }) : thumb;
      const answer = await fetch(new URL(`/${what}`, encoder.url), { method: "POST", body });
      assert.equal(answer.status, 200, await answer.clone().text());
      assert.equal((await answer.json()).vector.length, 512);
    }
    return (await (await fetch(new URL("/health", encoder.url))).json()).memoryBytes;
  } finally {
    await encoder.dispose();
  }
}

/** What a worker that holds the text tower says to a picture, and its memory after a text again. */
async function secondOnWorkerd(model) {
  const encoder = await startEncoder(model, { bucket: true });
  const post = (what, body) => fetch(new URL(`/${what}`, encoder.url), { method: "POST", body });
  try {
    const text = () => post("text", JSON.stringify({ text: TEXT }));
    assert.equal((await text()).status, 200);
    const refused = await post("image", thumb);
    assert.equal((await text()).status, 200);
    const { memoryBytes } = await (await fetch(new URL("/health", encoder.url))).json();
    return { status: refused.status, detail: (await refused.json()).detail, memory: memoryBytes };
  } finally {
    await encoder.dispose();
  }
}

/** Linear memory of the browser's module after each tower was loaded and used. */
async function inChromium(model) {
  const context = await browser.newContext();
  // What a test fulfils itself goes through the debugger, for which a tower is too large.
  const files = createServer((request, response) => createReadStream(path.join(model, path.basename(request.url))).pipe(response));
  await new Promise((listening) => files.listen(0, "127.0.0.1", listening));
  try {
    await context.route("**/model/**", (route) => {
      const name = path.basename(new URL(route.request().url()).pathname);
      return route.continue({ url: `http://127.0.0.1:${files.address().port}/${name}` });
    });
    const tab = await context.newPage();
    await tab.goto(`${site.url}/icon.svg`);
    return await tab.evaluate(async (text) => {
      const { default: init, Towers } = await import("/pkg/encoder_module.js");
      const module = await init({ module_or_path: "/pkg/encoder.wasm" });
      const file = async (name) => new Uint8Array(await (await fetch(`/model/${name}`)).arrayBuffer());
      const towers = new Towers(await file("model.json"));
      const memory = () => module.memory.buffer.byteLength;
      towers.loadText(...(await Promise.all(towers.textFiles().map(file))));
      towers.text(text);
      const afterText = memory();
      towers.loadImage(await file(towers.imageFile()));
      towers.picture(new Uint8Array(4 * 240 * 135).fill(99), 240, 135);
      return { afterText, afterBoth: memory() };
    }, TEXT);
  } finally {
    await context.close();
    files.close();
  }
}

const mib = (bytes) => `${(bytes / MIB).toFixed(1)} MiB`;

test("TinyCLIP ViT-8M/16: at most 40 MiB for texts and 48 MiB for pictures", async () => {
  const { model, peaks } = tinyclip;
  const text = await onWorkerd(model, "text");
  const image = await onWorkerd(model, "image");
  const both = await onWorkerd(model, "text", "image");
  const chromium = await inChromium(model);
  console.log(
    `TinyCLIP-8M on workerd: text ${mib(text)}, image ${mib(image)}, both ${mib(both)}; in Chromium: ` +
      `text ${mib(chromium.afterText)}, then both ${mib(chromium.afterBoth)}; import says ${mib(peaks.text)} and ${mib(peaks.image)}`,
  );
  for (const bytes of [text, chromium.afterText]) assert.ok(bytes <= 40 * MIB, mib(bytes));
  assert.ok(image <= 48 * MIB, mib(image));
  for (const bytes of [both, chromium.afterBoth]) assert.ok(bytes <= MOST, mib(bytes));
  assert.ok(chromium.afterText <= peaks.text && image <= peaks.image + 8 * MIB, "the import foretells what is taken");
});

test("a model in an R2 bucket answers as one in static files, and a file that is missing there is named", async () => {
  const { model } = tinyclip;
  const vector = async (options) => {
    const encoder = await startEncoder(model, options);
    try {
      const answer = await fetch(new URL("/text", encoder.url), { method: "POST", body: JSON.stringify({ text: TEXT }) });
      return [answer.status, await answer.json()];
    } finally {
      await encoder.dispose();
    }
  };
  assert.deepEqual(await vector({ bucket: true }), await vector({ bucket: false }));
  await rm(path.join(model, "tokens.bin"));
  const [status, { detail }] = await vector({ bucket: true });
  assert.deepEqual([status, /^tokens\.bin: not in the R2 bucket/.test(detail)], [503, true], detail);
});

test("CLIP ViT-B/32: each tower fits an isolate, and the second one is refused there", async () => {
  const { model, peaks } = await imported("vit-b32");
  const text = await onWorkerd(model, "text");
  const image = await onWorkerd(model, "image");
  const beside = await secondOnWorkerd(model);
  const chromium = await inChromium(model);
  console.log(
    `CLIP ViT-B/32 on workerd: text ${mib(text)}, image ${mib(image)}; in Chromium: ` +
      `text ${mib(chromium.afterText)}, then both ${mib(chromium.afterBoth)}; import says ${mib(peaks.text)} and ${mib(peaks.image)}`,
  );
  for (const bytes of [text, image]) assert.ok(bytes <= MOST, mib(bytes));
  assert.equal(beside.status, 503);
  assert.match(beside.detail, /^image tower: \d+ bytes with the other one, which this worker holds already/);
  assert.ok(beside.memory <= MOST, mib(beside.memory));
});
