// Reads candidates from the wire as crates/core/src/candidates/mod.rs lays them out: ids and facts.

const ALIGN = 16;

/** Ids, facts as arrays in their order, source and notes of an answer's bytes. */
export function parseCandidates(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (new TextDecoder().decode(bytes.subarray(0, 4)) !== "RCND") throw new Error("these bytes are no candidates");
  const word = (at) => view.getUint32(at, true);
  const [n, dim, source, notes, neighbours] = [16, 20, 24, 28, 32].map(word);
  let at = 36;
  const section = (length) => {
    const start = Math.ceil(at / ALIGN) * ALIGN;
    at = start + length;
    return start;
  };
  const strings = (count) => {
    const table = section(4 * (count + 1));
    const ends = Array.from({ length: count + 1 }, (_, i) => word(table + 4 * i));
    const blob = section(ends[count]);
    const text = (i) => new TextDecoder().decode(bytes.subarray(blob + ends[i], blob + ends[i + 1]));
    return Array.from({ length: count }, (_, i) => text(i));
  };
  const floats = () => {
    const start = section(4 * n);
    return Array.from({ length: n }, (_, i) => view.getFloat32(start + 4 * i, true));
  };
  const [bundle, degraded] = strings(notes);
  section(4 * dim);
  section(4 * n);
  const scores = floats();
  floats();
  for (const length of [n * dim, 2 * n, 2 * n, 4 * n, 8 * n]) section(length);
  const [duration, uploaded, impressions, clicks, popularity] = [floats(), floats(), floats(), floats(), floats()];
  for (const length of [4 * (n + 1), 4 * neighbours, 2 * neighbours]) section(length);
  const ids = strings(n);
  return { source, bundle, degraded, scores, duration, uploaded, impressions, clicks, popularity, ids };
}
