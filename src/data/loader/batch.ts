/**
 * How one batch is made: read, augment, normalise, erase, mix. The same function runs in the calling thread and in workers; what it
 * draws at random depends on the run's seed, the epoch and the places of batch and sample in it, so that who makes a batch,
 * and when, leaves no trace in it.
 */
import { augmentImage } from '../augment/augmentImage.js';
import { mixBatch } from '../augment/mix.js';
import { eraseRandomly } from '../augment/randomErasing.js';
import { randomFor } from '../augment/seed.js';
import type { AugmentationSettings } from '../augment/settings.js';
import { type BatchLayout, type ImageLayout, imageLength, stridesOf } from '../augment/tensor.js';
import { type ImageStore, readImage } from '../datasets/dataset.js';
import type { RgbImage } from '../image.js';
import { normalisedBytes, type PreprocessSettings } from '../preprocess.js';
import { readAhead } from '../readAhead.js';

/** What all batches of a loader have in common. Plain data, so that it can be sent to a worker. */
export interface BatchContext {
  readonly store: ImageStore;
  /** The number of classes, for soft targets. */
  readonly classes: number;
  readonly seed: number;
  readonly preprocessing: PreprocessSettings;
  readonly augmentation: AugmentationSettings;
  readonly layout: BatchLayout;
  readonly channels: 1 | 3;
}

/** One batch to be made. */
export interface BatchJob {
  readonly epoch: number;
  /** Number of the batch in its epoch. */
  readonly batch: number;
  /** Number of its first sample in the epoch. */
  readonly firstSample: number;
  /** Where its images are in the store. */
  readonly positions: Int32Array;
  readonly labels: Int32Array;
}

/** A batch, without what the job already says. */
export interface MadeBatch {
  readonly input: Float32Array;
  readonly targets?: Float32Array;
}

// Images that must be decoded are: so many at once, as sharp has libuv's 4 threads.
const decodedAtOnce = 4;

/** Makes batches of one kind. Tables that they share are computed once. */
export function batchMaker(context: BatchContext): (job: BatchJob) => Promise<MadeBatch> {
  const { preprocessing, augmentation, classes } = context;
  const [height, width] = preprocessing.crop;
  const image: ImageLayout = { layout: context.layout, height, width, channels: context.channels };
  const tables = [0, 1, 2].map((c) => normalisedBytes(preprocessing.mean[c]!, preprocessing.std[c]!));

  return async (job) => {
    const input = new Float32Array(job.positions.length * imageLength(image));
    await forEachImage(context.store, job.positions, (pixels, i) => {
      const random = randomFor('sample', context.seed, job.epoch, job.firstSample + i);
      const offset = i * imageLength(image);
      normaliseInto(augmentImage(pixels, augmentation, preprocessing, random), tables, image, input, offset);
      if (augmentation.randomErasing !== null) {
        eraseRandomly(input, offset, image, augmentation.randomErasing, random);
      }
    });
    if (augmentation.mix === null) return { input };
    const random = randomFor('mix', context.seed, job.epoch, job.batch);
    return { input, targets: mixBatch(input, image, job.labels, classes, augmentation.mix, random) };
  };
}

async function forEachImage(
  store: ImageStore,
  positions: Int32Array,
  visit: (image: RgbImage, i: number) => void,
): Promise<void> {
  const read = async (position: number) => readImage(store, position);
  const images =
    store.kind === 'pixels'
      ? Array.from(positions, (position) => readImage(store, position))
      : readAhead(Array.from(positions), read, { concurrency: decodedAtOnce, lookAhead: 2 * decodedAtOnce });
  let i = 0;
  for await (const image of images) visit(image, i++);
}

function normaliseInto(
  { data }: RgbImage,
  tables: readonly Float32Array[],
  image: ImageLayout,
  target: Float32Array,
  offset: number,
): void {
  const { channel: betweenChannels } = stridesOf(image);
  const betweenPixels = image.layout === 'channelsFirst' ? 1 : image.channels;
  for (let channel = 0; channel < image.channels; channel++) {
    const values = tables[channel]!;
    let to = offset + channel * betweenChannels;
    for (let from = channel; from < data.length; from += 3, to += betweenPixels) target[to] = values[data[from]!]!;
  }
}
