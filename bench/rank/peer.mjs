// Answers the lines of crates/core/examples/score.rs for a function that scores the first n rows.

import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";

/**
 * @param {string} file f32, row-major, little-endian
 * @returns {Promise<Float32Array>}
 */
export async function readRows(file) {
  const bytes = await readFile(file);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

/** @param {(n: number) => ArrayLike<number> | Promise<ArrayLike<number>>} score */
export async function answer(score) {
  for await (const line of createInterface({ input: process.stdin })) {
    const [command, n, passes] = line.split(" ");
    if (command === "scores") {
      console.log(JSON.stringify(Array.from(await score(Number(n)))));
    } else {
      const times = new Float64Array(Number(passes));
      for (let pass = 0; pass < times.length; pass++) {
        const start = performance.now();
        await score(Number(n));
        times[pass] = performance.now() - start;
      }
      console.log(times.sort()[times.length >> 1]);
    }
  }
}
