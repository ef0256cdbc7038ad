// Starts the server without Cloudflare: plain workerd with deploy/workerd/config.capnp, as its image does.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import runtime from "workerd";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** The program itself, not the npm package's wrapper, which a signal would not get past. */
export const WORKERD = runtime.default;
/** What the image's entry is, after the program. */
export const SERVE = ["serve", "deploy/workerd/config.capnp"];
/** What the image's health check is. */
export const HEALTH = ["test", "deploy/workerd/health.capnp"];
/** The file descriptor on which workerd says where it listens. */
const CONTROL = 3;

const onExit = new Set();
process.on("exit", () => onExit.forEach((child) => child.kill("SIGKILL")));

const toStandardError = (bytes) => process.stderr.write(bytes);

/** The port that the socket `http` listens on; fails where the process ends before. */
async function listening(child, said) {
  for await (const line of createInterface({ input: child.stdio[CONTROL] })) {
    const { event, socket, port } = JSON.parse(line);
    if (event === "listen" && socket === "http") return port;
  }
  throw new Error(`workerd did not start: ${said.join("").slice(-2_000)}`);
}

/**
 * Starts it on a loopback port.
 * @param {object} options
 * @param {string} [options.site] the site's files; dist/site where it is not given
 * @param {string} [options.root] the folder that has deploy and dist; this one where it is not given
 * @param {string} [options.model] the encoder's model; dist/model where it is not given
 * @param {Record<string, string>} [options.vars] environment variables, of which there are no others
 * @param {string} [options.data] where it keeps its state; a folder of its own, which goes with it, where it is not given
 * @param {number} [options.port] 0 picks a free one
 * @param {(bytes: Uint8Array) => void} [options.print] takes what is printed, which else goes to standard error
 * @returns {Promise<{url: string, pid: number, kill: (signal?: NodeJS.Signals) => Promise<number | null>, dispose: () => Promise<void>}>}
 *   `kill` sends a signal and gives the exit status, null where a signal ended it
 */
export async function startApiServer({ site, model, root = ROOT, vars = {}, data, port = 0, print = toStandardError }) {
  const own = data ?? (await mkdtemp(path.join(tmpdir(), "recsys-data-")));
  const folders = { site, model, data: own };
  const given = Object.entries(folders).filter(([, folder]) => folder);
  const overrides = given.map(([name, folder]) => `-d${name}=${path.resolve(folder)}`);
  const child = spawn(WORKERD, [...SERVE, ...overrides, `-shttp=127.0.0.1:${port}`, `--control-fd=${CONTROL}`], {
    cwd: root,
    env: vars,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const said = [];
  onExit.add(child);
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (bytes) => {
      if (said.length < 100) said.push(bytes.toString());
      print(bytes);
    });
  }
  const kill = async (signal = "SIGTERM") => {
    child.kill(signal);
    const status = await ended;
    onExit.delete(child);
    return status;
  };
  const dispose = async () => {
    await kill("SIGKILL");
    if (!data) await rm(own, { recursive: true, force: true });
  };
  try {
    return { url: `http://127.0.0.1:${await listening(child, said)}`, pid: child.pid, kill, dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}
