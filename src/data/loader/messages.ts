/** What the loader's threads say to each other. */
import type { BatchJob, MadeBatch } from './batch.js';

/** To a worker. */
export interface JobMessage {
  readonly id: number;
  readonly job: BatchJob;
}

/** From a worker: a batch, or why there is none. `mendable` errors are those that a person can cause and mend. */
export type ResultMessage =
  | { readonly id: number; readonly made: MadeBatch }
  | { readonly id: number; readonly message: string; readonly mendable: boolean };
