/**
 * Batches for training and evaluation out of a data set: shuffled by a seed, augmented, made ahead of the consumer by worker
 * threads. The same seed gives the same batches whatever the number of workers, and an epoch can be entered in its middle.
 */
import * as z from 'zod';
import { UsageError } from '../../errors.js';
import { type AugmentationInput, parseAugmentation } from '../augment/settings.js';
import type { BatchLayout } from '../augment/tensor.js';
import type { Dataset } from '../datasets/dataset.js';
import { DataError } from '../errors.js';
import { type PreprocessSettings, parsePreprocessSettings } from '../preprocess.js';
import { readAhead } from '../readAhead.js';
import { type BatchContext, type BatchJob, batchMaker, type MadeBatch } from './batch.js';
import { epochOrder } from './order.js';
import { startPool, type WorkerPool } from './workerPool.js';

/** How a data set becomes batches. */
export interface LoaderOptions {
  readonly batchSize: number;
  /** Size of the input, mean and deviation; resizing when nothing else crops. */
  readonly preprocessing: PreprocessSettings;
  /** Of everything random. Default 0. */
  readonly seed?: number;
  /** Default: none, each image as in evaluation. */
  readonly augmentation?: AugmentationInput;
  /** Default true. */
  readonly shuffle?: boolean;
  /** Whether a last batch that is not full is left out. Default false. */
  readonly dropLast?: boolean;
  /** Worker threads; with 0 batches are made in the calling thread when they are asked for. Default 1. */
  readonly workers?: number;
  /** How often in succession each image is drawn (repeated augmentation). Default 1. */
  readonly repeated?: number;
  /** Order of a batch's floats. Default `channelsFirst`. */
  readonly layout?: BatchLayout;
  /** 1 keeps a single channel of grey images. Default 3. */
  readonly channels?: 1 | 3;
  /** At most so many batches are made or waiting before they are asked for. Default 4. */
  readonly batchesAhead?: number;
}

/** See {@link Loader.epoch}. */
export interface TrainingBatch {
  /** float32 [B, C, H, W], or [B, H, W, C] in the layout `channelsLast`. */
  readonly input: Float32Array;
  /** Class numbers [B]. */
  readonly labels: Int32Array;
  /** Soft targets, float32 [B, classes]: only with mixup or cutmix, and then the labels alone are not the truth. */
  readonly targets?: Float32Array;
  /** Which images of the data set these are [B]. */
  readonly indices: Int32Array;
}

/** Where in an epoch to begin. */
export interface EpochStart {
  /** The first batch to give; default 0. */
  readonly batch?: number;
}

/** See {@link createLoader}. */
export interface Loader {
  readonly batchesPerEpoch: number;
  /**
   * The batches of an epoch. Started at batch k they are those that an uninterrupted epoch gives from k on. Throws UsageError
   * for an epoch or batch that does not exist, and DataError or ImageError naming a file that cannot be read.
   */
  epoch(epoch: number, start?: EpochStart): AsyncGenerator<TrainingBatch, void, undefined>;
  /** Stops the workers. */
  close(): Promise<void>;
}

const count = (lowest: number, highest: number) => z.int().min(lowest).max(highest);

const optionsSchema = z.object({
  batchSize: count(1, 65_536),
  seed: z.int().default(0),
  shuffle: z.boolean().default(true),
  dropLast: z.boolean().default(false),
  workers: count(0, 256).default(1),
  repeated: count(1, 64).default(1),
  layout: z.enum(['channelsFirst', 'channelsLast']).default('channelsFirst'),
  channels: z.union([z.literal(1), z.literal(3)]).default(3),
  batchesAhead: count(1, 256).default(4),
});

type CompleteOptions = z.output<typeof optionsSchema>;

interface EpochPlan {
  readonly order: Int32Array;
  readonly jobs: readonly BatchJob[];
}

