// What docs/security.md says is stopped, tried on the page as it is served: other scripts, texts that are markup, other bytes.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { launchChromium } from "./browser.mjs";
import { npy, recsys } from "./made.mjs";
import { Page } from "./page.mjs";
import { siteFromEnvironment, startSite } from "./server.mjs";

let browser;
let server;
/** Another origin, which notes what it is asked for. */
let foreign;

before(async () => {
  [server, browser, foreign] = await Promise.all([startSite({ site: siteFromEnvironment() }), launchChromium(), startForeign()]);
});

after(async () => {
  await browser?.close();
  await Promise.all([server?.dispose(), foreign?.dispose()]);
});

/** Starts a server on a loopback port. */
async function listening(answer) {
  const started = createServer(answer);
  await new Promise((ready) => started.listen(0, "127.0.0.1", ready));
  const dispose = () => {
    started.closeAllConnections();
    return new Promise((closed) => started.close(closed));
  };
  return { url: `http://127.0.0.1:${started.address().port}`, dispose };
}

/** A server that answers every request with a script that takes over, for anybody. */
async function startForeign() {
  const asked = [];
  const started = await listening((request, response) => {
    asked.push(request.url);
    response.writeHead(200, { "content-type": "text/javascript", "access-control-allow-origin": "*" });
    response.end("globalThis.taken = true;");
  });
  return { ...started, asked };
}

/** Opens an address in a fresh profile; `body` gets the tab and all that the console says. */
async function withTab(url, body) {
  const context = await browser.newContext();
  try {
    const tab = await context.newPage();
    const said = [];
    tab.on("console", (message) => said.push(message.text()));
    await tab.goto(url);
    return await body(tab, said);
  } finally {
    await context.close();
  }
}

/** Everything that a viewer does on the page. */
async function useAll(page) {
  await page.click((await page.cards())[0].id);
  await page.search("a train");
  await page.searchByPicture(path.join(siteFromEnvironment(), "thumbs/v00001.jpg"));
  await page.tab.locator("#grid .play").nth(1).hover();
  await page.tab.locator("#grid .why-button").first().click();
  await page.tab.locator("#why .sentence").waitFor();
  await page.tab.keyboard.press("Escape");
  if (await page.tab.locator("#screen .fetch").isVisible()) await page.tab.click("#screen .fetch");
  await Promise.all([page.tab.waitForEvent("download"), page.tab.click("#export")]);
  await page.idle();
}

test("in use, in both modes, the page and its worker break none of its rules, and no cookie is set", async () => {
  // A worker's violations are in no console and in no event of the document, but it reports them.
  const reports = [];
  const proxy = await between("/", (bytes) => bytes, reports);
  const page = await Page.open(browser, `${proxy.url}/`);
  const setting = [];
  page.tab.context().on("response", async (response) => {
    if (await response.headerValue("set-cookie").catch(() => null)) setting.push(response.url());
  });
  try {
    for (const mode of ["standard", "local"]) {
      await page.enterMode(mode);
      await useAll(page);
    }
    await page.tab.click("#forget");
    await page.ready();
    await page.idle();
    assert.deepEqual([...(await page.violations()), ...page.complaints, ...reports], []);
    assert.deepEqual(await page.tab.context().cookies(), []);
    assert.equal(await page.tab.evaluate(() => document.cookie), "");
    assert.deepEqual(setting, []);

    const [worker] = page.tab.workers();
    assert.equal(await worker.evaluate((url) => fetch(url).catch(({ name }) => name), foreign.url), "TypeError");
    await page.idle();
    assert.deepEqual(reports, ["connect-src"], "the worker has the page's policy, and reports");
    assert.deepEqual(foreign.asked, []);
  } finally {
    await page.tab.context().close();
    await proxy.dispose();
  }
});

