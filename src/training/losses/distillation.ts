/**
 * Distillation: a second head learns from a teacher while the first learns from the labels. Hard labels as in DeiT (Touvron et al.,
 * ICML 2021; the authors' recipe, α = ½), soft targets with a temperature as in Hinton, Vinyals, Dean (2015).
 */
import { TrainingError } from '../errors.js';
import { requireRange } from '../optimizers/optimizer.js';
import { crossEntropy } from './crossEntropy.js';
import { type LogitsShape, logSumExp, requireLogits } from './rows.js';

/** The two heads' logits and where their gradients go, all `[B, K]`; gradients are overwritten and may not overlap the logits. */
export interface DistilledHeads {
  readonly head: Float32Array;
  readonly headGradient: Float32Array;
  readonly distilled: Float32Array;
  readonly distilledGradient: Float32Array;
}

export interface DistillationOptions {
  /** α: the teacher's share of the loss. Default ½. */
  readonly teacherShare?: number;
  /** Of the labels, not of the teacher. Default 0. */
  readonly labelSmoothing?: number;
  /** Multiplies loss and gradients. Default 1. */
  readonly weight?: number;
}

/**
 * L = (1 − α) · CE(head, labels) + α · CE(distilled, teacher's labels).
 *
 * @param labels `[B]`.
 * @param teacherLabels `[B]`: the class that the teacher thinks likeliest, see `likeliestClasses`.
 * @throws TrainingError when lengths, labels or options do not fit.
 */
export function hardDistillation(
  heads: DistilledHeads,
  labels: ArrayLike<number>,
  teacherLabels: ArrayLike<number>,
  shape: LogitsShape,
  options: DistillationOptions = {},
): number {
  const { teacherShare = 0.5, labelSmoothing = 0, weight = 1 } = options;
  requireRange('distillation teacherShare', teacherShare, 0, 1);
  const labelWeight = (1 - teacherShare) * weight;
  const teacherWeight = teacherShare * weight;
  return (
    crossEntropy(heads.head, labels, shape, heads.headGradient, { labelSmoothing, weight: labelWeight }) +
    crossEntropy(heads.distilled, teacherLabels, shape, heads.distilledGradient, { weight: teacherWeight })
  );
}

/**
 * L = (1 − α) · CE(head, labels) + α · τ² · KL(softmax(teacher/τ) ‖ softmax(distilled/τ)), the divergence as in
 * `distillationDivergence`.
 *
 * @param teacherLogits `[B, K]`.
 * @throws TrainingError when lengths, labels or options do not fit.
 */
export function softDistillation(
  heads: DistilledHeads,
  labels: ArrayLike<number>,
  teacherLogits: Float32Array,
  shape: LogitsShape,
  options: DistillationOptions & { readonly temperature?: number } = {},
): number {
  const { teacherShare = 0.5, labelSmoothing = 0, weight = 1, temperature = 1 } = options;
  requireRange('distillation teacherShare', teacherShare, 0, 1);
  const labelWeight = (1 - teacherShare) * weight;
  const teacherWeight = teacherShare * weight;
  return (
    crossEntropy(heads.head, labels, shape, heads.headGradient, { labelSmoothing, weight: labelWeight }) +
    distillationDivergence(heads.distilled, teacherLogits, shape, heads.distilledGradient, temperature, teacherWeight)
  );
}

/**
 * L = weight · τ² · mean over b of Σₖ pₖ (ln pₖ − ln qₖ), with p = softmax(teacher/τ), q = softmax(student/τ). Overwrites the gradient
 * with dL/dz = weight · τ (q − p)/B. The mean is over samples, as Hinton writes it; DeiT's code divides by B·K instead.
 *
 * @param student `[B, K]` logits.
 * @param teacher `[B, K]` logits.
 * @param gradient `[B, K]`; may not be the student's or the teacher's memory.
 * @param temperature τ > 0.
 * @throws TrainingError when lengths or the temperature do not fit.
 */
export function distillationDivergence(
  student: Float32Array,
  teacher: Float32Array,
  shape: LogitsShape,
  gradient: Float32Array,
  temperature = 1,
  weight = 1,
): number {
  requireLogits('distillation', shape, { student, teacher, gradient });
  if (!(temperature > 0 && temperature < Number.POSITIVE_INFINITY))
    throw new TrainingError(`distillation temperature: is ${temperature}, expected a finite number above 0`);
  const { batch, classes } = shape;
  let loss = 0;
  for (let b = 0; b < batch; b++)
    loss += divergenceRow(student, teacher, b * classes, classes, temperature, weight / batch, gradient);
  return loss;
}

function divergenceRow(
  student: Float32Array,
  teacher: Float32Array,
  start: number,
  classes: number,
  temperature: number,
  weight: number,
  gradient: Float32Array,
): number {
  const studentNorm = logSumExp(student, start, classes, temperature);
  const teacherNorm = logSumExp(teacher, start, classes, temperature);
  let divergence = 0;
  for (let i = start; i < start + classes; i++) {
    const logStudent = student[i]! / temperature - studentNorm;
    const logTeacher = teacher[i]! / temperature - teacherNorm;
    const probability = Math.exp(logTeacher);
    // The limit of p ln p at 0; without it a teacher's logit of −∞ would make NaN.
    if (probability > 0) divergence += probability * (logTeacher - logStudent);
    gradient[i] = weight * temperature * (Math.exp(logStudent) - probability);
  }
  return weight * temperature * temperature * divergence;
}

/** The class with the largest logit per sample, the lowest index when several are equal. `labels` `[B]` is overwritten. */
export function likeliestClasses(logits: Float32Array, shape: LogitsShape, labels: Int32Array): void {
  requireLogits('distillation', shape, { logits });
  for (let b = 0; b < shape.batch; b++) {
    const start = b * shape.classes;
    let best = 0;
    for (let k = 1; k < shape.classes; k++) if (logits[start + k]! > logits[start + best]!) best = k;
    labels[b] = best;
  }
}
