// What a Kustomize folder comes to, and what is wrong with it that no schema knows: names that lead nowhere, labels that select
// nothing, and pods that may do more than the server needs.

import { execFile } from "node:child_process";
import { readFile, readdir } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { parse, parseAllDocuments } from "yaml";

const run = promisify(execFile);

/** The objects of a text of YAML. */
export function objectsOf(text) {
  return parseAllDocuments(text).map((document) => {
    if (document.errors.length) throw document.errors[0];
    return document.toJS();
  });
}

/** The names of a file of variables. */
export async function variablesOf(file) {
  const lines = (await readFile(file, "utf8")).split("\n").filter((line) => line && !line.startsWith("#"));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
}

/** Whether `kubectl kustomize` can be run. */
export const hasKubectl = await run("kubectl", ["version", "--client"]).then(
  () => true,
  () => false,
);

/** What `kubectl kustomize` makes of a folder: its text. */
export async function rendered(folder) {
  const { stdout } = await run("kubectl", ["kustomize", folder], { maxBuffer: 1 << 24 });
  return stdout;
}

/**
 * Follows a kustomization's references without kustomize.
 * @returns {Promise<{objects: object[], files: string[], faults: string[]}>} objects without patches and generated names
 */
export async function assembled(folder) {
  const kustomization = parse(await readFile(path.join(folder, "kustomization.yaml"), "utf8"));
  const found = { objects: [], files: [path.join(folder, "kustomization.yaml")], faults: [] };
  for (const resource of kustomization.resources) {
    const at = path.join(folder, resource);
    if (!resource.endsWith(".yaml")) {
      const part = await assembled(at);
      for (const key of Object.keys(found)) found[key].push(...part[key]);
      continue;
    }
    found.files.push(at);
    const text = await readFile(at, "utf8").catch(() => (found.faults.push(`${at} does not exist`), ""));
    found.objects.push(...objectsOf(text).map((object) => withNamespace(object, kustomization.namespace)));
  }
  for (const [generator, kind] of [["configMapGenerator", "ConfigMap"], ["secretGenerator", "Secret"]]) {
    for (const { name, behavior, envs } of kustomization[generator] ?? []) {
      const files = envs.map((file) => path.join(folder, file));
      found.files.push(...files);
      generate(found, { kind, name, behavior, data: await dataOf(files, found.faults) }, kustomization.namespace);
    }
  }
  for (const { path: file, target } of kustomization.patches ?? []) {
    found.files.push(path.join(folder, file));
    await readFile(path.join(folder, file)).catch(() => found.faults.push(`${file} does not exist`));
    const fits = ({ kind, metadata }) => kind === target.kind && metadata.name === target.name;
    if (!found.objects.some(fits)) found.faults.push(`${file}: no ${target.kind} ${target.name}`);
  }
  return found;
}

const withNamespace = (object, namespace) =>
  object.kind === "Namespace" ? object : { ...object, metadata: { ...object.metadata, namespace } };

async function dataOf(files, faults) {
  const maps = await Promise.all(files.map((file) => variablesOf(file).catch(() => (faults.push(`${file} does not exist`), new Map()))));
  return Object.fromEntries(maps.flatMap((map) => [...map]));
}

function generate({ objects, faults }, { kind, name, behavior, data }, namespace) {
  const old = objects.find((object) => object.kind === kind && object.metadata.name === name);
  if (behavior === "merge" && !old) faults.push(`${kind} ${name}: nothing to merge with`);
  const field = kind === "Secret" ? "stringData" : "data";
  if (old) Object.assign(old[field], data);
  else objects.push({ apiVersion: "v1", kind, metadata: { name, namespace }, [field]: data });
}

/** Files of a folder that its kustomizations do not name. */
export async function unnamed(folder, files) {
  const all = (await readdir(folder, { recursive: true })).filter((name) => path.extname(name));
  return all.map((name) => path.join(folder, name)).filter((file) => !files.includes(file));
}

/** The variables of a ConfigMap or a Secret, as `[name, value]`. */
function variablesIn({ kind, data = {}, stringData = {} }) {
  const text = (value) => (kind === "Secret" ? Buffer.from(value, "base64").toString() : value);
  return [...Object.entries(data).map(([name, value]) => [name, text(value)]), ...Object.entries(stringData)];
}

const fits = (labels = {}, wanted = {}) => Object.entries(wanted).every(([key, value]) => labels[key] === value);

