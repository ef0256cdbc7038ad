// What the other engines need and cost: Milvus, Redis, Durable Objects, Queues, Kafka, and the processors that make the vectors.

import { perMonth } from "./layout.mjs";

const SECONDS_PER_MONTH = perMonth(1);
const servers = (given, { vcpu, gib }) => vcpu * given.vcpuMonth + gib * given.gibMonth;

/** Bytes that leave the servers for one recommendation cost, in dollars a million. */
const transfer = (given, bytes) => (bytes * given.transferGb) / 1e3;

/** Milvus for a catalogue and a rate; its answer carries at least what ours does. */
export function milvus(given, videos, rps) {
  const bytes = videos * (4 * given.dim + given.milvusBytesPerVector);
  const segments = Math.ceil(bytes / given.milvusSegmentBytes);
  const cpuMs = segments * given.milvusMsPerSegment;
  const busyVcpu = (rps * cpuMs) / 1_000 / given.serverBusy;
  // One small server does while it holds the vectors and keeps up; else a cluster.
  const isSmall = videos <= given.milvusSmallItems && busyVcpu <= given.milvusSmallVcpu;
  const { vcpu, gib } = isSmall
    ? { vcpu: given.milvusSmallVcpu, gib: given.milvusSmallGib }
    : { vcpu: given.milvusVcpu + busyVcpu, gib: given.milvusGib + (given.milvusReplicas * bytes) / 2 ** 30 };
  const monthly = servers(given, { vcpu, gib });
  const answerBytes = given.k * given.answerBytesPerCandidate;
  return { segments, cpuMs, vcpu, gib, monthly, transferPerMillion: transfer(given, answerBytes) };
}

/** Memory that compressed vectors (HNSW_SQ8: a byte a dimension) would take instead. */
export const milvusBytes = (given, videos, bytesPerDim) => videos * (bytesPerDim * given.dim + given.milvusBytesPerVector);

/** Histories in Durable Objects, a month. */
export function objects(given, rps) {
  const [reads, clicks] = [perMonth(rps) / 1e6, (perMonth(rps) * given.clicksPerRec) / 1e6];
  const gbSeconds = ((reads + clicks) * given.objectMs * 0.128) / 1_000;
  const rows = reads * 50 * given.objectRowsRead + clicks * given.objectRowsPerClick * given.objectRowsWritten;
  const storage = (rps * given.viewersPerRps * given.objectBytes * given.objectStorage) / 1e9;
  return (reads + clicks) * given.objectRequests + gbSeconds * given.objectGbSeconds + rows + storage;
}

/** Histories in Redis, a month: memory, processors, and the bytes that each reading sends. */
export function redisHistory(given, rps) {
  const gib = (rps * given.viewersPerRps * given.redisBytesPerViewer * given.redisSlack) / 2 ** 30;
  const vcpu = Math.max(1, (rps * (1 + given.clicksPerRec)) / given.redisHistoryPerSecond / given.serverBusy);
  const monthly = servers(given, { vcpu: vcpu * given.redisCopies, gib: Math.max(1, gib) * given.redisCopies });
  const sent = (perMonth(rps) / 1e6) * transfer(given, 50 * 20);
  return { gib: Math.max(1, gib) * given.redisCopies, vcpu: vcpu * given.redisCopies, monthly: monthly + sent };
}

/** Features of all videos in Redis, a month. */
export function redisFeatures(given, videos, rps) {
  const gib = (videos * given.redisBytesPerItem * given.redisSlack) / 2 ** 30;
  const vcpu = Math.max(1, rps / given.redisFeaturesPerSecond / given.serverBusy);
  const sent = (perMonth(rps) / 1e6) * transfer(given, given.k * 50);
  const monthly = servers(given, { vcpu: vcpu * given.redisCopies, gib: Math.max(1, gib) * given.redisCopies }) + sent;
  return { gib: Math.max(1, gib) * given.redisCopies, vcpu: vcpu * given.redisCopies, monthly };
}

/** Events through Queues, a month: written, read and deleted, and the share of a queue's messages a second. */
export function queue(given, rps) {
  const operations = 3 * Math.ceil(given.eventBytes / 64_000);
  return { monthly: (perMonth(rps) / 1e6) * operations * given.queueOperations, queues: Math.ceil(rps / given.queuePerSecond) };
}

/** Events through Kafka, a month. */
export function kafka(given, rps) {
  const bytes = rps * given.eventBytes;
  const brokers = Math.max(given.kafkaBrokers, Math.ceil(bytes / given.kafkaBytesPerBroker / given.serverBusy));
  const diskGb = (bytes * 86_400 * given.kafkaDays * given.kafkaReplicas) / 1e9;
  const monthly = servers(given, { vcpu: brokers * given.kafkaVcpu, gib: brokers * given.kafkaGib }) + diskGb * given.diskGbMonth;
  return { brokers, diskGb, monthly };
}

/** Making the vectors and graphs of a catalogue once. */
export function indexing(given, videos) {
  const encodeS = (videos * (given.framesPerVideo * given.encodeMsPerFrame + given.mediaMsPerVideo)) / 1_000;
  const graphS = (videos * given.copies * given.insertMs) / 1_000;
  return { encodeS, graphS, cost: ((encodeS + graphS) / SECONDS_PER_MONTH) * given.vcpuMonth };
}

/** The lowest rate at which `dear` costs more a month than `cheap`; undefined where it never does. */
export function crossing(dear, cheap) {
  if (dear(1e7) <= cheap(1e7)) return undefined;
  let [low, high] = [1e-3, 1e7];
  while (high / low > 1.001) {
    const middle = Math.sqrt(low * high);
    if (dear(middle) > cheap(middle)) high = middle;
    else low = middle;
  }
  return high;
}
