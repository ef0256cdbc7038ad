// Numbers that look random and are the same on every machine: xoshiro128** over 32-bit integers, seeded by splitmix32.

const rotated = (x, k) => (x << k) | (x >>> (32 - k));

/** Fills a state from one number, so that near seeds give far states. */
function stateOf(seed) {
  let at = seed >>> 0;
  return Uint32Array.from({ length: 4 }, () => {
    at = (at + 0x9e3779b9) >>> 0;
    let z = at;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  });
}

export class Random {
  #state;

  /** @param {number} seed a whole number below 2^32 */
  constructor(seed) {
    this.#state = stateOf(seed);
  }

  /** A number of 32 bits. */
  bits() {
    const s = this.#state;
    const out = Math.imul(rotated(Math.imul(s[1], 5), 7), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotated(s[3], 11);
    return out;
  }

  /** From 0 to 1, without 1. */
  unit() {
    return (this.bits() * 0x200000 + (this.bits() >>> 11)) / 2 ** 53;
  }

  /** A whole number from 0, below `count`. */
  below(count) {
    return Math.floor(this.unit() * count);
  }

  /** Time until the next event of a Poisson process of this rate. */
  gap(rate) {
    return -Math.log(1 - this.unit()) / rate;
  }

  /** Standard normal, by the polar method. */
  normal() {
    for (;;) {
      const [x, y] = [2 * this.unit() - 1, 2 * this.unit() - 1];
      const r = x * x + y * y;
      if (r > 0 && r < 1) return x * Math.sqrt((-2 * Math.log(r)) / r);
    }
  }
}

/** One seed for each name and number, so that adding a scenario changes no other. */
export function seedOf(...parts) {
  let hash = 0x811c9dc5;
  for (const character of parts.join("/")) hash = Math.imul(hash ^ character.codePointAt(0), 0x01000193) >>> 0;
  return hash;
}