/** Ways to run what is no script of the site, each with the rule that stops it. They run in the page, one after the other. */
const ATTEMPTS = {
  "eval of a text": ["require-trusted-types-for", () => (0, eval)("globalThis.taken = true")],
  "a function of a text": ["require-trusted-types-for", () => new Function("globalThis.taken = true")()],
  "a timer with a text": ["require-trusted-types-for", () => setTimeout("globalThis.taken = true")],
  "innerHTML of a text": ["require-trusted-types-for", () => (document.body.innerHTML = "<img src=x onerror='taken = true'>")],
  "a text inserted as HTML": ["require-trusted-types-for", () => document.body.insertAdjacentHTML("beforeend", "<b>x</b>")],
  "a text written as HTML": ["require-trusted-types-for", () => document.write("<b>x</b>")],
  "a frame of a text": ["require-trusted-types-for", () => (document.createElement("iframe").srcdoc = "<b>x</b>")],
  "an event handler of a text": ["require-trusted-types-for", () => document.body.setAttribute("onclick", "taken = true")],
  "an address for a worker": ["require-trusted-types-for", () => new Worker("/pkg/worker.js")],
  "an address for a script": ["require-trusted-types-for", () => (document.createElement("script").src = "/js/main.js")],
  "a policy of another name": ["trusted-types", () => trustedTypes.createPolicy("mine", { createHTML: String })],
  "a second policy of the module's name": ["trusted-types", () => trustedTypes.createPolicy("recsys", { createHTML: String })],
  "an inline script": [
    "require-trusted-types-for",
    () => {
      const script = document.createElementNS("http://www.w3.org/2000/svg", "script");
      script.append("globalThis.taken = true");
      document.body.append(script);
    },
  ],
  "a script of another origin": ["script-src-elem", (foreign) => import(`${foreign}/script.js`)],
  "a request to another origin": ["connect-src", (foreign) => fetch(`${foreign}/request`)],
  "a picture of another origin": ["img-src", (foreign) => (new Image().src = `${foreign}/picture.png`)],
  "a style sheet of another origin": [
    "style-src-elem",
    (foreign) => document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: `${foreign}/s.css` })),
  ],
  "another base address": [
    "base-uri",
    (foreign) => document.head.prepend(Object.assign(document.createElement("base"), { href: foreign })),
  ],
  "a form to another origin": [
    "form-action",
    (foreign) => {
      const form = Object.assign(document.createElement("form"), { action: `${foreign}/form` });
      document.body.append(form);
      form.submit();
    },
  ],
};

test("the policy refuses other scripts, strings as code or markup, and other origins", async () => {
  const page = await Page.open(browser, `${server.url}/`);
  try {
    for (const [what, [rule, attempt]] of Object.entries(ATTEMPTS)) {
      await page.tab.evaluate(() => (globalThis.violations.length = 0));
      await tryInPage(page, attempt, foreign.url);
      const rules = (await page.violations()).map((violation) => violation.split(":")[0]);
      assert.ok(rules.includes(rule), `${what}: expected a violation of ${rule}, found ${rules.join(", ") || "none"}`);
      assert.equal(await page.tab.evaluate(() => globalThis.taken), undefined, `${what} ran`);
    }
    assert.equal(await page.tab.evaluate(() => document.baseURI), `${server.url}/`);
    assert.deepEqual(foreign.asked, [], "nothing has left for another origin");
    assert.ok((await page.cards()).length > 0, "the page is still there");
  } finally {
    await page.tab.context().close();
  }
});

/** Runs a function as the page's own code would: the debugger is exempt from the rules while it evaluates. */
async function tryInPage(page, attempt, argument) {
  await page.tab.evaluate(`{
    const attempt = ${attempt};
    globalThis.tried = new Promise((done) => setTimeout(async () => {
      try { await attempt(${JSON.stringify(argument)}); } catch {}
      setTimeout(done, 100);
    }));
  }`);
  await page.tab.evaluate(() => globalThis.tried);
}

