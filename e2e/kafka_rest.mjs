// A REST proxy of Kafka with topics of its own: the produce requests of both forms (v2 and v3) and a topic's metadata, held to
// what the forms say of media types, bodies, topics and credentials. It fails on demand, and keeps all that it was sent.

import { createHash } from "node:crypto";
import http from "node:http";
import { setTimeout as pause } from "node:timers/promises";

const V2 = "application/vnd.kafka.v2+json";
const V2_JSON = "application/vnd.kafka.json.v2+json";
const PARTITIONS = 3;

/** A refusal as the proxy answers it. */
class Refusal extends Error {
  constructor(status, code, message) {
    super(message);
    Object.assign(this, { status, code });
  }
}

/** The JSON objects of a text in which they stand one after the other. */
export function concatenated(text) {
  const objects = [];
  let [depth, start, quoted] = [0, 0, false];
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (quoted) {
      if (char === "\\") at += 1;
      else if (char === '"') quoted = false;
    } else if (char === '"') {
      quoted = true;
    } else if (char === "{") {
      if (depth === 0) start = at;
      depth += 1;
    } else if (char === "}") {
      depth -= 1;
      if (depth === 0) objects.push(JSON.parse(text.slice(start, at + 1)));
      if (depth < 0) throw new SyntaxError("a bracket too many");
    } else if (depth === 0 && char.trim()) {
      throw new SyntaxError("a value that is no object");
    }
  }
  if (depth || quoted) throw new SyntaxError("it ends early");
  return objects;
}

function records({ version, text }) {
  try {
    if (version === 2) {
      const { records, ...others } = JSON.parse(text);
      const known = ["key_schema_id", "value_schema_id", "key_schema", "value_schema"];
      if (!Array.isArray(records) || !records.length) throw new SyntaxError("no records");
      if (Object.keys(others).some((name) => !known.includes(name))) throw new SyntaxError("an unknown field");
      if (records.some((record) => !("value" in record))) throw new SyntaxError("a record without a value");
      return records.map(({ key = null, value }) => ({ key, value }));
    }
    const all = concatenated(text);
    const data = (part) => {
      if (part === undefined) return null;
      if (part.type !== "JSON" || !("data" in part)) throw new SyntaxError("data of another type than JSON");
      return part.data;
    };
    if (!all.length) throw new SyntaxError("no records");
    return all.map(({ key, value }) => ({ key: data(key), value: data(value) }));
  } catch (error) {
    throw new Refusal(version === 2 ? 422 : 400, version === 2 ? 422 : 400, error.message);
  }
}

const partitionOf = (key) => [...String(key)].reduce((hash, char) => (hash * 31 + char.charCodeAt(0)) >>> 0, 7) % PARTITIONS;

/** What a produce request names, by its path. */
function target(path) {
  const v2 = /^\/topics\/([^/]+)$/.exec(path);
  if (v2) return { version: 2, topic: decodeURIComponent(v2[1]) };
  const v3 = /^\/v3\/clusters\/([^/]+)\/topics\/([^/]+)(\/records)?$/.exec(path);
  if (v3) return { version: 3, cluster: v3[1], topic: decodeURIComponent(v3[2]), produce: Boolean(v3[3]) };
  throw new Refusal(404, 404, "HTTP 404 Not Found");
}

/** What a viewer is called in records: the key, and `session`. */
export const aliasOf = (viewer) => createHash("sha256").update(`recsys events ${viewer}`).digest("hex").slice(0, 32);

export class KafkaRest {
  /** Every record that was stored, in the order in which it was: `{topic, partition, offset, key, value, request}`. */
  stored = [];
  /** Of every request that arrived: `{version, path, type, accept, authorization, records, status}`. */
  requests = [];
  /**
   * How it fails, by name (see {@link KafkaRest#answer}); a function is asked at each request.
   * @type {Behaviour | ((request: {number: number}) => Behaviour)}
   * @typedef {"good" | "cut" | "lost" | "fewer" | "more" | "garbage" | "hang" | {status: number} | {slow: number}} Behaviour
   */
  behaviour = "good";
  /** Whether it answers as Karapace does where a record failed. */
  karapace = false;
  /** The code with which a record is refused; `undefined` where it is stored. @type {(record: object) => number | undefined} */
  refuses = () => undefined;
  #options;
  #server;
  #port;
  #offsets = new Map();

  constructor({ topics = ["recsys-events"], cluster = "cluster-1", authorization, port = 0, maxBytes = Infinity, forward } = {}) {
    this.#options = { topics, cluster, authorization, maxBytes, forward };
    this.#port = port;
  }

