/**
 * What the numbers of a detector with regions are worth, as mmdetection 3 has it for Mask R-CNN (He et al. 2017): of anchors and regions on an object L1 of the ways to its box, of anchors
 * the binary cross entropy of their score, of regions the cross entropy of classes and background, of masks that of every pixel of the object's own class. Values are sums that the caller
 * weighs; gradients are added to what is there.
 */
import { crossEntropyOf } from './losses.js';
import { softmax } from './numbers.js';

/** Numbers and the place where their gradient goes, laid out alike. */
export interface Learned {
  readonly values: Float32Array;
  readonly gradient: Float32Array;
}

/** `Σ |x − wanted|` of four numbers. */
export function wayLoss({ values, gradient }: Learned, at: number, wanted: ArrayLike<number>, weight: number): number {
  let loss = 0;
  for (let side = 0; side < 4; side++) {
    const distance = values[at + side]! - wanted[side]!;
    loss += weight * Math.abs(distance);
    gradient[at + side]! += weight * Math.sign(distance);
  }
  return loss;
}

/** Binary cross entropy of one score before its sigmoid. */
export function scoreLoss({ values, gradient }: Learned, at: number, wanted: 0 | 1, weight: number): number {
  const valued = crossEntropyOf(values[at]!, wanted);
  gradient[at]! += weight * valued.gradient;
  return weight * valued.loss;
}

/** Cross entropy of the softmax of one row. */
export function classLoss(
  { values, gradient }: Learned,
  at: number,
  { classes, wanted }: { readonly classes: number; readonly wanted: number },
  weight: number,
): number {
  const row = values.subarray(at, at + classes);
  const shares = softmax(row);
  for (let k = 0; k < classes; k++) gradient[at + k]! += weight * (shares[k]! - (k === wanted ? 1 : 0));
  // log Σ exp(x − x_wanted), which stays finite where the share vanishes.
  const largest = row.reduce((most, score) => Math.max(most, score), Number.NEGATIVE_INFINITY);
  const sum = row.reduce((total, score) => total + Math.exp(score - largest), 0);
  return weight * (Math.log(sum) + largest - row[wanted]!);
}

/**
 * Binary cross entropy of a mask's pixels, which lie `stride` apart.
 *
 * @param wanted 0 or 1 for each.
 */
export function maskLoss(
  learned: Learned,
  at: number,
  { stride, wanted }: { readonly stride: number; readonly wanted: Uint8Array },
  weight: number,
): number {
  let loss = 0;
  for (let pixel = 0; pixel < wanted.length; pixel++)
    loss += scoreLoss(learned, at + pixel * stride, wanted[pixel] === 1 ? 1 : 0, weight);
  return loss;
}

/** The mean over time of numbers `[T, …]`, and a gradient of it. */
export function averaged(values: Float32Array, timeSteps: number): Learned {
  const length = values.length / timeSteps;
  const mean = new Float32Array(length);
  for (let i = 0; i < length; i++) {
    let sum = 0;
    for (let step = 0; step < timeSteps; step++) sum += values[step * length + i]!;
    mean[i] = sum / timeSteps;
  }
  return { values: mean, gradient: new Float32Array(length) };
}

/** The gradient of numbers `[T, …]` from that of their mean. */
export function spreadOverTime(gradient: Float32Array, timeSteps: number): Float32Array {
  const spread = new Float32Array(gradient.length * timeSteps);
  const own = gradient.map((value) => value / timeSteps);
  for (let step = 0; step < timeSteps; step++) spread.set(own, step * own.length);
  return spread;
}
