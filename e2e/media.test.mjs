// Real video files: a folder of mp4, WebM and MOV becomes a bundle, and words and pictures find the right file at the edge
// and in the browser.

import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { launchChromium } from "./browser.mjs";
import { Client, isProblem, isSlate } from "./client.mjs";
import { startSite } from "./server.mjs";
import { smallSite, withRecommender } from "./small_site.mjs";

const run = promisify(execFile);
const { RECSYS_BIN, RECSYS_WORLD } = process.env;

const H264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"];
const MPEG4 = ["-c:v", "mpeg4", "-q:v", "4"];
const VP8 = ["-c:v", "libvpx", "-b:v", "1M", "-deadline", "realtime", "-cpu-used", "8"];
const VP9 = ["-c:v", "libvpx-vp9", "-b:v", "1M", "-deadline", "realtime", "-cpu-used", "8"];
const ENCODERS = ["libx264", "libvpx", "libvpx-vp9", "mpeg4", "mjpeg"];

/** Test pictures of ffmpeg: nothing that the model was trained on. */
const GENERATED = [
  ["-test pattern.mp4", "testsrc2=s=320x180:d=2:r=8", H264],
  [`more/colour "bars".webm`, "smptebars=s=320x180:d=2:r=8", VP9],
  ["more/the devil's set.mov", "mandelbrot=s=320x180:r=8:end_pts=16,trim=duration=2", MPEG4],
];
/** Films of the demo world: their names say nothing of what they show, so it is the frames that are found. */
const FILMS = [
  ["-1.mp4", null],
  [`"2".webm`, VP8],
  ["it's 3.mov", H264],
  ["number 4.mp4", null],
  ["number 5.webm", VP9],
  ["more/-6.MOV", MPEG4],
  ["more/7 of '9'.mp4", null],
  [`"8" of "9".webm`, VP8],
  ["- 9.mov", MPEG4],
];
const BROKEN = `-bro"ken's.mp4`;

/** Why the tests cannot run here; false where they can. */
async function missing() {
  const listed = spawnSync("ffmpeg", ["-v", "error", "-encoders"], { encoding: "utf8" }).stdout ?? "";
  const lacking = ENCODERS.filter((encoder) => !listed.includes(` ${encoder} `));
  if (lacking.length > 0) return `no ffmpeg with ${lacking.join(", ")}`;
  const { mp4 } = JSON.parse(await readFile(path.join(RECSYS_WORLD, "world.json"), "utf8"));
  return !mp4 && "the demo world was made without ffmpeg";
}

const skip = await missing();

let work;
let said;
let films;
/** A JPEG of each video's middle. */
let stills;
let browser;
let server;
let client;

const media = (name) => path.join(work, "media", name);
const ffmpeg = (...args) => run("ffmpeg", ["-v", "error", "-y", ...args]);
/** ffmpeg takes a name that begins with `-` for an option, and one with `:` for a protocol. */
const file = (name) => `file:${name}`;

/** Indexes the folder; what the command said. */
async function index(out) {
  const args = ["index", "--media", path.join(work, "media"), "--skip-bad", "--cache", path.join(work, "cache"), "--out", out];
  const env = { ...process.env, SOURCE_DATE_EPOCH: "1700000000" };
  return (await run(RECSYS_BIN, args, { env })).stderr;
}

/** Films of the demo world that share at most one of thing, colour, place and time. */
async function unlikeFilms(count) {
  const lines = (await readFile(path.join(RECSYS_WORLD, "videos.jsonl"), "utf8")).trim().split("\n");
  const chosen = [];
  for (const film of lines.map((line) => JSON.parse(line))) {
    const alike = ({ keywords }) => keywords.filter((word) => film.keywords.includes(word)).length;
    if (chosen.length < count && chosen.every((other) => alike(other) <= 1)) chosen.push(film);
  }
  return chosen;
}

async function makeMedia() {
  await mkdir(media("more"), { recursive: true });
  for (const [name, generator, codec] of GENERATED) await ffmpeg("-f", "lavfi", "-i", generator, ...codec, file(media(name)));
  const unlike = await unlikeFilms(FILMS.length);
  films = FILMS.map(([id], i) => ({ id, words: unlike[i].name }));
  for (const [i, [id, codec]] of FILMS.entries()) {
    const source = path.join(RECSYS_WORLD, unlike[i].contentUrl);
    if (codec) await ffmpeg("-i", source, ...codec, file(media(id)));
    else await cp(source, media(id));
  }
  // Its table of contents stands at the end, and is cut off.
  const whole = await readFile(media(GENERATED[0][0]));
  await writeFile(media(BROKEN), whole.subarray(0, whole.length / 2));
}

