// What the worker tests share: a client of the HTTP API, and checks of the two forms that an answer may have.

import assert from "node:assert/strict";
import http from "node:http";

const JSON_TYPE = "application/json";

export class Client {
  #url;

  constructor(url) {
    this.#url = url;
  }

  get(path) {
    return fetch(this.#url + path);
  }

  /** Posts a value as JSON, or a string or bytes as they are. */
  post(path, body, type = JSON_TYPE) {
    const sent = typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body);
    return fetch(this.#url + path, { method: "POST", headers: { "content-type": type }, body: sent });
  }

  recs(body) {
    return this.post("/v1/recs", body);
  }

  /** Posts the first bytes of a body of JSON, and no more; the answer to what is never finished. */
  async begin(path, headers, bytes) {
    const options = { method: "POST", headers: { "content-type": JSON_TYPE, ...headers } };
    const post = http.request(this.#url + path, options);
    try {
      const answer = await new Promise((resolve, reject) => {
        post.on("response", resolve).on("error", reject).write(bytes);
      });
      const parts = await answer.toArray();
      return new Response(Buffer.concat(parts), { status: answer.statusCode, headers: answer.headers });
    } finally {
      post.destroy();
    }
  }

  request(path, options) {
    return fetch(this.#url + path, options);
  }
}

/** Reads an answer that must be a slate, and checks its form. */
export async function isSlate(response) {
  const text = await response.text();
  assert.equal(response.status, 200, `expected a slate, got ${response.status}: ${text.slice(0, 400)}`);
  assert.match(response.headers.get("content-type"), /^application\/json/);
  const slate = JSON.parse(text);
  assert.equal(typeof slate.bundle, "string");
  assert.ok(Number.isInteger(slate.sequence), `sequence is ${slate.sequence}`);
  assert.ok(["personal", "popular", "search"].includes(slate.source), `source is ${slate.source}`);
  const ids = new Set();
  let last = Infinity;
  for (const { id, name, score } of slate.items) {
    assert.equal(typeof id, "string");
    assert.equal(typeof name, "string", `${id} has no name`);
    assert.ok(Number.isFinite(score) && score <= last, `scores must fall: ${score} after ${last} at ${id}`);
    last = score;
    ids.add(id);
  }
  assert.equal(ids.size, slate.items.length, "no video may come twice");
  return slate;
}

/** Reads an answer that must be an RFC 9457 problem document with one of these statuses, and checks its form. */
export async function isProblem(response, statuses) {
  const text = await response.text();
  assert.ok(
    statuses.includes(response.status),
    `expected status ${statuses.join(" or ")}, got ${response.status}: ${text.slice(0, 400)}`,
  );
  assert.match(response.headers.get("content-type"), /^application\/problem\+json/);
  const problem = JSON.parse(text);
  for (const field of ["type", "title", "detail"]) {
    assert.ok(typeof problem[field] === "string" && problem[field].length > 0, `${field} is missing: ${text}`);
  }
  assert.equal(problem.status, response.status);
  return problem;
}