/**
 * What is wrong.
 * @param {object[]} objects
 * @param {object} image what the image has
 * @param {string[]} image.variables that the server reads
 * @param {string[]} image.secrets those of them that are no ConfigMap's
 * @param {string[]} image.routes its paths
 * @param {string} image.user its user's number
 * @param {number} image.port
 * @param {string} image.bundle folder of the bundle
 * @param {string} image.data folder of its state
 * @returns {string[]} one line a fault
 */
export function faults(objects, image) {
  const all = new Faults(objects, image);
  for (const object of objects) {
    const { kind, metadata } = object;
    all.at = `${kind} ${metadata.name}`;
    all.check(kind === "Namespace" || all.find("Namespace", metadata.namespace), "its namespace is not there");
    all[CHECKS[kind]]?.(object);
  }
  all.at = "backends";
  all.backends();
  return all.lines;
}

/** What checks an object of a kind. */
const CHECKS = {
  ConfigMap: "variables",
  Deployment: "workload",
  HorizontalPodAutoscaler: "autoscaler",
  Ingress: "ingress",
  NetworkPolicy: "policy",
  PodDisruptionBudget: "selecting",
  Secret: "variables",
  Service: "service",
  ServiceAccount: "account",
  StatefulSet: "workload",
};

class Faults {
  lines = [];
  at = "";

  constructor(objects, image) {
    this.objects = objects;
    this.image = image;
    this.workloads = objects.filter(({ kind }) => ["Deployment", "StatefulSet"].includes(kind));
  }

  say(line) {
    this.lines.push(`${this.at}: ${line}`);
  }

  check(holds, line) {
    if (!holds) this.say(line);
  }

  find(kind, name) {
    return this.objects.find((object) => object.kind === kind && object.metadata.name === name);
  }

  selected(labels) {
    return this.workloads.filter(({ spec }) => fits(spec.template.metadata.labels, labels));
  }

  account({ automountServiceAccountToken }) {
    this.check(automountServiceAccountToken === false, "mounts a token");
  }

  workload({ kind, spec }) {
    const pod = spec.template.spec;
    const labels = spec.selector.matchLabels;
    this.check(fits(spec.template.metadata.labels, labels), "its selector does not select its pods");
    this.check(this.selected(labels).length === 1, "its selector selects another's pods");
    this.check(this.find("ServiceAccount", pod.serviceAccountName), "no such ServiceAccount");
    const headless = () => this.find("Service", spec.serviceName)?.spec.clusterIP === "None";
    this.check(kind !== "StatefulSet" || headless(), "serviceName is no headless Service");
    this.restricted(pod);
    for (const container of pod.containers) {
      this.container(container, pod);
      this.mounts(container, pod, spec.volumeClaimTemplates ?? []);
    }
  }

  restricted(pod) {
    const { runAsNonRoot, runAsUser, seccompProfile } = pod.securityContext ?? {};
    this.check(runAsNonRoot === true && String(runAsUser) === this.image.user, "does not run as the image's user");
    this.check(seccompProfile?.type === "RuntimeDefault", "seccomp is not RuntimeDefault");
    this.check(pod.automountServiceAccountToken === false, "mounts a token");
    const ofHost = [pod.hostNetwork, pod.hostPID, pod.hostIPC, ...(pod.volumes ?? []).map(({ hostPath }) => hostPath)];
    this.check(!ofHost.some(Boolean), "reaches into its host");
    for (const constraint of pod.topologySpreadConstraints ?? []) {
      this.check(this.selected(constraint.labelSelector.matchLabels).length === 1, "spreads other pods than its own");
    }
    const wait = pod.containers.map(({ lifecycle }) => lifecycle?.preStop?.sleep?.seconds ?? 0);
    this.check(Math.min(...wait) > 0 && Math.max(...wait) + 10 <= pod.terminationGracePeriodSeconds, "does not drain");
  }

  container({ securityContext = {}, resources = {}, ports = [], envFrom = [], ...container }) {
    this.check(securityContext.allowPrivilegeEscalation === false && !securityContext.privileged, "may gain privileges");
    this.check(securityContext.readOnlyRootFilesystem === true, "its root can be written to");
    this.check(securityContext.capabilities?.drop?.includes("ALL") && !securityContext.capabilities.add, "keeps capabilities");
    this.check(resources.limits?.memory && resources.requests?.memory && resources.requests?.cpu, "has no limit of memory or no requests");
    this.check(ports.some(({ containerPort }) => containerPort === this.image.port), `the image's port ${this.image.port} is not named`);
    for (const probe of ["startupProbe", "readinessProbe", "livenessProbe"]) {
      const { path: asked = "", port } = container[probe]?.httpGet ?? {};
      this.check(this.image.routes.includes(asked.split("?")[0]), `${probe}: ${asked} is no path of the worker`);
      this.check(ports.some(({ name }) => name === port), `${probe}: no port ${port}`);
    }
    for (const { configMapRef, secretRef } of envFrom) {
      const [kind, { name, optional }] = configMapRef ? ["ConfigMap", configMapRef] : ["Secret", secretRef];
      this.check(optional || this.find(kind, name), `no ${kind} ${name}`);
    }
  }

