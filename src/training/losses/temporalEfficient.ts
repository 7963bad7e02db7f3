/**
 * Temporal efficient training (TET: Deng, Li, Zhang, Gu, "Temporal Efficient Training of Spiking Neural Network via Gradient
 * Re-weighting", ICLR 2022): every time step's logits answer for themselves instead of their mean over time.
 */
import { requireRange } from '../optimizers/optimizer.js';
import { type LogitsShape, labelledRow, requireLabels, requireLogits } from './rows.js';

export interface TemporalEfficientOptions {
  /** λ: the share of the regulariser; 0 leaves it out. Default 0. */
  readonly regulariserShare?: number;
  /** φ: the constant to which the regulariser draws every logit. Default 1, a usual threshold. */
  readonly regulariserTarget?: number;
  /** Default 0. */
  readonly labelSmoothing?: number;
  /** Multiplies loss and gradient. Default 1. */
  readonly weight?: number;
}

/**
 * L = (1 − λ) · mean over t of CE(z[t], label) + λ · mean over t, b, k of (z − φ)². Overwrites the gradient with
 * dL/dz = (1 − λ)(p − q)/(T·B) + 2λ(z − φ)/(T·B·K), p and q as in `crossEntropy`.
 *
 * @param logits `[T, B, K]`, before any mean over time.
 * @param labels `[B]`.
 * @param gradient `[T, B, K]`; may not be the logits' memory.
 * @throws TrainingError when lengths, labels or options do not fit.
 */
export function temporalEfficientLoss(
  logits: Float32Array,
  labels: ArrayLike<number>,
  shape: LogitsShape & { readonly timeSteps: number },
  gradient: Float32Array,
  options: TemporalEfficientOptions = {},
): number {
  const { regulariserShare = 0, regulariserTarget = 1, labelSmoothing = 0, weight = 1 } = options;
  requireLogits('TET', shape, { logits, gradient }, shape.timeSteps);
  requireLabels('TET', shape, labels);
  requireRange('TET regulariserShare', regulariserShare, 0, 1);
  requireRange('label smoothing', labelSmoothing, 0, 1);
  const { batch, classes, timeSteps } = shape;
  const rows = timeSteps * batch;
  const rowWeight = ((1 - regulariserShare) * weight) / rows;
  let loss = 0;
  for (let row = 0; row < rows; row++)
    loss += labelledRow(logits, row * classes, classes, labels[row % batch]!, labelSmoothing, rowWeight, gradient);
  if (regulariserShare === 0) return loss;
  return loss + addRegulariser(logits, regulariserTarget, (regulariserShare * weight) / (rows * classes), gradient);
}

function addRegulariser(logits: Float32Array, target: number, weight: number, gradient: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < logits.length; i++) {
    const distance = logits[i]! - target;
    sum += distance * distance;
    gradient[i] = gradient[i]! + 2 * weight * distance;
  }
  return weight * sum;
}
