// What deploy/ says: the configuration of workerd, the image and the objects of Kubernetes, held to each other and to what is built.
//
// Objects are checked against the schemas of Kubernetes with kubernetes-validate, which `cargo xtask servers` installs, and as
// Kustomize renders them where there is a kubectl; else as they lie in their files.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { stringify } from "yaml";
import { HEALTH, SERVE, startApiServer } from "./api_server.mjs";
import { Client, isSlate } from "./client.mjs";
import { SERVERS, needs } from "./engines.mjs";
import { assembled, faults, hasKubectl, objectsOf, rendered, unnamed } from "./kubernetes.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const WORKERD = "deploy/workerd";
const PROGRAM = "/usr/local/bin/workerd";
/** What the worker also reads: how a catalogue is split over several workers, and bindings that plain workerd has not. */
const NOT_BOUND = ["ENCODER_IMAGE", "EVENTS_BUCKET", "GROUPS", "RATE_LIMIT", "SEGMENTS"];
const SECRETS = ["AGGREGATES_TOKEN", "KAFKA_REST_AUTHORIZATION", "METRICS_TOKEN", "MILVUS_TOKEN", "REDIS_URL"];
/** The oldest Kubernetes that knows all of the fields, and the newest that the checker knows. */
const VERSIONS = ["1.30", "1.37"];
const VALIDATOR = path.join(SERVERS, "kubernetes-venv/bin/kubernetes-validate");
const { skip: WITHOUT_VALIDATOR } = needs(existsSync(VALIDATOR), "kubernetes-validate");
const [BASE, OVERLAY] = ["base", "overlays/redis-kafka-milvus"];

const run = promisify(execFile);
const inRoot = (...parts) => path.join(ROOT, ...parts);
const textOf = (...parts) => readFile(inRoot(...parts), "utf8");

let work;
/** The objects of each folder. */
const objects = {};
let image;

before(async () => {
  work = await mkdtemp(path.join(tmpdir(), "recsys-deploy-"));
  await cp(inRoot("deploy/kubernetes"), path.join(work, "kubernetes"), { recursive: true });
  const overlay = path.join(work, "kubernetes", OVERLAY);
  await cp(path.join(overlay, "secret.example.env"), path.join(overlay, "secret.env"));
  for (const name of [BASE, OVERLAY]) {
    const folder = path.join(work, "kubernetes", name);
    objects[name] = hasKubectl ? objectsOf(await rendered(folder)) : (await assembled(folder)).objects;
  }
  image = await imageOf();
});

after(() => rm(work, { recursive: true, force: true }));

