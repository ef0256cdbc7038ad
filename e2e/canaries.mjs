// Queries that occur nowhere else, and every form in which one could turn up where it must not: as it was sent, in other
// encodings, and as numbers of fewer digits or bits.

import { randomBytes } from "node:crypto";
import { crc32, picture } from "./png.mjs";

/** Components that are looked for together, and bytes of pictures: a part of a query is one too. */
const [FLOATS, CODES, BYTES] = [4, 8, 16];
/** Digits after the point that a log may keep. */
const DIGITS = [2, 3, 4, 5, 6];
/** A shorter number may be there by chance. */
const FEWEST_DIGITS = 8;

/** The pieces of a list, each of `length`, without what is left. */
const pieces = (list, length) =>
  Array.from({ length: Math.floor(list.length / length) }, (_, i) => list.slice(i * length, (i + 1) * length));

/** What base64 makes of bytes that stand anywhere in others: its digits depend on where they start. */
function base64(bytes) {
  return [0, 1, 2].flatMap((before) => {
    const whole = Buffer.concat([Buffer.alloc(before), bytes]).toString("base64").replace(/=+$/, "");
    // Digits that other bytes have a part in are left out.
    const digits = whole.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
    return [digits, digits.replaceAll("+", "-").replaceAll("/", "_")];
  });
}

function ofBytes(name, bytes) {
  const raw = Buffer.from(bytes);
  const hex = raw.toString("hex");
  return [
    [`${name}, raw`, raw],
    ...[hex, hex.toUpperCase()].map((text) => [`${name}, hex`, text]),
    ...base64(raw).map((text) => [`${name}, base64`, text]),
    [`${name}, bytes in decimal`, [...raw].join(",")],
  ];
}

/** 32-bit FNV-1a, by which the core names videos for ranking. */
const fnv = (text) => Buffer.from(text).reduce((hash, byte) => Math.imul(hash ^ byte, 0x01000193) >>> 0, 0x811c9dc5);

function ofText(name, text) {
  const escaped = [encodeURIComponent(text), encodeURIComponent(text).replaceAll("%20", "+")];
  const hashes = [fnv(text), crc32(Buffer.from(text))].flatMap((hash) => [String(hash), hash.toString(16).padStart(8, "0")]);
  return [
    ...[text, text.toUpperCase(), ...escaped].map((form) => [`${name}, text`, form]),
    [`${name}, UTF-16`, Buffer.from(text, "utf16le")],
    ...ofBytes(name, Buffer.from(text)),
    ...hashes.filter((hash) => hash.length >= FEWEST_DIGITS).map((hash) => [`${name}, hash`, hash]),
  ];
}

/** The shortest decimals that read back as the same f32, as Rust writes it. */
function shortest(value) {
  for (let digits = 1; digits < 9; digits += 1) {
    const text = String(Number(value.toPrecision(digits)));
    if (Math.fround(Number(text)) === value) return text;
  }
  return String(value);
}

/** Codes of 8 bits, as the core's `quantise` makes them of a vector. */
export function int8(vector) {
  const largest = Math.max(...vector.map(Math.abs));
  return Int8Array.from(vector, (value) => Math.round((value / largest) * 127));
}

const digitsOf = (text) => text.replace(/^0?\.?0*/, "").replace(/\D/g, "").length;

function ofVector(name, vector) {
  const decimals = vector
    .map(Math.abs)
    .flatMap((value) => [String(value), shortest(value)])
    .filter((text) => !text.includes("e") && digitsOf(text) >= FEWEST_DIGITS);
  const views = [
    ["f32", Float32Array.from(vector), FLOATS],
    ["f64", Float64Array.from(vector), FLOATS],
    ["int8", int8(vector), CODES],
  ];
  return [
    ...decimals.map((text) => [`${name}, decimals`, text]),
    ...DIGITS.flatMap((digits) =>
      pieces(vector, FLOATS).map((part) => [`${name}, ${digits} digits`, part.map((value) => value.toFixed(digits)).join(",")]),
    ),
    ...views.flatMap(([form, values, length]) =>
      pieces(values, length).flatMap((part) => [
        ...ofBytes(`${name}, ${form}`, Buffer.from(new part.constructor(part).buffer)),
        [`${name}, ${form} in decimal`, part.join(",")],
      ]),
    ),
  ];
}

/** A unit vector of f32. */
function randomVector(dim) {
  const values = Array.from({ length: dim }, () => randomBytes(4).readInt32LE() / 2 ** 31);
  const length = Math.hypot(...values);
  return values.map((value) => Math.fround(value / length));
}

/** Bytes as text without white space, one character a byte: logs break lines and put spaces where they like. */
const packed = (bytes) => bytes.toString("latin1").replace(/\s+/g, "");

export class Canaries {
  #forms = new Map();

  /** @param {number} dim of the bundle's vectors */
  constructor(dim) {
    const word = () => `qz${randomBytes(9).toString("hex")}`;
    this.id = `canary-${word()}`;
    // With words that the small model of the demo knows, so that there is an answer.
    this.words = `red fox ${word()} and ${word()}`;
    this.origin = `https://${word()}.example`;
    this.token = word();
    this.note = word();
    this.name = randomBytes(16).toString("hex");
    this.address = `2001:db8:${randomBytes(8).toString("hex").match(/.{4}/g).join(":")}::7`;
    this.vector = randomVector(dim);
    this.picture = picture(randomBytes(3 * 48 * 48), 48, 48, this.note);
    for (const name of ["id", "words", "origin", "token", "note", "name", "address"]) this.#add(ofText(name, this[name]));
    this.#add(ofVector("vector", this.vector));
    this.#add(pieces(this.picture, BYTES).filter((_, i) => i % 16 === 5).flatMap((part) => ofBytes("picture", part)));
  }

  /** What an encoder made of a query is one too. */
  addVector(name, vector) {
    this.#add(ofVector(name, vector));
  }

  #add(forms) {
    for (const [name, form] of forms) {
      this.#forms.set(typeof form === "string" ? packed(Buffer.from(form)) : form, name);
    }
  }

  /** The names of the forms that stand in some bytes, each once. */
  found(bytes) {
    const raw = Buffer.from(bytes);
    const text = packed(raw);
    const there = ([form]) => (typeof form === "string" ? text.includes(form) : raw.includes(form));
    return [...new Set([...this.#forms].filter(there).map(([, name]) => name))];
  }
}