test("the only eval that the policy allows is WebAssembly's", async () => {
  const policy = (await fetch(`${server.url}/`)).headers.get("content-security-policy");
  assert.match(policy, /^default-src 'none'; script-src 'self' 'sha256-\S{44}' 'wasm-unsafe-eval'; /);
  assert.doesNotMatch(policy, /'unsafe-|\*|https?:/);
});

test("no other site can put the page into a frame", async () => {
  const other = await listening((_, response) => {
    response.writeHead(200, { "content-type": "text/html" });
    response.end(`<!doctype html><title>other</title><iframe src="${server.url}/"></iframe>`);
  });
  try {
    await withTab(other.url, async (tab, said) => {
      await tab.waitForTimeout(500);
      assert.ok(said.some((text) => text.includes("frame-ancestors")), said.join("\n"));
      assert.equal(await tab.frames().at(-1).locator("#grid").count(), 0);
    });
  } finally {
    await other.dispose();
  }
});

const MARKUP = `<img src=x onerror="globalThis.taken = true"><script>globalThis.taken = true</script>"'\`</span>`;

/** A site whose catalogue was written by somebody who means harm. */
async function hostileSite(folder) {
  const videos = Array.from({ length: 30 }, (_, i) => ({
    id: `${i}"><b>'\\`,
    name: `${i} ${MARKUP}`,
    description: MARKUP,
    creator: MARKUP,
    genre: MARKUP,
    duration: "PT10S",
    thumbnailUrl: `${foreign.url}/thumbnail.png`,
    previewUrl: `x.png"); background-image: url("${foreign.url}/preview.png`,
    contentUrl: "javascript:globalThis.taken = true",
  }));
  const at = (name) => path.join(folder, name);
  const rows = videos.map((_, i) => Array.from({ length: 16 }, (_, j) => Math.sin(1 + i * 16 + j)));
  await writeFile(at("videos.jsonl"), videos.map((video) => `${JSON.stringify(video)}\n`).join(""));
  await writeFile(at("ids.txt"), videos.map(({ id }) => `${id}\n`).join(""));
  await writeFile(at("items.npy"), npy(rows));
  await mkdir(at("site"));
  for (const part of ["index.html", "icon.svg", "_headers", "css", "js", "pkg"]) {
    await cp(path.join(siteFromEnvironment(), part), at(`site/${part}`), { recursive: true });
  }
  const inputs = ["--catalogue", at("videos.jsonl"), "--vectors", at("items.npy"), "--ids", at("ids.txt")];
  await recsys("index", ...inputs, "--out", at("site/bundle"));
  return at("site");
}

test("markup in a catalogue's texts is shown as text", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "recsys-hostile-"));
  let site;
  try {
    site = await startSite({ site: await hostileSite(folder), encoder: "unbound" });
    const page = await Page.open(browser, `${site.url}/`);
    const [{ id, name, category }] = await page.cards();
    assert.match(name, /^\d+ /);
    assert.equal(name.replace(/^\d+ /, ""), MARKUP);
    assert.equal(category, MARKUP);
    await page.tab.locator("#grid .play").first().hover();
    await page.tab.locator("#grid .preview").first().waitFor();
    await page.tab.locator("#grid .play").first().click();
    await page.tab.waitForFunction((id) => document.querySelector("#watched li")?.dataset.id === id, id);
    // The list is ranked again after that, and its cards move.
    await page.idle();
    await page.ready();
    assert.equal(await page.tab.locator("#playing-name").textContent(), name);
    await page.tab.locator("#grid .why-button").first().click();
    await page.tab.locator("#why .sentence").waitFor();
    assert.ok((await page.tab.locator("#why").textContent()).includes(MARKUP));
    const made = await page.tab.locator("body script, [onerror], .name *, .by *, #why b").count();
    assert.equal(made, 0, "no element came out of a text");
    assert.equal(await page.tab.evaluate(() => globalThis.taken), undefined);
    assert.deepEqual(foreign.asked, [], "the catalogue's addresses of another origin are not asked");
    assert.ok((await page.violations()).every((violation) => /^(img|media)-src/.test(violation)), (await page.violations()).join("\n"));
    await page.tab.context().close();
  } finally {
    await site?.dispose();
    await rm(folder, { recursive: true, force: true });
  }
});

/**
 * Whoever stands between site and browser: passes everything on, but `file` as `change` gives it. With `reports`, browsers are
 * asked to report which rules of the policy were broken.
 */
