// The main-thread half of the browser module: starts the Web Worker and passes calls to it. Types: index.d.ts.
//
// Messages to the worker:    { id, method, args }
// Messages from the worker:  { id, value } | { id, error: { name, message } } | { fatal: string }

import { fetched, named } from "./fetched.js";

/** The files that are loaded from here, with their hashes, which `cargo xtask build` defines. */
const WORKER = { url: new URL("./worker.js", import.meta.url).href, integrity: RECSYS_INTEGRITY["worker.js"] };
const MODULES = {
  recsys: { url: new URL("./recsys.wasm", import.meta.url).href, integrity: RECSYS_INTEGRITY["recsys.wasm"] },
  encoder: { url: new URL("./encoder.wasm", import.meta.url).href, integrity: RECSYS_INTEGRITY["encoder.wasm"] },
};
const PRIVATE = Symbol("use Recommender.open()");
/** For pages whose Content-Security-Policy stops the worker. */
const REMEDY = "It has to allow `worker-src blob:` and, where it demands Trusted Types, `trusted-types recsys` (docs/security.md).";

/** Addresses of scripts whose hash was checked. */
const checked = new Set();
const policy = trustedTypesPolicy();

/** Trusted Types: the one policy of this module, which lets nothing but a checked script become a worker. */
function trustedTypesPolicy() {
  const createScriptURL = (url) => {
    if (!checked.has(url)) throw new TypeError(`recsys: ${url} is not the script of this module's worker`);
    return url;
  };
  try {
    return globalThis.trustedTypes?.createPolicy("recsys", { createScriptURL });
  } catch {
    // The page's policy does not name ours; where it demands one, the worker can't be started, and `open` says so.
    return undefined;
  }
}

/**
 * The worker's script at a blob: address, for browsers check no hash of a worker's own script. Nothing that it imported would
 * be checked either, so that it is built to import nothing.
 */
async function checkedScript() {
  const text = await (await fetched(WORKER)).text();
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  checked.add(url);
  return url;
}

function startWorker(script) {
  try {
    return new Worker(policy?.createScriptURL(script) ?? script, { type: "module", name: "recsys" });
  } catch (error) {
    throw named("Blocked", `The page's Content-Security-Policy lets no Web Worker start: ${error.message} ${REMEDY}`);
  }
}

/** The class of this device, by its main pointer and by the shorter side of its screen in CSS pixels. */
function deviceClass() {
  if (/\bTV\b|SmartTV|Web0S|Tizen(?!.*Mobile)/i.test(navigator.userAgent)) return "tv";
  if (!matchMedia("(pointer: coarse)").matches) return "desktop";
  // Where Android and its browsers draw the line.
  return Math.min(screen.width, screen.height) < 600 ? "phone" : "tablet";
}

/** Options with the device's class, where the page says nothing of it. What is no object is for Rust to refuse. */
function withDevice(options) {
  const user = options?.userFeatures ?? {};
  if (!options || typeof options !== "object" || typeof user !== "object") return options;
  return { ...options, userFeatures: { device: deviceClass(), ...user } };
}

/** What a site may offer, the strictest last; history only where it says so. */
const MODES = ["history", "standard", "noised", "bucket", "local"];

/**
 * The modes that the site offers.
 * @returns {string[]} the strictest last
 */
function offered(options) {
  const offer = options?.offer ?? MODES.slice(1);
  if (!Array.isArray(offer) || offer.every((mode) => mode === "history") || !offer.every((mode) => MODES.includes(mode))) {
    throw named("BadOption", `open: \`offer\` is ${JSON.stringify(offer)}; expected some of ${MODES.join(", ")}, not history alone`);
  }
  return MODES.filter((mode) => offer.includes(mode));
}

/** Whether the browser says that its viewer wants to be left alone: Global Privacy Control, or Do Not Track. */
const wantsPrivacy = () => navigator.globalPrivacyControl === true || navigator.doNotTrack === "1";

/** The mode to begin with: what the viewer picked, else by the browser's signal the strictest, else the site's own. */
function firstMode({ picked, mode }, offer) {
  const asked = picked ?? (wantsPrivacy() ? offer.at(-1) : (mode ?? offer.find((offered) => offered !== "history")));
  if (asked === "history" && picked !== asked) {
    throw named("ModeForbids", "history mode is for the viewer to pick: pass it as `picked`, or call `setMode`");
  }
  // What is no mode at all is for Rust to refuse.
  if (MODES.includes(asked)) refuseUnless(offer, asked);
  return asked;
}

