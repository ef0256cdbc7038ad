// A discrete-event simulation of one isolate of each worker, from its empty start. Times are in milliseconds.
//
// Requests come as a Poisson process. Each is asked of `probes` segments; a worker holds some of them (one worker holds all
// where there are no groups). A part of a request waits as `ensure` in the worker does: it looks, pauses 1, 2, 4, … 40 ms, and
// looks again, until nothing is on its way or the time is up.

import { Heap } from "./heap.mjs";
import { Isolate } from "./isolate.mjs";

const LONGEST_PAUSE_MS = 40;
const RECHECK_MS = 15_000;
/** A pause halfway, in which what is on its way comes: an isolate's life is longer than a run, and its later part begins with it. */
const SETTLE_MS = 10_000;

/** What is counted, in one phase of a run. */
const noCounts = (segments) => ({
  requests: 0, cold: 0, degraded: 0, waitMs: 0, overSecond: 0,
  asks: 0, hits: 0, loads: 0, loadBytes: 0, starts: 0, looks: 0, parts: 0,
  spanMs: 0, loadsOf: new Float64Array(segments),
});

/** One isolate of a worker and what it reads. Its segments have numbers of its own, in their order. */
class Worker {
  constructor(model, segments) {
    this.model = model;
    this.segments = segments;
    this.sizes = Float64Array.from(segments, (segment) => model.sizes[segment]);
    this.isolate = undefined;
    this.epoch = 0;
    this.seenMs = 0;
  }

  /** The isolate that answers at this time; a new one where the last was idle or lived too long. */
  wake(now, counts) {
    const { idleMs, lifeMs, startMs, memory } = this.model;
    const gone = !this.isolate || now - this.seenMs > idleMs || now - this.bornMs > lifeMs;
    if (gone) {
      this.isolate = new Isolate(this.sizes, memory);
      this.epoch += 1;
      this.ends = [];
      [this.bornMs, this.readyMs, this.pipeMs, this.checkedMs] = [now, now + startMs, now + startMs, now + startMs];
      counts.starts += 1;
    }
    this.seenMs = now;
    return gone;
  }

  /** When a load that begins now ends: its files come one after the other, and all loads share the pipe. */
  loadEnds(now, number) {
    const { filesPerSegment, firstByteMs, bytesPerMs } = this.model;
    this.pipeMs = Math.max(this.pipeMs, now + filesPerSegment * firstByteMs) + this.sizes[number] / bytesPerMs;
    this.ends.push(this.pipeMs);
    return this.pipeMs;
  }
}

export class Simulation {
  #model;
  #heap = new Heap();
  #workers;
  /** Each segment's number in its worker. */
  #ownNumber;
  #now = 0;
  #open = 0;
  #done = 0;
  /** Loads that began, came, and were lost with their isolate. */
  flow = { began: 0, came: 0, lost: 0 };

  /**
   * @param {object} model
   * @param {Float64Array} model.sizes bytes of each segment
   * @param {Int32Array} model.workerOf the worker that holds each segment
   * @param {number} model.workers how many workers hold segments
   * @param {() => number[]} model.next segments of the next request
   * @param {() => number} model.gapMs time until the next request
   * @param {number} model.deadlineMs of a part
   * @param {boolean} [model.keepsAll] every worker has room for all its segments: then much is known without looking
   */
  constructor(model) {
    this.#model = model;
    const held = Array.from({ length: model.workers }, () => []);
    this.#ownNumber = Int32Array.from(model.workerOf, (worker, segment) => held[worker].push(segment) - 1);
    this.#workers = held.map((segments) => new Worker(model, segments));
  }

  /**
   * Runs `requests` requests; gives the counts of `phases` equal parts of them, by when each came. Halfway, what is on its way
   * comes, and then `skip` requests are taken without a clock: what they ask for is there at once. Their counts are `skipped`.
   */
  run(requests, phases, skip = 0) {
    const { sizes } = this.#model;
    const counts = Array.from({ length: phases }, () => noCounts(sizes.length));
    const skipped = noCounts(sizes.length);
    let came = 0;
    let sinceMs = 0;
    this.#heap.push(this.#model.gapMs(), { kind: "arrival" });
    while (this.#heap.size > 0) {
      const { time, event } = this.#heap.pop();
      this.#now = time;
      if (event.kind === "arrival") {
        const phase = counts[Math.floor((came * phases) / requests)];
        this.#arrive(phase);
        phase.spanMs += time - sinceMs;
        sinceMs = time;
        came += 1;
        const isHalf = phases > 1 && came === requests / 2;
        if (isHalf) this.#heap.push(time + SETTLE_MS, { kind: "skip" });
        else if (came < requests) this.#heap.push(time + this.#model.gapMs(), { kind: "arrival" });
      } else if (event.kind === "skip") {
        for (let at = 0; at < skip; at += 1) this.#pass(skipped);
        sinceMs = time;
        this.#heap.push(time + this.#model.gapMs(), { kind: "arrival" });
      } else if (event.kind === "loaded") this.#loaded(event);
      else this.#look(event.part);
    }
    if (this.#open !== 0 || this.#done !== requests) throw new Error(`${this.#done} of ${requests} requests ended`);
    return { phases: counts, skipped };
  }

  /** A request without a clock. */
  #pass(counts) {
    let isCold = false;
    const byWorker = this.#next();
    counts.requests += 1;
    counts.parts += byWorker.size;
    for (const [number, numbers] of byWorker) {
      const worker = this.#workers[number];
      isCold = worker.wake(this.#now, counts) || isCold;
      worker.isolate.touch(numbers);
      counts.asks += numbers.length;
      for (const own of numbers) {
        if (worker.isolate.isReady(own)) counts.hits += 1;
        else isCold = true;
        if (!worker.isolate.begin(own)) continue;
        worker.isolate.settle(own);
        this.#count(worker, own, counts);
        this.flow.came += 1;
      }
    }
    counts.cold += isCold ? 1 : 0;
  }

  /** The next request's segments, by their numbers in each worker that holds some. */
  #next() {
    const asked = this.#model.next();
    const byWorker = new Map();
    for (const segment of asked) {
      const worker = this.#model.workerOf[segment];
      const number = this.#ownNumber[segment];
      if (byWorker.has(worker)) byWorker.get(worker).push(number);
      else byWorker.set(worker, [number]);
    }
    return byWorker;
  }

