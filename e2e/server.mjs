// Starts the built site on workerd, with the settings of wrangler.toml and wrangler.encoder.toml and no login.

import { existsSync, statSync } from "node:fs";
import { readFile, readdir } from "node:fs/promises";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

process.env.WRANGLER_SEND_METRICS ??= "false";
const { unstable_getMiniflareWorkerOptions: workerSettings, unstable_readConfig: readConfig } = await import("wrangler");
const { Log, LogLevel, Miniflare, Response } = await import("miniflare");

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const [ENCODER_BINDING, PICTURES_BINDING] = ["ENCODER", "ENCODER_IMAGE"];

/**
 * The directory of static files to test, from `RECSYS_SITE`.
 * @throws {Error} where it is unset or no site
 */
export function siteFromEnvironment() {
  const site = process.env.RECSYS_SITE;
  if (!site) {
    throw new Error("RECSYS_SITE is not set: it names the built site. `cargo xtask test` builds it and sets this.");
  }
  return checkedSite(site);
}

function checkedSite(site) {
  const directory = path.resolve(site);
  if (!statSync(path.join(directory, "index.html"), { throwIfNoEntry: false })) {
    throw new Error(`${directory} holds no index.html, so it is no built site. \`cargo xtask build\` makes one.`);
  }
  return directory;
}

/** One worker as Miniflare wants it, from its wrangler file. */
function workerFrom(file, site) {
  const config = readConfig({ config: path.join(ROOT, file) });
  const overrides = site && { assets: { directory: site } };
  const { workerOptions, main } = workerSettings(config, undefined, { overrides });
  if (!existsSync(main)) {
    throw new Error(`${main}, the \`main\` of ${file}, does not exist. \`cargo xtask build\` makes it.`);
  }
  return {
    ...workerOptions,
    name: config.name,
    modules: true,
    modulesRules: [
      { type: "ESModule", include: ["**/*.js"] },
      { type: "CompiledWasm", include: ["**/*.wasm"] },
    ],
    scriptPath: main,
    modulesRoot: path.dirname(main),
  };
}

/** What stands behind the service binding of the encoder: a worker, or without one a service that fails. */
function behindBinding(worker) {
  if (worker) return { external: { address: worker.url.host, http: {} } };
  return () => new Response("the encoder is down", { status: 500 });
}

/** Miniflare's own lines, to where the runtime's go. */
class Printed extends Log {
  #print;

  constructor(print) {
    super(LogLevel.WARN);
    this.#print = print;
  }

  log(message) {
    this.#print(Buffer.from(`${message}\n`));
  }
}

/** Waits, where the minute that Miniflare's rate limits count in ends sooner than `ms` from now, for the next one. */
export async function withinOneMinute(ms = 5_000) {
  const left = 60_000 - (Date.now() % 60_000);
  if (left < ms) await pause(left + 50);
}

/** What wrangler.toml says in comments: a rate limit. */
export const withRateLimit = (limit) => (worker) => ({ ...worker, ratelimits: { RATE_LIMIT: { simple: { limit, period: 60 } } } });

/** What wrangler.toml says in comments: histories turned on. */
export const withHistory = (vars = {}) => (worker) => ({
  ...worker,
  durableObjects: { ...worker.durableObjects, HISTORY: { className: "History", useSQLite: true } },
  bindings: { ...worker.bindings, HISTORY_ENABLED: "true", ...vars },
});

/**
 * What docs/event-sinks.md says: histories turned on, and an event sink behind them.
 * @param {object} options
 * @param {"queue" | "kafka"} options.sink
 * @param {Record<string, string>} [options.vars] such as `KAFKA_REST_URL`
 * @param {boolean} [options.bucket] whether the queue's consumer has a bucket
 * @param {object} [options.consumer] settings of the queue's consumer, as Miniflare has them
 * @param {string[]} [options.without] bindings that are left out
 */
