// Events are handed in while everything fails by a schedule: the proxy is stopped, slow, answers by half or with errors, and the
// server is killed and started again on the same data. Nothing that was acknowledged may be missing in the end.

import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { aliasOf } from "./kafka_rest.mjs";

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const BATCH = 50;
/** What the proxy does with one request after the other, shuffled: half of them are good. */
const BEHAVIOURS = ["cut", "fewer", "lost", "garbage", { status: 503 }, { status: 500 }, { slow: 300 }, ...Array(6).fill("good")];

/** Deals the behaviours like cards: each comes before one comes again. The first are those after which records come twice. */
function dealer(rng) {
  let deck = [0, 0].map((_, i) => [i, ["fewer", "cut"][i]]);
  return () => {
    if (!deck.length) deck = BEHAVIOURS.map((card) => [rng(), card]).sort(([a], [b]) => a - b);
    return deck.pop()[1];
  };
}

/** Resident memory of a process in bytes, 0 where it is gone. */
async function residentBytes(pid) {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
}

/** Hands one batch in until it is acknowledged, as a client that does not want to lose anything does. */
async function handIn(site, body, seconds, counts) {
  const end = Date.now() + seconds * 1_000;
  for (let tries = 0; ; tries += 1) {
    const { url } = site.current;
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`${url}/v1/events`, { method: "POST", headers, body, signal: AbortSignal.timeout(10_000) }).catch(() => null);
    const text = await answer?.text().catch(() => null);
    if (answer?.status === 200 && text) {
      counts.retries += tries;
      return;
    }
    if (answer && answer.status < 500 && answer.status !== 429) throw new Error(`${answer.status}: ${text}`);
    if (Date.now() > end) throw new Error(`a batch was not taken within ${seconds} s: ${answer?.status} ${text}`);
    await pause(100 + 50 * Math.min(tries, 10));
  }
}

/** Has the proxy fail request by request, and stops it now and then, until `stopped` says so. */
async function disturb(peer, rng, stopped, found) {
  const deal = dealer(rng);
  const count = (name) => (found.behaviours[name] = (found.behaviours[name] ?? 0) + 1);
  peer.behaviour = () => {
    const behaviour = deal();
    count(behaviour.slow ? "slow" : (behaviour.status ?? behaviour));
    return behaviour;
  };
  while (!stopped()) {
    await pause(1_000 + rng() * 3_000);
    await peer.stop();
    count("stopped");
    await pause(100 + rng() * 900);
    await peer.start();
  }
  peer.behaviour = "good";
}

async function sample(site, pids, stopped, found) {
  while (!stopped()) {
    const sizes = await Promise.all((await pids(site.current)).map(residentBytes));
    found.maxMemoryBytes = Math.max(found.maxMemoryBytes, ...sizes);
    await pause(100);
  }
}

async function drain(site, seconds) {
  const end = Date.now() + seconds * 1_000;
  let last;
  while (Date.now() < end) {
    last = await fetch(`${site.current.url}/healthz`, { signal: AbortSignal.timeout(10_000) })
      .then((answer) => answer.json(), () => null);
    if (last?.events?.pending === 0) return;
    await pause(200);
  }
  throw new Error(`the outbox did not drain within ${seconds} s: ${JSON.stringify(last?.events)}`);
}

/**
 * Runs it.
 * @param {object} options
 * @param {number} options.events how many events are handed in, in batches of 50
 * @param {number} options.seed of the schedule
 * @param {{url: string, kill: (signal: string) => Promise<void>}} options.server a site with `EVENT_SINK` `kafka` and the peer's
 *   `KAFKA_REST_URL`, which `kill` ends at once
 * @param {import("./kafka_rest.mjs").KafkaRest} options.peer
 * @param {() => Promise<{url: string, kill: (signal: string) => Promise<void>}>} options.restart starts the server again on the
 *   same data
 * @param {number} [options.kills] how often it is killed
 * @param {number} [options.viewers]
 * @param {number} [options.senders] batches that are handed in at once
 * @param {(server: object) => Promise<number[]>} [options.pids] processes whose memory counts
 * @param {number} [options.paceMs] pause of a sender between its batches
 * @param {boolean} [options.ids] whether the client sends ids of its own
 * @returns {Promise<{acknowledged: number, arrived: number, lost: number, duplicates: number, identifiable: boolean,
 *   inOrder: boolean, retries: number, behaviours: Record<string, number>, kills: number, seconds: number, maxMemoryBytes: number}>}
 *   `behaviours` counts what the proxy did, request by request; `arrived` counts records with their duplicates; they are
 *   identifiable where records with one id are the same and others are not
 */
