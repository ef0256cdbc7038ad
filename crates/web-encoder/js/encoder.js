// CLIP in the browser: fetches a model directory once, keeps it, and turns words and pictures into vectors. Everybody fetches the
// same files in the same order, whatever is searched for.

import init, { Towers } from "./encoder_module.js";

/** Milliseconds that a file may take. */
const FILE_MS = 300_000;

export class Encoder {
  #towers;

  constructor(towers) {
    this.#towers = towers;
  }

  /**
   * Loads the module, and both towers of the model.
   * @param {Response} module encoder.wasm
   * @param {string} model address of the model directory, with a slash at its end
   * @param {string} cache name of the cache that keeps the files; their hashes are checked each time they are loaded
   * @param {(url: string) => void} note told of each request before it is made
   */
  static async open(module, model, cache, note) {
    const store = await globalThis.caches?.open(cache).catch(() => undefined);
    await init({ module_or_path: module });
    // The manifest says which model it is, so that it is never taken from the cache.
    const towers = new Towers(await fetched(`${model}model.json`, note));
    const load = async (names, take) => {
      // A file's address holds the manifest's hash: those of another model are other files.
      const urls = names.map((name) => `${model}${name}?model=${towers.sha256.slice(0, 16)}`);
      try {
        take(await Promise.all(urls.map((url) => kept(url, store, note))));
      } catch (error) {
        // What does not fit its hash is fetched anew the next time.
        await Promise.all(urls.map((url) => store?.delete(url)));
        throw error;
      }
    };
    await load(towers.textFiles(), ([tower, tokens]) => towers.loadText(tower, tokens));
    await load([towers.imageFile()], ([tower]) => towers.loadImage(tower));
    return new Encoder(towers);
  }

  /** SHA-256 of the model's manifest. */
  get model() {
    return this.#towers.sha256;
  }

  /** @returns {Float32Array} the unit vector of a text */
  text(words) {
    return this.#towers.text(words);
  }

  /** @param {Blob} file any picture that the browser reads @returns {Promise<Float32Array>} its unit vector */
  async picture(file) {
    const bitmap = await decode(file);
    const { width, height } = bitmap;
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    context.drawImage(bitmap, 0, 0);
    bitmap.close();
    const { data } = context.getImageData(0, 0, width, height);
    return this.#towers.picture(new Uint8Array(data.buffer), width, height);
  }
}

async function decode(file) {
  try {
    return await createImageBitmap(file, { colorSpaceConversion: "none", imageOrientation: "from-image" });
  } catch (error) {
    const refused = new Error(`search: \`picture\` cannot be read as one: ${error.message}`);
    refused.name = "BadOption";
    throw refused;
  }
}

async function fetched(url, note) {
  note(url);
  let response;
  try {
    response = await fetch(url, { credentials: "omit", referrerPolicy: "no-referrer", signal: AbortSignal.timeout(FILE_MS) });
  } catch (error) {
    throw network(url, `no answer (${error.message})`);
  }
  if (!response.ok) throw network(url, `the server answered ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** A file from the cache, or else from the server into the cache. Without a cache (plain http, a full disk) it is fetched. */
async function kept(url, store, note) {
  const known = await store?.match(url);
  if (known) return new Uint8Array(await known.arrayBuffer());
  const bytes = await fetched(url, note);
  await store?.put(url, new Response(bytes)).catch(() => {});
  return bytes;
}

function network(url, what) {
  const error = new Error(`${new URL(url).pathname}: ${what}; check that the site serves the model, then try again`);
  error.name = "Network";
  return error;
}
