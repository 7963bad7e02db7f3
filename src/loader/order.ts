/**
 * In which order an epoch visits the samples: a permutation that depends on the run's seed and the number of the epoch alone, with
 * repeated augmentation (Hoffer et al. 2020; the sampler of DeiT and timm) as an option.
 */
import { randomFor, shuffle } from '../data/seed.js';

export interface OrderSettings {
  readonly seed: number;
  readonly shuffle: boolean;
  /** How often in succession each sample is drawn; an epoch keeps its length and sees fewer different samples. */
  readonly repeated: number;
}

/** The numbers of the samples of an epoch, as many as there are samples. */
export function epochOrder(size: number, epoch: number, settings: OrderSettings): Int32Array {
  const order = Int32Array.from({ length: size }, (_, i) => i);
  if (settings.shuffle) shuffle(order, randomFor('order', settings.seed, epoch));
  if (settings.repeated === 1) return order;
  return Int32Array.from({ length: size }, (_, i) => order[Math.floor(i / settings.repeated)]!);
}
