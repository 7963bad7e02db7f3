/** An image folder as it lies, with batches of its images for whoever evaluates something of their own. */
import { labelledImages } from '../data/datasets/images.js';
import { type FoundFolder, findImageFolder, type ImageSample } from '../data/imageFolder.js';
import type { PreprocessSettings } from '../data/preprocess.js';
import { UsageError } from '../errors.js';
import { checkOptionNames } from '../optionNames.js';
import { batchesInOrder } from './batchesInOrder.js';
import type { Shard } from './shard.js';

/** How batches are made. */
export interface BatchOptions {
  /** Images per batch; the last batch may be smaller. */
  readonly batch: number;
  readonly preprocess: PreprocessSettings;
  /** Which part of the samples to draw; all of them when absent. */
  readonly shard?: Shard;
  /** Images decoded at once (default 4, the size of libuv's thread pool). */
  readonly concurrency?: number;
}

/** A batch ready for a network. */
export interface ImageBatch {
  /** float32 [B, 3, H, W]. */
  readonly input: Float32Array;
  /** Class numbers [B]. */
  readonly labels: Int32Array;
  /** Paths [B], in the same order. */
  readonly paths: readonly string[];
}

/** See {@link openImageFolder}. */
export interface ImageFolder extends FoundFolder {
  /**
   * The samples of a shard in order, decoded and preprocessed, decoding ahead of the consumer by about one batch. Throws
   * UsageError for wrong options and, when its turn comes, ImageError for a file that cannot be decoded.
   */
  batches(options: BatchOptions): AsyncGenerator<ImageBatch, void, undefined>;
}

/**
 * Opens a folder as torchvision's ImageFolder does, see {@link findImageFolder}.
 *
 * @param besides Folders that are known to be no classes.
 * @throws ImageError when the folder cannot be read or is none of class folders.
 */
export async function openImageFolder(directory: string, besides: readonly string[] = []): Promise<ImageFolder> {
  const folder = await findImageFolder(directory, besides);
  return { ...folder, batches: (options) => drawBatches(folder, checked(options)) };
}

/** The images of a folder as a data set, each decoded when its turn comes. */
export function imagesOfFolder({ directory, classes, samples }: FoundFolder) {
  return labelledImages({
    name: directory,
    classes,
    labels: Int32Array.from(samples, ({ label }) => label),
    store: { kind: 'files', paths: samples.map(({ path }) => path) },
  });
}

function checked(options: BatchOptions): BatchOptions {
  checkOptionNames<BatchOptions>('batches', options, { batch: true, preprocess: true, shard: true, concurrency: true });
  return options;
}

async function* drawBatches(
  folder: FoundFolder,
  { batch, preprocess, shard, concurrency }: BatchOptions,
): AsyncGenerator<ImageBatch, void, undefined> {
  requirePositive('batch', batch);
  if (concurrency !== undefined) requirePositive('concurrency', concurrency);
  const { index, count } = shard ?? { index: 0, count: 1 };
  const drawn = batchesInOrder(imagesOfFolder(folder), {
    batchSize: batch,
    preprocessing: preprocess,
    ...(concurrency === undefined ? {} : { openedAtOnce: concurrency }),
    ...(shard === undefined ? {} : { shard }),
  });
  for await (const { input, labels, indices } of drawn) {
    const sampleOf = (i: number): ImageSample => folder.samples[i * count + index]!;
    yield { input, labels, paths: Array.from(indices, (i) => sampleOf(i).path) };
  }
}

function requirePositive(option: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new UsageError(`${option} is ${value}; it must be a whole number of at least 1`);
  }
}
