/**
 * Cross entropy on logits, with labels (and label smoothing: Szegedy et al., CVPR 2016) or with soft targets, as mixup and CutMix
 * need them. Values are those of `torch.nn.functional.cross_entropy`, mean over the batch.
 */
import { requireRange } from '../optimizers/optimizer.js';
import { type LogitsShape, labelledRow, logSumExp, requireLabels, requireLogits } from './rows.js';

export interface CrossEntropyOptions {
  /** ε: the target is (1 − ε)·onehot + ε/K. Default 0. */
  readonly labelSmoothing?: number;
  /** Multiplies loss and gradient: for one part of a batch, or one term of a sum. Default 1. */
  readonly weight?: number;
}

/**
 * L = weight · mean over b of −Σₖ qₖ ln pₖ, with p = softmax(z), q = (1 − ε)·onehot(label) + ε/K. Overwrites the gradient with
 * dL/dz = weight · (p − q)/B.
 *
 * @param logits `[B, K]`.
 * @param labels `[B]`, whole numbers from 0 to K − 1.
 * @param gradient `[B, K]`; may not be the logits' memory.
 * @returns L; not finite when the logits are not.
 * @throws TrainingError when lengths, labels or options do not fit.
 */
export function crossEntropy(
  logits: Float32Array,
  labels: ArrayLike<number>,
  shape: LogitsShape,
  gradient: Float32Array,
  options: CrossEntropyOptions = {},
): number {
  const { labelSmoothing = 0, weight = 1 } = options;
  requireLogits('cross entropy', shape, { logits, gradient });
  requireLabels('cross entropy', shape, labels);
  requireRange('label smoothing', labelSmoothing, 0, 1);
  const { batch, classes } = shape;
  let loss = 0;
  for (let b = 0; b < batch; b++)
    loss += labelledRow(logits, b * classes, classes, labels[b]!, labelSmoothing, weight / batch, gradient);
  return loss;
}

/**
 * L = weight · mean over b of −Σₖ qₖ ln pₖ for targets q as given (usually summing to 1 per row). Overwrites the gradient with
 * dL/dz = weight · (p·Σq − q)/B.
 *
 * @param logits `[B, K]`.
 * @param targets `[B, K]`, not negative.
 * @param gradient `[B, K]`; may not be the logits' or the targets' memory.
 * @throws TrainingError when lengths do not fit.
 */
export function softTargetCrossEntropy(
  logits: Float32Array,
  targets: Float32Array,
  shape: LogitsShape,
  gradient: Float32Array,
  weight = 1,
): number {
  requireLogits('soft target', shape, { logits, targets, gradient });
  const { batch, classes } = shape;
  let loss = 0;
  for (let b = 0; b < batch; b++)
    loss += softTargetRow(logits, targets, b * classes, classes, weight / batch, gradient);
  return loss;
}

function softTargetRow(
  logits: Float32Array,
  targets: Float32Array,
  start: number,
  classes: number,
  weight: number,
  gradient: Float32Array,
): number {
  const logNorm = logSumExp(logits, start, classes);
  let mass = 0;
  for (let i = start; i < start + classes; i++) mass += targets[i]!;
  let loss = 0;
  for (let i = start; i < start + classes; i++) {
    const logProbability = logits[i]! - logNorm;
    const target = targets[i]!;
    // A class that cannot be the answer costs nothing, even where its probability is 0 and the logarithm infinite.
    if (target !== 0) loss -= target * logProbability;
    gradient[i] = weight * (mass * Math.exp(logProbability) - target);
  }
  return weight * loss;
}

/**
 * The targets of mixed images (Zhang et al., "mixup", ICLR 2018; Yun et al., "CutMix", ICCV 2019):
 * q = share · smooth(first) + (1 − share) · smooth(second), smooth(label) = (1 − ε)·onehot + ε/K.
 *
 * @param targets `[B, K]`, overwritten.
 * @throws TrainingError when lengths, labels or options do not fit.
 */
export function mixedTargets(
  first: ArrayLike<number>,
  second: ArrayLike<number>,
  share: number,
  shape: LogitsShape,
  targets: Float32Array,
  labelSmoothing = 0,
): void {
  requireLogits('soft target', shape, { targets });
  requireLabels('soft target', shape, first);
  requireLabels('soft target', shape, second);
  requireRange('mixup share', share, 0, 1);
  requireRange('label smoothing', labelSmoothing, 0, 1);
  const { batch, classes } = shape;
  const off = labelSmoothing / classes;
  const peak = 1 - labelSmoothing;
  targets.fill(off);
  for (let b = 0; b < batch; b++) {
    const [one, other] = [b * classes + first[b]!, b * classes + second[b]!];
    if (one === other) {
      targets[one] = off + peak;
    } else {
      targets[one] = off + peak * share;
      targets[other] = off + peak * (1 - share);
    }
  }
}