/** The instructions of the Dockerfile, `[name, rest]` each. */
async function instructions() {
  const text = (await textOf(WORKERD, "Dockerfile")).replace(/^#.*\n/gm, "").replace(/\\\n\s*/g, "");
  return text.split("\n").filter(Boolean).map((line) => /^(\w+) (.*)$/.exec(line).slice(1));
}

const named = (all, name) => all.filter(([one]) => one === name).map(([, rest]) => rest);

/** What a pod has of the image and of its configuration. */
async function imageOf() {
  const all = await instructions();
  const config = await textOf(WORKERD, "config.capnp");
  const [workdir] = named(all, "WORKDIR");
  const routes = await textOf("crates/edge-worker/src/routes.rs");
  const [, site] = /name = "site", disk = \(path = "(.*?)"/.exec(config);
  return {
    variables: [...config.matchAll(/fromEnvironment = "(\w+)"/g)].map(([, name]) => name),
    secrets: SECRETS,
    routes: [...new Set([...routes.matchAll(/"(\/[\w/]+)"/g)].map(([, route]) => route))],
    user: named(all, "USER")[0].split(":")[0],
    port: Number(named(all, "EXPOSE")[0]),
    bundle: path.posix.join(workdir, site, "bundle"),
    data: named(all, "VOLUME")[0],
  };
}

/** Names in capitals with an underscore in the worker's sources: its variables and some of its bindings. */
async function readByTheWorker() {
  const folder = "crates/edge-worker/src";
  const files = (await readdir(inRoot(folder), { recursive: true })).filter((name) => name.endsWith(".rs"));
  const texts = await Promise.all(files.map((name) => textOf(folder, name)));
  return new Set(texts.flatMap((text) => [...text.matchAll(/"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)"/g)].map(([, name]) => name)));
}

test("the configuration binds each variable that the worker reads and wrangler.toml tells of, under its own name", async () => {
  const config = await textOf(WORKERD, "config.capnp");
  for (const [, name, variable] of config.matchAll(/name = "(\w+)", fromEnvironment = "(\w+)"/g)) assert.equal(name, variable);
  const commented = [...(await textOf("wrangler.toml")).matchAll(/^# ([A-Z][A-Z_]+) = "/gm)].map(([, name]) => name);
  const told = [...commented, ...(await readByTheWorker())];
  assert.ok(told.length > 12);
  assert.deepEqual(told.filter((name) => !image.variables.includes(name) && !NOT_BOUND.includes(name)), []);
  const [date] = /compatibility_date = "(.*)"/.exec(await textOf("wrangler.toml")).slice(1);
  assert.ok(config.includes(`compatibilityDate :Text = "${date}"`), date);
  const documented = await textOf("deploy/README.md");
  assert.deepEqual(image.variables.filter((name) => !documented.includes(`\`${name}\``)), [], "not in deploy/README.md");
});

test("the router sends the worker what wrangler.toml has it run first for", async () => {
  const [, list] = /run_worker_first = (\[.*\])/.exec(await textOf("wrangler.toml"));
  const [, exact] = /const API = (\[.*\]);/.exec(await textOf(WORKERD, "router.js"));
  assert.deepEqual(JSON.parse(list).sort(), [...JSON.parse(exact), "/v1/*"].sort());
});

test("the configuration has every module that is built", async () => {
  const config = await textOf(WORKERD, "config.capnp");
  const embedded = [...config.matchAll(/embed "(.*?)"/g)].map(([, file]) => path.join(WORKERD, file));
  assert.deepEqual(embedded.filter((file) => !existsSync(inRoot(file))), []);
  const own = (await readdir(inRoot(WORKERD))).filter((file) => file.endsWith(".js") && file !== "health.js");
  const built = [];
  for (const folder of ["dist/edge-worker", "dist/edge-encoder"]) {
    const files = await readdir(inRoot(folder), { recursive: true });
    built.push(...files.filter((file) => /\.(js|wasm)$/.test(file)).map((file) => path.join(folder, file)));
  }
  assert.deepEqual([...own.map((file) => path.join(WORKERD, file)), ...built].sort(), embedded.sort());
});

test("every Durable Object of the worker has a place on disk, and is given its variables by api.js", async () => {
  const worker = await textOf("dist/edge-worker/worker.js");
  const classes = [...worker.matchAll(/^export class (\w+)/gm)].map(([, name]) => name).sort();
  const config = await textOf(WORKERD, "config.capnp");
  const placed = [...config.matchAll(/^ +\(className = "(\w+)", uniqueKey = ".+?", enableSql = true\)/gm)].map(([, name]) => name);
  const wrapped = [...(await textOf(WORKERD, "api.js")).matchAll(/^export class (\w+) extends withSet\(objects\.\1\)/gm)];
  assert.deepEqual([placed.sort(), wrapped.map(([, name]) => name).sort()], [classes, classes]);
});

test("the image runs what the tests run, as nobody, with the version that is locked", async () => {
  const all = await instructions();
  const list = (name) => JSON.parse(named(all, name).at(-1));
  assert.deepEqual([...list("ENTRYPOINT"), ...list("CMD")], [PROGRAM, ...SERVE]);
  const [check] = named(all, "HEALTHCHECK");
  assert.deepEqual(JSON.parse(check.slice(check.indexOf("["))), [PROGRAM, ...HEALTH]);
  const { packages } = JSON.parse(await textOf("package-lock.json"));
  assert.match(named(all, "RUN")[0], new RegExp(` workerd@${packages["node_modules/workerd"].version.replaceAll(".", "\\.")} `));
  assert.match(named(all, "USER")[0], /^[1-9]\d*:[1-9]\d*$/);
  const config = await textOf(WORKERD, "config.capnp");
  assert.ok(config.includes(`address = "*:${image.port}"`));
  assert.ok((await textOf(WORKERD, "health.capnp")).includes(`address = "127.0.0.1:${image.port}"`));
  assert.ok(config.includes(`name = "data", disk = (path = "${image.data}", writable = true)`));
  assert.equal(config.match(/writable = true/g).length, 1, "one folder alone is written to");
});

/** The paths that the image takes from the folder, each to the same place below its working directory. */
async function copied() {
  const copies = named(await instructions(), "COPY").filter((rest) => !rest.startsWith("--from="));
  return copies.map((rest) => {
    const [from, to, ...more] = rest.split(" ");
    assert.deepEqual([to, more], [from, []]);
    return from;
  });
}

test("what the image copies is there and let through, is enough to serve, and is not written to", async () => {
  const paths = await copied();
  const ignore = (await textOf(WORKERD, "Dockerfile.dockerignore")).split("\n").filter((line) => line && !line.startsWith("#"));
  assert.deepEqual(ignore, ["*", ...paths.map((from) => `!${from}`)]);
  const root = path.join(work, "image");
  const data = await mkdtemp(path.join(work, "data-"));
  for (const from of paths) {
    await mkdir(path.join(root, path.dirname(from)), { recursive: true });
    // The site is only read, and has thousands of media.
    if (from === "dist/site") await symlink(inRoot(from), path.join(root, from));
    else await cp(inRoot(from), path.join(root, from), { recursive: true });
  }
  const listed = async () => (await readdir(root, { recursive: true })).sort();
  const before = await listed();
  const server = await startApiServer({ root, data });
  try {
    await isSlate(await new Client(server.url).recs({ k: 3 }));
    assert.equal((await fetch(server.url)).status, 200);
    assert.deepEqual(await listed(), before);
    assert.ok((await readdir(data)).includes("last-seen"), "its state is in its data");
  } finally {
    await server.dispose();
  }
});

test("kustomizations name every file, and what they name is there", async () => {
  const folder = path.join(work, "kubernetes");
  const { files, faults: broken } = await assembled(path.join(folder, OVERLAY));
  assert.deepEqual(broken, []);
  const left = (await unnamed(folder, files)).map((file) => path.relative(path.join(folder, OVERLAY), file));
  assert.deepEqual(left.sort(), ["pod-monitor.yaml", "secret.example.env"]);
});

test("objects fit together, and pods may do what the server needs and no more", () => {
  for (const name of [BASE, OVERLAY]) assert.deepEqual(faults(objects[name], image), [], name);
  const kinds = (name) => objects[name].map(({ kind }) => kind).sort();
  assert.ok(kinds(BASE).length >= 9 && !kinds(BASE).includes("StatefulSet"));
  assert.ok(kinds(OVERLAY).includes("StatefulSet") && kinds(OVERLAY).includes("Secret"));
});

test("events go to the pods with a disk of their own, all else to the others", { skip: !hasKubectl && "no kubectl" }, () => {
  const [{ spec }] = objects[OVERLAY].filter(({ kind }) => kind === "Ingress");
  const to = spec.rules[0].http.paths.map(({ path: asked, pathType, backend }) => [asked, pathType, backend.service.name]);
  assert.deepEqual(to, [["/v1/events", "Exact", "recsys-outbox"], ["/", "Prefix", "recsys"]]);
  const stateful = objects[OVERLAY].find(({ kind }) => kind === "StatefulSet");
  assert.equal(stateful.spec.volumeClaimTemplates[0].metadata.name, "data");
  assert.equal(stateful.spec.persistentVolumeClaimRetentionPolicy.whenScaled, "Retain");
});

test("the optional PodMonitor asks the pods' port for a path of the router", async () => {
  const [{ spec }] = objectsOf(await textOf("deploy/kubernetes", OVERLAY, "pod-monitor.yaml"));
  assert.deepEqual(spec.selector.matchLabels, { "app.kubernetes.io/name": "recsys" });
  const [{ port, path: asked }] = spec.podMetricsEndpoints;
  assert.ok(port === "http" && (await textOf(WORKERD, "router.js")).includes(`"${asked}"`));
});

/** Each of them makes one mistake in the overlay's objects, and says what must be found. */
const MISTAKES = {
  "Deployment recsys: its selector does not select its pods": ({ Deployment }) =>
    (Deployment.spec.template.metadata.labels["app.kubernetes.io/component"] = "web"),
  "Deployment recsys: does not run as the image's user": ({ Deployment }) =>
    (Deployment.spec.template.spec.securityContext.runAsUser = 1000),
  "Deployment recsys: readinessProbe: /health is no path of the worker": ({ container }) =>
    (container.readinessProbe.httpGet.path = "/health"),
  "Deployment recsys: livenessProbe: no port web": ({ container }) => (container.livenessProbe.httpGet.port = "web"),
  "Deployment recsys: its root can be written to": ({ container }) =>
    delete container.securityContext.readOnlyRootFilesystem,
  "Deployment recsys: keeps capabilities": ({ container }) => (container.securityContext.capabilities.add = ["NET_ADMIN"]),
  "Deployment recsys: no ConfigMap settings": ({ container }) => (container.envFrom[0].configMapRef.name = "settings"),
  "Deployment recsys: nothing read-only at /opt/recsys/dist/site/bundle": ({ container }) =>
    (container.volumeMounts[0].mountPath = "/bundle"),
  "Deployment recsys: does not drain": ({ container }) => delete container.lifecycle,
  "StatefulSet recsys-outbox: no volume data": ({ StatefulSet }) => (StatefulSet.spec.volumeClaimTemplates = []),
  "Ingress recsys: /: no port web of a Service recsys": ({ Ingress }) =>
    (Ingress.spec.rules[0].http.paths.at(-1).backend.service.port.name = "web"),
  "HorizontalPodAutoscaler recsys: its target is not there": ({ HorizontalPodAutoscaler }) =>
    (HorizontalPodAutoscaler.spec.scaleTargetRef.name = "api"),
  "ConfigMap recsys-config: HISTORY_STOR is no variable of the server": ({ ConfigMap }) =>
    (ConfigMap.data.HISTORY_STOR = "redis"),
  "ConfigMap recsys-config: REDIS_URL belongs into the other one": ({ ConfigMap }) =>
    (ConfigMap.data.REDIS_URL = "redis://r.redis:6379"),
  "backends: MILVUS_URL: no NetworkPolicy lets pods reach port 19531 of namespace milvus": ({ ConfigMap }) =>
    (ConfigMap.data.MILVUS_URL = "http://m.milvus.svc:19531"),
};

/** A copy of the overlay's objects, without the hashes in names, and the first of each kind with the Deployment's container. */
function copyOfOverlay() {
  const copy = JSON.parse(JSON.stringify(objects[OVERLAY]).replace(/"(recsys-(?:config|secret))-[a-z0-9]{10}"/g, '"$1"'));
  const ofKind = Object.fromEntries([...copy].reverse().map((object) => [object.kind, object]));
  return [copy, { ...ofKind, container: ofKind.Deployment.spec.template.spec.containers[0] }];
}

test("these checks find mistakes: each that is made is named", () => {
  assert.deepEqual(faults(copyOfOverlay()[0], image), []);
  for (const [expected, make] of Object.entries(MISTAKES)) {
    const [copy, ofKind] = copyOfOverlay();
    make(ofKind);
    const found = faults(copy, image);
    assert.ok(found.includes(expected), `expected "${expected}", found ${JSON.stringify(found)}`);
  }
});

/** What the schema of a version says of objects, every field of which it has to know: "" where all is well. */
async function schemaSays(version, some) {
  const file = path.join(work, "objects.yaml");
  await writeFile(file, some.map((object) => stringify(object)).join("---\n"));
  const { stdout } = await run(VALIDATOR, ["--strict", "--quiet", "-k", version, file]).catch((error) => error);
  return stdout.trim();
}

test("objects are what Kubernetes has schemas for, with no field that it does not know", { skip: WITHOUT_VALIDATOR }, async () => {
  for (const version of VERSIONS) assert.equal(await schemaSays(version, [...objects[BASE], ...objects[OVERLAY]]), "", version);
  const mistakes = {
    "'readynessProbe' was unexpected": ({ container }) => (container.readynessProbe = container.readinessProbe),
    "'many' is not of type 'integer'": ({ HorizontalPodAutoscaler }) => (HorizontalPodAutoscaler.spec.maxReplicas = "many"),
    "'pathType' is a required property": ({ Ingress }) => delete Ingress.spec.rules[0].http.paths[0].pathType,
    "autoscaling/v2beta2": ({ HorizontalPodAutoscaler }) => (HorizontalPodAutoscaler.apiVersion = "autoscaling/v2beta2"),
  };
  const wrong = Object.values(mistakes).flatMap((make) => {
    const [copy, ofKind] = copyOfOverlay();
    make(ofKind);
    return copy;
  });
  const said = await schemaSays(VERSIONS[0], wrong);
  for (const expected of Object.keys(mistakes)) assert.ok(said.includes(expected), `expected ${expected} in ${said}`);
});
