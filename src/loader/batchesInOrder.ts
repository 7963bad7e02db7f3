/** The samples of a data set or of a shard of it as evaluation asks for them: in order, each once, nothing drawn by chance. */
import { type Dataset, subset } from '../data/datasets/dataset.js';
import type { TargetStore } from '../data/targets/registry.js';
import { createLoader, type LoadedBatch, type LoaderOptions } from './loader.js';
import { type Shard, samplesOfShard } from './shard.js';

export type InOrderOptions = Omit<LoaderOptions, 'shuffle' | 'workers' | 'repeated' | 'dropLast' | 'augmentation'> & {
  /** Which part of the samples to draw; all of them when absent. */
  readonly shard?: Shard;
};

/**
 * Batches in the calling thread; samples that must be decoded are while the batch before is in use. Nothing for an empty shard.
 *
 * @throws UsageError for wrong options and, when its turn comes, ImageError for a file that cannot be decoded.
 */
export async function* batchesInOrder<Targets extends TargetStore>(
  dataset: Dataset<unknown, Targets>,
  { shard, ...options }: InOrderOptions,
): AsyncGenerator<LoadedBatch<Targets>, void, undefined> {
  const all = Array.from({ length: dataset.size }, (_, index) => index);
  const indices = shard ? samplesOfShard(all, shard) : all;
  if (indices.length === 0) return;
  const part = shard ? subset(dataset, indices, dataset.name) : dataset;
  const loader = createLoader(part, { ...options, shuffle: false, workers: 0 });
  try {
    yield* loader.epoch(0);
  } finally {
    await loader.close();
  }
}
