/** How much a pickle may ask for: what keeps time and memory of reading one within bounds whatever its bytes say. */

export interface PickleLimits {
  readonly operations: number;
  readonly stack: number;
  /** Values stored for later reference. */
  readonly memo: number;
  /** Tuples, lists, dicts, objects: what takes memory without taking bytes of the file. */
  readonly containers: number;
}

/** A training checkpoint of 2,103 tensors takes 60,000 operations, 16,000 memo entries, 13,000 containers: at least 60 times less. */
export const DEFAULT_PICKLE_LIMITS: PickleLimits = {
  operations: 8_000_000,
  stack: 1_000_000,
  memo: 1_000_000,
  containers: 1_000_000,
};
