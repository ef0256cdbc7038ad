// What is asked for: cells with skewed popularity, viewers with a taste or two, and the segments that a query is asked of.

import { Random } from "./random.mjs";

/** Dimensions in which neighbourhood between segments is drawn, and how far a cell lies from its segment's centre in each. */
const [SPACE, SPREAD] = [8, 0.7];

/** Weights 1 / rank^exponent, adding up to 1; 0 is uniform. */
export function zipf(count, exponent) {
  const weights = Float64Array.from({ length: count }, (_, rank) => (rank + 1) ** -exponent);
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / sum);
}

/** Draws by weight: a binary search in the running sum. */
export class Weighted {
  #sums;

  constructor(weights) {
    let sum = 0;
    this.#sums = Float64Array.from(weights, (weight) => (sum += weight));
  }

  draw(random) {
    const target = random.unit() * this.#sums.at(-1);
    let [low, high] = [0, this.#sums.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#sums[middle] > target) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** A catalogue's cells: how often each is wanted, in which segment it lies, and which segments are near it. */
export class Catalogue {
  #cells;
  #centres;
  #seed;
  #near = new Map();

  /**
   * @param {{segments: number, probes: number, cellsPerSegment: number, skew: number}} shape
   * @param {number} seed
   */
  constructor({ segments, probes, cellsPerSegment, skew }, seed) {
    Object.assign(this, { segments, probes });
    this.#seed = seed;
    const random = new Random(seed);
    const count = segments * cellsPerSegment;
    this.#cells = new Weighted(zipf(count, skew));
    // Popular cells lie anywhere: a shuffle says which segment each is part of.
    this.home = Int32Array.from({ length: count }, (_, cell) => cell % segments);
    for (let at = count - 1; at > 0; at -= 1) {
      const other = random.below(at + 1);
      [this.home[at], this.home[other]] = [this.home[other], this.home[at]];
    }
    this.#centres = Float64Array.from({ length: segments * SPACE }, () => random.normal());
  }

  /** A cell, by popularity. */
  cell(random) {
    return this.#cells.draw(random);
  }

  /** The segments that a query of this cell is asked of. They do not depend on which cells were asked for before. */
  near(cell) {
    let found = this.#near.get(cell);
    if (!found) {
      found = this.#nearest(cell);
      this.#near.set(cell, found);
    }
    return found;
  }

  /** A cell's own segment, and those whose centres are nearest to the cell. */
  #nearest(cell) {
    if (this.probes >= this.segments) return Array.from({ length: this.segments }, (_, segment) => segment);
    const home = this.home[cell];
    const random = new Random((this.#seed ^ Math.imul(cell + 1, 0x9e3779b1)) >>> 0);
    const place = Array.from({ length: SPACE }, (_, d) => this.#centres[home * SPACE + d] + SPREAD * random.normal());
    const [found, far] = [[home], [-1]];
    for (let segment = 0; segment < this.segments; segment += 1) {
      if (segment === home) continue;
      let distance = 0;
      for (let d = 0; d < SPACE; d += 1) distance += (this.#centres[segment * SPACE + d] - place[d]) ** 2;
      if (found.length === this.probes && distance >= far.at(-1)) continue;
      let at = found.length < this.probes ? found.length : found.length - 1;
      for (; at > 1 && far[at - 1] > distance; at -= 1) [found[at], far[at]] = [found[at - 1], far[at - 1]];
      [found[at], far[at]] = [segment, distance];
    }
    return found;
  }
}

/** Viewers at one place: visits of some requests each, in which a viewer asks by one of a few tastes. */
export class Viewers {
  #catalogue;
  #random;
  #again;
  #visits;

  /** @param {{again: number, visits: number}} habit chance that a request goes on with a visit, and visits at a time */
  constructor(catalogue, { again, visits }, random) {
    this.#catalogue = catalogue;
    this.#random = random;
    this.#again = again;
    this.#visits = Array.from({ length: Math.max(1, visits) }, () => this.#viewer());
  }

  #viewer() {
    return Array.from({ length: 1 + this.#random.below(3) }, () => this.#catalogue.cell(this.#random));
  }

  /** The segments of the next request. */
  next() {
    const at = this.#random.below(this.#visits.length);
    if (this.#random.unit() >= this.#again) this.#visits[at] = this.#viewer();
    const tastes = this.#visits[at];
    return this.#catalogue.near(tastes[this.#random.below(tastes.length)]);
  }
}
