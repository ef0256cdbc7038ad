// The site's files: their types, the headers that `_headers` states, validators and ranges. GET and HEAD alone, and no file but
// those of the site's folder.

import { apply, parse } from "./headers.js";

const TYPES = {
  bin: "application/octet-stream",
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  ico: "image/x-icon",
  jpg: "image/jpeg",
  js: "text/javascript; charset=utf-8",
  json: "application/json",
  md: "text/markdown; charset=utf-8",
  mjs: "text/javascript; charset=utf-8",
  mp4: "video/mp4",
  png: "image/png",
  svg: "image/svg+xml",
  ts: "text/plain; charset=utf-8",
  txt: "text/plain; charset=utf-8",
  wasm: "application/wasm",
  webm: "video/webm",
  webp: "image/webp",
  woff2: "font/woff2",
};
const BYTES = "application/octet-stream";
const INDEX = "index.html";
/** Settings of static assets, which are no files of the site. */
const SETTINGS = ["/_headers", "/_redirects"];
/** Milliseconds for which the rules are kept. */
const KEEP_MS = 2_000;
/** Milliseconds within which a file may change again without another date. */
const SAME_SECOND_MS = 2_000;

let kept = { until: 0, rules: [] };

async function rules(site) {
  if (Date.now() < kept.until) return kept.rules;
  const file = await site.fetch("http://site/_headers");
  const text = await file.text();
  if (file.status !== 200 && file.status !== 404) throw new Error(`_headers: status ${file.status} from the disk`);
  kept = { until: Date.now() + KEEP_MS, rules: parse(file.status === 200 ? text : "") };
  return kept.rules;
}

/** The path of a file below the site's folder, or null where a path can name none. */
function fileOf(pathname) {
  let parts;
  try {
    parts = pathname.slice(1).split("/").map(decodeURIComponent);
  } catch {
    return null;
  }
  if (parts.at(-1) === "") parts[parts.length - 1] = INDEX;
  const plain = parts.every((part) => part && !part.startsWith(".") && !/[/\\\0]/.test(part));
  const path = `/${parts.map(encodeURIComponent).join("/")}`;
  return plain && !SETTINGS.includes(path) ? path : null;
}

/** A name for the bytes of a file, where its length and date tell them from others. */
function tag(file) {
  const changed = file.headers.get("last-modified");
  const at = Date.parse(changed);
  if (!(Date.now() - at > SAME_SECOND_MS)) return null;
  const length = file.headers.get("content-range")?.split("/")[1] ?? file.headers.get("content-length");
  return `"${length}-${at / 1000}"`;
}

const known = (asked, etag) => asked !== null && (asked.trim() === "*" || asked.split(",").some((one) => one.trim().replace(/^W\//, "") === etag));

function plain(status, text, headers) {
  return new Response(`${text}\n`, { status, headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store", ...headers } });
}

/** What is asked of the disk: a part only where no condition stands on it, which the disk does not know. */
function question(request) {
  const range = request.headers.get("range");
  const partial = range && request.method === "GET" && !request.headers.has("if-range");
  return { method: request.method, headers: partial ? { range } : {} };
}

async function answer(request, site, pathname) {
  if (!["GET", "HEAD"].includes(request.method)) return plain(405, "Method not allowed", { allow: "GET, HEAD" });
  const path = fileOf(pathname);
  if (!path) return plain(404, "Not found");
  if (pathname.endsWith(`/${INDEX}`)) return plain(307, "Moved", { location: pathname.slice(0, -INDEX.length) });
  const file = await site.fetch(`http://site${path}`, question(request));
  const headers = new Headers({ "accept-ranges": "bytes", "cache-control": "public, max-age=0, must-revalidate" });
  if (file.status === 416) return plain(416, "Range not satisfiable", { "content-range": file.headers.get("content-range") ?? "bytes */*" });
  // A folder's listing has another type.
  if (![200, 206].includes(file.status) || file.headers.get("content-type") !== BYTES) {
    await file.body?.cancel();
    return plain(404, "Not found");
  }
  const etag = tag(file);
  if (etag) headers.set("etag", etag);
  if (etag && known(request.headers.get("if-none-match"), etag)) {
    await file.body?.cancel();
    return new Response(null, { status: 304, headers });
  }
  headers.set("content-type", TYPES[path.split(".").at(-1)] ?? BYTES);
  for (const name of ["content-length", "content-range", "last-modified"]) {
    if (file.headers.has(name)) headers.set(name, file.headers.get(name));
  }
  return new Response(file.body, { status: file.status, headers });
}

/** Answers a request for a file; `site` is the disk. */
export async function serve(request, site) {
  const { pathname } = new URL(request.url);
  const stated = await rules(site);
  const found = await answer(request, site, pathname);
  const own = found.headers.get("cache-control");
  apply(stated, pathname, found.headers);
  // A rule for files that never change is none for a file that is not there.
  if (found.status >= 300 && found.status !== 304) found.headers.set("cache-control", own);
  return found;
}
