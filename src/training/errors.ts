import { MetaSpikeformerError } from '../errors.js';

/** A training setting is out of range, or a state to be restored does not belong to this network. */
export class TrainingError extends MetaSpikeformerError {}
