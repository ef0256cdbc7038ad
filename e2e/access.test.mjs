// Who may read answers (CORS), how many there may be (the rate limit), and how long they and static files are kept.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";
import { after, before, test } from "node:test";
import { launchChromium } from "./browser.mjs";
import { BINARY } from "./canary_requests.mjs";
import { Client, isProblem, isSlate } from "./client.mjs";
import { siteFromEnvironment, startSite, withRateLimit, withinOneMinute } from "./server.mjs";

const LISTED = ["https://shop.example", "http://localhost:8080"];
const UNLISTED = [
  "https://other.example",
  "https://shop.example.evil.example",
  "https://evilshop.example",
  "http://shop.example",
  "https://shop.example:8443",
  "https://shop.example/",
  "https://SHOP.example",
  "null",
  "*",
];
/** Paths and their methods. */
const PATHS = [
  ["/v1/recs", "POST, OPTIONS"],
  ["/recs", "POST, OPTIONS"],
  ["/v1/search", "GET, POST, OPTIONS"],
  ["/v1/aggregates", "GET, POST, OPTIONS"],
  ["/v1/manifest", "GET, OPTIONS"],
  ["/healthz", "GET, OPTIONS"],
];

let listed;
let plain;

before(async () => {
  const site = siteFromEnvironment();
  // With white space around it, as people write lists.
  listed = await startSite({ site, encoder: "unbound", vars: { ALLOWED_ORIGINS: ` ${LISTED.join(" , ")},` } });
  plain = await startSite({ site, encoder: "unbound" });
});

after(() => Promise.all([listed?.dispose(), plain?.dispose()]));

/** Runs `body` against a site with other settings. */
async function withSite(options, body) {
  const site = await startSite({ site: siteFromEnvironment(), encoder: "unbound", ...options });
  try {
    await body(new Client(site.url), site);
  } finally {
    await site.dispose();
  }
}

const cors = ({ headers }) => [...headers].filter(([name]) => name.startsWith("access-control-"));

/** Requests that are answered, or refused, each as its arguments of `fetch` behind the server's address. */
const requests = (origin) => {
  const headers = { origin, "content-type": "application/json" };
  const post = (body) => ({ method: "POST", headers, body });
  return [
    ["/v1/recs", post('{"k":3}')],
    ["/v1/recs", { ...post('{"k":3}'), headers: { ...headers, accept: BINARY } }],
    ["/v1/recs", post("{broken")],
    ["/v1/search", post('{"text":"a fox"}')],
    ["/v1/aggregates", post("{}")],
    ["/v1/manifest", { headers: { origin } }],
    ["/v1/none", { headers: { origin } }],
    ["/v1/recs", { method: "DELETE", headers: { origin } }],
  ];
};

async function ask(server, [target, options]) {
  const response = await fetch(server.url + target, options);
  await response.arrayBuffer();
  return response;
}

test("pages of a listed origin may read every answer, without credentials", async () => {
  for (const origin of LISTED) {
    for (const request of requests(origin)) {
      const response = await ask(listed, request);
      const what = `${origin} ${request[0]} ${response.status}`;
      const expected = [["access-control-allow-origin", origin], ["access-control-expose-headers", "retry-after"]];
      assert.deepEqual(cors(response), expected, what);
      assert.equal(response.headers.get("vary"), "origin", what);
    }
  }
});

test("pages of any other origin get no header that would let them", async () => {
  for (const origin of UNLISTED) {
    for (const request of requests(origin)) {
      const response = await ask(listed, request);
      assert.deepEqual(cors(response), [], `${origin} ${request[0]}`);
      assert.equal(response.headers.get("vary"), "origin", origin);
    }
    for (const [target, options] of requests(origin)) {
      assert.deepEqual(cors(await ask(plain, [target, options])), [], `no list, ${origin} ${target}`);
    }
  }
  const response = await ask(listed, ["/v1/recs", { method: "POST", headers: { "content-type": "application/json" }, body: "{}" }]);
  assert.deepEqual([response.status, ...cors(response)], [200], "a request without an origin");
});

test("a preflight is answered for every path, and names methods to listed origins alone", async () => {
  const preflight = (server, target, origin) => {
    const headers = { origin, "access-control-request-method": "POST", "access-control-request-headers": "content-type" };
    return ask(server, [target, { method: "OPTIONS", headers }]);
  };
  for (const [target, methods] of PATHS) {
    const response = await preflight(listed, target, LISTED[0]);
    assert.equal(response.status, 204, target);
    assert.equal(response.headers.get("allow"), methods);
    assert.deepEqual(
      Object.fromEntries(cors(response)),
      {
        "access-control-allow-origin": LISTED[0],
        "access-control-allow-methods": methods,
        "access-control-allow-headers": "accept, content-type",
        "access-control-expose-headers": "retry-after",
        "access-control-max-age": "7200",
      },
      target,
    );
    for (const [server, origin] of [[listed, UNLISTED[0]], [plain, LISTED[0]]]) {
      const other = await preflight(server, target, origin);
      assert.deepEqual([other.status, other.headers.get("allow"), ...cors(other)], [204, methods], target);
    }
  }
  await isProblem(await fetch(`${listed.url}/v1/none`, { method: "OPTIONS" }), [404]);
});