async function middle(id) {
  const frame = ["-ss", "1", "-i", file(media(id)), "-frames:v", "1", "-f", "image2pipe", "-c:v", "mjpeg", "-q:v", "3", "-"];
  return (await run("ffmpeg", ["-v", "error", ...frame], { encoding: "buffer" })).stdout;
}

const all = () => [...GENERATED, ...FILMS].map(([id]) => id);

before(async () => {
  if (skip) return;
  work = await mkdtemp(path.join(tmpdir(), "recsys-media-"));
  await makeMedia();
  stills = await Promise.all(all().map(middle));
  const bundle = await smallSite(path.join(work, "site"));
  said = await index(bundle);
  // A video's URL is its path, so the site has the videos at its root.
  await cp(path.join(work, "media"), path.join(work, "site"), { recursive: true });
  [server, browser] = await Promise.all([startSite({ site: path.join(work, "site") }), launchChromium()]);
  client = new Client(server.url);
});

after(async () => {
  await browser?.close();
  await server?.dispose();
  if (work) await rm(work, { recursive: true, force: true });
});

test("a broken file is named, and the others are indexed under their paths", { skip }, async () => {
  assert.match(said, new RegExp(`${all().length} encoded, 0 from the cache, 1 failed`));
  const [, left] = said.split("left out 1 video(s):");
  assert.ok(left?.includes(JSON.stringify(BROKEN)), said);
  assert.match(left, /moov atom not found/);
  const { items } = await isSlate(await client.recs({ k: 50 }));
  assert.deepEqual(items.map(({ id }) => id).sort(), all().sort());
});

test("a second run encodes nothing and gives the same files", { skip }, async () => {
  const again = path.join(work, "again");
  assert.match(await index(again), new RegExp(`0 encoded, ${all().length} from the cache, 1 failed`));
  const first = path.join(work, "site/bundle");
  const names = (await readdir(first)).sort();
  assert.deepEqual((await readdir(again)).sort(), names);
  for (const name of names) {
    assert.ok((await readFile(path.join(first, name))).equals(await readFile(path.join(again, name))), name);
  }
});

test("a video's address gives its file", { skip }, async () => {
  const { items } = await isSlate(await client.recs({ k: 50 }));
  for (const { id, contentUrl } of items) {
    const response = await client.get(`/${contentUrl}`);
    assert.equal(response.status, 200, contentUrl);
    assert.ok(Buffer.from(await response.arrayBuffer()).equals(await readFile(media(id))), contentUrl);
  }
});

test("on workerd words find the film that they describe", { skip }, async () => {
  for (const { id, words } of films) {
    const got = await isSlate(await client.get(`/v1/search?q=${encodeURIComponent(words)}&k=5`));
    assert.equal(got.source, "search");
    assert.equal(got.items[0].id, id, `"${words}" finds ${JSON.stringify(got.items)}`);
    assert.deepEqual(await isSlate(await client.post("/v1/search", { text: words, k: 5 })), got);
  }
});

test("on workerd a frame of a video finds it", { skip }, async () => {
  for (const [i, id] of all().entries()) {
    const { items, source } = await isSlate(await client.post("/v1/search", stills[i], "image/jpeg"));
    assert.equal(source, "search");
    assert.equal(items[0].id, id, `a frame of ${id} finds ${JSON.stringify(items.slice(0, 3))}`);
  }
  const film = await readFile(media("-1.mp4"));
  await isProblem(await client.post("/v1/search", film, "image/jpeg"), [422]);
});

/** Searches in a page, with pictures as JPEG in base64: the first ids for each, and how many requests that took. */
async function searched({ words, pictures }) {
  const before = (await rec.sent()).length;
  const first = async (sought) => (await rec.search({ ...sought, k: 5 })).items.map(({ item }) => item.id);
  const byWords = [];
  for (const text of words) byWords.push(await first({ text }));
  const byPicture = [];
  for (const base64 of pictures) {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    byPicture.push(await first({ picture: new Blob([bytes], { type: "image/jpeg" }) }));
  }
  return { byWords, byPicture, requests: (await rec.sent()).length - before };
}

test("in Chromium words and frames find the same, in local mode without a request", { skip }, async () => {
  const words = films.map((film) => film.words);
  const pictures = stills.map((still) => still.toString("base64"));
  const found = {};
  for (const mode of ["standard", "local"]) {
    const options = { mode, encoder: mode === "local" };
    found[mode] = await withRecommender(browser, server.url, options, searched, { words, pictures });
    const { byWords, byPicture } = found[mode];
    assert.deepEqual(byWords.map(([id]) => id), films.map(({ id }) => id), mode);
    assert.deepEqual(byPicture.map(([id]) => id), all(), mode);
  }
  assert.deepEqual(found.local.byWords, found.standard.byWords);
  assert.equal(found.standard.requests, words.length + pictures.length);
  assert.equal(found.local.requests, 0, "words and pictures stay in the browser");
});
