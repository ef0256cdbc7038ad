// Requests that carry canaries through every path of the worker: good ones, and ones that are made to fail.

import http from "node:http";

export const BINARY = "application/vnd.recsys.candidates";
const JSON_TYPE = "application/json";

/**
 * A request: what it is, its path, its body and more of its headers.
 * @typedef {[string, string, {method?: string, body?: string | Uint8Array, type?: string, headers?: object}]} Sent
 */

/** @returns {Sent[]} requests that a client may send */
export function good(canaries, known) {
  const { id, words, vector, picture } = canaries;
  const recs = (what, value, path = "/v1/recs") => [what, path, { body: JSON.stringify(value) }];
  const query = new URLSearchParams({ q: words, k: "3" });
  return [
    recs("a vector", { vector, k: 5 }),
    recs("a vector, by the alias", { vector, k: 5 }, "/recs"),
    recs("a vector of the popular part", { vector, k: 1000 }),
    recs("a vector and a filter", { vector, filter: { categories: [words], languages: [id] } }),
    recs("a filter alone", { filter: { categories: [words] } }),
    recs("an unknown id", { recent: [id] }),
    recs("ids, one unknown", { recent: [...known, id], exclude: [id] }),
    recs("10,000 unknown ids", { recent: Array(10_000).fill(id) }),
    recs("words", { text: words }),
    recs("a search", { text: words, k: 3 }, "/v1/search"),
    recs("a search and a filter", { text: words, filter: { languages: [id] } }, "/v1/search"),
    ["a picture", "/v1/search", { body: picture, type: "image/png" }],
    ["a search by URL", `/v1/search?${query}`, {}],
    ["the manifest", `/v1/manifest?${query}`, {}],
    ["health", `/healthz?${query}`, {}],
    recs("counts of unknown videos", { items: [{ item: id, clicks: 1 }], pairs: [{ item: known[0], with: id, count: 1 }] }, "/v1/aggregates"),
  ];
}

/** @returns {Sent[]} requests of history mode: of a viewer whose name is a canary too, kept, asked for, wrong, and forgotten */
export function histories({ id, words, name }, known) {
  const post = (what, value, path = "/v1/events") => [what, path, { body: JSON.stringify(value) }];
  const click = (item, more) => ({ event: "click", ts: 1_760_000_000_000, item, ...more });
  return [
    post("clicks to be kept", { viewer: name, events: [click(id), click(known[0])] }),
    post("a viewer", { viewer: name, k: 5 }, "/v1/recs"),
    post("a viewer and a filter", { viewer: name, filter: { categories: [words] } }, "/v1/recs"),
    post("a name that is none", { viewer: words, events: [click(id)] }),
    post("a name that is too long", { viewer: name.repeat(300), events: [click(id)] }),
    post("an event of another kind", { viewer: name, events: [click(id, { event: words })] }),
    post("an event with an unknown field", { viewer: name, events: [click(id, { [words]: id })] }),
    post("an event with a request and an id", { viewer: name, events: [click(id, { request: words, position: 3, id: name })] }),
    post("an event with a request that is none", { viewer: name, events: [click(id, { request: words.repeat(20) })] }),
    post("an event with an id that is none", { viewer: name, events: [click(id, { id: words })] }),
    post("an event with a place that is none", { viewer: name, events: [click(id, { position: words })] }),
    post("an impression of no reply", { viewer: name, events: [click(id, { event: "impression" })] }),
    post("an event at no time", { viewer: name, events: [click(id, { ts: words })] }),
    post("an event of no video", { viewer: name, events: [click(`${id}\n`)] }),
    post("too many events", { viewer: name, events: Array(101).fill(click(id)) }),
    post("both wishes", { viewer: name, events: [click(id)], forget: true }),
    post("a viewer and words", { viewer: name, text: words }, "/v1/recs"),
    post("to be forgotten", { viewer: name, forget: true }),
  ];
}

