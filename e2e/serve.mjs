// Serves a built site until it is told to stop: node e2e/serve.mjs --site DIR [--port N]
//
// Prints one line of JSON when ready, {"url": "http://127.0.0.1:8787"}. Stops on SIGINT, on SIGTERM and when standard
// input ends, so that it never outlives the program that started it.

import { parseArgs } from "node:util";
import { startSite } from "./server.mjs";

function options() {
  const { values } = parseArgs({ options: { site: { type: "string" }, port: { type: "string", default: "0" } } });
  const port = Number(values.port);
  if (!values.site) throw new Error("--site DIR is missing: the directory of the built site");
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new Error(`--port is ${values.port}; expected a whole number from 0 (any free port) to 65535`);
  }
  return { site: values.site, port };
}

try {
  const server = await startSite(options());
  console.log(JSON.stringify({ url: server.url }));
  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    await server.dispose();
    process.exit(0);
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  process.stdin.on("end", stop).resume();
} catch (error) {
  console.error(`serve: ${error.message}`);
  process.exit(1);
}
