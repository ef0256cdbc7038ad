// RECSYS_BIN=target/debug/recsys node bench/scale/against_workerd.mjs
//
// The model beside the worker itself on workerd: the same requests at the same times, with a memory that holds some of eight
// segments and files that take a while. Needs `cargo xtask build` and the command. Takes about two minutes.

import { readFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { madeSite } from "../../e2e/made.mjs";
import { startWorker } from "../../e2e/server.mjs";
import { Random } from "./random.mjs";
import { Simulation } from "./simulate.mjs";

const [REQUESTS, DEADLINE_MS] = [60, 3_000];
/** Files that a worker reads one after the other for its first answer: manifest, dictionaries, cells, and a segment's two. */
const FIRST_FILES = 5;
/** Milliseconds that a file takes, and requests a second. */
const CASES = [[5, 2], [20, 2], [60, 2], [60, 8]];

/** Files of a bundle, each after a while; `seen` gets their names. */
const slowFiles = (made, seen, fileMs) => async (request) => {
  const name = path.basename(new URL(request.url).pathname);
  seen.push(name);
  await pause(fileMs);
  return new Response(await readFile(path.join(made.bundle, name)));
};

async function ask(url, vector) {
  const body = JSON.stringify({ vector, k: 10 });
  const answer = await fetch(`${url}/v1/recs`, { method: "POST", headers: { "content-type": "application/json" }, body });
  return answer.json();
}

/** Which segments each query is asked of: what a worker that has just started reads for it; and what a file takes at least. */
async function segmentsOf(made, segments) {
  const asked = [];
  const ms = [];
  for (const query of made.queries) {
    const seen = [];
    const worker = await startWorker({ site: made.site, assets: slowFiles(made, seen, 1) });
    const start = performance.now();
    await ask(worker.url, query);
    ms.push((performance.now() - start) / FIRST_FILES - 1);
    await worker.dispose();
    asked.push(segments.flatMap(({ shard }, number) => (seen.includes(shard.file) ? [number] : [])));
  }
  return { asked, ownMs: ms.sort((a, b) => a - b)[Math.floor(ms.length / 2)] };
}

/** What the worker does with the requests of a plan. */
async function onWorkerd(made, segments, plan, fileMs) {
  const seen = [];
  const vars = { MEMORY_MIB: "1", DEADLINE_MS: String(DEADLINE_MS) };
  const worker = await startWorker({ site: made.site, assets: slowFiles(made, seen, fileMs), vars });
  const answers = plan.map(async ({ at, query }) => {
    await pause(at);
    const began = performance.now();
    const { degraded } = await ask(worker.url, made.queries[query]);
    return { degraded: Boolean(degraded), ms: performance.now() - began };
  });
  const all = await Promise.all(answers);
  await worker.dispose();
  const shards = new Set(segments.map(({ shard }) => shard.file));
  return {
    loads: seen.filter((name) => shards.has(name)).length,
    degraded: all.filter(({ degraded }) => degraded).length,
    waitMs: all.reduce((sum, { ms }) => sum + ms, 0) / all.length,
  };
}

/** What the model does with them. */
function inModel(segments, asked, plan, fileMs) {
  const sizes = Float64Array.from(segments, ({ shard, items, coWatch }) => shard.bytes + items.bytes + (coWatch?.bytes ?? 0));
  let [next, gap] = [0, 0];
  const simulation = new Simulation({
    sizes, workerOf: new Int32Array(sizes.length), workers: 1, memory: 2 ** 20, filesPerSegment: segments[0].coWatch ? 3 : 2,
    firstByteMs: fileMs, bytesPerMs: 90_000, startMs: 3 * fileMs, idleMs: Infinity, lifeMs: Infinity, deadlineMs: DEADLINE_MS,
    next: () => asked[plan[next++].query],
    gapMs: () => plan[gap].at - (plan[gap++ - 1]?.at ?? 0),
  });
  const [phase] = simulation.run(plan.length, 1).phases;
  return { loads: phase.loads, degraded: phase.degraded, waitMs: phase.waitMs / phase.requests };
}

const made = await madeSite();
try {
  const { segments } = await made.manifest();
  const { asked, ownMs } = await segmentsOf(made, segments);
  const kib = segments.map(({ shard, items }) => Math.round((shard.bytes + items.bytes) / 1024));
  console.log(`segments of ${Math.min(...kib)} to ${Math.max(...kib)} KiB, ${asked.map((own) => own.length).join("")} asked; a file takes ${ownMs.toFixed(0)} ms more than it is made to`);
  console.log("| ms a file | requests a second | read, workerd | model | degraded, workerd | model | mean wait, ms, workerd | model |\n| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
  for (const [fileMs, rate] of CASES) {
    const random = new Random(Math.round(rate * 10));
    let at = 0;
    const plan = Array.from({ length: REQUESTS }, () => ({ at: (at += 1_000 * random.gap(rate)), query: random.below(made.queries.length) }));
    const [real, model] = [await onWorkerd(made, segments, plan, fileMs), inModel(segments, asked, plan, fileMs + ownMs)];
    const cells = ["loads", "degraded", "waitMs"].flatMap((key) => [Math.round(real[key]), Math.round(model[key])]);
    console.log(`| ${[fileMs, rate, ...cells].join(" | ")} |`);
  }
} finally {
  await made.dispose();
}