  mounts({ volumeMounts = [] }, pod, templates) {
    const names = [...(pod.volumes ?? []), ...templates.map(({ metadata }) => metadata)].map(({ name }) => name);
    for (const { name } of volumeMounts) this.check(names.includes(name), `no volume ${name}`);
    for (const { persistentVolumeClaim: claim } of pod.volumes ?? []) {
      this.check(!claim || this.find("PersistentVolumeClaim", claim.claimName), `no claim ${claim?.claimName}`);
    }
    const at = (folder) => volumeMounts.find(({ mountPath }) => mountPath === folder);
    this.check(at(this.image.bundle)?.readOnly, `nothing read-only at ${this.image.bundle}`);
    this.check(at(this.image.data) && !at(this.image.data).readOnly, `nothing writable at ${this.image.data}`);
  }

  service({ spec }) {
    const [workload, ...others] = this.selected(spec.selector);
    if (!workload || others.length) return this.say(`selects ${others.length ? "several workloads" : "nothing"}`);
    const names = workload.spec.template.spec.containers.flatMap(({ ports }) => ports.map(({ name }) => name));
    for (const { targetPort } of spec.ports) this.check(names.includes(targetPort), `no port ${targetPort} in ${workload.metadata.name}`);
  }

  ingress({ spec }) {
    for (const { path: asked, backend } of spec.rules.flatMap(({ http }) => http.paths)) {
      const { name, port } = backend.service;
      const service = this.find("Service", name);
      this.check(service?.spec.ports.some((one) => one.name === port.name), `${asked}: no port ${port.name} of a Service ${name}`);
      this.check(asked === "/" || this.image.routes.includes(asked), `${asked} is no path of the worker`);
    }
  }

  autoscaler({ spec }) {
    const target = this.find(spec.scaleTargetRef.kind, spec.scaleTargetRef.name);
    this.check(target, "its target is not there");
    this.check(target?.spec.replicas === undefined, "its target says itself how many");
    this.check(spec.minReplicas <= spec.maxReplicas, "fewer at most than at least");
  }

  selecting({ spec }) {
    this.check(this.selected(spec.selector.matchLabels).length === 1, "does not select one workload");
  }

  policy({ spec }) {
    this.check(this.workloads.length && this.selected(spec.podSelector.matchLabels).length === this.workloads.length, "does not hold for every pod");
    const named = (spec.ingress ?? []).flatMap(({ ports }) => ports).map(({ port }) => port);
    this.check(named.every((port) => port === "http"), "names another port than http");
    const peers = [...(spec.ingress ?? []).map(({ from }) => from), ...(spec.egress ?? []).map(({ to }) => to)];
    this.check(peers.every((some) => some?.length), "is open to everybody");
  }

  variables(object) {
    for (const [name] of variablesIn(object)) {
      this.check(this.image.variables.includes(name), `${name} is no variable of the server`);
      this.check(this.image.secrets.includes(name) === (object.kind === "Secret"), `${name} belongs into the other one`);
    }
  }

  /** Every backend that a variable names is reachable through a policy, in its namespace and at its port. */
  backends() {
    const rules = this.objects.filter(({ kind }) => kind === "NetworkPolicy").flatMap(({ spec }) => spec.egress ?? []);
    const sources = this.objects.filter(({ kind }) => ["ConfigMap", "Secret"].includes(kind));
    for (const [name, value] of sources.flatMap(variablesIn).filter(([name]) => name.endsWith("_URL"))) {
      const { hostname, port } = new URL(value);
      const [, namespace] = hostname.split(".");
      const leadsThere = ({ namespaceSelector }) => namespaceSelector?.matchLabels["kubernetes.io/metadata.name"] === namespace;
      const open = rules.some(({ to, ports }) => ports.some((one) => String(one.port) === port) && to.some(leadsThere));
      this.check(open, `${name}: no NetworkPolicy lets pods reach port ${port} of namespace ${namespace}`);
    }
  }
}