/** Bodies of `/v1/recs` that are none. */
function badBodies({ id, words, vector }) {
  const change = (at, value) => ({ vector: vector.with(at, value) });
  return [
    ["a JSON that ends early", JSON.stringify({ recent: [id], vector }).slice(0, -4)],
    ["a JSON with a slip behind the words", `{"text":${JSON.stringify(words)},,}`],
    ["words that are no JSON", words],
    ["words that are JSON", JSON.stringify(words)],
    ["JSON nested deep", `{"${id}":${"[".repeat(100_000)}`],
    ["more values than a body may have", JSON.stringify({ recent: [id], vector: Array(200_000).fill(vector[0]) })],
    ["bytes that are no UTF-8", Buffer.concat([Buffer.from(`{"text":"${words}`), Buffer.from([0xff, 0xfe])])],
    ["an unknown field", { [id]: vector }],
    ["an unknown field behind known ones", { vector, [words]: id }],
    ["a field twice", `{"text":"${words}","text":"${words}"}`],
    ["a vector of another length", { vector: vector.slice(1) }],
    ["a vector that is too long", { vector: [...vector, ...vector] }],
    ["a vector with words in it", change(2, words)],
    ["a vector with a list in it", change(2, vector)],
    ["a vector with null in it", change(2, null)],
    ["a vector beyond f32", JSON.stringify(change(2, "@")).replace('"@"', "7e39")],
    ["a vector beyond f64", JSON.stringify(change(2, "@")).replace('"@"', "7e999")],
    ["a vector that is words", { vector: words }],
    ["a vector that is an object", { vector: { [id]: vector } }],
    ["ids that are no list", { recent: id }],
    ["an id that is an object", { recent: [{ [id]: words }] }],
    ["an id with a control character", { recent: [`${id}\n`] }],
    ["an id that is too long", { recent: [id.repeat(20)] }],
    ["an excluded id with a control character", { vector, exclude: [`\t${id}`] }],
    ["10,001 ids", { recent: Array(10_001).fill(id) }],
    ["10,001 excluded ids", { exclude: Array(10_001).fill(id) }],
    ["two queries", { vector, text: words }],
    ["words that are a list", { text: [words] }],
    ["words that are a number", { text: vector[0] }],
    ["words that are too long", { text: words.repeat(200) }],
    ["k that is words", { vector, k: words }],
    ["k that is a component", { k: vector[0] }],
    ["k out of range", { text: words, k: 1001 }],
    ["a filter that is words", { filter: words }],
    ["a filter with an unknown field", { filter: { [words]: id } }],
    ["a filter with a name that is no list", { filter: { categories: words } }],
    ["a filter with a date that is none", { filter: { uploaded: { from: words } } }],
    ["a filter with an age that is none", { filter: { age: id } }],
    ["a filter with too many names", { filter: { languages: Array(101).fill(words) } }],
  ];
}