export async function eventFaultRun(options) {
  const { events, seed, server, peer, restart, kills = 5, viewers = 20, senders = 8, pids = async () => [], paceMs = 0, ids = true } = options;
  const rng = random(seed);
  const site = { current: server };
  const found = { retries: 0, behaviours: {}, kills: 0, maxMemoryBytes: 0 };
  const begun = Date.now();
  const acknowledged = new Map();
  let [next, finished] = [0, false];
  const stopped = () => finished;
  const ts = begun - 3_600_000;
  const names = Array.from({ length: viewers }, (_, i) => Math.floor(rng() * 2 ** 32).toString(16).padStart(8, "0") + i.toString(16).padStart(24, "0"));

  // A viewer's batches follow each other, as a browser's do.
  const sender = async (own) => {
    for (;;) {
      const at = next;
      next += BATCH;
      if (at >= events) return;
      const name = own[Math.floor(rng() * own.length)];
      const count = Math.min(BATCH, events - at);
      const numbers = Array.from({ length: count }, (_, i) => at + i);
      const list = numbers.map((n) => ({ event: "click", ts: ts + n, item: `v${n}`, ...(ids && { id: `e${n}` }) }));
      await handIn(site, JSON.stringify({ viewer: name, events: list }), 120, found);
      for (const n of numbers) acknowledged.set(`v${n}`, name);
      if (paceMs) await pause(paceMs);
    }
  };
  const killer = async () => {
    for (let i = 1; i <= kills; i += 1) {
      // Spread over the run by its progress, not by time.
      while (next < (events * i) / (kills + 1) && !finished) await pause(20);
      if (finished) return;
      await site.current.kill("SIGKILL");
      await pause(rng() * 300);
      site.current = await restart();
      found.kills += 1;
    }
  };

  const around = [disturb(peer, rng, stopped, found), sample(site, pids, stopped, found)];
  const own = (i) => names.filter((_, at) => at % senders === i);
  const sending = Array.from({ length: Math.min(senders, viewers) }, (_, i) => sender(own(i)));
  try {
    await Promise.all([...sending, killer()]);
  } finally {
    finished = true;
    await Promise.all(around);
  }
  await drain(site, 180);
  return { ...judge(acknowledged, peer.stored), ...found, seconds: (Date.now() - begun) / 1_000 };
}

/** What arrived of what was acknowledged. */
function judge(acknowledged, stored) {
  const byId = new Map();
  const firsts = new Map();
  let identifiable = true;
  for (const { key, value } of stored) {
    const id = `${key}/${value.id}`;
    const text = JSON.stringify(value);
    if (byId.has(id)) identifiable &&= byId.get(id) === text;
    else firsts.set(key, [...(firsts.get(key) ?? []), value.ts]);
    byId.set(id, text);
  }
  const arrivedItems = new Map([...byId.values()].map((text) => JSON.parse(text)).map(({ item, session }) => [item, session]));
  const lost = [...acknowledged].filter(([item, name]) => arrivedItems.get(item) !== aliasOf(name)).length;
  const rising = (times) => times.every((ts, at) => at === 0 || times[at - 1] < ts);
  return {
    acknowledged: acknowledged.size,
    arrived: stored.length,
    lost,
    duplicates: stored.length - byId.size,
    // As many ids as things that happened: no duplicate passes for another event.
    identifiable: identifiable && byId.size === arrivedItems.size,
    inOrder: [...firsts.values()].every(rising),
  };
}
