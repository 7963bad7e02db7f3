import { MetaSpikeformerError } from '../errors.js';

/** An engine cannot be started or has run out of memory. */
export class EngineError extends MetaSpikeformerError {}
