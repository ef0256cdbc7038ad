// A catalogue in several segments: in one worker under a budget of memory, over several workers, while parts of it are
// slow, gone or wrong, and while it changes.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Client, isProblem, isSlate } from "./client.mjs";
import { madeSite, npy, recsys } from "./made.mjs";
import { startWorker } from "./server.mjs";

let made;
let expected;

before(async () => {
  made = await madeSite();
  expected = await made.expected();
});

after(() => made?.dispose());

/** Runs `body` against a worker of the made site. */
async function withWorker(options, body) {
  const worker = await startWorker({ site: made.site, ...options });
  try {
    await body(new Client(worker.url), worker);
  } finally {
    await worker.dispose();
  }
}

const ids = (slate) => slate.items.map(({ id }) => id);
const near = async (client, vector, more) => isSlate(await client.recs({ vector, k: 10, ...more }));
const health = async (client) => (await client.get("/healthz")).json();

/** Static files as a function that may be slow or lie. */
function files(change = () => undefined) {
  const asked = new Map();
  const serve = async (request) => {
    const name = path.basename(new URL(request.url).pathname);
    asked.set(name, (asked.get(name) ?? 0) + 1);
    const changed = await change(name);
    if (changed) return changed;
    try {
      return new Response(await readFile(path.join(made.bundle, name)));
    } catch {
      return new Response("not there", { status: 404 });
    }
  };
  return { asked, serve };
}

test("one worker finds what the command finds", async () => {
  await withWorker({}, async (client) => {
    for (const [i, query] of made.queries.entries()) {
      const slate = await near(client, query);
      assert.deepEqual(ids(slate), expected[i], `query ${i}`);
      assert.equal(slate.degraded, undefined);
    }
  });
});

test("within a budget of memory segments come and go, and the answers stay the same", async () => {
  const { segments } = await made.manifest();
  const bytes = segments.map(({ shard, items }) => shard.bytes + items.bytes);
  const all = bytes.reduce((sum, one) => sum + one, 0);
  assert.ok(all > 1.2 * 2 ** 20, `${all} bytes would fit`);
  await withWorker({ vars: { MEMORY_MIB: "1" } }, async (client) => {
    const seen = new Set();
    for (const round of [0, 1]) {
      for (const [i, query] of made.queries.entries()) {
        const slate = await near(client, query);
        assert.deepEqual(ids(slate), expected[i], `query ${i}, round ${round}`);
        const { segments } = await health(client);
        seen.add(segments.atHand);
      }
    }
    const most = Math.max(...seen);
    assert.ok(most >= 3 && most < 8, `${most} segments were at hand at once`);
  });
});

test("1,000 requests at a cold start load every file once", async () => {
  const { asked, serve } = files();
  await withWorker({ assets: serve }, async (client) => {
    const answers = Array.from({ length: 1000 }, (_, i) => near(client, made.queries[i % made.queries.length]));
    for (const [i, slate] of (await Promise.all(answers)).entries()) {
      assert.deepEqual(ids(slate), expected[i % made.queries.length]);
    }
    for (const [name, times] of asked) assert.equal(times, 1, name);
    assert.ok(asked.size > 10, `${asked.size} files`);
  });
});

const DAMAGE = [
  ["vanishes", () => new Response("gone", { status: 404 })],
  ["hangs", () => new Promise(() => {})],
  ["lies", () => new Response(new Uint8Array(1000))],
];

for (const [what, answer] of DAMAGE) {
  test(`a shard that ${what} degrades the answer within the deadline, and loses nothing else`, async () => {
    const { segments } = await made.manifest();
    const bad = segments[2].shard.file;
    const { serve } = files((name) => (name === bad ? answer() : undefined));
    await withWorker({ assets: serve, vars: { DEADLINE_MS: "700" } }, async (client) => {
      let degraded = 0;
      for (const [i, query] of made.queries.entries()) {
        const start = performance.now();
        const slate = await near(client, query);
        assert.ok(performance.now() - start < 6_000, `${performance.now() - start} ms`);
        if (slate.degraded === undefined) {
          assert.deepEqual(ids(slate), expected[i]);
        } else {
          degraded += 1;
          assert.equal(slate.items.length, 10);
          if (slate.source === "personal") {
            const same = ids(slate).filter((id) => expected[i].includes(id));
            assert.ok(same.length > 0 || expected[i].length === 0, `query ${i}`);
          }
        }
        if (degraded > 2) break;
      }
      assert.ok(degraded > 0, "no query was asked of the segment");
    });
  });
}

test("where everything hangs a problem comes within the deadline", async () => {
  const { serve } = files(() => new Promise(() => {}));
  await withWorker({ assets: serve, vars: { DEADLINE_MS: "500" } }, async (client) => {
    const start = performance.now();
    await isProblem(await client.recs({ vector: made.queries[0], k: 5 }), [503]);
    assert.ok(performance.now() - start < 5_000);
  });
});

const GROUPS = { GROUPS: "GROUP_A=0-3;GROUP_B=4-7" };

/** Two workers that hold half of the segments each, and one in front. */
async function withGroups({ groupB, vars }, body) {
  const groups = [];
  try {
    for (const segments of ["0-3", "4-7"]) {
      groups.push(await startWorker({ site: made.site, vars: { SEGMENTS: segments } }));
    }
    const external = ({ url }) => ({ external: { address: new URL(url).host, http: {} } });
    const services = { GROUP_A: external(groups[0]), GROUP_B: groupB ?? external(groups[1]) };
    await withWorker({ services, vars: { ...GROUPS, ...vars } }, (client) => body(client, groups));
  } finally {
    for (const group of groups) await group.dispose();
  }
}

