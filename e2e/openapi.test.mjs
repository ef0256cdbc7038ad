// The worker's answers are held to docs/http-api.json.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import Ajv from "ajv/dist/2020.js";
import { siteFromEnvironment, startSite, withHistory, withRateLimit, withinOneMinute } from "./server.mjs";

const MEMORY_BUDGET = 96 * 1024 * 1024;

let server;
let api;
let schemas;

before(async () => {
  server = await startSite({ site: siteFromEnvironment() });
  api = JSON.parse(await readFile(new URL("../docs/http-api.json", import.meta.url), "utf8"));
  schemas = new Ajv({ strict: false });
  schemas.addSchema({ $id: "api", ...api });
});

after(() => server?.dispose());

function assertMatches(pointer, value) {
  const valid = schemas.validate(`api#${pointer}`, value);
  assert.ok(valid, `${pointer}: ${schemas.errorsText()}: ${JSON.stringify(value).slice(0, 400)}`);
}

async function ask(path, body) {
  const options = body && { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(server.url + path, options);
  return { status: response.status, value: await response.json() };
}

test("good answers match their schemas", async () => {
  for (const [path, body, schema] of [
    ["/v1/recs", { k: 3 }, "Slate"],
    ["/recs", { k: 3 }, "Slate"],
    ["/v1/recs", { text: "a red fox" }, "Slate"],
    ["/v1/search", { text: "a red fox", k: 2 }, "Slate"],
    ["/v1/search?q=boat", undefined, "Slate"],
    ["/v1/manifest", undefined, "Manifest"],
    ["/healthz", undefined, "Health"],
  ]) {
    const { status, value } = await ask(path, body);
    assert.equal(status, 200, JSON.stringify(value));
    assertMatches(`/components/schemas/${schema}`, value);
  }
});

test("what the module hands in for a history is what the document says, and so is the answer", async () => {
  const site = await startSite({ site: siteFromEnvironment(), encoder: "unbound", change: withHistory() });
  try {
    const viewer = "0123456789abcdef0123456789abcdef";
    for (const body of [
      { viewer, events: [{ event: "click", ts: 1, item: "a" }, { event: "watch", ts: 2, item: "b", watch_seconds: 31.5 }] },
      { viewer, forget: true },
    ]) {
      assertMatches("/components/schemas/Events", body);
      const options = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
      const response = await fetch(`${site.url}/v1/events`, options);
      assert.equal(response.status, 200);
      const { schema } = api.paths["/v1/events"].post.responses["200"].content["application/json"];
      assert.ok(schemas.validate(schema, await response.json()));
    }
  } finally {
    await site.dispose();
  }
});

test("refusals match the schema of problems", async () => {
  for (const [path, body] of [["/v1/recs", { k: 0 }], ["/v1/search", {}], ["/v1/search?q="], ["/v1/none"]]) {
    const { status, value } = await ask(path, body);
    assert.ok(status >= 400);
    assertMatches("/components/schemas/Problem", value);
  }
});

test("every path that the document names answers, and with no other method", async () => {
  for (const [path, operations] of Object.entries(api.paths)) {
    for (const method of ["GET", "POST", "PUT", "DELETE", "OPTIONS"]) {
      const response = await fetch(server.url + path, { method });
      await response.arrayBuffer();
      const known = method.toLowerCase() in operations;
      assert.equal(response.status !== 405 && response.status !== 404, known, `${method} ${path}: ${response.status}`);
    }
  }
});

const resolved = (value) =>
  value?.$ref ? resolved(value.$ref.slice(2).split("/").reduce((part, name) => part[name], api)) : value;

/** Holds an answer's headers to those that the document has for it. */
function assertHeaders(path, method, { status, headers }) {
  const operation = resolved(api.paths[path][method]);
  const response = resolved(operation.responses[status] ?? operation.responses.default);
  const known = Object.entries(response.headers);
  assert.ok(known.length >= 3, `${method} ${path} ${status}`);
  for (const [name, reference] of known) {
    const { required, schema } = resolved(reference);
    const value = headers.get(name);
    assert.ok(value === null ? !required : schemas.validate(schema, value), `${method} ${path} ${status}: ${name} is ${value}`);
  }
  assert.equal(headers.get("set-cookie"), null);
}

test("every answer has the headers that the document names, refusals too", async () => {
  const limited = await startSite({
    site: siteFromEnvironment(),
    encoder: "unbound",
    aggregates: { token: "the token of the owner" },
    change: (worker) => withHistory()(withRateLimit(3)(worker)),
  });
  const headers = { "content-type": "application/json", authorization: "Bearer the token of the owner" };
  try {
    for (const [path, operations] of Object.entries(api.paths)) {
      const statuses = new Set();
      await withinOneMinute();
      for (const method of Object.keys(operations)) {
        const query = path === "/v1/search" && method === "get" ? "?q=" : "";
        for (const body of method === "post" ? ["{}", "{broken", "{}", "{}"] : [undefined]) {
          const response = await fetch(limited.url + path + query, { method: method.toUpperCase(), body, headers });
          await response.arrayBuffer();
          assertHeaders(path, method, response);
          statuses.add(response.status);
        }
      }
      assert.equal(statuses.has(429), "post" in operations, `${path}: ${[...statuses]}`);
    }
  } finally {
    await limited.dispose();
  }
});

test("the worker's memory stays in its budget", async () => {
  for (let i = 0; i < 50; i += 1) await ask("/v1/recs", { text: "a boat", k: 100 });
  const { value } = await ask("/healthz");
  console.log(`memory of the retrieval worker: ${(value.memoryBytes / 2 ** 20).toFixed(1)} MiB`);
  assert.ok(value.memoryBytes <= MEMORY_BUDGET, `${value.memoryBytes}`);
});
