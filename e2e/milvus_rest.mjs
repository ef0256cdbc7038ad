// A peer of Milvus's REST API v2 (Milvus 2.4 and later), for which there is no server here. It was written from the API's
// reference and from the request and answer types of Milvus 2.5's own handlers. It holds requests to those types, keeps what is
// loaded, and compares vectors one by one, so that what it answers is right where the request is.

import http from "node:http";

const [OK, MISSING, INVALID, INCORRECT, LACKING] = [0, 100, 1100, 1801, 1802];
const TYPES = { VarChar: "string", FloatVector: "object", Int32: "number", Float: "number" };
const INT32 = 2 ** 31;

class Refusal extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

function need(condition, code, message) {
  if (!condition) throw new Refusal(code, message);
}

/** A body's fields, no other ones, those in `required` all there. */
function checked(body, required, optional = []) {
  for (const name of required) need(body[name] !== undefined, LACKING, `missing required parameters, error: ${name}`);
  for (const name of Object.keys(body)) {
    need([...required, ...optional].includes(name), INCORRECT, `unknown parameter ${name}`);
  }
  return body;
}

/** The parts of an expression: numbers, texts with escapes, names and signs. */
function tokens(text) {
  const found = [];
  let rest = text;
  while ((rest = rest.trimStart())) {
    const [, string, number, word, sign] =
      /^(?:("(?:[^"\\\r\n]|\\.)*")|(\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)|([A-Za-z_]\w*)|(<=|>=|==|[<>[\],-]))/u.exec(rest) ?? [];
    const token = string ?? number ?? word ?? sign;
    need(token, INVALID, `cannot parse expression: ${text}`);
    if (string) found.push({ value: JSON.parse(string) });
    else if (number) found.push({ value: Number(number) });
    else found.push({ word: token });
    rest = rest.slice(token.length);
  }
  return found;
}

/** An expression as a function of an entity: comparisons and lists, joined by `and`. */
function condition(text, schema) {
  const left = tokens(text);
  const take = (word) => {
    if (left[0]?.word !== word) return false;
    left.shift();
    return true;
  };
  const must = (word) => need(take(word), INVALID, `cannot parse expression: ${text}: expected ${word}`);
  const value = (kind) => {
    const negative = take("-");
    const found = left.shift()?.value;
    need(typeof found === kind, INVALID, `cannot parse expression: ${text}: expected a ${kind}`);
    const number = negative ? -found : found;
    return kind === "number" ? Math.fround(number) : number;
  };
  const one = () => {
    const name = left.shift()?.word;
    const field = schema.get(name);
    need(field && field.dataType !== "FloatVector", INVALID, `field ${name} not exist`);
    const kind = TYPES[field.dataType];
    const not = take("not");
    if (not || left[0]?.word === "in") {
      must("in");
      must("[");
      const list = new Set();
      do list.add(value(kind));
      while (take(","));
      must("]");
      return (entity) => list.has(entity[name]) !== not;
    }
    const sign = left.shift()?.word;
    const compare = { "<=": (a, b) => a <= b, ">=": (a, b) => a >= b, "<": (a, b) => a < b, ">": (a, b) => a > b }[sign];
    need(compare, INVALID, `cannot parse expression: ${text}: unknown sign ${sign}`);
    const bound = value(kind);
    return (entity) => compare(entity[name], bound);
  };
  if (left.length === 0) return () => true;
  const all = [one()];
  while (take("and")) all.push(one());
  need(left.length === 0, INVALID, `cannot parse expression: ${text}: ${left[0]?.word} is left`);
  return (entity) => all.every((fits) => fits(entity));
}

/** An entity of a collection, every field there and of its type. */
function entity(data, schema) {
  for (const name of Object.keys(data)) need(schema.has(name), INVALID, `field ${name} is not in the schema`);
  for (const [name, { dataType, elementTypeParams }] of schema) {
    const value = data[name];
    need(typeof value === TYPES[dataType], INVALID, `field ${name} is missing or of another type`);
    if (dataType === "VarChar") need(Buffer.byteLength(value) <= elementTypeParams.max_length, INVALID, `${name} is too long`);
    if (dataType === "Int32") need(Number.isInteger(value) && Math.abs(value) < INT32, INVALID, `${name} is no Int32`);
    if (dataType === "FloatVector") need(value.length === elementTypeParams.dim, INVALID, `${name}: the dimension differs`);
    if (dataType === "Float") data[name] = Math.fround(value);
  }
  return { ...data, vector: Float32Array.from(data.vector) };
}

const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);

function createCollection(body) {
  const { collectionName, schema, indexParams } = checked(body, ["collectionName", "schema", "indexParams"]);
  need(/^[A-Za-z_]\w*$/.test(collectionName), INVALID, `Invalid collection name: ${collectionName}`);
  checked(schema, ["fields"], ["autoID", "enableDynamicField"]);
  const fields = new Map();
  for (const field of schema.fields) {
    checked(field, ["fieldName", "dataType", "elementTypeParams"], ["isPrimary"]);
    need(TYPES[field.dataType], INVALID, `data type ${field.dataType} is invalid(case sensitive).`);
    fields.set(field.fieldName, field);
  }
  const primary = schema.fields.filter((field) => field.isPrimary);
  need(primary.length === 1, INVALID, "there must be one primary key");
  const [index] = indexParams;
  checked(index, ["fieldName", "metricType", "indexType", "params"], ["indexName"]);
  need(fields.has(index.fieldName), LACKING, `\`${index.fieldName}\` hasn't defined in schema`);
  need(["COSINE", "IP"].includes(index.metricType) && index.indexType === "HNSW", INVALID, "no such index");
  need(index.params.M >= 2 && index.params.efConstruction >= 1, INVALID, "HNSW wants M and efConstruction");
  return { fields, key: primary[0].fieldName, index, entities: new Map() };
}

