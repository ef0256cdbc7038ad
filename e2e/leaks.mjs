// Builds of the worker that leak on purpose, each in one way: the built worker with an entry of another kind in front of it.
// A search for canaries that does not find these would find nothing.

import { cp, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

const BUILT = fileURLToPath(new URL("../dist/edge-worker", import.meta.url));

/** Code before the leaks: the body, its words, and its vector as bytes of 32 and of 8 bits in base64. */
const READ = `
const text = async (request) => request.clone().text().catch(() => "");
const words = async (request) => JSON.parse(await text(request)).text;
const vector = async (request) => JSON.parse(await text(request)).vector;
const base64 = (values) => btoa(String.fromCharCode(...new Uint8Array(values.buffer)));
const f32 = async (request) => base64(Float32Array.from(await vector(request)));
const int8 = async (request) => {
  const values = await vector(request);
  const largest = Math.max(...values.map(Math.abs));
  return base64(Int8Array.from(values, (value) => Math.round(value / largest * 127)));
};
const quiet = (work) => work.catch(() => undefined);
`;

/**
 * Leaks: what one does, its code in \`fetch\` before the worker answers (\`request\`, \`this.env\`) or with the answer, and where
 * which form of the canary is then found.
 */
export const LEAKS = [
  { what: "logs the body", before: "console.log(await text(request));", where: "log", forms: /vector, decimals/ },
  { what: "logs the vector's bits alone", before: "await quiet((async () => console.error(await int8(request)))());", where: "log", forms: /vector, int8, base64/ },
  { what: "logs the URL", before: "console.warn(request.url);", where: "log", forms: /words, text/ },
  { what: "logs who asks", before: 'console.debug("from", request.headers.get("cf-connecting-ip"));', where: "log", forms: /address, text/ },
  {
    what: "tells the vector in a header",
    after: 'await quiet((async () => answer.headers.set("x-debug", await f32(request)))());',
    where: "header",
    forms: /vector, f32, base64/,
  },
  {
    what: "quotes the words in its refusals",
    after: "if (answer.status !== 200) { const said = await quiet(words(request)); if (said) return Response.json({ ...(await answer.json()), said }, answer); }",
    where: "body",
    forms: /words, text/,
  },
  {
    what: "stores the query",
    before: `await quiet((async () => {
      const sums = this.env.AGGREGATES;
      await sums.get(sums.idFromName("site")).fetch("http://aggregates.local/keep", { method: "POST", body: Float32Array.from(await vector(request)).buffer });
    })());`,
    where: "storage",
    forms: /vector, f32, raw/,
  },
  { what: "throws the id", before: "const said = await text(request); if (said.includes('recent')) throw new Error(said);", where: "body", forms: /id, text/ },
];

const entry = ({ before = "", after = "" }) => `
import Worker, { Aggregates as Sums } from "./worker.js";
${READ}
export class Aggregates extends Sums {
  async fetch(request) {
    if (!request.url.endsWith("/keep")) return super.fetch(request);
    this.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS kept (query BLOB)");
    this.ctx.storage.sql.exec("INSERT INTO kept VALUES (?)", await request.arrayBuffer());
    return new Response();
  }
}
export default class extends Worker {
  async fetch(request) {
    const asked = request.clone();
    ${before}
    const real = await super.fetch(asked);
    const answer = new Response(real.body, real);
    ${after}
    return answer;
  }
}
`;

/**
 * Builds a worker that leaks.
 * @param {string} folder an empty one for the build
 * @param {object} leak one of {@link LEAKS}
 * @returns {Promise<(worker: object) => object>} `change` of `startSite`
 */
export async function leaking(folder, leak) {
  const script = path.join(folder, "leak.js");
  await cp(BUILT, folder, { recursive: true });
  await writeFile(script, entry(leak));
  return (worker) => ({ ...worker, scriptPath: script, modulesRoot: folder });
}
