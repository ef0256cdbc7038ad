// `manifest.json` signed by Node's own Ed25519, as docs/trust.md has it.

import { createHash, generateKeyPairSync, sign } from "node:crypto";

/** A fresh key: its public half in hexadecimal digits, its id, and its private half. */
export function newKey() {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const bytes = Buffer.from(publicKey.export({ format: "jwk" }).x, "base64url");
  const id = createHash("sha256").update(bytes).digest("hex").slice(0, 16);
  return { hex: bytes.toString("hex"), id, privateKey };
}

/** The text of `manifest.json` for a manifest, signed by these keys. */
export function seal(manifest, keys = []) {
  const message = Buffer.from(`recsys-bundle manifest v2\n${JSON.stringify(manifest)}`);
  const signatures = keys.map(({ id, privateKey }) => ({ key: id, signature: sign(null, message, privateKey).toString("hex") }));
  return JSON.stringify({ format: "recsys-bundle", version: 2, signatures, manifest });
}