  get url() {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Listens, on the port of before where it did. */
  async start() {
    this.#server = http.createServer((request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
    await new Promise((resolve, reject) => this.#server.on("error", reject).listen(this.#port, "127.0.0.1", resolve));
    this.#port = this.#server.address().port;
    return this;
  }

  /** Stops: connections break, new ones are refused. */
  async stop() {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  /** The values that arrived, of one viewer or of all. */
  values(viewer) {
    const key = viewer === undefined ? undefined : aliasOf(viewer);
    return this.stored.filter((record) => key === undefined || record.key === key).map(({ value }) => value);
  }

  /** Lines as `kcat -J` writes the topic. */
  kcat() {
    const line = ({ topic, partition, offset, key, value }) =>
      JSON.stringify({ topic, partition, offset, tstype: "create", ts: 0, broker: 1, key: JSON.stringify(key), payload: JSON.stringify(value) });
    return this.stored.map((record) => `${line(record)}\n`).join("");
  }

  #check(request, { version, topic, cluster, produce }) {
    const { authorization, topics, cluster: own } = this.#options;
    const type = request.headers["content-type"]?.split(";")[0];
    if (authorization && request.headers.authorization !== authorization) {
      throw new Refusal(401, version === 2 ? 40101 : 401, "Unauthorized");
    }
    if (version === 3 && cluster !== own) throw new Refusal(404, 404, "Cluster not found");
    if (!topics.includes(topic)) throw new Refusal(404, version === 2 ? 40401 : 40403, "Topic not found");
    if (request.method === "GET") return;
    if (request.method !== "POST" || (version === 3 && !produce)) throw new Refusal(405, 405, "HTTP 405 Method Not Allowed");
    const wanted = version === 2 ? V2_JSON : "application/json";
    if (type !== wanted) throw new Refusal(415, 415, "HTTP 415 Unsupported Media Type");
  }

  #append(topic, { key, value }, request) {
    const partition = partitionOf(key);
    const at = `${topic}/${partition}`;
    const offset = this.#offsets.get(at) ?? 0;
    this.#offsets.set(at, offset + 1);
    this.stored.push({ topic, partition, offset, key, value, request });
    return { partition, offset };
  }

  /** Stores a record, or refuses it: what the answer says of it. */
  #report({ version, topic }, record, request) {
    const code = this.refuses(record);
    if (code !== undefined) {
      return version === 2
        ? { partition: null, offset: null, error_code: code, error: "refused" }
        : { error_code: code, message: "refused" };
    }
    const { partition, offset } = this.#append(topic, record, request);
    if (version === 2) return { partition, offset, error_code: null, error: null };
    const size = (part) => ({ type: "JSON", size: JSON.stringify(part).length });
    const { cluster } = this.#options;
    const stored = { cluster_id: cluster, topic_name: topic, partition_id: partition, offset, timestamp: new Date().toISOString() };
    return { error_code: 200, ...stored, key: size(record.key), value: size(record.value) };
  }

  async #serve(request, response) {
    const entry = {
      path: request.url,
      type: request.headers["content-type"],
      accept: request.headers.accept,
      authorization: request.headers.authorization,
      records: 0,
    };
    const number = this.requests.push(entry) - 1;
    const behaviour = typeof this.behaviour === "function" ? this.behaviour({ number }) : this.behaviour;
    const finish = (status, body, type) => {
      entry.status = status;
      response.writeHead(status, { "content-type": type }).end(body);
    };
    let named = { version: 2 };
    try {
      named = target(request.url);
      entry.version = named.version;
      const text = Buffer.concat(await request.toArray()).toString();
      if (behaviour === "hang") return;
      if (behaviour === "lost") return void request.socket.destroy();
      if (behaviour.slow) await pause(behaviour.slow);
      if (behaviour.status) throw new Refusal(behaviour.status, behaviour.status, "on demand");
      this.#check(request, named);
      if (request.method === "GET") return finish(200, JSON.stringify({ name: named.topic, topic_name: named.topic }), V2);
      if (text.length > this.#options.maxBytes) throw new Refusal(413, 413, "Request Entity Too Large");
      if (behaviour === "garbage") return finish(200, "<html>It works!</html>", "text/html");
      const all = records({ version: named.version, text });
      entry.records = all.length;
      await this.#answer({ named, all, number, behaviour, request, response, finish });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const body = JSON.stringify({ error_code: error.code, message: error.message });
      finish(error.status, body, named.version === 2 ? V2 : "application/json");
    }
  }

  /**
   * Stores and answers. `cut` stores all and breaks the connection amid the answer, `fewer` stores and answers for half,
   * `more` answers for one more than was sent.
   */
  async #answer({ named, all, number, behaviour, request, response, finish }) {
    const taken = behaviour === "fewer" ? all.slice(0, Math.floor(all.length / 2)) : all;
    await this.#options.forward?.(named.topic, taken);
    const reports = taken.map((record) => this.#report(named, record, number));
    if (behaviour === "more") reports.push(reports[0]);
    const body =
      named.version === 2
        ? JSON.stringify({ key_schema_id: null, value_schema_id: null, offsets: reports })
        : reports.map((report) => `${JSON.stringify(report)}\r\n`).join("");
    const type = named.version === 2 ? V2 : "application/json";
    // Karapace says 422 where one record failed, and reports all of them.
    const failed = this.karapace && reports.some(({ error_code: code }) => code !== null);
    if (behaviour !== "cut") return finish(failed ? 422 : 200, body, type);
    response.writeHead(200, { "content-type": type, "content-length": Buffer.byteLength(body) });
    response.write(body.slice(0, Math.floor(body.length * 0.6)));
    // What was written must leave before the connection breaks.
    await pause(50);
    request.socket.destroy();
  }
}

/** Starts one on a free port. */
export const startKafkaRest = (options) => new KafkaRest(options).start();
