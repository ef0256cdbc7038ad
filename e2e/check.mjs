// Asks a running demo for the page, its health and one set of recommendations, and prints what it got: node e2e/check.mjs URL
//
// With `?history` in the address a viewer is remembered and forgotten, too.

const { origin: url, searchParams } = new URL(process.argv[2]);

async function ask(what, path, options) {
  const response = await fetch(url + path, options);
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${what}: expected status 200, got ${response.status}: ${text.slice(0, 400)}`);
  return text;
}

const page = await ask("the page", "/");
const title = /<title>(.*?)<\/title>/.exec(page)?.[1];
if (!title) throw new Error("the page has no title");
console.log(`page: ${title}, ${page.length} characters`);

const health = JSON.parse(await ask("health", "/healthz"));
console.log(`healthz: ${JSON.stringify(health)}`);
const engines = Object.values(health.engines);
if (health.status !== "ok" || health.encoder !== "ready" || engines.some((state) => state !== "ok")) throw new Error("a part of the demo is missing");

const post = (body) => ({ method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
const popular = JSON.parse(await ask("popular", "/v1/recs", post({ k: 3 })));
const recent = popular.items.map(({ id }) => id);
const slate = JSON.parse(await ask("recommendations", "/v1/recs", post({ recent, k: 5 })));
if (slate.source !== "personal" || slate.items.length !== 5) throw new Error(`unexpected: ${JSON.stringify(slate)}`);
console.log(`v1/recs after ${popular.items.map(({ name }) => name).join(", ")}:`);
for (const { score, name } of slate.items) console.log(`  ${score.toFixed(3)}  ${name}`);

if (searchParams.has("history")) {
  const viewer = "0123456789abcdef0123456789abcdef";
  const events = recent.map((item) => ({ event: "click", ts: Date.now(), item }));
  const taken = await ask("events", "/v1/events", post({ viewer, events }));
  const known = JSON.parse(await ask("a viewer", "/v1/recs", post({ viewer, k: 5 })));
  await ask("forgetting", "/v1/events", post({ viewer, forget: true }));
  const after = JSON.parse(await ask("a viewer who was forgotten", "/v1/recs", post({ viewer, k: 5 })));
  if (known.source !== "personal" || known.degraded || after.source !== "popular") throw new Error(`unexpected: ${JSON.stringify({ known, after })}`);
  console.log(`v1/events: ${taken}; a viewer was remembered, recommended to and forgotten`);
}