  #arrive(counts) {
    const byWorker = this.#next();
    const request = { counts, left: byWorker.size, at: this.#now, cold: false, short: false };
    counts.requests += 1;
    counts.parts += byWorker.size;
    this.#open += 1;
    for (const [worker, numbers] of byWorker) this.#ask(request, this.#workers[worker], numbers);
  }

  #ask(request, worker, numbers) {
    const { counts } = request;
    const started = worker.wake(this.#now, counts);
    const { isolate } = worker;
    counts.asks += numbers.length;
    for (const number of numbers) counts.hits += isolate.isReady(number) ? 1 : 0;
    const part = { request, worker, numbers, epoch: worker.epoch, pauseMs: 1, untilMs: this.#now + this.#model.deadlineMs };
    request.cold ||= started || worker.readyMs > this.#now || numbers.some((number) => !isolate.isReady(number));
    // The first request of an isolate waits for the manifest and the cells, and one in a while for the manifest.
    let firstMs = Math.max(this.#now, worker.readyMs);
    if (this.#now - worker.checkedMs >= RECHECK_MS) {
      counts.looks += 1;
      worker.checkedMs = this.#now;
      firstMs += this.#model.firstByteMs;
    }
    if (firstMs > this.#now) this.#heap.push(Math.min(firstMs, part.untilMs), { kind: "look", part });
    else this.#look(part);
  }

  /** One pass of `ensure`: begins what is not here, and waits while anything is on its way. */
  #look(part) {
    const { worker, numbers, request } = part;
    const { isolate } = worker;
    const isStarted = this.#now >= worker.readyMs && part.epoch === worker.epoch;
    let waiting = false;
    // Where nothing has changed since the last look, and not by it, this one would see and do the same.
    if (isStarted && part.version === isolate.version) waiting = true;
    else if (isStarted) {
      if (part.version === undefined) isolate.touch(numbers);
      const before = isolate.version;
      for (const number of numbers) {
        if (isolate.begin(number)) this.#load(worker, number, request.counts);
        waiting ||= isolate.isLoading(number);
      }
      part.version = before === isolate.version ? before : NaN;
    }
    if (waiting && this.#now < part.untilMs) {
      this.#heap.push(this.#nextLook(part), { kind: "look", part });
      return;
    }
    this.#end(part, !isStarted || numbers.some((number) => !isolate.isReady(number)));
  }

  /** When a part looks again. Where nothing ever leaves, looks before the next segment has come would see nothing new. */
  #nextLook(part) {
    const [next] = part.worker.ends;
    const idleUntilMs = this.#model.keepsAll ? Math.min(next, part.untilMs) : 0;
    let at = this.#now;
    do {
      at += part.pauseMs;
      part.pauseMs = Math.min(2 * part.pauseMs, LONGEST_PAUSE_MS);
    } while (at < idleUntilMs);
    return at;
  }

  /** Counts a load that begins. */
  #count(worker, number, counts) {
    counts.loads += 1;
    counts.loadBytes += worker.sizes[number];
    counts.loadsOf[worker.segments[number]] += 1;
    this.flow.began += 1;
  }

  #load(worker, number, counts) {
    this.#count(worker, number, counts);
    this.#heap.push(worker.loadEnds(this.#now, number), { kind: "loaded", worker, number, epoch: worker.epoch });
  }

  #loaded({ worker, number, epoch }) {
    const here = epoch === worker.epoch;
    if (here) {
      worker.isolate.settle(number);
      worker.ends.shift();
    }
    this.flow[here ? "came" : "lost"] += 1;
  }

  #end(part, short) {
    const { request } = part;
    request.short ||= short;
    request.left -= 1;
    if (request.left > 0) return;
    const { counts } = request;
    const waitedMs = this.#now - request.at;
    counts.cold += request.cold ? 1 : 0;
    counts.degraded += request.short ? 1 : 0;
    counts.waitMs += waitedMs;
    counts.overSecond += waitedMs > 1_000 ? 1 : 0;
    this.#open -= 1;
    this.#done += 1;
  }
}
