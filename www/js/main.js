// The page: opens the recommender, and lets clicks, searches and the mode switch drive it. It computes no score
// itself.

import { Recommender } from "../pkg/index.js";
import { byId, h } from "./dom.js";
import { count, milliseconds } from "./format.js";
import { Grid } from "./grid.js";
import { Impressions } from "./impressions.js";
import { showMix } from "./mix.js";
import { Player } from "./player.js";
import { Files, Receipt } from "./receipt.js";
import { loadSheets } from "./thumb.js";
import { Watched } from "./watched.js";
import { Why } from "./why.js";

/** Videos in "For you" and in the results of a search. */
const SLATE = 24;
const RESULTS = 8;

/** History is on offer where the address says so (`?history`): the site must keep histories then. */
const keepsHistories = new URLSearchParams(location.search).has("history");
const MODES = ["standard", "noised", "bucket", "local", ...(keepsHistories ? ["history"] : [])];

let rec;
let mode = modeOfAddress() ?? "standard";
/** The shared thumbnail sheets and their pictures; `null` where each thumbnail is a file. */
let sheets = null;
let sheetImages = [];
/** Rises with each request for a slate; an answer that is not the newest is dropped. */
let asked = 0;
/** Names the slate that is shown. */
let shownRequest;

const player = new Player();
const why = new Why();
const receipt = new Receipt();
const handlers = { onPlay: (item, card) => pick(item, card, shownRequest), onWhy: (item, button) => why.show(item, button, rec.explain(item.id)) };
const grid = new Grid(byId("grid"), handlers);
const results = new Grid(byId("results-grid"), { ...handlers, onPlay: pick });
const watched = new Watched((item) => player.show(item, sheets));
const impressions = new Impressions((event) => rec.record(event));
new Files();

/** What the viewer picked is kept in the address's fragment, which no browser sends. */
function modeOfAddress() {
  return MODES.find((mode) => location.hash === `#${mode}`);
}

/** Whether the server may see words, pictures and files that are asked for. */
function isOpen() {
  return mode === "standard" || mode === "history";
}

function say(text) {
  byId("status").textContent = text;
}

/** Runs one action; what goes wrong is shown and can be tried again. */
async function attempt(action) {
  byId("grid").setAttribute("aria-busy", "true");
  try {
    await action();
    byId("fault").hidden = true;
  } catch (error) {
    showFault(error, action);
  } finally {
    byId("grid").removeAttribute("aria-busy");
    await showReceipt();
  }
}

function showFault(error, action) {
  const gone = !rec || error.name === "Crashed";
  const again = h("button", { type: "button", class: "button" }, gone ? "Reload the page" : "Try again");
  again.addEventListener("click", () => (gone ? location.reload() : attempt(action)));
  byId("fault").replaceChildren(h("p", {}, h("b", {}, `${error.name}: `), error.message), again);
  byId("fault").hidden = false;
  say("That did not work.");
}

/** The receipt is shown even where the call before it failed; a dead worker has nothing to tell any more. */
async function showReceipt() {
  const sent = await rec?.sent().catch(() => null);
  if (!sent) return;
  receipt.show(sent);
  receipt.promise(await rec.privacy());
}

/** A click on a card: stored here, played, and the list is ranked anew. Results of a search are of no slate. */
async function pick(item, card, request) {
  const keyboard = document.activeElement === card.button;
  const index = grid.indexOf(card);
  player.show(item, sheets);
  await attempt(async () => {
    await rec.record({ event: "click", item: item.id, request });
    await rank("Ranked again after your click");
    // A clicked video leaves the list; the keyboard stays where it was.
    if (keyboard && index >= 0 && !card.root.isConnected) grid.focus(index);
  });
}

/** @param {string} reason begins the sentence that tells what changed */
async function rank(reason) {
  const ticket = ++asked;
  const slate = await rec.recommend({ k: SLATE });
  if (ticket !== asked) return;
  const change = grid.show(slate.items, sheets);
  shownRequest = slate.request;
  impressions.watch(slate.request, byId("grid"));
  showMix(slate.items);
  byId("figures").replaceChildren(...figures(slate));
  byId("bundle").textContent = `Bundle ${slate.bundle.slice(0, 12)}.`;
  const changes = change ? `: ${change.fresh} new, ${change.moved} moved` : "";
  const basis = slate.source === "personal" ? "" : " Popular videos, the same for everybody.";
  say(`${reason}${changes}.${basis}${degraded(slate)}`);
  await showWatched();
}