export const withSink = ({ sink, vars = {}, bucket = false, consumer = {}, without = [] }) => (worker) => {
  const bound = (bindings) => Object.fromEntries(Object.entries(bindings).filter(([name]) => !without.includes(name)));
  const history = withHistory({ EVENT_SINK: sink, ...vars })(worker);
  const queue = sink === "queue" && {
    queueProducers: bound({ EVENTS: { queueName: "recsys-events" } }),
    queueConsumers: { "recsys-events": { maxBatchSize: 100, maxBatchTimeout: 0.1, maxRetries: 100, ...consumer } },
  };
  return {
    ...history,
    ...queue,
    durableObjects: { ...history.durableObjects, ...bound({ OUTBOX: { className: "Outbox", useSQLite: true } }) },
    ...(bucket && { r2Buckets: { ...history.r2Buckets, EVENTS_BUCKET: "recsys-events" } }),
  };
};

/** What wrangler.toml says in comments: aggregates turned on. */
function withAggregates(worker, { token }) {
  return {
    ...worker,
    durableObjects: { AGGREGATES: { className: "Aggregates", useSQLite: true } },
    bindings: { ...worker.bindings, AGGREGATES_ENABLED: "true", ...(token && { AGGREGATES_TOKEN: token }) },
  };
}

/** What wrangler.toml says in comments: the bundle in R2, its objects in a folder as `wrangler dev --persist-to` has them. */
function withBucket(worker, { name, folder }) {
  return { worker: { ...worker, r2Buckets: { BUNDLE: name } }, persist: { r2Persist: path.join(folder, "v3/r2") } };
}

/** Standard output is for the caller's own lines. */
const toStandardError = (bytes) => process.stderr.write(bytes);

/** Starts one worker on a loopback port. */
async function start(worker, port = 0, persist = {}, print = toStandardError) {
  const miniflare = new Miniflare({
    workers: [worker],
    ...persist,
    host: "127.0.0.1",
    port,
    cf: false,
    log: new Printed(print),
    handleRuntimeStdio(stdout, stderr) {
      stdout.on("data", print);
      stderr.on("data", print);
    },
  });
  try {
    return { url: await miniflare.ready, miniflare, dispose: () => miniflare.dispose() };
  } catch (error) {
    await miniflare.dispose();
    throw error;
  }
}

/**
 * Starts the worker of recommendations alone, without an encoder.
 * @param {object} options
 * @param {string} options.site directory of the static files
 * @param {Record<string, string>} [options.vars] variables
 * @param {Record<string, unknown>} [options.services] what stands behind other service bindings, as Miniflare has it
 * @param {(request: Request) => Response | Promise<Response>} [options.assets] answers for the static files
 * @param {(bytes: Uint8Array) => void} [options.print] takes what is printed, which else goes to standard error
 * @returns {Promise<{url: string, dispose: () => Promise<void>}>}
 */
export async function startWorker({ site, vars = {}, services = {}, assets, print }) {
  const { serviceBindings, assets: _, bindings, ...worker } = workerFrom("wrangler.toml", checkedSite(site));
  const { [ENCODER_BINDING]: __, ...others } = serviceBindings;
  const options = {
    ...worker,
    bindings: { ...bindings, ...vars },
    ...(assets ? {} : { assets: _ }),
    serviceBindings: { ...others, ...services, ...(assets && { ASSETS: answering(assets) }) },
  };
  const started = await start(options, 0, {}, print);
  return { url: started.url.origin, dispose: started.dispose };
}

/**
 * Starts the encoder's worker alone.
 * @param {string} model the model directory
 * @param {{bucket?: boolean, tower?: string}} [options] whether its files come from an R2 bucket instead of static files; its only
 *   tower
 * @returns {Promise<{url: URL, dispose: () => Promise<void>}>}
 */
