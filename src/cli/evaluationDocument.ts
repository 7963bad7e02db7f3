/**
 * What `eval --json` prints: exact integer counts with fingerprints of the model and the data, so that the parts of an evaluation
 * made on several machines add up to what one machine would have said, or are refused. docs/cli.md describes it.
 */
import { readFile, stat } from 'node:fs/promises';
import { z } from 'zod';
import { UsageError } from '../errors.js';
import { type AccuracyCounts, type ClassCounts, mergeAccuracy, totalOf } from '../metrics/accuracy.js';
import { counted, oneLine } from './text.js';

const count = z.int().min(0);
const fingerprint = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const share = z.number().min(0).max(1).nullable();

const schema = z.strictObject({
  command: z.literal('eval'),
  model: z.strictObject({
    name: z.string(),
    randomWeights: z.boolean(),
    description: z.string(),
    timeSteps: z.int().min(1),
    /** Missing in results of before it was written down; null where nobody says it. */
    trainedTimeSteps: z.int().min(1).nullable().optional(),
    warnings: z.array(z.string()).optional(),
    classes: z.int().min(1),
    imageSize: z.tuple([count, count]),
    engine: z.string(),
    fingerprint,
  }),
  data: z.strictObject({ directory: z.string(), images: count, classes: z.array(z.string()), fingerprint }),
  /** Null for all of the data. */
  shard: z.strictObject({ index: count, count: z.int().min(1) }).nullable(),
  /** True when the evaluation was interrupted: `images` says how many were done. */
  partial: z.boolean(),
  images: count,
  /** How many damaged images were taken; absent unless they are tolerated. */
  damaged: count.optional(),
  top1: z.strictObject({ correct: count, accuracy: share }),
  top5: z.strictObject({ k: z.int().min(1), correct: count, accuracy: share }),
  /** In the order of the class folders; `class` is the model's number for it. */
  perClass: z.array(z.strictObject({ name: z.string(), class: count, images: count, top1: count, top5: count })),
  timing: z.strictObject({
    seconds: z.number().min(0),
    imagesPerSecond: z.number().min(0).nullable(),
    /** Null when merged. */
    threads: z.int().min(1).nullable(),
  }),
});

export type EvaluationDocument = z.output<typeof schema>;

interface Named {
  readonly file: string;
  readonly document: EvaluationDocument;
}

/** @param perClass Counts by class folder, with the model's number of the class. */
export function evaluationDocument(
  parts: Pick<EvaluationDocument, 'model' | 'data' | 'shard' | 'partial' | 'damaged'>,
  k: number,
  perClass: readonly (ClassCounts & { readonly name: string; readonly class: number })[],
  timing: { readonly seconds: number; readonly threads: number | null },
): EvaluationDocument {
  const { images, top1, topK } = totalOf(perClass);
  const accuracy = (correct: number) => (images === 0 ? null : correct / images);
  const { model, data, shard, partial, damaged } = parts;
  return {
    command: 'eval',
    model,
    data,
    shard,
    partial,
    images,
    ...(damaged === undefined ? {} : { damaged }),
    top1: { correct: top1, accuracy: accuracy(top1) },
    top5: { k, correct: topK, accuracy: accuracy(topK) },
    perClass: perClass.map((entry) => ({
      name: entry.name,
      class: entry.class,
      images: entry.images,
      top1: entry.top1,
      top5: entry.topK,
    })),
    timing: {
      seconds: timing.seconds,
      imagesPerSecond: timing.seconds > 0 ? images / timing.seconds : null,
      threads: timing.threads,
    },
  };
}

/** Larger files are no evaluation's: a thousand classes take a tenth of a megabyte. */
const maximumBytes = 64 * 1024 * 1024;

/** Reads and checks one result. @throws UsageError naming the file when it is not what `eval --json` printed. */
export async function readEvaluation(file: string): Promise<EvaluationDocument> {
  const parsed = schema.safeParse(await readJson(file));
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw notAResult(file, `${issue.path.join('.') || 'the whole'}: ${issue.message}`);
  }
  const document = parsed.data;
  const inconsistency = inconsistencyOf(document);
  if (inconsistency) throw notAResult(file, inconsistency);
  return document;
}

async function readJson(file: string): Promise<unknown> {
  try {
    const { size } = await stat(file);
    if (size > maximumBytes) throw notAResult(file, `it has ${size} bytes`);
    return JSON.parse(new TextDecoder().decode(await readFile(file)));
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    throw notAResult(file, cause instanceof Error ? oneLine(cause.message) : 'it cannot be read', cause);
  }
}

function notAResult(file: string, reason: string, cause?: unknown): UsageError {
  return new UsageError(
    `${file}: is not a result of "eval --shard i/n --json" (${reason}); name the files it printed`,
    {
      cause,
    },
  );
}

