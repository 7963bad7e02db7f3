/**
 * The arithmetic under all losses: log-softmax of one row of logits, and checks of what comes in. Everything is float64; only the
 * gradient that is written is float32.
 */
import { TrainingError } from '../errors.js';

/** Logits are `[batch, classes]`, one row per sample. */
export interface LogitsShape {
  readonly batch: number;
  readonly classes: number;
}

/** ln Σ exp(zᵢ/temperature) over one row, without overflow. */
export function logSumExp(logits: Float32Array, start: number, classes: number, temperature = 1): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = start; i < start + classes; i++) largest = Math.max(largest, logits[i]!);
  let sum = 0;
  for (let i = start; i < start + classes; i++) sum += Math.exp((logits[i]! - largest) / temperature);
  return largest / temperature + Math.log(sum);
}

/**
 * Cross entropy of one row with the target (1 − ε)·onehot(label) + ε/K. Writes weight · (softmax(z) − target) and returns
 * weight · loss. Logits are read at `start`, the gradient is written at the same place.
 */
export function labelledRow(
  logits: Float32Array,
  start: number,
  classes: number,
  label: number,
  smoothing: number,
  weight: number,
  gradient: Float32Array,
): number {
  const logNorm = logSumExp(logits, start, classes);
  const off = smoothing / classes;
  let sum = 0;
  for (let k = 0; k < classes; k++) {
    const logProbability = logits[start + k]! - logNorm;
    sum += logProbability;
    const target = k === label ? 1 - smoothing + off : off;
    gradient[start + k] = weight * (Math.exp(logProbability) - target);
  }
  return -weight * ((1 - smoothing) * (logits[start + label]! - logNorm) + off * sum);
}

/** @throws TrainingError when sizes are not whole numbers ≥ 1 or an array has not exactly `rows · classes` elements. */
export function requireLogits(
  loss: string,
  { batch, classes }: LogitsShape,
  arrays: Readonly<Record<string, Float32Array>>,
  timeSteps = 1,
): void {
  for (const [what, size] of Object.entries({ batch, classes, timeSteps }))
    if (!Number.isInteger(size) || size < 1)
      throw new TrainingError(`${loss} loss: ${what} is ${size}, expected a whole number ≥ 1`);
  const expected = timeSteps * batch * classes;
  for (const [what, { length }] of Object.entries(arrays))
    if (length !== expected)
      throw new TrainingError(
        `${loss} loss: ${what} has ${length} elements, expected ${expected} for ${timeSteps * batch} rows of ${classes} classes`,
      );
}

/**
 * @param leftOut A label that is no class and may stand there all the same.
 * @throws TrainingError when there is not one label per sample, or a label is no class.
 */
export function requireLabels(
  loss: string,
  { batch, classes }: LogitsShape,
  labels: ArrayLike<number>,
  leftOut?: number,
): void {
  if (labels.length !== batch)
    throw new TrainingError(`${loss} loss: got ${labels.length} labels, expected ${batch}, one per sample`);
  for (let b = 0; b < batch; b++) {
    const label = labels[b]!;
    if (label === leftOut) continue;
    if (!Number.isInteger(label) || label < 0 || label >= classes)
      throw new TrainingError(
        `${loss} loss: sample ${b} has label ${label}, expected a whole number from 0 to ${classes - 1}`,
      );
  }
}
