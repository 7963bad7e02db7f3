/**
 * The loss as a segment of the training program, between forward and backward: cross entropy where the scores lie, for outputs that are too large to be read and answered. What
 * is read is three numbers a row at most. Small outputs stay with the task's own `judge`.
 */
import { crossEntropy } from '../engines/calls/crossEntropy.js';
import type { Tensor } from '../engines/kernels.js';
import type { TrainingKernels, TrainingProgram } from '../engines/trainingKernels.js';
import { elementCount } from '../graph/shape.js';
import type { Objective, RowsOfScores, Sums } from '../tasks/task.js';
import { requireLabels } from './losses/rows.js';
import { allocated, doublesOf } from './recordedUpdate.js';
import type { TrainingPlan } from './trainingPlanTypes.js';

/** Scores of a batch from which on the engine computes the loss. Below, TypeScript takes a millisecond at most, and files of weights keep their bits. */
export const leastScores = 2 ** 15;

interface Tensors {
  readonly labels: Tensor;
  /** Of mixed samples. */
  readonly targets: Tensor | undefined;
  readonly numbers: Tensor;
  readonly losses: Tensor;
  readonly likeliest: Tensor;
}

export class RecordedLoss {
  readonly #rows: RowsOfScores<unknown>;
  readonly #count: number;
  readonly #tensors: Tensors;

  /** Appends the segments. */
  private constructor(
    kernels: TrainingKernels,
    rows: RowsOfScores<unknown>,
    { value, gradient }: { readonly value: Tensor; readonly gradient: Tensor },
    mixes: boolean,
  ) {
    this.#rows = rows;
    const { classes } = rows;
    const count = elementCount(value.shape) / classes;
    this.#count = count;
    const labels = allocated(kernels, [count]);
    const targets = mixes ? allocated(kernels, [count, classes]) : undefined;
    const rest = {
      numbers: allocated(kernels, [2, 2]),
      losses: allocated(kernels, [count]),
      likeliest: allocated(kernels, [count]),
    };
    this.#tensors = { labels, targets, ...rest };
    const call = { name: rows.output, rows: count, classes, scores: value, gradient, ...rest };
    kernels.segment('loss');
    kernels.record(crossEntropy, { ...call, labels });
    if (!targets) return;
    kernels.segment('loss of mixed samples');
    kernels.record(crossEntropy, { ...call, targets });
  }

  /** @returns undefined where the loss is no cross entropy of rows, or of fewer than `leastScores` scores. */
  static where<Batch>(
    kernels: TrainingKernels,
    outputs: TrainingPlan['outputs'],
    { onEngine }: Objective<Batch>,
    mixes: boolean,
  ): RecordedLoss | undefined {
    const output = onEngine && outputs.get(onEngine.output);
    if (!output || elementCount(output.value.shape) < leastScores) return undefined;
    return new RecordedLoss(kernels, onEngine as RowsOfScores<unknown>, output, mixes);
  }

  /**
   * What `Objective.judge` does, but that gradients are where they belong already: the loss is the mean over the rows that count, times the share, added in their order.
   *
   * @throws TrainingError when there is not one label a row, or a label is no class.
   */
  async judge(program: TrainingProgram, batch: unknown, share: number): Promise<{ loss: number; sums: Sums }> {
    const { labels, targets, numbers, losses, likeliest } = this.#tensors;
    const compared = this.#rows.compared(batch);
    const { classes, labelSmoothing } = this.#rows;
    const isMixed = compared.targets !== undefined && targets !== undefined;
    requireLabels('cross entropy', { batch: this.#count, classes }, compared.labels, compared.leftOut);
    const counted = isMixed
      ? this.#count
      : compared.labels.reduce((sum, label) => sum + (label === compared.leftOut ? 0 : 1), 0);
    const weight = share / Math.max(1, counted);
    doublesOf(program, numbers).set([weight, labelSmoothing]);
    if (isMixed) await program.write(targets, compared.targets);
    else {
      const given = program.view(labels);
      for (let row = 0; row < given.length; row++)
        given[row] = compared.labels[row] === compared.leftOut ? -1 : compared.labels[row]!;
    }
    await program.run(isMixed ? 'loss of mixed samples' : 'loss');
    const loss = program.view(losses).reduce((sum, value) => sum + weight * value, 0);
    return { loss, sums: this.#rows.sums(program.view(likeliest), batch) };
  }
}
