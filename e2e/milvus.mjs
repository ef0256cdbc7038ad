// A real Milvus 2.3.5 on free ports of loopback, its data in a folder of its own. `cargo xtask servers` installs it, from PyPI.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { needs, SERVERS } from "./engines.mjs";

const PYTHON = path.join(SERVERS, "milvus-venv/bin/python");

/** Options of a test that needs it. */
export const needsMilvus = needs(existsSync(PYTHON), "Milvus");

/**
 * Starts it, says where it is, and stops it at the end of its input, however that comes. The etcd inside of it would listen at its
 * usual ports, so that there could be one Milvus alone; a file of its own settings says otherwise.
 */
const STARTER = `
import json, os, socket, sys, time, urllib.request
from milvus import MilvusServer, MilvusServerConfig
taken = []
def free():
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    taken.append(s)
    return s.getsockname()[1]
data = sys.argv[1]
config = MilvusServerConfig(data_dir=data)
ports = {key: free() for key in config.configurable_items if key.endswith("_port")}
peer, health = free(), free()
for s in taken:
    s.close()
config.update(**ports)
client, peer = (f"http://127.0.0.1:{port}" for port in (ports["etcd_port"], peer))
etcd = os.path.join(data, "etcd.yaml")
with open(etcd, "w") as file:
    json.dump({"name": "default", "listen-client-urls": client, "advertise-client-urls": client, "listen-peer-urls": peer,
               "initial-advertise-peer-urls": peer, "initial-cluster": "default=" + peer}, file)
config.template_text = config.template_text.replace("embed: true", "embed: true\\n  config:\\n    path: " + etcd, 1)
server = MilvusServer(config, wait_for_started=False)
server.webservice_port = health
server.start()
try:
    for _ in range(600):
        if server.server_proc.poll() is not None:
            sys.exit("Milvus ended: " + open(os.path.join(data, "logs", "milvus-stderr.log")).read()[-2000:])
        try:
            if "OK" in urllib.request.urlopen(f"http://127.0.0.1:{health}/healthz", timeout=5).read().decode():
                break
        except OSError:
            pass
        time.sleep(0.1)
    else:
        sys.exit("Milvus is not ready after a minute")
    print(json.dumps({"pid": server.server_proc.pid, "port": server.listen_port}), flush=True)
    sys.stdin.read()
finally:
    server.stop()
`;

/**
 * Starts Milvus.
 * @returns {Promise<{url: string, pause: () => void, resume: () => void, kill: () => void, stop: () => Promise<void>}>} `pause`
 *   lets it hang, `kill` ends it at once; `stop` ends it and removes what it kept
 */
export async function startMilvus() {
  const data = await mkdtemp(path.join(tmpdir(), "recsys-milvus-"));
  const starter = spawn(PYTHON, ["-c", STARTER, data], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = new Promise((resolve) => starter.once("exit", resolve));
  const stop = async () => {
    starter.stdin.end();
    await ended;
    await rm(data, { recursive: true, force: true });
  };
  try {
    const { value } = await createInterface({ input: starter.stdout })[Symbol.asyncIterator]().next();
    if (!value) throw new Error("Milvus did not start; standard error says why");
    const { pid, port } = JSON.parse(value);
    const signal = (name) => process.kill(pid, name);
    return {
      url: `http://127.0.0.1:${port}`,
      pause: () => signal("SIGSTOP"),
      resume: () => signal("SIGCONT"),
      kill: () => signal("SIGKILL"),
      stop: async () => {
        try {
          signal("SIGCONT");
        } catch {
          // It is gone already.
        }
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