function refuseUnless(offer, mode) {
  if (offer.includes(mode)) return;
  throw named("ModeForbids", `this site does not offer the mode "${mode}"; it offers ${offer.join(", ")}`);
}

export class Recommender {
  #worker;
  #pending = new Map();
  #lastId = 0;
  /** Set once the worker is gone; every later call rejects with it. */
  #ended = null;
  #stopListening = () => {};
  #offer = MODES;

  constructor(key, script) {
    if (key !== PRIVATE) {
      throw new TypeError("A Recommender is made by `await Recommender.open(options)`, not by `new`.");
    }
    this.#worker = startWorker(script);
    this.#worker.onmessage = ({ data }) => this.#receive(data);
    // Also how a script that may not be started shows itself; browsers give no message in that case.
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#crash(event.message || `it was not started; look for the page's Content-Security-Policy. ${REMEDY}`);
    };
    this.#worker.onmessageerror = () => this.#crash("an answer could not be read");
  }

  static async open(options) {
    const script = await checkedScript();
    let recommender;
    try {
      recommender = new Recommender(PRIVATE, script);
      let all = withDevice(options);
      if (options && typeof options === "object") {
        recommender.#offer = offered(options);
        all = { ...all, mode: firstMode(options, recommender.#offer) };
      }
      await recommender.#call("open", all, MODULES);
    } catch (error) {
      recommender?.close();
      throw error;
    } finally {
      checked.delete(script);
      URL.revokeObjectURL(script);
    }
    if (options.aggregates) recommender.#flushWhenHidden();
    return recommender;
  }

  record(event) {
    return this.#call("record", event);
  }

  recommend(options = {}) {
    return this.#call("recommend", options);
  }

  search(options) {
    return this.#call("search", options);
  }

  explain(id) {
    return this.#call("explain", id);
  }

  async setMode(mode) {
    if (MODES.includes(mode)) refuseUnless(this.#offer, mode);
    return this.#call("setMode", mode);
  }

  privacy() {
    return this.#call("privacy");
  }

  sent() {
    return this.#call("sent");
  }

  forget() {
    return this.#call("forget");
  }

  export() {
    return this.#call("export");
  }

  arm(experiment) {
    return this.#call("arm", experiment);
  }

  log() {
    return this.#call("log");
  }

  flush() {
    return this.#call("flush");
  }

  sheets() {
    return this.#call("sheets");
  }

  close() {
    this.#end(named("Closed", "This Recommender was closed. Open a new one with `Recommender.open(options)`."));
  }

  #flushWhenHidden() {
    const flush = () => {
      // Whoever closes the page can be told nothing; counts that were not sent wait in the store.
      if (document.visibilityState === "hidden" && !this.#ended) this.flush().catch(() => {});
    };
    document.addEventListener("visibilitychange", flush);
    this.#stopListening = () => document.removeEventListener("visibilitychange", flush);
  }

  #call(method, ...args) {
    return new Promise((resolve, reject) => {
      if (this.#ended) {
        reject(this.#ended);
        return;
      }
      const id = ++this.#lastId;
      this.#pending.set(id, { resolve, reject });
      try {
        this.#worker.postMessage({ id, method, args });
      } catch (error) {
        this.#pending.delete(id);
        reject(named("NotCloneable", `\`${method}\` takes plain data only: ${error.message}`));
      }
    });
  }

  #receive({ id, value, error, fatal }) {
    if (fatal !== undefined) {
      this.#crash(fatal);
      return;
    }
    const call = this.#pending.get(id);
    if (!call) return;
    this.#pending.delete(id);
    if (error) {
      call.reject(named(error.name, error.message));
    } else {
      call.resolve(value);
    }
  }

  #crash(reason) {
    this.#end(
      named(
        "Crashed",
        `The recommender's Web Worker stopped: ${reason}. Stored clicks are kept; open a new Recommender.`,
      ),
    );
  }

  /** Stops the worker and rejects all that still waits. The first reason stays. */
  #end(error) {
    if (this.#ended) return;
    this.#ended = error;
    this.#stopListening();
    this.#worker.terminate();
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}
