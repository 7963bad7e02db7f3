/**
 * A model asked about labelled images, and its answers counted. Where the images come from is the caller's business; what the
 * counts mean is `metrics/accuracy`'s. Platform-neutral.
 */
import { matchClasses as classMatching } from '../data/matchClasses.js';
import { AccuracyCounter, type AccuracyCounts } from '../metrics/accuracy.js';
import { batchShape, sampleLength } from '../modalities/input.js';
import { checkOptionNames } from '../optionNames.js';
import type { Model, RunResult } from './model.js';

/** Preprocessed images with the numbers of their classes in the data. */
export interface LabelledBatch {
  /** float32 `[B, 3, H, W]`, of recordings `[T, B, C, H, W]`. */
  readonly input: Float32Array;
  /** `[B]`. */
  readonly labels: ArrayLike<number>;
}

export interface EvaluateOptions {
  /** The k of top-k beside top-1 (default 5). */
  readonly k?: number;
  /** When it aborts, what was counted so far is returned: a batch in the network is finished, one that is being decoded is not waited for. */
  readonly signal?: AbortSignal;
  /** Called after each batch with the number of images done. */
  readonly onProgress?: (images: number) => void;
}

export interface Evaluation {
  readonly accuracy: AccuracyCounts;
  /** How many were asked about. */
  readonly images: number;
  /** False when it was aborted before the last batch. */
  readonly complete: boolean;
  /** Wall-clock time from the first batch's request to the last answer, decoding included. */
  readonly milliseconds: number;
}

/** @param classOf The model's class for each class of the data, see `matchClasses`. */
export async function evaluate(
  model: Model,
  batches: AsyncIterable<LabelledBatch>,
  classOf: readonly number[],
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  checkOptionNames<EvaluateOptions>('evaluate', options, { k: true, signal: true, onProgress: true });
  const counter = new AccuracyCounter(model.configuration.classes, options.k);
  const judge = ({ logits }: RunResult, { labels }: LabelledBatch) =>
    counter.add(
      logits.data,
      Array.from(labels, (label) => classOf[label] ?? -1),
    );
  const run = await runAll(model, batches, judge, options);
  return { accuracy: counter.counts(), ...run };
}

/** How far an evaluation got. */
export type EvaluatedPart = Omit<Evaluation, 'accuracy'>;

/** Runs batch after batch and hands on what the model answered; what that is worth is the caller's business. */
export async function runAll<Batch extends { readonly input: Float32Array }>(
  model: Model,
  batches: AsyncIterable<Batch>,
  judge: (answer: RunResult, batch: Batch) => void,
  options: Pick<EvaluateOptions, 'signal' | 'onProgress'> = {},
): Promise<EvaluatedPart> {
  const shape = { ...model.input, channels: model.configuration.inputChannels };
  const length = sampleLength(shape);
  const ask = async (drawn: Batch) => {
    const { input } = drawn;
    const batch = input.length / length;
    judge(await model.run({ shape: batchShape(shape, batch), data: input }), drawn);
    return batch;
  };
  return askAll(batches, ask, options);
}

/**
 * As `runAll`, whoever is asked.
 *
 * @param ask Says how many samples there were.
 */
export async function askAll<Batch>(
  batches: AsyncIterable<Batch>,
  ask: (batch: Batch) => Promise<number>,
  options: Pick<EvaluateOptions, 'signal' | 'onProgress'> = {},
): Promise<EvaluatedPart> {
  const start = performance.now();
  let images = 0;
  let complete = true;
  const drawn = batches[Symbol.asyncIterator]();
  for (;;) {
    const next = await unlessAborted(drawn.next(), options.signal);
    if (next?.done) break;
    // An abort can only be noticed when waiting events get their turn; awaiting what is already there gives them none.
    await new Promise((resolve) => setTimeout(resolve, 0));
    if (next === undefined || options.signal?.aborted) {
      complete = false;
      // Not awaited: it ends when the decodes under way do, which may be never.
      drawn.return?.().catch(() => undefined);
      break;
    }
    images += await ask(next.value);
    options.onProgress?.(images);
  }
  return { images, complete, milliseconds: performance.now() - start };
}

/** What `work` gives, or undefined as soon as the signal aborts. */
async function unlessAborted<Result>(
  work: Promise<Result>,
  signal: AbortSignal | undefined,
): Promise<Result | undefined> {
  if (signal === undefined) return work;
  // Whatever becomes of it after an abort is nobody's business.
  work.catch(() => undefined);
  let stop: () => void = () => undefined;
  const aborted = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop);
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/**
 * The model's class for each class folder: by name when the model knows the names of its classes, else by position in the
 * sorted list.
 *
 * @param source What messages call the data.
 * @throws UsageError listing the folders that are no class of the model, or when there are more folders than classes.
 */
export function matchClasses(
  model: Pick<Model, 'labels' | 'hasLabels' | 'configuration'>,
  folders: readonly string[],
  source: string,
): readonly number[] {
  const { labels, hasLabels, configuration } = model;
  return classMatching({ labels, hasLabels, classes: configuration.classes }, folders, source);
}
