/** Small sums that the decoding of detectors is made of, rounded to float32 where PyTorch rounds. */

/** `[T, …] → […]`: steps are added one after the other. */
export function meanOverTime({
  shape,
  data,
}: {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}): Float32Array {
  const timeSteps = shape[0]!;
  const length = data.length / timeSteps;
  const sum = data.slice(0, length);
  for (let step = 1; step < timeSteps; step++) for (let i = 0; i < length; i++) sum[i]! += data[step * length + i]!;
  return timeSteps === 1 ? sum : sum.map((value) => value / timeSteps);
}

export function sigmoid(score: number): number {
  return Math.fround(1 / Math.fround(1 + Math.fround(Math.exp(-score))));
}

/** Of one row. */
export function softmax(row: Float32Array): Float64Array {
  const largest = row.reduce((most, score) => Math.max(most, score), Number.NEGATIVE_INFINITY);
  const exponentials = Float64Array.from(row, (score) => Math.exp(score - largest));
  const sum = exponentials.reduce((total, value) => total + value, 0);
  return exponentials.map((value) => value / sum);
}
