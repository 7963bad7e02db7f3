/**
 * Random numbers of the symmetric Beta distribution, from which mixing draws its weights: two gamma variates (Marsaglia and Tsang 2000).
 */
import type { Random } from '../random.js';

/** From Beta(shape, shape). */
export function symmetricBeta(shape: number, random: Random): number {
  const a = gamma(shape, random);
  const b = gamma(shape, random);
  // Both can be 0 for tiny shapes, where the distribution is a coin toss between 0 and 1.
  return a + b > 0 ? a / (a + b) : Math.round(random.uniform());
}

/** From Gamma(shape, 1); shapes below 1 are brought above it by a power of a uniform number. */
function gamma(shape: number, random: Random): number {
  if (shape < 1) return gamma(shape + 1, random) * (1 - random.uniform()) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = random.normal();
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - random.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}
