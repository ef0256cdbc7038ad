// Starts the built site on workerd, with the settings of wrangler.toml and wrangler.encoder.toml and no login.

import { existsSync, statSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

process.env.WRANGLER_SEND_METRICS ??= "false";
const { unstable_getMiniflareWorkerOptions: workerSettings, unstable_readConfig: readConfig } = await import("wrangler");
const { Log, LogLevel, Miniflare, Response } = await import("miniflare");

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const ENCODER_BINDING = "ENCODER";

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

/** What stands behind the service binding of the encoder. */
function withEncoder(recs, encoder) {
  const bindings = { ...recs.serviceBindings };
  if (encoder === "ready") return [{ ...recs, serviceBindings: bindings }, workerFrom("wrangler.encoder.toml")];
  if (encoder === "failing") {
    bindings[ENCODER_BINDING] = () => new Response("the encoder is down", { status: 500 });
  } else {
    delete bindings[ENCODER_BINDING];
  }
  return [{ ...recs, serviceBindings: bindings }];
}

/**
 * Starts the site on a loopback port.
 * @param {object} options
 * @param {string} options.site directory of the static files
 * @param {number} [options.port] 0 picks a free one
 * @param {"ready"|"failing"|"unbound"} [options.encoder] what answers behind the encoder's service binding
 * @returns {Promise<{url: string, dispose: () => Promise<void>, askEncoder: typeof fetch}>} `url` has no slash at its
 *   end; `askEncoder` takes a path and reaches the encoder's worker, which the site itself does not expose
 */
export async function startSite({ site, port = 0, encoder = "ready" }) {
  const recs = workerFrom("wrangler.toml", checkedSite(site));
  const miniflare = new Miniflare({
    workers: withEncoder(recs, encoder),
    host: "127.0.0.1",
    port,
    cf: false,
    log: new Log(LogLevel.WARN),
    // Standard output is for the caller's own lines.
    handleRuntimeStdio(stdout, stderr) {
      stdout.pipe(process.stderr, { end: false });
      stderr.pipe(process.stderr, { end: false });
    },
  });
  try {
    const url = await miniflare.ready;
    return {
      url: url.origin,
      dispose: () => miniflare.dispose(),
      async askEncoder(path, init) {
        const worker = await miniflare.getWorker("recsys-encoder");
        return worker.fetch(`http://encoder.local${path}`, init);
      },
    };
  } catch (error) {
    await miniflare.dispose();
    throw error;
  }
}