export async function startEncoder(model, { bucket = false, tower } = {}) {
  const encoder = { ...workerFrom("wrangler.encoder.toml", bucket ? undefined : model), ...(tower && { bindings: { TOWER: tower } }) };
  if (!bucket) return start(encoder);
  const worker = await start({ ...encoder, r2Buckets: { MODEL: "model" } });
  const files = await worker.miniflare.getR2Bucket("MODEL");
  for (const name of await readdir(model)) {
    const bytes = new Uint8Array(await readFile(path.join(model, name)));
    await files.put(name, bytes.buffer);
  }
  return worker;
}

/** A service of Miniflare's own kind of answers. */
function answering(serve) {
  return async (request) => {
    const answer = await serve(request);
    return new Response(await answer.arrayBuffer(), { status: answer.status });
  };
}

/**
 * Starts the site on a loopback port.
 *
 * The encoder runs in a workerd of its own: Miniflare 4.20260426 gives all workers of one process the same static
 * files.
 * @param {object} options
 * @param {string} options.site directory of the static files
 * @param {number} [options.port] 0 picks a free one
 * @param {"ready"|"failing"|"unbound"|{text: {url: URL}, image: {url: URL}}} [options.encoder] what answers behind the encoder's
 *   service binding; two workers of {@link startEncoder}, each for its own, are not disposed of
 * @param {{token?: string, folder?: string}} [options.aggregates] turns `/v1/aggregates` on, its sums kept in memory or in a folder
 * @param {{name: string, folder: string}} [options.bucket] the bundle comes from this bucket of a local R2
 * @param {string} [options.objects] folder that Durable Objects are kept in
 * @param {string} [options.cache] folder that the data centre's cache is kept in
 * @param {Record<string, string>} [options.vars] variables of the worker
 * @param {(worker: object) => object} [options.change] changes the worker's settings, as Miniflare has them
 * @param {(bytes: Uint8Array) => void} [options.print] takes what is printed, which else goes to standard error
 * @returns {Promise<{url: string, dispose: () => Promise<void>, askEncoder: typeof fetch,
 *   bucket: (binding?: string) => Promise<import("miniflare").R2Bucket>,
 *   queue: (binding: string) => Promise<import("miniflare").Queue>}>} `url` has no slash at its end; `askEncoder` takes a path
 *   and reaches the encoder's worker, which the site itself does not expose; `bucket` is what `options.bucket` names, or
 *   another binding's, and `queue` that of a producer's binding
 */
export async function startSite(options) {
  const { site, port = 0, encoder = "ready", aggregates, bucket, objects, cache, vars, change = (worker) => worker, print } = options;
  const plain = workerFrom("wrangler.toml", checkedSite(site));
  const counting = aggregates ? withAggregates(plain, aggregates) : plain;
  const stored = bucket ? withBucket(counting, bucket) : { worker: counting };
  const recs = change({ ...stored.worker, bindings: { ...stored.worker.bindings, ...vars } });
  const folder = objects ?? aggregates?.folder;
  const sums = folder && { durableObjectsPersist: folder };
  const persist = { ...stored.persist, ...(cache && { cachePersist: cache }), ...sums };
  const started = [];
  const dispose = async () => {
    for (const worker of started.reverse()) await worker.dispose();
  };
  try {
    if (encoder === "ready") started.push(await start(workerFrom("wrangler.encoder.toml"), 0, {}, print));
    const [encoderWorker] = started;
    const { [ENCODER_BINDING]: _, ...others } = recs.serviceBindings;
    if (encoder !== "unbound") others[ENCODER_BINDING] = behindBinding(encoderWorker ?? encoder.text);
    if (encoder.image) others[PICTURES_BINDING] = behindBinding(encoder.image);
    started.push(await start({ ...recs, serviceBindings: others }, port, persist, print));
    return {
      url: started.at(-1).url.origin,
      dispose,
      bucket: (binding = "BUNDLE") => started.at(-1).miniflare.getR2Bucket(binding),
      queue: (binding) => started.at(-1).miniflare.getQueueProducer(binding),
      askEncoder: (path, init) => fetch(new URL(path, encoderWorker.url), init),
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}
