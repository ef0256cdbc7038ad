// Behind the worker's Cache API, which plain workerd has none of: the highest sequence served (crates/edge-worker/src/last_seen.rs),
// on disk. So a process that has just started refuses a lower one too.
//
// A `put` comes as PUT with the whole answer as text, its headers first; a `match` as GET, and `CF-Cache-Status` says whether
// there is something.

const NAMES = "https://recsys.internal/last-seen/";
/** No sequence is longer. */
const MAX_BYTES = 20;

async function place(url) {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(url));
  const name = [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return `http://data/last-seen/${name}`;
}

const nothing = () => new Response(null, { status: 504, headers: { "cf-cache-status": "MISS" } });

async function keep(request, data) {
  const [, sequence] = /\r\n\r\n(\d+)$/.exec(await request.text()) ?? [];
  if (!sequence || sequence.length > MAX_BYTES) return new Response("expected a sequence", { status: 400 });
  return data.fetch(await place(request.url), { method: "PUT", body: sequence });
}

async function find(request, data) {
  const file = await data.fetch(await place(request.url));
  const text = await file.text();
  return file.status === 200 ? new Response(text, { headers: { "cf-cache-status": "HIT" } }) : nothing();
}

export default {
  fetch(request, { DATA }) {
    if (!request.url.startsWith(NAMES)) return nothing();
    return request.method === "PUT" ? keep(request, DATA) : find(request, DATA);
  },
};