function between(file, change, reports) {
  return listening(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method, url } = request;
    if (reports && url === "/reports") {
      reports.push(JSON.parse(Buffer.concat(chunks))["csp-report"]["effective-directive"]);
      response.writeHead(204).end();
      return;
    }
    const headers = request.headers["content-type"] ? { "content-type": request.headers["content-type"] } : {};
    if (request.headers.accept) headers.accept = request.headers.accept;
    const body = chunks.length > 0 ? Buffer.concat(chunks) : undefined;
    const answer = await fetch(server.url + url, { method, headers, body });
    let bytes = Buffer.from(await answer.arrayBuffer());
    if (method === "GET" && url === file) bytes = change(bytes);
    const passed = [...answer.headers].filter(([name]) => !/^(content-(length|encoding)|transfer-encoding|connection)$/.test(name));
    for (const header of passed) if (reports && header[0] === "content-security-policy") header[1] += "; report-uri /reports";
    response.writeHead(answer.status, passed.flat()).end(bytes);
  });
}

/** A change of one byte, the first of `text`. */
function flipped(text) {
  return (bytes) => {
    const at = bytes.indexOf(text);
    if (at >= 0) bytes[at] ^= 1;
    return bytes;
  };
}

/** Opens the page through `between`: how many cards it shows, the fault that it shows, and what the console says. */
async function openedThrough(file, change, hash = "") {
  const proxy = await between(file, change);
  try {
    return await withTab(`${proxy.url}/${hash}`, async (tab, said) => {
      const settled = tab.waitForFunction(() => document.querySelector("#grid .card") || !document.querySelector("#fault").hidden);
      const refused = (async () => {
        while (!said.some((line) => line.includes("valid digest"))) await tab.waitForTimeout(50);
      })();
      await Promise.race([settled, refused]);
      const [cards, fault] = [await tab.locator("#grid .card").count(), await tab.locator("#fault").textContent()];
      return { cards, fault, said: said.join("\n"), taken: await tab.evaluate(() => globalThis.taken) };
    });
  } finally {
    await proxy.dispose();
  }
}

test("the page opens through somebody who changes nothing", async () => {
  const { cards, fault, said } = await openedThrough("/", (bytes) => bytes);
  assert.ok(cards > 0, `${fault}\n${said}`);
});

test("markup that got into the page runs nothing", async () => {
  const markup = `<script>taken = 1</script><script src="${foreign.url}/a.js"></script><script src="/js/extra.js"></script>
    <script type="importmap">{ "imports": { "./js/dom.js": "${foreign.url}/b.js" } }</script><img src="x" onerror="taken = 1">`;
  const injected = (bytes) => Buffer.from(bytes.toString().replace("<head>", `<head>${markup}`));
  const { cards, said, taken } = await openedThrough("/", injected);
  assert.ok(cards > 0, said);
  assert.equal(taken, undefined);
  assert.deepEqual(foreign.asked, []);
  assert.equal(said.match(/Executing inline script violates/g)?.length, 2, said);
  assert.match(said, /Executing inline event handler violates/);
});

for (const [file, text] of [
  ["/js/main.js", "Everything forgotten"],
  ["/js/card.js", "Why this?"],
  ["/pkg/index.js", "Crashed"],
]) {
  test(`${file} with one byte changed does not run`, async () => {
    const { cards, said } = await openedThrough(file, flipped(text));
    assert.equal(cards, 0);
    assert.match(said, /valid digest in the 'integrity' attribute/);
    assert.ok(said.includes(file), said);
  });
}

for (const [file, text, hash] of [
  ["/pkg/worker.js", "NotOpen"],
  ["/pkg/recsys.wasm", "BadReply"],
  ["/pkg/encoder.wasm", "model", "#local"],
]) {
  test(`${file} with one byte changed is refused, and the page says so`, async () => {
    const { cards, fault } = await openedThrough(file, flipped(text), hash);
    assert.equal(cards, 0);
    assert.match(fault, /^BadReply: /);
    assert.ok(fault.includes(file), fault);
    assert.match(fault, /expected the bytes of sha384-\S{64}, .* found others/);
  });
}

