/**
 * Batches for training and evaluation out of a data set: shuffled by a seed, augmented, made ahead of the consumer by worker
 * threads. The same seed gives the same batches whatever the number of workers, and an epoch can be entered in its middle.
 */
import * as z from 'zod';
import type { Dataset } from '../data/datasets/dataset.js';
import { readAhead } from '../data/readAhead.js';
import { randomFor } from '../data/seed.js';
import type { ClassTargets } from '../data/targets/classes.js';
import { type TargetBatch, type TargetStore, targetKindOf } from '../data/targets/registry.js';
import { UsageError } from '../errors.js';
import { type ModalitySettings, modalityNamed } from '../modalities/registry.js';
import { type BatchContext, type BatchJob, type BatchMaker, batchMaker, type MadeBatch } from './batch.js';
import { epochOrder } from './order.js';
import { startPool, type WorkerPool } from './workerPool.js';

/** How a data set becomes batches; beside it the modality says how samples become floats. */
export interface BatchingOptions {
  readonly batchSize: number;
  /** Of everything random. Default 0. */
  readonly seed?: number;
  /** Default true. */
  readonly shuffle?: boolean;
  /** Whether a last batch that is not full is left out. Default false. */
  readonly dropLast?: boolean;
  /**
   * Worker threads; with 0 batches are made in the calling thread when they are asked for, or, where samples are waited for, while the
   * one before is in use. Default 1.
   */
  readonly workers?: number;
  /** How often in succession each sample is drawn (repeated augmentation). Default 1. */
  readonly repeated?: number;
  /** At most so many batches are made or waiting before they are asked for. Default 4. */
  readonly batchesAhead?: number;
  /** Samples that one thread opens at once (default 4, the size of libuv's thread pool, in which images are decoded). */
  readonly openedAtOnce?: number;
}

export type LoaderOptions = BatchingOptions & ModalitySettings;

/** Beside these a batch has what its kind of targets gives: see {@link LoadedBatch}. */
export interface SampleBatch {
  /** float32 as the modality lays it out: images [B, C, H, W], or [B, H, W, C] in the layout `channelsLast`; recordings [T, B, C, H, W]. */
  readonly input: Float32Array;
  /** Which samples of the data set these are [B]. */
  readonly indices: Int32Array;
}

/** See {@link Loader.epoch}. */
export type LoadedBatch<Targets extends TargetStore = TargetStore> = SampleBatch & TargetBatch<Targets>;

/** A batch of samples with class numbers. */
export type TrainingBatch = LoadedBatch<ClassTargets>;

/** Where in an epoch to begin. */
export interface EpochStart {
  /** The first batch to give; default 0. */
  readonly batch?: number;
}

/** See {@link createLoader}. */
export interface Loader<Targets extends TargetStore = ClassTargets> {
  readonly batchesPerEpoch: number;
  /**
   * The batches of an epoch. Started at batch k they are those that an uninterrupted epoch gives from k on. Throws UsageError
   * for an epoch or batch that does not exist, and DataError or ImageError naming a file that cannot be read.
   */
  epoch(epoch: number, start?: EpochStart): AsyncGenerator<LoadedBatch<Targets>, void, undefined>;
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
  batchesAhead: count(1, 256).default(4),
  openedAtOnce: count(1, 4096).default(4),
});

type CompleteOptions = z.output<typeof optionsSchema>;

interface EpochPlan {
  readonly order: Int32Array;
  readonly jobs: readonly BatchJob[];
}

/**
 * A loader of a data set. Throws UsageError, DataError or ImageError naming an option that is wrong or does not fit the data.
 */
export function createLoader<Targets extends TargetStore>(
  dataset: Dataset<unknown, Targets>,
  options: LoaderOptions,
): Loader<Targets> {
  const complete = parseOptions(options);
  const context = contextOf(dataset, options, complete);
  const maker = batchMaker(context);
  const batches = dataset.size / complete.batchSize;
  const batchesPerEpoch = complete.dropLast ? Math.floor(batches) : Math.ceil(batches);
  if (batchesPerEpoch === 0) {
    throw new UsageError(
      `${dataset.name} has ${dataset.size} ${dataset.noun}s, too few for one batch of ${complete.batchSize}`,
    );
  }
  let pool: WorkerPool<Targets> | undefined;
  const makeAll: BatchMaker<Targets>['makeAll'] = (jobs) => {
    if (complete.workers === 0) return maker.makeAll(jobs);
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

function contextOf<Targets extends TargetStore>(
  dataset: Dataset<unknown, Targets>,
  options: LoaderOptions,
  { seed, openedAtOnce }: CompleteOptions,
): BatchContext<Targets> {
  const { name, modality, store, targets } = dataset;
  const others = Object.entries(options).filter(([option]) => !Object.hasOwn(optionsSchema.shape, option));
  const settings = modalityNamed(modality).parse(Object.fromEntries(others), 'loader');
  return { name, modality, store, targets, settings, seed, openedAtOnce };
}

function checkPlace(epoch: number, batch: number, batchesPerEpoch: number): void {
  if (!Number.isSafeInteger(epoch) || epoch < 0) {
    throw new UsageError(`there is no epoch ${epoch}; epochs are whole numbers from 0 on`);
  }
  if (!Number.isSafeInteger(batch) || batch < 0 || batch > batchesPerEpoch) {
    throw new UsageError(`an epoch cannot start at batch ${batch}; it has ${batchesPerEpoch}`);
  }
}

function planOf(
  dataset: Pick<Dataset<unknown, TargetStore>, 'name' | 'size' | 'position' | 'targets'>,
  epoch: number,
  batches: number,
  options: CompleteOptions,
): EpochPlan {
  const { batchSize, shuffle, seed } = options;
  const { order: orderOf } = targetKindOf(dataset.targets);
  const order =
    orderOf && shuffle
      ? orderOf(dataset.targets, { ...samplesOf(dataset), batchSize, batches }, randomFor('order', seed, epoch))
      : epochOrder(dataset.size, epoch, options);
  const jobs = Array.from({ length: batches }, (_, batch) => {
    const firstSample = batch * options.batchSize;
    const indices = order.subarray(firstSample, firstSample + options.batchSize);
    return { epoch, batch, firstSample, positions: indices.map((i) => dataset.position(i)) };
  });
  return { order, jobs };
}

function samplesOf({ name, size, position }: Pick<Dataset<unknown>, 'name' | 'size' | 'position'>) {
  return { name, size, position };
}

async function* draw<Targets extends TargetStore>(
  { order, jobs }: EpochPlan,
  makeAll: BatchMaker<Targets>['makeAll'],
): AsyncGenerator<LoadedBatch<Targets>, void, undefined> {
  const made = makeAll(jobs);
  try {
    for (const { firstSample, positions } of jobs) {
      const next: IteratorResult<MadeBatch<Targets>, void> = await made.next();
      if (next.done) throw new Error(`making batches ended before sample ${firstSample}`);
      const { input, targets } = next.value;
      const indices = order.slice(firstSample, firstSample + positions.length);
      const samples: SampleBatch = { input, indices };
      yield { ...samples, ...targets };
    }
  } finally {
    await made.return();
  }
}