/** An empty page of an origin of its own. */
async function blankPage() {
  const server = createServer((_, response) => response.setHeader("content-type", "text/html").end("<!doctype html><title>page</title>"));
  await once(server.listen(0, "127.0.0.1"), "listening");
  return { origin: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

test("a browser lets a listed page read an answer, and another page not", async () => {
  const [browser, shop, other] = await Promise.all([launchChromium(), blankPage(), blankPage()]);
  const read = async (origin, url) => {
    const context = await browser.newContext();
    const tab = await context.newPage();
    await tab.goto(origin);
    const items = await tab.evaluate(async (url) => {
      const headers = { "content-type": "application/json" };
      const answer = await fetch(`${url}/v1/recs`, { method: "POST", headers, body: '{"k":3}' }).catch(() => null);
      return answer && (await answer.json()).items.length;
    }, url);
    await context.close();
    return items;
  };
  try {
    await withSite({ vars: { ALLOWED_ORIGINS: shop.origin } }, async (_, { url }) => {
      assert.deepEqual([await read(shop.origin, url), await read(other.origin, url)], [3, null]);
    });
  } finally {
    shop.close();
    other.close();
    await browser.close();
  }
});

for (const origins of ["*", "shop.example", "https://shop.example/", "https://shop.example/page", "https://shop.example:443", "https://*.example", "null", "ftp://shop.example", "https://Shop.example", "https://a@shop.example", "https://a.example https://b.example"]) {
  test(`${origins} is no list of origins, and every path says so`, async () => {
    await withSite({ vars: { ALLOWED_ORIGINS: `https://good.example,${origins}` } }, async (client) => {
      for (const answer of [client.recs({ k: 3 }), client.get("/healthz"), client.get("/v1/manifest")]) {
        const { detail } = await isProblem(await answer, [503]);
        assert.ok(detail.startsWith("ALLOWED_ORIGINS: found ") && detail.includes(origins.split(",")[0]), detail);
        assert.match(detail, /such as https:\/\/shop\.example/);
      }
    });
  });
}

test("beyond the rate limit each path refuses by itself, and the others go on", async () => {
  const options = { change: withRateLimit(4), aggregates: { token: "the token of the owner" }, vars: { ALLOWED_ORIGINS: LISTED[0] } };
  await withSite(options, async (client) => {
    // Another address is no other count: nothing tells clients apart.
    const from = (i) => ({ origin: LISTED[0], "content-type": "application/json", "cf-connecting-ip": `192.0.2.${i}`, "user-agent": `${i}` });
    const post = (target, i) => client.request(target, { method: "POST", headers: from(i), body: "{broken" });
    const paths = [
      (i) => post(i % 2 ? "/v1/recs" : "/recs", i),
      (i) => (i % 2 ? post("/v1/search", i) : client.request("/v1/search", { headers: from(i) })),
      (i) => post("/v1/aggregates", i),
    ];
    for (const path of paths) {
      await withinOneMinute();
      const statuses = [];
      for (let i = 0; i < 6; i += 1) {
        const response = await path(i);
        statuses.push(response.status);
        if (i < 4) {
          await response.arrayBuffer();
          continue;
        }
        assert.equal(response.headers.get("retry-after"), "60");
        assert.equal(response.headers.get("access-control-allow-origin"), LISTED[0]);
        await isProblem(response, [429]);
      }
      assert.deepEqual(statuses, [400, 400, 400, 400, 429, 429]);
    }
    for (const target of ["/healthz", "/v1/manifest"]) assert.equal((await client.get(target)).status, 200);
    const owner = { headers: { authorization: "Bearer the token of the owner" } };
    assert.equal((await client.request("/v1/aggregates", owner)).status, 200, "the owner reads the sums in a flood too");
  });
});

test("a rate limit that is none is said, and without one nothing is counted", async () => {
  await withSite({ vars: { RATE_LIMIT: "10" } }, async (client) => {
    const { detail } = await isProblem(await client.recs({ k: 3 }), [503]);
    assert.match(detail, /^RATE_LIMIT: expected a rate limit/);
  });
  for (let i = 0; i < 20; i += 1) await isSlate(await new Client(plain.url).recs({ k: 1 }));
});

test("files with their hash in their name are kept for a day, and the manifest and pages are asked for again", async () => {
  const files = await readdir(path.join(siteFromEnvironment(), "bundle"));
  assert.ok(files.length > 3);
  for (const file of files) {
    const { status, headers } = await ask(plain, [`/bundle/${file}`, {}]);
    const hashed = /-[0-9a-f]{16}\.(bin|jpg)$/.test(file);
    const asked = file === "manifest.json" ? "no-cache" : "public, max-age=0, must-revalidate";
    const expected = hashed ? "public, max-age=86400, immutable" : asked;
    assert.deepEqual([status, headers.get("cache-control")], [200, expected], file);
    assert.equal(headers.get("referrer-policy"), "no-referrer");
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.equal(headers.get("set-cookie"), null);
  }
  for (const file of ["/", "/pkg/index.js"]) {
    const { headers } = await ask(plain, [file, {}]);
    assert.match(headers.get("cache-control"), /max-age=0, must-revalidate/, file);
  }
});
