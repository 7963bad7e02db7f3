/**
 * How one batch is made: samples are opened, changed as chance decides, and become floats; their targets follow. The same code runs in
 * the calling thread and in workers. What is drawn at random depends on the run's seed, the epoch and the places of batch and sample in it,
 * so that who makes a batch, when, and in which order its samples arrive leaves no trace in it.
 */
import type { Transform } from '../data/geometry/transform.js';
import { readAhead } from '../data/readAhead.js';
import { randomFor } from '../data/seed.js';
import { type TargetBatch, type TargetStore, targetKindOf } from '../data/targets/registry.js';
import type { Mixture } from '../data/targets/targetKind.js';
import { UsageError } from '../errors.js';
import { frameLength, sampleLength } from '../modalities/input.js';
import type { DrawnChange } from '../modalities/modality.js';
import { modalityNamed } from '../modalities/registry.js';

/** What all batches of a loader have in common. Plain data, so that it can be sent to a worker. */
export interface BatchContext<Targets extends TargetStore = TargetStore> {
  /** What messages call the data. */
  readonly name: string;
  readonly modality: string;
  readonly store: object;
  /** The modality's, complete. */
  readonly settings: unknown;
  readonly targets: Targets;
  readonly seed: number;
  /** Samples opened at once by one thread, where opening means waiting. */
  readonly openedAtOnce: number;
}

/** One batch to be made. */
export interface BatchJob {
  readonly epoch: number;
  /** Number of the batch in its epoch. */
  readonly batch: number;
  /** Number of its first sample in the epoch. */
  readonly firstSample: number;
  /** Where its samples and targets are in their stores. */
  readonly positions: Int32Array;
}

/** A batch, without what the job already says. */
export interface MadeBatch<Targets extends TargetStore = TargetStore> {
  readonly input: Float32Array;
  readonly targets: TargetBatch<Targets>;
}

export interface BatchMaker<Targets extends TargetStore = TargetStore> {
  make(job: BatchJob): Promise<MadeBatch<Targets>>;
  /**
   * The batches of all jobs in turn. Where samples must be waited for, those of the next batch are opened while the consumer is busy;
   * else a batch is made when it is asked for.
   */
  makeAll(jobs: readonly BatchJob[]): AsyncGenerator<MadeBatch<Targets>, void, undefined>;
}

interface BegunBatch<Targets extends TargetStore> {
  /** Opens sample i and puts what becomes of it into its place. */
  place(i: number): Promise<void> | undefined;
  /** To be called when all are in their places. */
  finish(): MadeBatch<Targets>;
}

/** Makes batches of one kind. Tables that they share are computed once. Throws DataError when the settings do not fit the data. */
export function batchMaker<Targets extends TargetStore>(context: BatchContext<Targets>): BatchMaker<Targets> {
  const { openedAtOnce, store } = context;
  const begin = beginner(context);
  const waits = modalityNamed(context.modality).waits(store);

  async function* makeAll(jobs: readonly BatchJob[]): AsyncGenerator<MadeBatch<Targets>, void, undefined> {
    if (!waits) {
      for (const job of jobs) yield madeAtOnce(begin(job), job.positions.length);
      return;
    }
    const begun: BegunBatch<Targets>[] = [];
    const samples = jobs.flatMap(({ positions }, job) => Array.from(positions, (_, i) => ({ job, i })));
    const place = async ({ job, i }: (typeof samples)[number]) => {
      begun[job] ??= begin(jobs[job]!);
      await begun[job].place(i);
    };
    const most = Math.max(0, ...jobs.map(({ positions }) => positions.length));
    const limits = { concurrency: openedAtOnce, lookAhead: most + openedAtOnce };
    const placed = readAhead(samples, place, limits);
    try {
      for (const [job, { positions }] of jobs.entries()) {
        for (let i = 0; i < positions.length; i++) await placed.next();
        const batch = begun[job]!.finish();
        delete begun[job];
        yield batch;
      }
    } finally {
      await placed.return();
    }
  }

  return {
    makeAll,
    make: async (job) => {
      for await (const batch of makeAll([job])) return batch;
      throw new Error(`batch ${job.batch} was not made`);
    },
  };
}

function madeAtOnce<Targets extends TargetStore>(batch: BegunBatch<Targets>, count: number): MadeBatch<Targets> {
  for (let i = 0; i < count; i++)
    if (batch.place(i) !== undefined)
      throw new Error('a modality that opens samples with promises must say that it waits');
  return batch.finish();
}

function beginner<Targets extends TargetStore>(context: BatchContext<Targets>): (job: BatchJob) => BegunBatch<Targets> {
  const { name, store, targets, seed } = context;
  const modality = modalityNamed(context.modality);
  const preparation = modality.prepare(context.settings, { name, store });
  const kind = targetKindOf(targets);
  const frame = frameLength(preparation.shape);
  const length = sampleLength(preparation.shape);
  if (preparation.mix && !kind.mixed) {
    throw new UsageError(
      `${name}: mixup and cutmix need class numbers as targets, these are ${kind.name}; leave mix out`,
    );
  }
  if (preparation.looksAtTargets && !kind.largestShare) {
    throw new UsageError(
      `${name}: crops can avoid one class where targets are masks, these are ${kind.name}; leave mostOfOneClass out`,
    );
  }
  return ({ epoch, batch, firstSample, positions }) => {
    const count = positions.length;
    const input = new Float32Array(count * length);
    const ofSamples: ReturnType<typeof kind.read>[] = new Array(count);
    const write = (augmented: unknown, drawn: DrawnChange, target: (typeof ofSamples)[number], i: number) => {
      // Frames of one time step lie together: [T, B, ...]. What has no time steps of its own is [B, ...] all the same.
      preparation.tensor(augmented, drawn, input, i * frame, count * frame);
      ofSamples[i] = kind.transform(target, drawn.geometry);
    };
    const put = (sample: unknown, i: number): Promise<void> | undefined => {
      const target = kind.read(targets, positions[i]!);
      const { largestShare } = kind;
      const shareAfter = largestShare && ((geometry: Transform) => largestShare(kind.transform(target, geometry)));
      const drawn = preparation.draw(sample, randomFor('sample', seed, epoch, firstSample + i), shareAfter);
      const augmented: unknown = preparation.augment(sample, drawn);
      if (augmented instanceof Promise) return augmented.then((ready: unknown) => write(ready, drawn, target, i));
      write(augmented, drawn, target, i);
      return undefined;
    };
    return {
      place: (i) => {
        const sample: unknown = modality.open(store, positions[i]!);
        if (sample instanceof Promise) return sample.then((opened: unknown) => put(opened, i));
        return put(sample, i);
      },
      finish: () => {
        const mixture: Mixture | undefined = preparation.mix?.(input, count, randomFor('mix', seed, epoch, batch));
        const mixed = mixture && kind.mixed?.(targets, ofSamples, mixture);
        return { input, targets: mixed ?? kind.collate(targets, ofSamples) };
      },
    };
  };
}
