// The worker's answers are held to docs/http-api.json.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import Ajv from "ajv/dist/2020.js";
import { siteFromEnvironment, startSite } from "./server.mjs";

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

test("refusals match the schema of problems", async () => {
  for (const [path, body] of [["/v1/recs", { k: 0 }], ["/v1/search", {}], ["/v1/search?q="], ["/v1/none"]]) {
    const { status, value } = await ask(path, body);
    assert.ok(status >= 400);
    assertMatches("/components/schemas/Problem", value);
  }
});

test("every path that the document names answers, and with no other method", async () => {
  for (const [path, operations] of Object.entries(api.paths)) {
    for (const method of ["GET", "POST", "PUT", "DELETE"]) {
      const response = await fetch(server.url + path, { method });
      await response.arrayBuffer();
      const known = method.toLowerCase() in operations;
      assert.equal(response.status !== 405 && response.status !== 404, known, `${method} ${path}: ${response.status}`);
    }
  }
});

test("the worker's memory stays in its budget", async () => {
  for (let i = 0; i < 50; i += 1) await ask("/v1/recs", { text: "a boat", k: 100 });
  const { value } = await ask("/healthz");
  console.log(`memory of the retrieval worker: ${(value.memoryBytes / 2 ** 20).toFixed(1)} MiB`);
  assert.ok(value.memoryBytes <= MEMORY_BUDGET, `${value.memoryBytes}`);
});
