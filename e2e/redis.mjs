// A Redis or Valkey of the tests' own.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Engine, freePort, listens, program } from "./engines.mjs";

const SERVER = program("redis-server", "valkey-server");
const CLI = program("redis-cli", "valkey-cli");

/** Whether one is installed. */
export const hasRedis = Boolean(SERVER && CLI);

const run = promisify(execFile);

/**
 * Starts one that keeps nothing on disk.
 * @param {object} [options]
 * @param {string} [options.password] that of its default user
 * @param {{cert: string, key: string}} [options.tls] files; then it speaks TLS alone
 * @param {string[]} [options.args] more of its options
 */
export async function startRedis({ password, tls, args = [] } = {}) {
  const port = await freePort();
  const ports = tls
    ? ["--port", "0", "--tls-port", `${port}`, "--tls-cert-file", tls.cert, "--tls-key-file", tls.key, "--tls-auth-clients", "no"]
    : ["--port", `${port}`];
  const own = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no"];
  const secret = password ? ["--requirepass", password] : [];
  const engine = new Engine([SERVER, ...ports, ...own, ...secret, ...args], () => listens(port));
  await engine.start();
  const name = tls ? "localhost" : "127.0.0.1";
  const login = password ? `:${encodeURIComponent(password)}@` : "";
  return {
    port,
    url: `${tls ? "rediss" : "redis"}://${login}${name}:${port}`,
    start: () => engine.start(),
    stop: () => engine.stop(),
    signal: (signal) => engine.signal(signal),
    /** What `redis-cli` prints. */
    async cli(...words) {
      const secure = tls ? ["--tls", "--insecure"] : [];
      const env = { ...process.env, ...(password && { REDISCLI_AUTH: password }) };
      const { stdout } = await run(CLI, ["-h", "127.0.0.1", "-p", `${port}`, ...secure, ...words], { env });
      return stdout.trimEnd();
    },
  };
}
