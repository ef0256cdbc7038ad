// Serves a built site until it is told to stop:
// node e2e/serve.mjs --site DIR [--port N] [--history object|redis] [--events queue|kafka] [--candidates milvus]
//
// Engines are started for it, on free ports of loopback, and stopped with it; Milvus is loaded with the bundle RECSYS_BUNDLE.
// Prints one line of JSON when ready, {"url": "http://127.0.0.1:8787"}. Stops on SIGINT, on SIGTERM and when standard
// input ends, so that it never outlives the program that started it.

import { parseArgs } from "node:util";
import { startWithEngines } from "./engine_site.mjs";

/** What may be asked for, by option. */
const ENGINES = { history: ["object", "redis"], events: ["queue", "kafka"], candidates: ["milvus"] };

function options() {
  const engines = Object.fromEntries(Object.keys(ENGINES).map((name) => [name, { type: "string" }]));
  const { values } = parseArgs({ options: { site: { type: "string" }, port: { type: "string", default: "0" }, ...engines } });
  const port = Number(values.port);
  if (!values.site) throw new Error("--site DIR is missing: the directory of the built site");
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new Error(`--port is ${values.port}; expected a whole number from 0 (any free port) to 65535`);
  }
  for (const [name, words] of Object.entries(ENGINES)) {
    if (values[name] !== undefined && !words.includes(values[name])) throw new Error(`--${name} is ${values[name]}; expected ${words.join(" or ")}`);
  }
  return { ...values, port, encoder: "ready", print: (bytes) => process.stderr.write(bytes) };
}

try {
  const server = await startWithEngines(options());
  console.log(JSON.stringify({ url: server.url }));
  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    await server.stop();
    process.exit(0);
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  process.stdin.on("end", stop).resume();
} catch (error) {
  console.error(`serve: ${error.message}`);
  process.exit(1);
}