test("several workers find together what one does", async () => {
  const popular = { recent: [], k: 20 };
  // Some of the clicks do not fit what is wished for, and count all the same.
  const elsewhere = { recent: expected[0].slice(0, 3), k: 10, filter: { languages: ["en"] } };
  let alone;
  await withWorker({}, async (client) => {
    alone = {
      popular: await isSlate(await client.recs(popular)),
      recent: await isSlate(await client.recs({ recent: expected[0].slice(0, 3), k: 10 })),
      filtered: await near(client, made.queries[0], { filter: { languages: ["en"] } }),
      elsewhere: await isSlate(await client.recs(elsewhere)),
    };
  });
  await withGroups({}, async (client, groups) => {
    for (const [i, query] of made.queries.entries()) {
      const slate = await near(client, query);
      assert.deepEqual(ids(slate), expected[i], `query ${i}`);
      assert.equal(slate.degraded, undefined);
    }
    assert.deepEqual(await isSlate(await client.recs(popular)), alone.popular);
    const recent = await isSlate(await client.recs({ recent: expected[0].slice(0, 3), k: 10 }));
    assert.deepEqual(ids(recent), ids(alone.recent));
    const filtered = await near(client, made.queries[0], { filter: { languages: ["en"] } });
    assert.deepEqual([filtered.items, filtered.matching], [alone.filtered.items, alone.filtered.matching]);
    assert.deepEqual((await isSlate(await client.recs(elsewhere))).items, alone.elsewhere.items);
    const exclude = expected[0].slice(0, 5);
    const rest = await near(client, made.queries[0], { exclude, k: 5 });
    assert.deepEqual(ids(rest), expected[0].slice(5));
    for (const group of groups) {
      const { segments } = await health(new Client(group.url));
      assert.deepEqual(segments, { atHand: 4, total: 8 });
    }
  });
});

for (const [what, groupB] of [
  ["hangs", () => new Promise(() => {})],
  ["fails", () => new Response("down", { status: 500 })],
  ["lies", () => new Response(new Uint8Array(64), { headers: { "x-recsys-found": "{}" } })],
]) {
  test(`a worker that ${what} degrades the answer within the deadline`, async () => {
    await withGroups({ groupB, vars: { DEADLINE_MS: "700" } }, async (client) => {
      let degraded = 0;
      for (const query of made.queries.slice(0, 8)) {
        const start = performance.now();
        const slate = await near(client, query);
        assert.ok(performance.now() - start < 5_000);
        assert.equal(slate.items.length, 10);
        if (slate.degraded !== undefined) {
          degraded += 1;
          assert.match(slate.degraded, /GROUP_B/);
        }
      }
      assert.ok(degraded > 0);
    });
  });
}

test("what is added is recommended, and what is removed is gone, within 30 seconds of the publish", async () => {
  // Miniflare's static files are those of its start.
  const { serve } = files();
  await withWorker({ assets: serve }, async (client) => {
    const [query] = made.queries;
    const [gone] = expected[0];
    assert.deepEqual(ids(await near(client, query)), expected[0]);
    const before = await made.manifest();
    await writeFile(path.join(made.folder, "new.npy"), npy([query]));
    await writeFile(path.join(made.folder, "new.txt"), "brand-new\n");
    const [vectors, names] = ["new.npy", "new.txt"].map((name) => path.join(made.folder, name));
    await recsys("add", "--bundle", made.bundle, "--vectors", vectors, "--ids", names);
    await recsys("remove", "--bundle", made.bundle, gone);
    const published = performance.now();
    const after = await made.manifest();
    const known = new Set(before.segments.map(({ shard }) => shard.file));
    const added = after.segments.filter(({ shard }) => !known.has(shard.file));
    assert.equal(added.length, 1, "one small segment");
    assert.ok(added[0].shard.bytes + added[0].items.bytes < 2_000);
    let slate;
    do {
      await pause(500);
      slate = await near(client, query);
    } while (ids(slate)[0] !== "brand-new" && performance.now() - published < 30_000);
    assert.equal(ids(slate)[0], "brand-new");
    assert.ok(!ids(slate).includes(gone), `${gone} was removed`);
    assert.equal(slate.sequence, after.sequence);
    assert.equal(slate.degraded, undefined);
    console.log(`seen ${((performance.now() - published) / 1000).toFixed(1)} s after the publish`);
  });
});

test("segments that are written anew replace the old ones while these serve, within the budget", async () => {
  const { serve } = files();
  // All of one bundle fit, but not of two.
  await withWorker({ assets: serve, vars: { MEMORY_MIB: "2" } }, async (client) => {
    for (const query of made.queries) await near(client, query);
    assert.equal((await health(client)).segments.atHand, (await made.manifest()).segments.length);
    await recsys("compact", "--bundle", made.bundle, "--shards", "8", "--probes", "3");
    const published = performance.now();
    const { sequence } = await made.manifest();
    const compacted = await made.expected();
    let slate;
    do {
      await pause(100);
      slate = await near(client, made.queries[0]);
      assert.equal(slate.items.length, 10);
    } while (slate.sequence !== sequence && performance.now() - published < 30_000);
    for (const [i, query] of made.queries.entries()) {
      slate = await near(client, query);
      assert.deepEqual([ids(slate), slate.sequence, slate.degraded], [compacted[i], sequence, undefined], `query ${i}`);
    }
  });
});
