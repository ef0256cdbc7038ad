// The encoder as wasm on workerd: mini-clip finds held-out videos by their captions there too, and says no clearly.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { siteFromEnvironment, startEncoder, startSite } from "./server.mjs";

const SIDE = 64;
const PICTURE = SIDE * SIDE * 3;
const FRAMES = 8;
const NEIGHBOURS = 19;
/** Frames of a neighbour that are encoded here; the native test takes all. */
const NEIGHBOUR_FRAMES = 1;
const MODEL = fileURLToPath(new URL("../models/mini-clip/", import.meta.url));
/** An .npy header as `recsys demo-pairs` writes it. */
const NPY_HEADER = 128;

let server;
let work;
let goldens;

before(async () => {
  server = await startSite({ site: siteFromEnvironment() });
  goldens = JSON.parse(await readFile(path.join(MODEL, "goldens.json"), "utf8"));
  work = await mkdtemp(path.join(tmpdir(), "recsys-heldout-"));
  const args = ["demo-pairs", "--split", "heldout", "--size", "64", "--seed", String(goldens.heldout_seed)];
  await promisify(execFile)(process.env.RECSYS_BIN, [...args, "--out", path.join(work, "heldout")]);
});

after(async () => {
  await server?.dispose();
  await rm(work, { recursive: true, force: true });
});

async function encode(what, type, body) {
  const response = await server.askEncoder(`/${what}`, { method: "POST", headers: { "content-type": type }, body });
  assert.equal(response.status, 200, await response.clone().text());
  return (await response.json()).vector;
}

const text = (words) => encode("text", "application/json", JSON.stringify({ text: words }));

/** Raw pixels, sent as a portable pixmap: lossless, and written in one line. */
const picture = (rgb) =>
  encode("image", "image/x-portable-pixmap", Buffer.concat([Buffer.from(`P6 ${SIDE} ${SIDE} 255\n`), rgb]));

const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);

function unit(v) {
  const norm = Math.sqrt(dot(v, v));
  return v.map((x) => x / norm);
}

async function video(pictures, frames) {
  const sum = new Array(128).fill(0);
  for (let i = 0; i < frames; i += 1) {
    const vector = await picture(pictures.subarray(i * PICTURE, (i + 1) * PICTURE));
    vector.forEach((x, j) => (sum[j] += x));
  }
  return unit(sum);
}

function centred(list) {
  const mean = list[0].map((_, j) => list.reduce((sum, v) => sum + v[j], 0) / list.length);
  return list.map((v) => unit(v.map((x, j) => x - mean[j])));
}

function lowestCosine(a, b) {
  const [left, right] = [centred(a), centred(b)];
  return Math.min(...left.map((v, i) => dot(v, right[i])));
}

async function goldenVectors(name) {
  const bytes = await readFile(path.join(MODEL, "goldens.bin"));
  const { offset, shape } = goldens.arrays[name];
  return Array.from({ length: shape[0] }, (_, row) =>
    unit(Array.from({ length: shape[1] }, (_, j) => bytes.readFloatLE(offset + 4 * (row * shape[1] + j)))),
  );
}

test("mini-clip on workerd finds held-out videos by caption, on frames alone", async () => {
  const frames = (await readFile(path.join(work, "heldout/images.npy"))).subarray(NPY_HEADER);
  const neighbours = (await readFile(path.join(work, "heldout/neighbours.npy"))).subarray(NPY_HEADER);
  const scene = neighbours.length / (goldens.videos.length * NEIGHBOURS);
  const texts = [];
  const videos = [];
  let among20 = 0;
  for (const [i, { title }] of goldens.videos.entries()) {
    texts.push(await text(title));
    videos.push(await video(frames.subarray(i * FRAMES * PICTURE), FRAMES));
    const own = dot(texts[i], videos[i]);
    let best = -Infinity;
    for (let j = 0; j < NEIGHBOURS; j += 1) {
      const other = await video(neighbours.subarray((i * NEIGHBOURS + j) * scene), NEIGHBOUR_FRAMES);
      best = Math.max(best, dot(texts[i], other));
    }
    if (best < own) among20 += 1;
  }
  const among100 = texts.filter((t, i) => {
    const scores = videos.map((v) => dot(t, v));
    return scores.indexOf(Math.max(...scores)) === i;
  }).length;
  const textCosine = lowestCosine(await goldenVectors("title_vectors"), texts);
  const videoCosine = lowestCosine(await goldenVectors("video_vectors"), videos);
  console.log(
    `mini-clip on workerd: ${among100} of 100 by caption, ${among20} of 100 among 20 neighbours; ` +
      `lowest cosine to f32 less the mean ${textCosine.toFixed(4)} (text), ${videoCosine.toFixed(4)} (video)`,
  );
  assert.ok(among100 >= 90, `${among100} of 100`);
  assert.ok(among20 >= 75, `${among20} of 100`);
  assert.ok(textCosine >= 0.99 && videoCosine >= 0.99);
});

test("what cannot be encoded is refused, and the next request is answered", async () => {
  const refused = async (what, type, body) => {
    const response = await server.askEncoder(`/${what}`, { method: "POST", headers: { "content-type": type }, body });
    assert.equal(response.status, 422);
    assert.ok((await response.json()).detail.length > 0);
    assert.equal((await text("a red fox")).length, 128);
  };
  await refused("image", "image/jpeg", "this is no picture");
  await refused("image", "image/png", Buffer.from("89504e470d0a1a0a", "hex"));
  await refused("text", "application/json", "{");
  await refused("text", "application/json", JSON.stringify({ text: "zzzyx qqwv" }));
});

test("a picture can be searched with, and what is no picture is a problem document", async () => {
  const thumb = await readFile(path.join(siteFromEnvironment(), "thumbs/v00001.jpg"));
  const post = (body) => fetch(`${server.url}/v1/search`, { method: "POST", headers: { "content-type": "image/jpeg" }, body });
  const found = await (await post(thumb)).json();
  assert.ok(found.items.slice(0, 5).some(({ id }) => id === "v00001"), "a video's own still finds it");
  const refused = await post("this is no picture");
  assert.equal(refused.status, 422);
  assert.match(refused.headers.get("content-type"), /^application\/problem\+json/);
});

test("each tower in a worker of its own: words go to the one, pictures to the other", async () => {
  const site = siteFromEnvironment();
  const started = [];
  try {
    for (const tower of ["text", "image"]) started.push(await startEncoder(undefined, { tower }));
    const [words, pictures] = started;
    const both = await startSite({ site, encoder: { text: words, image: pictures } });
    started.push(both);
    assert.equal((await (await fetch(`${both.url}/healthz`)).json()).encoder, "ready");
    const thumb = await readFile(path.join(site, "thumbs/v00001.jpg"));
    const found = (url, type, body) =>
      fetch(`${url}/v1/search`, { method: "POST", headers: { "content-type": type }, body }).then((answer) => answer.json());
    for (const query of [["image/jpeg", thumb], ["application/json", JSON.stringify({ text: "a red fox" })]]) {
      const { items } = await found(both.url, ...query);
      assert.ok(items.length > 0);
      assert.deepEqual(items, (await found(server.url, ...query)).items);
    }
    for (const [{ url }, path, body] of [[words, "/image", thumb], [pictures, "/text", JSON.stringify({ text: "a fox" })]]) {
      const refused = await fetch(new URL(path, url), { method: "POST", body });
      assert.equal(refused.status, 503);
      assert.match((await refused.json()).detail, /^(text|image) tower: this worker has the (image|text) tower alone/);
    }
  } finally {
    for (const worker of started.reverse()) await worker.dispose();
  }
});
