/** Scores as probabilities, in order: what a classifier's answer is made of. */

export interface RankedClass {
  /** Index of the class. */
  readonly index: number;
  /** Softmax of the scores. */
  readonly probability: number;
}

/** The `top` most probable classes of one sample's scores, most probable first; ties in the order of the classes. */
export function rankClasses(scores: Float32Array, top: number): readonly RankedClass[] {
  const largest = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const weights = Array.from(scores, (score) => Math.exp(score - largest));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights
    .map((weight, index) => ({ index, probability: weight / sum }))
    .sort((a, b) => b.probability - a.probability || a.index - b.index)
    .slice(0, top);
}
