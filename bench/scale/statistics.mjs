// Means over seeds with 95 % intervals, and hit rates that are known in closed form.

/** Student's t for 95 %, by degrees of freedom. */
const T95 = [NaN, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];

/** The mean of some values and half the width of its 95 % interval. */
export function meanOf(values) {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return { mean, half: T95[values.length - 1] * Math.sqrt(variance / values.length) };
}

/**
 * Che's approximation of an LRU cache under independent draws: the time T in which as many distinct things are asked as fit,
 * and with it a hit rate of 1 − e^(−weight · T) for each thing.
 */
export function che(weights, capacity) {
  const filled = (time) => weights.reduce((sum, weight) => sum + (1 - Math.exp(-weight * time)), 0);
  let [low, high] = [0, 1];
  while (filled(high) < capacity) high *= 2;
  for (let step = 0; step < 60; step += 1) {
    const middle = (low + high) / 2;
    if (filled(middle) < capacity) low = middle;
    else high = middle;
  }
  return weights.reduce((sum, weight) => sum + weight * (1 - Math.exp(-weight * high)), 0);
}

/**
 * A data centre's cache that keeps a file for so long after it was last asked for: the share of its reads that it answers, where
 * each file is asked for at its rate by a Poisson process.
 */
export function retained(rates, seconds) {
  const all = rates.reduce((a, b) => a + b, 0);
  if (all === 0) return 1;
  return rates.reduce((sum, rate) => sum + rate * (1 - Math.exp(-rate * seconds)), 0) / all;
}
