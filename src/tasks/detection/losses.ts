/** What a place's numbers are worth: focal loss of its classes, the intersection over union of its box, and how well it knows that it is central. Values and gradients. */

/** Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017: their α and γ. */
const alpha = 0.25;
const gamma = 2;

/** Beyond this the exponential of a distance is of a box that no image has. */
const largestLogarithm = 8;

export interface Valued {
  readonly loss: number;
  readonly gradient: number;
}

/** Of a score x before its sigmoid p: `−α(1 − p)^γ log p` where it is wanted, `−(1 − α)p^γ log(1 − p)` else. */
export function focalLoss(score: number, wanted: boolean): Valued {
  const p = 1 / (1 + Math.exp(-score));
  // log p and log(1 − p) without cancellation.
  const softplus = Math.log1p(Math.exp(-Math.abs(score)));
  const logP = Math.min(score, 0) - softplus;
  const logQ = Math.min(-score, 0) - softplus;
  const q = 1 - p;
  return wanted
    ? { loss: -alpha * q ** gamma * logP, gradient: alpha * q ** gamma * (gamma * p * logP - q) }
    : { loss: -(1 - alpha) * p ** gamma * logQ, gradient: (1 - alpha) * p ** gamma * (p - gamma * q * logQ) };
}

/** Binary cross entropy of a score before its sigmoid with a target in [0, 1]. */
export function crossEntropyOf(score: number, target: number): Valued {
  const loss = Math.max(score, 0) - score * target + Math.log1p(Math.exp(-Math.abs(score)));
  return { loss, gradient: 1 / (1 + Math.exp(-score)) - target };
}

/**
 * `−log(I/U)` of two boxes around one place, by the distances to their sides (Yu et al., "UnitBox", 2016). Writes the gradient for the logarithms of the distances.
 *
 * @param logarithms Left, top, right, bottom: distances are their exponentials.
 * @param target Distances, all larger than 0.
 */
export function boxLoss(logarithms: ArrayLike<number>, target: ArrayLike<number>, gradient: Float64Array): number {
  const [left, top, right, bottom] = Array.from(logarithms, distance) as [number, number, number, number];
  const [tl, tt, tr, tb] = Array.from(target) as [number, number, number, number];
  const width = Math.min(left, tl) + Math.min(right, tr);
  const height = Math.min(top, tt) + Math.min(bottom, tb);
  const intersection = width * height;
  const union = (left + right) * (top + bottom) + (tl + tr) * (tt + tb) - intersection;
  const byWidth = height;
  const byHeight = width;
  // d(−log I + log U): the intersection counts in both.
  const slope = (inside: boolean, ofIntersection: number, ofArea: number) => {
    const dI = inside ? ofIntersection : 0;
    return -dI / intersection + (ofArea - dI) / union;
  };
  gradient[0] = slope(left < tl, byWidth, top + bottom) * left;
  gradient[1] = slope(top < tt, byHeight, left + right) * top;
  gradient[2] = slope(right < tr, byWidth, top + bottom) * right;
  gradient[3] = slope(bottom < tb, byHeight, left + right) * bottom;
  for (let side = 0; side < 4; side++) if (Math.abs(logarithms[side]!) > largestLogarithm) gradient[side] = 0;
  return -Math.log(intersection / union);
}

/** In strides. */
export function distance(logarithm: number): number {
  return Math.exp(Math.max(-largestLogarithm, Math.min(largestLogarithm, logarithm)));
}

/** How central a place is in a box: `√(min(l, r)/max(l, r) · min(t, b)/max(t, b))` (Tian et al., FCOS, equation 3). */
export function centrality([left, top, right, bottom]: readonly [number, number, number, number]): number {
  const across = Math.min(left, right) / Math.max(left, right);
  return Math.sqrt((across * Math.min(top, bottom)) / Math.max(top, bottom));
}
