// Asks a running demo for the page, its health and one set of recommendations, and prints what it got.

const url = process.argv[2];
if (!url) throw new Error("usage: node e2e/check.mjs URL");

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
if (health.status !== "ok" || health.encoder !== "ready") throw new Error("a part of the demo is missing");

const post = (body) => ({ method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
const popular = JSON.parse(await ask("popular", "/v1/recs", post({ k: 3 })));
const recent = popular.items.map(({ id }) => id);
const slate = JSON.parse(await ask("recommendations", "/v1/recs", post({ recent, k: 5 })));
if (slate.source !== "personal" || slate.items.length !== 5) throw new Error(`unexpected: ${JSON.stringify(slate)}`);
console.log(`v1/recs after ${popular.items.map(({ name }) => name).join(", ")}:`);
for (const { score, name } of slate.items) console.log(`  ${score.toFixed(3)}  ${name}`);