/** Counts that cannot be true, for example after editing by hand. */
function inconsistencyOf(document: EvaluationDocument): string | undefined {
  const { perClass, data, images, top1, top5 } = document;
  const sums = accuracyOf(document);
  if (perClass.length !== data.classes.length || perClass.some(({ name }, i) => name !== data.classes[i]))
    return 'perClass does not list the classes of the data';
  if (sums.images !== images || sums.top1 !== top1.correct || sums.topK !== top5.correct)
    return 'perClass does not add up to the totals';
  if (perClass.some((entry) => entry.top1 > entry.top5 || entry.top5 > entry.images))
    return 'a class has more right answers than images';
  return undefined;
}

function accuracyOf({ perClass, top5 }: EvaluationDocument): AccuracyCounts {
  const counts = perClass.map(({ images, top1, top5: topK }) => ({ images, top1, topK }));
  return { k: top5.k, ...totalOf(counts), perClass: counts };
}

/**
 * The result of the whole evaluation from the results of all its shards: the same document, apart from timing, that an evaluation in one
 * piece gives.
 *
 * @throws UsageError when the shards are of different models, data or divisions, doubled, missing or interrupted.
 */
export async function mergeEvaluations(files: readonly string[]): Promise<EvaluationDocument> {
  const parts: Named[] = [];
  for (const file of files) parts.push({ file, document: await readEvaluation(file) });
  const [first] = parts;
  if (!first) throw new UsageError('--merge: there is nothing to merge; name the results of all shards');
  for (const part of parts) expectFinishedShard(part);
  for (const part of parts) expectSame(first, part);
  expectEachOnce(parts);
  const inOrder = parts.map(({ document }) => document).sort((a, b) => a.shard!.index - b.shard!.index);
  const { model, data, perClass, top5 } = inOrder[0]!;
  const merged = mergeAccuracy(inOrder.map(accuracyOf));
  return evaluationDocument(
    { model, data, shard: null, partial: false, ...damagedOf(inOrder) },
    top5.k,
    merged.perClass.map((counts, i) => ({ ...counts, name: perClass[i]!.name, class: perClass[i]!.class })),
    { seconds: inOrder.reduce((sum, { timing }) => sum + timing.seconds, 0), threads: null },
  );
}

function damagedOf(parts: readonly EvaluationDocument[]): { damaged?: number } {
  if (parts.every(({ damaged }) => damaged === undefined)) return {};
  return { damaged: parts.reduce((sum, { damaged = 0 }) => sum + damaged, 0) };
}

function expectFinishedShard({ file, document }: Named): void {
  const { shard, partial, images, data } = document;
  if (!shard) throw new UsageError(`${file}: is the result of all the data, not of a shard; there is nothing to merge`);
  if (shard.index >= shard.count) throw notAResult(file, `shard ${shard.index} of ${shard.count} does not exist`);
  const expected = Math.ceil((data.images - shard.index) / shard.count);
  if (partial || images !== expected) {
    throw new UsageError(
      `${file}: was interrupted after ${images} of ${counted(expected, 'image')}; evaluate shard ${shard.index}/${shard.count} again`,
    );
  }
}

function expectSame(first: Named, part: Named): void {
  const facts: readonly (readonly [string, (document: EvaluationDocument) => unknown])[] = [
    ['of another model', ({ model }) => model.fingerprint],
    ['of another engine', ({ model }) => model.engine],
    ['of other data', ({ data }) => data.fingerprint],
    ['of other data', ({ data }) => JSON.stringify([data.images, data.classes])],
    ['of other classes', ({ perClass }) => JSON.stringify(perClass.map((entry) => entry.class))],
    ['of another number of shards', ({ shard }) => shard!.count],
    ['of another top-k', ({ top5 }) => top5.k],
  ];
  for (const [what, fact] of facts) {
    if (fact(first.document) === fact(part.document)) continue;
    throw new UsageError(`${part.file}: is a result ${what} than ${first.file}; merge shards of one evaluation`);
  }
}

function expectEachOnce(parts: readonly Named[]): void {
  const byIndex = new Map<number, string>();
  for (const { file, document } of parts) {
    const { index, count: shards } = document.shard!;
    const other = byIndex.get(index);
    if (other !== undefined)
      throw new UsageError(`${file}: is shard ${index}/${shards}, and so is ${other}; name each once`);
    byIndex.set(index, file);
  }
  const shards = parts[0]!.document.shard!.count;
  if (byIndex.size === shards) return;
  const missing = Array.from({ length: Math.min(shards, 100_000) }, (_, index) => index).filter((i) => !byIndex.has(i));
  const shown = missing.slice(0, 8).map((index) => `${index}/${shards}`);
  const more = shards - byIndex.size - shown.length;
  throw new UsageError(
    `--merge: ${counted(shards - byIndex.size, 'shard')} of ${shards} missing: ${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}; evaluate and name them too`,
  );
}