function degraded(slate) {
  return slate.degraded ? ` Reduced service: ${slate.degraded}.` : "";
}

function figures({ timings }) {
  const facts = [
    ["retrieval", milliseconds(timings.retrieveMs)],
    ["ranking", milliseconds(timings.rankMs)],
    ["candidates", String(timings.candidates)],
  ];
  return facts.map(([name, value]) => h("span", {}, `${name} `, h("b", {}, value)));
}

async function showWatched() {
  const { watched: items = [] } = await rec.export();
  watched.show(items, sheets);
}

/** @param {object} sought `text` or `picture` of `rec.search`  @param {string} name shown to the viewer */
async function search(sought, name) {
  const slate = await rec.search({ ...sought, k: RESULTS });
  byId("results").hidden = false;
  byId("results-title").textContent = `Results for ${name}`;
  byId("results-figures").replaceChildren(...figures(slate));
  results.clear();
  results.show(slate.items, sheets);
  say(`${count(slate.items.length, "result")} for ${name}.${degraded(slate)}`);
  byId("results-title").focus();
}

function closeResults() {
  byId("results").hidden = true;
  results.clear();
}

/** Changes what may leave the browser, then draws everything anew from the pictures of that mode. */
async function enter(next) {
  await rec.setMode(next);
  mode = next;
  history.replaceState(null, "", `#${mode}`);
  await redraw(`${mode[0].toUpperCase()}${mode.slice(1)} mode`);
}

async function redraw(reason) {
  sheets = null;
  // In all other modes which picture is fetched must not tell what is shown.
  if (!isOpen()) {
    const described = await rec.sheets();
    sheetImages = await loadSheets(described);
    sheets = described;
  } else {
    sheetImages = [];
  }
  grid.clear();
  closeResults();
  player.close();
  showMode();
  await rank(reason);
}

function showMode() {
  document.documentElement.dataset.mode = mode;
  byId("search-note").hidden = isOpen();
  for (const radio of byId("modes").querySelectorAll("input")) radio.checked = radio.value === mode;
}

async function download() {
  const log = (await rec.log()).split("\n").filter(Boolean).map((line) => JSON.parse(line));
  const text = JSON.stringify({ ...(await rec.export()), log }, null, 2);
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  h("a", { href: url, download: "recsys-my-data.json" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  say("Your data was written to recsys-my-data.json.");
}

async function forget() {
  await rec.forget();
  player.close();
  closeResults();
  await rank("Everything forgotten");
}

function listen() {
  byId("search").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = byId("search-text").value.trim();
    if (text) attempt(() => search({ text }, `“${text}”`));
  });
  byId("search-by-picture").addEventListener("click", () => byId("search-picture").click());
  byId("search-picture").addEventListener("change", ({ target }) => {
    const [picture] = target.files;
    // So that the same file can be chosen again.
    target.value = "";
    if (picture) attempt(() => search({ picture }, picture.name));
  });
  byId("results-close").addEventListener("click", () => {
    closeResults();
    byId("search-text").focus();
  });
  byId("modes").addEventListener("change", ({ target }) => {
    attempt(() => enter(target.value)).then(showMode);
  });
  byId("export").addEventListener("click", () => attempt(download));
  byId("forget").addEventListener("click", () => attempt(forget));
  // The popover closes itself on Escape; the key must not close what lies below it at the same time.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || document.querySelector(":popover-open")) return;
    if (player.open) player.close();
    else if (!byId("results").hidden) closeResults();
  });
}

async function start() {
  rec?.close();
  rec = await Recommender.open({ endpoint: location.origin, picked: modeOfAddress(), offer: MODES, encoder: true });
  ({ mode } = await rec.privacy());
  await redraw("Ready");
  setSearchable(true);
  for (const id of ["modes", "export", "forget"]) byId(id).disabled = false;
}

function setSearchable(able) {
  for (const control of byId("search").querySelectorAll("input, button")) control.disabled = !able;
}

byId("mode-history").hidden = !keepsHistories;
showMode();
setSearchable(false);
listen();
attempt(start);
