/** Losses on logits, and on descriptors of pairs of views: each returns its value and writes its gradient. */
export { cosineAlignment, neighbourAlignment, type RefinementOptions, refinedByNeighbours } from './alignment.js';
export {
  type CrossEntropyOptions,
  crossEntropy,
  mixedTargets,
  softTargetCrossEntropy,
} from './crossEntropy.js';
export {
  type DistillationOptions,
  type DistilledHeads,
  distillationDivergence,
  hardDistillation,
  likeliestClasses,
  softDistillation,
} from './distillation.js';
export {
  type InfoNceLoss,
  type InfoNceOptions,
  infoNce,
  largestScale,
  startingLogScale,
} from './infoNce.js';
export type { PairedDescriptors, PairsShape } from './pairs.js';
export type { LogitsShape } from './rows.js';
export { type TemporalEfficientOptions, temporalEfficientLoss } from './temporalEfficient.js';
export { batchHardTriplet, type TripletOptions } from './triplet.js';