/** @returns {Sent[]} requests that must be refused */
export function bad(canaries, known) {
  const { id, words, token, note, picture } = canaries;
  const value = (body) => (typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body));
  const bodies = badBodies(canaries);
  const counts = [
    { [id]: 1 },
    { items: [{ item: `${id}\u0007`, clicks: 1 }] },
    { items: [{ item: id, clicks: 1001 }] },
    { items: [{ item: id, clicks: words }] },
    { items: [{ item: id, clicks: 1, [words]: 1 }] },
    { pairs: [{ item: id, with: id, count: 1 }] },
    { arms: [{ experiment: words, arm: "a", exposures: 1 }] },
    { arms: [{ experiment: "e", arm: `${id}!`, exposures: 1 }] },
  ];
  return [
    ...bodies.map(([what, body]) => [what, "/v1/recs", { body: value(body) }]),
    ...bodies.filter(([what]) => /words|JSON|field|k /.test(what)).map(([what, body]) => [`a search: ${what}`, "/v1/search", { body: value(body) }]),
    ...counts.map((body) => [`counts ${Object.keys(body)}`, "/v1/aggregates", { body: value(body) }]),
    ["the sums with another token", "/v1/aggregates", { headers: { authorization: `Bearer ${token}` } }],
    ["another media type", "/v1/recs", { body: value({ text: words }), type: "text/plain" }],
    ["a media type of our own", "/v1/recs", { body: value({ text: words }), type: `text/${note}` }],
    ["counts of another media type", "/v1/aggregates", { body: value(counts[1]), type: `application/${note}` }],
    ["a picture to the wrong path", "/v1/recs", { body: picture, type: "image/png" }],
    ["a picture that is cut off", "/v1/search", { body: picture.subarray(0, -900), type: "image/png" }],
    ["a picture that is damaged", "/v1/search", { body: Buffer.concat([picture.subarray(0, 700), picture]), type: "image/png" }],
    ["words as a picture", "/v1/search", { body: words, type: "image/jpeg" }],
    ["a pixmap of a kind that is not", "/v1/search", { body: `P7\nWIDTH 1\nHEIGHT 1\nDEPTH 1\nMAXVAL 1\nTUPLTYPE ${note}\nENDHDR\n1`, type: "image/x-pam" }],
    ["no words in the URL", `/v1/search?w=${encodeURIComponent(words)}`, {}],
    ["a search by URL with k that is none", `/v1/search?q=${encodeURIComponent(words)}&k=${id}`, {}],
    ["a path that is none", `/v1/${id}`, {}],
    ["a path below one", `/v1/recs/${encodeURIComponent(words)}`, { body: value({ recent: [id] }) }],
    ["another method", "/v1/recs", { method: "PUT", body: value({ text: words }) }],
    ["a question of another worker", "/v1/segments", { body: value({ bundle: id, k: 5, find: [id], exclude: known }) }],
    ["a question that is none", "/v1/segments", { body: value({ bundle: id, k: words }) }],
  ];
}

/** Requests of one worker that asks another for what it does not hold, as `crates/edge-worker/src/groups.rs` writes them. */
export function questions({ id, words, vector }, bundle) {
  const ask = (what, value) => [what, "/v1/segments", { body: JSON.stringify({ bundle, k: 5, segments: [], exclude: [], ...value }) }];
  return [
    ask("a vector", { vector, segments: [0, 1], exclude: [id] }),
    ask("ids", { find: [id] }),
    ask("a filter", { filter: { categories: [words] } }),
    ask("another bundle", { bundle: words, vector }),
    ask("a vector of another length", { vector: vector.slice(2), segments: [0] }),
    ask("a filter that is none", { filter: { [words]: id } }),
    ask("segments that are words", { segments: [words] }),
    ask("an unknown field", { [id]: words }),
  ];
}

/** Sends one, with canaries in the headers that tell who asks. */
export function send(url, [, path, { method, body, type = JSON_TYPE, headers }], accept, canaries) {
  const { origin, note, address } = canaries;
  return fetch(url + path, {
    method: method ?? (body === undefined ? "GET" : "POST"),
    body,
    headers: {
      ...(body !== undefined && { "content-type": type }),
      accept,
      origin,
      cookie: `viewer=${note}`,
      referer: `${origin}/${note}`,
      "user-agent": note,
      "x-forwarded-for": address,
      "cf-connecting-ip": address,
      ...headers,
    },
  });
}

/** Begins a body that is stated to be longer than any may be; the answer, which comes before its end. */
export async function beginOversized(url, path, body, type) {
  const options = { method: "POST", headers: { "content-type": type, "content-length": 1 << 28 } };
  const post = http.request(url + path, options);
  try {
    const answer = await new Promise((resolve, reject) => post.on("response", resolve).on("error", reject).write(body));
    const bytes = Buffer.concat(await answer.toArray());
    return new Response(bytes, { status: answer.statusCode, headers: answer.headers });
  } finally {
    post.destroy();
  }
}
