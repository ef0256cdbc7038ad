// Servers behind the worker: which are installed, and one of them started on a free loopback port.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** Where `cargo xtask servers` puts what is in no package of Debian's. */
export const SERVERS = process.env.RECSYS_SERVERS ?? path.join(ROOT, ".servers");

/** The first of these programs on the path; undefined where there is none. */
export function program(...names) {
  const folders = (process.env.PATH ?? "").split(path.delimiter);
  return names.flatMap((name) => folders.map((folder) => path.join(folder, name))).find(existsSync);
}

/** Options of a test that needs a server: without it the test is skipped by name. */
export function needs(server, name) {
  return server ? {} : { skip: `${name} is not installed; \`cargo xtask servers\` installs it` };
}

/** A port that is free now. */
export async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Waits until something is true. */
export async function until(what, check, ms = 10_000) {
  const end = Date.now() + ms;
  while (!(await check())) {
    if (Date.now() > end) throw new Error(`${what} did not happen within ${ms} ms`);
    await pause(20);
  }
}

/** A process of ours that can be stopped for a while, killed and started again with the same words. */
export class Engine {
  #command;
  #ready;
  #process;

  constructor(command, ready) {
    this.#command = command;
    this.#ready = ready;
  }

  async start() {
    const [name, ...args] = this.#command;
    this.#process = spawn(name, args, { stdio: ["ignore", "ignore", "inherit"] });
    const failed = new Promise((_, reject) => {
      this.#process.once("error", reject);
      this.#process.once("exit", (code) => reject(new Error(`${name} ended with ${code} before it was ready`)));
    });
    failed.catch(() => {});
    await Promise.race([until(`${name} to be ready`, this.#ready), failed]);
    return this;
  }

  get pid() {
    return this.#process.pid;
  }

  /** Sends a signal, such as SIGSTOP and SIGCONT. */
  signal(signal) {
    this.#process.kill(signal);
  }

  async stop(signal = "SIGKILL") {
    if (!this.#process || this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.kill("SIGCONT");
    this.#process.kill(signal);
    await ended;
  }
}

/** Whether something accepts connections at a port. */
export function listens(port) {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: "127.0.0.1" });
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
