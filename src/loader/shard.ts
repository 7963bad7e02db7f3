/** Equal parts of a data set, for evaluation on several machines. */
import { UsageError } from '../errors.js';

/** One of `count` equal parts: sample i of the data's order belongs to shard i mod `count`. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/** The samples that belong to a shard, in order. Throws UsageError unless 0 <= index < count. */
export function samplesOfShard<Sample>(samples: readonly Sample[], shard: Shard): Sample[] {
  const { index, count } = shard;
  if (!Number.isSafeInteger(count) || !Number.isSafeInteger(index) || count < 1 || index < 0 || index >= count) {
    throw new UsageError(
      `shard ${index} of ${count} does not exist; the index must be a whole number from 0 to count - 1`,
    );
  }
  return samples.filter((_, i) => i % count === index);
}