/** A loader of a data set. Throws UsageError or DataError naming an option that is wrong. */
export function createLoader(dataset: Dataset, options: LoaderOptions): Loader {
  const complete = parseOptions(options);
  const context = contextOf(dataset, options, complete);
  const batches = dataset.size / complete.batchSize;
  const batchesPerEpoch = complete.dropLast ? Math.floor(batches) : Math.ceil(batches);
  if (batchesPerEpoch === 0) {
    throw new UsageError(`${dataset.name} has ${dataset.size} images, too few for one batch of ${complete.batchSize}`);
  }
  let pool: WorkerPool | undefined;
  const make = batchMaker(context);
  const makeAll = (jobs: readonly BatchJob[]) => {
    if (complete.workers === 0) return inTurn(jobs, make);
    pool ??= startPool(complete.workers, context);
    const { batchesAhead } = complete;
    return readAhead(jobs, pool.make, { concurrency: batchesAhead, lookAhead: batchesAhead });
  };
  return {
    batchesPerEpoch,
    epoch: (epoch, start = {}) => {
      const first = start.batch ?? 0;
      checkPlace(epoch, first, batchesPerEpoch);
      const plan = planOf(dataset, epoch, batchesPerEpoch, complete);
      return draw({ order: plan.order, jobs: plan.jobs.slice(first) }, makeAll);
    },
    close: async () => {
      const closing = pool;
      pool = undefined;
      await closing?.close();
    },
  };
}

function parseOptions(options: LoaderOptions): CompleteOptions {
  const parsed = optionsSchema.safeParse(options);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new UsageError(`the loader's option ${issue.path.join('.')} is wrong: ${issue.message}`);
}

function contextOf(dataset: Dataset, options: LoaderOptions, complete: CompleteOptions): BatchContext {
  const { store } = dataset;
  if (complete.channels === 1 && !(store.kind === 'pixels' && store.channels === 1)) {
    throw new DataError(`${dataset.name}: its images are not stored as grey; use channels: 3`);
  }
  return {
    store,
    classes: dataset.classes.length,
    seed: complete.seed,
    preprocessing: parsePreprocessSettings(options.preprocessing, 'loader'),
    augmentation: parseAugmentation(options.augmentation ?? {}),
    layout: complete.layout,
    channels: complete.channels,
  };
}

function checkPlace(epoch: number, batch: number, batchesPerEpoch: number): void {
  if (!Number.isSafeInteger(epoch) || epoch < 0) {
    throw new UsageError(`there is no epoch ${epoch}; epochs are whole numbers from 0 on`);
  }
  if (!Number.isSafeInteger(batch) || batch < 0 || batch > batchesPerEpoch) {
    throw new UsageError(`an epoch cannot start at batch ${batch}; it has ${batchesPerEpoch}`);
  }
}

function planOf(dataset: Dataset, epoch: number, batches: number, options: CompleteOptions): EpochPlan {
  const order = epochOrder(dataset.size, epoch, options);
  const jobs = Array.from({ length: batches }, (_, batch) => {
    const firstSample = batch * options.batchSize;
    const indices = order.subarray(firstSample, firstSample + options.batchSize);
    const positions = indices.map((i) => dataset.position(i));
    return { epoch, batch, firstSample, positions, labels: indices.map((i) => dataset.label(i)) };
  });
  return { order, jobs };
}

async function* draw(
  { order, jobs }: EpochPlan,
  makeAll: (jobs: readonly BatchJob[]) => AsyncGenerator<MadeBatch, void, undefined>,
): AsyncGenerator<TrainingBatch, void, undefined> {
  const made = makeAll(jobs);
  try {
    for (const { firstSample, labels } of jobs) {
      const next = await made.next();
      if (next.done) throw new Error(`making batches ended before sample ${firstSample}`);
      yield { ...next.value, labels, indices: order.slice(firstSample, firstSample + labels.length) };
    }
  } finally {
    await made.return();
  }
}

async function* inTurn(
  jobs: readonly BatchJob[],
  make: (job: BatchJob) => Promise<MadeBatch>,
): AsyncGenerator<MadeBatch, void, undefined> {
  for (const job of jobs) yield await make(job);
}
