/** What the loader's threads say to each other. */
import type { SharedReading } from '../data/decodingRules.js';
import type { BatchContext, BatchJob, MadeBatch } from './batch.js';

/** What a worker begins with. */
export interface WorkerBeginning {
  readonly context: BatchContext;
  readonly reading: SharedReading;
}

/** To a worker. */
export interface JobMessage {
  readonly id: number;
  readonly job: BatchJob;
}

/**
 * From a worker: a batch, or why there is none, and the damaged images that it took so far. `mendable` errors are those that a person
 * can cause and mend.
 */
export type ResultMessage = { readonly id: number; readonly damaged: readonly string[] } & (
  | { readonly made: MadeBatch }
  | { readonly message: string; readonly mendable: boolean }
);
