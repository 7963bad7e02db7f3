/** Several networks that answer together: each sees the same samples as its own preprocessing makes them, and the task says what their answers are together. */
import { createHash } from 'node:crypto';
import type { TaskEvaluationData } from '../api/evaluationData.js';
import { modelFingerprint } from '../api/fingerprint.js';
import { answersToLooks } from '../api/looks.js';
import type { Model, Outputs } from '../api/model.js';
import { UsageError } from '../errors.js';
import type { Shard } from '../loader/shard.js';
import { batchShape, sampleLength } from '../modalities/input.js';
import { type AnyTask, taskNamed } from '../tasks/registry.js';

/** What a document says of the others. */
export interface Member {
  readonly name: string;
  readonly fingerprint: string;
}

/**
 * Checks that the others answer the same question as the first.
 *
 * @throws UsageError naming the one that does not.
 */
export function checkMembers(first: Model, others: readonly Model[]): void {
  const { name } = first.provenance;
  if (others.length > 0 && taskNamed(first.task).evaluating.combine === undefined)
    throw new UsageError(`--ensemble: answers for ${first.task} cannot be added up; evaluate the models one by one`);
  for (const other of others) {
    const differs = [
      ['the task', first.task, other.task],
      ['what it looks at', first.modality, other.modality],
      ['classes', first.configuration.classes, other.configuration.classes],
      ['the names of the classes', first.labels.join(), other.labels.join()],
    ].find(([, a, b]) => a !== b);
    if (differs)
      throw new UsageError(
        `--ensemble ${other.provenance.name}: ${differs[0]} differs from ${name}; they cannot answer together`,
      );
  }
}

/** Tells evaluations by the same networks, in any order of the others, from those by different ones. */
export function membersFingerprint(first: Model, others: readonly Model[]): string {
  const own = modelFingerprint(first);
  if (others.length === 0) return own;
  const all = [own, ...others.map(modelFingerprint).sort()].join('\n');
  return `sha256:${createHash('sha256').update(all).digest('hex')}`;
}

/** Batches of the first model, with what the others answered about the same samples beside each. */
export async function* withAnswers<Batch>(
  batches: AsyncIterable<Batch>,
  others: readonly Model[],
  data: TaskEvaluationData,
  { batch, shard }: { readonly batch: number; readonly shard?: Shard | undefined },
): AsyncGenerator<Batch & { readonly answers: readonly Outputs[] }, void, undefined> {
  const iterators = others.map((model) => {
    const { preprocessing } = model.input;
    const own = data.batches({ batch, preprocess: preprocessing, ...(shard ? { shard } : {}) });
    return { model, drawn: own[Symbol.asyncIterator]() };
  });
  try {
    for await (const first of batches) {
      const answers: Outputs[] = [];
      for (const { model, drawn } of iterators) {
        const next = await drawn.next();
        if (next.done) throw new Error('the others were shown fewer samples');
        answers.push(await answerOf(model, next.value.input));
      }
      yield { ...first, answers };
    }
  } finally {
    for (const { drawn } of iterators) await drawn.return?.();
  }
}

async function answerOf(model: Model, data: Float32Array): Promise<Outputs> {
  const shape = { ...model.input, channels: model.configuration.inputChannels };
  return (await model.run({ shape: batchShape(shape, data.length / sampleLength(shape)), data })).outputs;
}

/** What all say together; of one alone what it says. */
export function together({ evaluating }: AnyTask, outputs: Outputs, answers: readonly Outputs[]): Outputs {
  if (answers.length === 0) return outputs;
  return (evaluating.combineLooks ?? evaluating.combine)!([outputs, ...answers]);
}

/** Batches of a model with what it answers about their further looks beside each. */
export async function* withLooks<Batch extends { readonly input: Float32Array }>(
  batches: AsyncIterable<Batch>,
  model: Model,
  count: number,
): AsyncGenerator<Batch & { readonly answers: readonly Outputs[] }, void, undefined> {
  for await (const batch of batches) yield { ...batch, answers: await answersToLooks(model, batch.input, count) };
}