function described({ fields, index }) {
  const field = ({ fieldName, dataType, isPrimary, elementTypeParams }) => {
    const params = Object.entries(elementTypeParams).map(([key, value]) => ({ key, value: String(value) }));
    return { name: fieldName, type: dataType, primaryKey: Boolean(isPrimary), autoId: false, description: "", params };
  };
  return {
    fields: [...fields.values()].map(field),
    indexes: [{ fieldName: index.fieldName, indexName: index.indexName, metricType: index.metricType }],
    load: "LoadStateLoaded",
    enableDynamicField: false,
  };
}

const shown = (found, outputFields) => Object.fromEntries(outputFields.map((name) => [name, found[name]]));

function query(collection, body) {
  const { filter, limit, outputFields } = checked(body, ["collectionName", "filter", "outputFields"], ["limit"]);
  const fits = condition(filter, collection.fields);
  const found = [...collection.entities.values()].filter(fits);
  if (outputFields[0] === "count(*)") return [{ "count(*)": found.length }];
  need(filter || limit, INVALID, "empty expression should be used with limit");
  return found.slice(0, limit || undefined).map((one) => shown(one, outputFields));
}

function search(collection, body) {
  const names = ["collectionName", "data", "annsField", "limit", "filter", "outputFields", "searchParams"];
  const { data, annsField, limit, filter, outputFields, searchParams } = checked(body, names);
  need(limit >= 1 && limit <= 16_384, 65_535, `topk [${limit}] is invalid, top k should be in range [1, 16384]`);
  need(searchParams.params.ef >= limit, 65_535, `ef(${searchParams.params.ef}) should be larger than k(${limit})`);
  need(collection.fields.get(annsField)?.dataType === "FloatVector", INCORRECT, `cannot find a vector field named: ${annsField}`);
  const [vector] = data;
  need(data.length === 1 && vector.length === collection.fields.get(annsField).elementTypeParams.dim, INCORRECT, "dimension");
  const fits = condition(filter, collection.fields);
  const scored = [...collection.entities.values()].filter(fits).map((one) => ({ one, distance: dot(one.vector, vector) }));
  scored.sort((a, b) => b.distance - a.distance);
  return scored.slice(0, limit).map(({ one, distance }) => ({ ...shown(one, outputFields), id: one[collection.key], distance }));
}

/**
 * Starts the peer.
 * @param {{token?: string}} [options] the only token that it takes
 * @returns {Promise<{url: string, asked: string[], answer: (lie?: (path: string) => {status?: number, body?: string} | undefined) =>
 *   void, stop: () => Promise<void>}>} `asked` has the paths; `answer` gives other answers from then on
 */
export async function startPeer({ token } = {}) {
  const collections = new Map();
  const asked = [];
  let lie = () => undefined;
  const named = (body) => {
    const collection = collections.get(body.collectionName);
    need(collection, MISSING, `collection not found[database=default][collection=${body.collectionName}]`);
    return collection;
  };
  const upsert = (body) => {
    const { data } = checked(body, ["collectionName", "data"]);
    const { fields, key, entities } = named(body);
    const all = data.map((one) => entity(one, fields));
    for (const one of all) entities.set(one[key], one);
    return { upsertCount: all.length, upsertIds: all.map((one) => one[key]) };
  };
  const create = (body) => {
    const made = createCollection(body);
    if (!collections.has(body.collectionName)) collections.set(body.collectionName, made);
    return {};
  };
  const drop = (body) => {
    collections.delete(body.collectionName);
    return {};
  };
  const paths = {
    "collections/list": () => [...collections.keys()],
    "collections/describe": (body) => described(named(body)),
    "collections/create": create,
    "collections/drop": drop,
    "entities/upsert": upsert,
    "entities/query": (body) => query(named(body), body),
    "entities/search": (body) => search(named(body), body),
  };
  const reply = (request, text) => {
    const path = /^\/v2\/vectordb\/(.*)$/.exec(request.url)?.[1];
    if (!paths[path]) return { status: 404, body: "404 page not found" };
    const lied = lie(path);
    if (lied) return lied;
    if (token && request.headers.authorization !== `Bearer ${token}`) {
      return { status: 401, body: '{"code":1800,"message":"user hasn\'t authenticated"}' };
    }
    try {
      need(request.method === "POST", INCORRECT, "expected POST");
      return { body: JSON.stringify({ code: OK, data: paths[path](JSON.parse(text)), cost: 6 }) };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return { body: JSON.stringify({ code: error.code, message: error.message }) };
    }
  };
  const server = http.createServer(async (request, response) => {
    const parts = await request.toArray();
    asked.push(request.url);
    const { status = 200, body } = reply(request, Buffer.concat(parts).toString());
    response.writeHead(status, { "content-type": "application/json" }).end(body);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    asked,
    answer: (other = () => undefined) => (lie = other),
    stop: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
