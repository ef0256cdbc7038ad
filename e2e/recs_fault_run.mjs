// Viewers ask for recommendations while the engines behind the worker hang, fall and come back. Every answer must come in time;
// those that lack something must say so; and nobody may have to help when an engine is back.

import { setTimeout as pause } from "node:timers/promises";
import { random } from "./fault_run.mjs";

/** Longest time until answers are whole again: the longest rest of the worker's breaker, and one try. */
const RECOVERY_MS = 35_000;

/** Hands in some clicks for each viewer, so that there is a history to ask for. */
async function handIn(url, viewers, items, rng) {
  for (const viewer of viewers) {
    const start = Math.floor(rng() * (items.length - 6));
    const events = items.slice(start, start + 6).map((item, i) => ({ event: "click", ts: 1_000 + i, item }));
    const body = JSON.stringify({ viewer, events });
    const response = await fetch(`${url}/v1/events`, { method: "POST", headers: { "content-type": "application/json" }, body });
    if (response.status !== 200) throw new Error(`the clicks of the load were not taken: ${await response.text()}`);
  }
}

/** Asks again and again until `stopped` says so, and notes each answer. */
async function asker(url, viewers, rng, stopped, answers) {
  while (!stopped()) {
    const viewer = viewers[Math.floor(rng() * viewers.length)];
    const body = JSON.stringify({ viewer, k: 20 });
    const at = performance.now();
    const answer = { at };
    try {
      const response = await fetch(`${url}/v1/recs`, { method: "POST", headers: { "content-type": "application/json" }, body });
      answer.status = response.status;
      const { items, degraded, source } = await response.json();
      Object.assign(answer, { items: items?.length, degraded, source });
    } catch (error) {
      answer.error = `${error}`;
    }
    answer.end = performance.now();
    answers.push(answer);
  }
}

/** How long answers went on to lack something once the engine was back. */
async function recovered(answers, since) {
  const whole = () => answers.find(({ at, degraded, status }) => at > since && status === 200 && !degraded);
  while (!whole()) {
    if (performance.now() - since > RECOVERY_MS) throw new Error(`answers still lack something after ${RECOVERY_MS} ms`);
    await pause(20);
  }
  return whole().end - since;
}

/**
 * Runs it.
 * @param {object} options
 * @param {string} options.url a site with histories
 * @param {{name: string, fail: () => unknown, mend: () => unknown}[]} options.faults one after the other
 * @param {number} options.seed
 * @param {number} [options.holdMs] how long each fault lasts
 * @param {number} [options.askers] requests at once
 * @param {number} [options.viewers]
 * @returns {Promise<{answers: number, failed: number, silent: number, slowestMs: number, medianMs: number, empty: number,
 *   faults: {name: string, answers: number, degraded: number, slowestMs: number, recoveryMs: number}[]}>} `failed` counts answers
 *   other than 200, `silent` those that fell within a fault altogether and did not say that something is missing, `empty` those
 *   without a video
 */
export async function recsFaultRun({ url, faults, seed, holdMs = 2_000, askers = 4, viewers = 20 }) {
  const rng = random(seed);
  const names = Array.from({ length: viewers }, (_, i) => i.toString(16).padStart(32, "c"));
  const response = await fetch(`${url}/v1/recs`, { method: "POST", headers: { "content-type": "application/json" }, body: '{"k":100}' });
  const items = (await response.json()).items.map(({ id }) => id);
  await handIn(url, names, items, rng);
  const answers = [];
  let finished = false;
  const asking = Array.from({ length: askers }, () => asker(url, names, rng, () => finished, answers));
  const found = [];
  let silent = 0;
  try {
    await pause(500);
    for (const { name, fail, mend } of faults) {
      await fail();
      const from = performance.now();
      await pause(holdMs);
      const until = performance.now();
      await mend();
      const back = performance.now();
      const recoveryMs = await recovered(answers, back);
      const within = answers.filter(({ at, end }) => at > from && end < until);
      silent += within.filter(({ degraded }) => !degraded).length;
      const degraded = within.filter((answer) => answer.degraded).length;
      const slowestMs = Math.max(...answers.filter(({ end }) => end > from && end < back + recoveryMs).map(({ at, end }) => end - at));
      found.push({ name, answers: within.length, degraded, slowestMs, recoveryMs });
      await pause(500);
    }
  } finally {
    finished = true;
    await Promise.all(asking);
  }
  const times = answers.map(({ at, end }) => end - at).sort((a, b) => a - b);
  return {
    answers: answers.length,
    failed: answers.filter(({ status }) => status !== 200).length,
    silent,
    empty: answers.filter(({ items }) => !items).length,
    slowestMs: times.at(-1),
    medianMs: times[times.length >> 1],
    faults: found,
  };
}