test("a script of the site whose hash the page does not have does not run", async () => {
  const imported = (tab) => tab.evaluate(() => import("/pkg/recsys.js?other").then(() => "ran", ({ name }) => name));
  assert.equal(await withTab(`${server.url}/`, imported), "TypeError");
  assert.equal(await withTab(`${server.url}/icon.svg`, imported), "ran", "where Integrity-Policy does not stand");
});

test("integrity.json has the hashes of what a site serves, and index.js those of what it loads", async () => {
  const pkg = path.join(siteFromEnvironment(), "pkg");
  const listed = JSON.parse(await readFile(path.join(pkg, "integrity.json"), "utf8"));
  assert.deepEqual(Object.keys(listed), ["encoder.wasm", "index.js", "recsys.wasm", "worker.js"]);
  const index = await readFile(path.join(pkg, "index.js"), "utf8");
  for (const [file, hash] of Object.entries(listed)) {
    const digest = createHash("sha384").update(await readFile(path.join(pkg, file))).digest("base64");
    assert.equal(hash, `sha384-${digest}`, file);
    assert.equal(index.includes(hash), file !== "index.js", file);
  }
  assert.doesNotMatch(await readFile(path.join(pkg, "worker.js"), "utf8"), /\bimport(\s*[{("*]|\s+\w)/, "worker.js imports nothing");
});

/** Opens the module in a page with this policy and this head. */
async function openedUnder(policy, { prepare = () => {}, head = "" } = {}) {
  const context = await browser.newContext();
  try {
    const headers = { "content-security-policy": policy };
    const body = `<!doctype html>${head}`;
    await context.route("**/embedding", (route) => route.fulfill({ contentType: "text/html", headers, body }));
    await context.addInitScript(prepare);
    const tab = await context.newPage();
    await tab.goto(`${server.url}/embedding`);
    return await tab.evaluate(async () => {
      try {
        const { Recommender } = await import("/pkg/index.js");
        const rec = await Recommender.open({ endpoint: location.origin });
        const { items } = await rec.recommend({ k: 3 });
        rec.close();
        return `${items.length} videos`;
      } catch ({ name, message }) {
        return `${name}: ${message}`;
      }
    });
  } finally {
    await context.close();
  }
}

const LEAST = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src blob:";

test("another page's policy needs what the docs say, and its lack is named", async () => {
  const types = "require-trusted-types-for 'script'; trusted-types";
  const outcomes = await Promise.all([
    openedUnder(LEAST),
    openedUnder(`${LEAST}; ${types} other recsys`),
    openedUnder(LEAST, { prepare: () => delete globalThis.trustedTypes }),
    openedUnder(`${LEAST}; ${types} other`),
    openedUnder(LEAST.replace("blob:", "'self'")),
  ]);
  assert.deepEqual(outcomes.slice(0, 3), Array(3).fill("3 videos"));
  assert.match(outcomes[3], /^Blocked: .*trusted-types recsys/);
  assert.match(outcomes[4], /^Crashed: .*worker-src blob:/);
});

test("another page holds index.js to its hash, by an import map or by a preload", async () => {
  const { "index.js": hash, "worker.js": wrong } = JSON.parse(await readFile(path.join(siteFromEnvironment(), "pkg/integrity.json"), "utf8"));
  const heads = [hash, wrong].flatMap((integrity) => [
    `<script type="importmap">{ "integrity": { "/pkg/index.js": "${integrity}" } }</script>`,
    `<link rel="modulepreload" href="/pkg/index.js" integrity="${integrity}">`,
  ]);
  const policy = LEAST.replace("'self'", "'self' 'unsafe-inline'");
  const outcomes = await Promise.all(heads.map((head) => openedUnder(policy, { head })));
  assert.deepEqual(outcomes.slice(0, 2), ["3 videos", "3 videos"]);
  for (const refused of outcomes.slice(2)) assert.match(refused, /^TypeError: .*index\.js/);
});
