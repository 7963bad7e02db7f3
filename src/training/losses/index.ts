/** Losses on logits: each returns its value and writes its gradient. */
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
export type { LogitsShape } from './rows.js';
export { type TemporalEfficientOptions, temporalEfficientLoss } from './temporalEfficient.js';
