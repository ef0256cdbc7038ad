// The Web Worker half of the browser module: owns the one Rust `Recommender` of this worker. Messages: index.js.
//
// It runs from a blob: address, as one file with all that is imported here: `import.meta.url` says nothing of the site, and a
// further import would find nothing.

import { Encoder } from "./encoder.js";
import { fetched, named } from "./fetched.js";
import init, { Recommender } from "./recsys.js";

/** Milliseconds until counts are sent, drawn anew each time: a batch tells no time of what it counts. */
const FLUSH_MS = { least: 60_000, most: 300_000 };

/** The cache of the model's files. */
const MODEL_CACHE = "recsys-model";

let recommender = null;
/** Address and hash of each WebAssembly file. */
let modules = null;
/** CLIP, where the page asked for it: a promise, made once local mode needs it. */
let encoder = null;
let modelUrl = null;
// Calls run one after the other: a `recommend` must see the `record` before it, and the Rust object must not be
// entered again while one of its calls still waits for the network or for IndexedDB.
let queue = Promise.resolve();

self.onmessage = ({ data }) => {
  queue = queue.then(() => answer(data));
};

// A Rust panic inside a future never settles its promise; it shows up here, and the module's memory can't be
// trusted after it.
self.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  self.postMessage({ fatal: describe(event.reason).message });
});

async function answer({ id, method, args }) {
  try {
    self.postMessage({ id, value: await call(method, args) });
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) {
      self.postMessage({ fatal: `the WebAssembly module trapped in \`${method}\` (${error.message})` });
    } else {
      self.postMessage({ id, error: describe(error) });
    }
  }
}

async function call(method, args) {
  if (method === "open") {
    const [options, files] = args;
    modules = files;
    await load();
    recommender = await Recommender.open(options);
    modelUrl = addressOfModel(options);
    await prepareEncoder();
    if (options.aggregates) flushLater();
    return undefined;
  }
  if (!recommender) {
    throw named("NotOpen", `\`${method}\` was called before \`open\` had succeeded`);
  }
  if (method === "search") return recommender.call(method, await sought(args[0]));
  const value = await recommender.call(method, args[0]);
  if (method === "setMode") await prepareEncoder();
  if (method === "forget") await globalThis.caches?.delete(MODEL_CACHE);
  return value;
}

/** Where the model is; `null` without the option. */
function addressOfModel({ encoder, endpoint }) {
  if (!encoder) return null;
  const url = new URL(encoder === true ? "model/" : encoder, `${endpoint.replace(/\/$/, "")}/`).href;
  return url.endsWith("/") ? url : `${url}/`;
}

/**
 * Loads the encoder in local mode, where everything is fetched before it is needed: a request that only those make who search
 * would tell who searches.
 */
async function prepareEncoder() {
  if (!modelUrl || !recommender.local || encoder) return;
  recommender.note(modules.encoder.url);
  const module = fetched(modules.encoder);
  encoder = module.then((answer) => Encoder.open(answer, modelUrl, MODEL_CACHE, (url) => recommender.note(url)));
  try {
    await encoder;
  } catch (error) {
    encoder = null;
    throw error;
  }
}

/** Options of a search as the module takes them: a vector in local mode, else the words or the picture's bytes. */
async function sought(options) {
  const picture = options?.picture;
  if (picture !== undefined && !(picture instanceof Blob)) {
    throw named("BadOption", "search: `picture` is no Blob; expected a File or Blob of a picture");
  }
  if (recommender.local && encoder) {
    const here = await encoder;
    const found = (vector) => ({ k: options.k, model: here.model, vector });
    const text = options?.text;
    if (picture) return found(await here.picture(picture));
    if (typeof text === "string" && text.trim()) return found(here.text(text));
  }
  if (!picture) return options;
  return { k: options.k, picture: new Uint8Array(await picture.arrayBuffer()), type: picture.type };
}

function flushLater() {
  setTimeout(() => {
    // Counts that could not be sent wait for the next time.
    queue = queue.then(() => recommender.call("flush")).catch(() => {}).then(flushLater);
  }, FLUSH_MS.least + Math.random() * (FLUSH_MS.most - FLUSH_MS.least));
}

async function load() {
  const answer = await fetched(modules.recsys);
  try {
    await init({ module_or_path: answer });
  } catch (error) {
    const { pathname } = new URL(modules.recsys.url);
    throw named("Network", `${pathname} could not be loaded as WebAssembly: ${describe(error).message}`);
  }
}

/** What of a thrown value survives `postMessage` in every browser. */
function describe(error) {
  return error instanceof Error
    ? { name: error.name, message: error.message }
    : { name: "Error", message: String(error) };
}
