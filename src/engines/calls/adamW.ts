/** One step of AdamW (Loshchilov and Hutter, ICLR 2019) over all parameters of a network; the formula with its corrections is in `training/optimizers/adamW.ts`. */
import type { Tensor } from '../tensor.js';
import { declareCall, read, update } from './call.js';

/** What a step needs to know beside its tensors: float64 in this order, each in the place of two elements of the tensor `numbers`. */
export const adamWNumbers = [
  /** Gradients are multiplied by it, rounded and written again where it is below 1. */
  'gradientScale',
  'firstDecay',
  'firstShare',
  'secondDecay',
  'secondShare',
  /** What parameters that decay are multiplied by. */
  'keep',
  'stepSize',
  'rootScale',
  'epsilon',
] as const;

/**
 * In float64, rounded to float32 where something is stored:
 *
 *     m ← firstDecay · m + firstShare · g,   v ← secondDecay · v + secondShare · g · g
 *     p ← keep · p − stepSize · m / (√v · rootScale + epsilon)
 */
export interface AdamWCall {
  readonly name: string;
  /** Lines of 16 elements; each belongs to one parameter, or to none and is zero. */
  readonly lines: number;
  /** Real, `[lines, 16]`, and so are the next three. */
  readonly parameters: Tensor;
  readonly gradients: Tensor;
  readonly firstMoment: Tensor;
  readonly secondMoment: Tensor;
  /** Real, `[lines]`: 0 where parameters do not decay. */
  readonly decays: Tensor;
  /** `adamWNumbers`. */
  readonly numbers: Tensor;
}

const lineShape = ({ lines }: Pick<AdamWCall, 'lines'>) => [lines, 16];

export const adamW = declareCall<AdamWCall>('adamW', {
  sizes: ['lines'],
  tensors: {
    parameters: update('real', lineShape),
    gradients: update('real', lineShape),
    firstMoment: update('real', lineShape),
    secondMoment: update('real', lineShape),
    decays: read('real', ({ lines }) => [lines]),
    numbers: read('real', () => [adamWNumbers.length, 2]),
  },
});
