/**
 * What `eval --json` prints: what the task has counted, with fingerprints of the model and the data, so that the parts of an evaluation
 * made on several machines add up to what one machine would have said, or are refused. docs/cli.md describes it.
 */
import { readFile, stat } from 'node:fs/promises';
import { z } from 'zod';
import { UsageError } from '../errors.js';
import { type AnyTask, defaultTask, taskNamed, taskNames } from '../tasks/registry.js';
import { counted, oneLine } from './text.js';

const count = z.int().min(0);
const fingerprint = z.string().regex(/^sha256:[0-9a-f]{64}$/);

/** What every document has; the fields of its task stand beside these. */
const schema = z.looseObject({
  command: z.literal('eval'),
  /** Absent for classification. */
  task: z.string().optional(),
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
    /** Networks that answered together with this one; then the fingerprint is that of all. */
    ensemble: z.array(z.strictObject({ name: z.string(), fingerprint })).optional(),
  }),
  /** And the names of its answers, under what the task calls them: for classification `classes`. */
  /** `noun`: what the samples are; images where nothing is said. */
  data: z.looseObject({ directory: z.string(), images: count, noun: z.string().max(100).optional(), fingerprint }),
  /** Null for all of the data. */
  shard: z.strictObject({ index: count, count: z.int().min(1) }).nullable(),
  /** How all of each image was seen, such as `whole`; absent where the preprocessing says what is seen. */
  view: z.string().max(100).optional(),
  /** How many looks at each sample there were; absent where there was one. */
  looks: z.int().min(2).max(100).optional(),
  /** True when the evaluation was interrupted: `images` says how many were done. */
  partial: z.boolean(),
  images: count,
  /** How many damaged images were taken; absent unless they are tolerated. */
  damaged: count.optional(),
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

/** What a document says beside the fields of its task. */
export interface EvaluationParts {
  readonly task: AnyTask;
  readonly model: EvaluationDocument['model'];
  readonly data: Pick<EvaluationDocument['data'], 'directory' | 'images' | 'noun' | 'fingerprint'>;
  /** Of the data's answers. */
  readonly names: readonly string[];
  readonly shard: EvaluationDocument['shard'];
  readonly view?: string | undefined;
  readonly looks?: number | undefined;
  readonly partial: boolean;
  readonly images: number;
  readonly damaged?: number | undefined;
  readonly timing: { readonly seconds: number; readonly threads: number | null };
}

/** @param fields What the task has counted. */
export function evaluationDocument(parts: EvaluationParts, fields: object): EvaluationDocument {
  const { task, model, data, names, shard, view, looks, partial, images, damaged, timing } = parts;
  const { directory, fingerprint } = data;
  return {
    command: 'eval',
    ...(task.name === defaultTask ? {} : { task: task.name }),
    model,
    data: {
      directory,
      images: data.images,
      ...(data.noun === undefined ? {} : { noun: data.noun }),
      [task.targets.called]: names,
      fingerprint,
    },
    shard,
    ...(view === undefined ? {} : { view }),
    ...(looks === undefined ? {} : { looks }),
    partial,
    images,
    ...(damaged === undefined ? {} : { damaged }),
    ...fields,
    timing: {
      seconds: timing.seconds,
      imagesPerSecond: timing.seconds > 0 ? images / timing.seconds : null,
      threads: timing.threads,
    },
  };
}

/** The task of a document that was checked. */
export function taskOf({ task = defaultTask }: EvaluationDocument): AnyTask {
  return taskNamed(task);
}

/** The names of the data's answers. @throws UsageError when they are no names. */
export function namesIn(document: EvaluationDocument): readonly string[] {
  return z.array(z.string()).parse(document.data[taskOf(document).targets.called]);
}

/** What its task has counted, out of a document. */
export function fieldsIn(document: EvaluationDocument): object {
  return taskOf(document).evaluating.schema.parse(document);
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
  const problem = problemOf(document);
  if (problem) throw notAResult(file, problem);
  return document;
}

function problemOf(document: EvaluationDocument): string | undefined {
  if (document.task !== undefined && !taskNames().includes(document.task)) return `task: there is no ${document.task}`;
  const { evaluating, targets } = taskOf(document);
  const { schema: own, inconsistency } = evaluating;
  const named = z.object({ [targets.called]: z.array(z.string()) }).safeParse(document.data);
  const fields = own.safeParse(document);
  const issue = named.error?.issues[0] ?? fields.error?.issues[0];
  if (issue) return `${issue.path.join('.') || 'the whole'}: ${issue.message}`;
  return inconsistency(fields.data, document.images, namesIn(document));
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
  const { model, data, view } = inOrder[0]!;
  const task = taskOf(first.document);
  const whole = {
    ...{ task, model, data, names: namesIn(first.document), shard: null, view, partial: false },
    images: inOrder.reduce((sum, { images }) => sum + images, 0),
    ...damagedOf(inOrder),
    timing: { seconds: inOrder.reduce((sum, { timing }) => sum + timing.seconds, 0), threads: null },
  };
  return evaluationDocument(whole, task.evaluating.merge(inOrder.map(fieldsIn)));
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
  const facts = factsOf(first.document);
  const others = new Map(factsOf(part.document));
  for (const [what, fact] of facts) {
    if (others.get(what) === fact) continue;
    throw new UsageError(`${part.file}: is a result ${what} than ${first.file}; merge shards of one evaluation`);
  }
}

/** What must be the same in all shards, and what a difference is called. */
function factsOf(document: EvaluationDocument): readonly (readonly [what: string, value: unknown])[] {
  const { model, data, shard, view } = document;
  return [
    ['of another task', taskOf(document).name],
    ['of another model', model.fingerprint],
    // Where there is a compiler, native kernels do what those of wasm do.
    ['of another engine', model.engine.replace(/^native\b/, 'wasm')],
    ['of other data', JSON.stringify([data.fingerprint, data.images, namesIn(document)])],
    ['of images seen otherwise', view],
    ...taskOf(document).evaluating.same(fieldsIn(document)),
    ['of another number of shards', shard!.count],
  ];
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
