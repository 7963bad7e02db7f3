/**
 * The segments that engines run for the optimizer and the loss, against the loops of `training/optimizers` and `training/losses`, which `optimizers.test.ts` and
 * `losses.test.ts` compare with PyTorch: the same bits where float64 is added in one order, the same but for a rounding where exponentials are made otherwise.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/engines/kernels.js';
import { createNativeEngine } from '../../src/engines/native/index.js';
import { createReferenceEngine } from '../../src/engines/reference/index.js';
import type { TrainingEngine } from '../../src/engines/trainingKernels.js';
import { createWasmEngine } from '../../src/engines/wasm/index.js';
import { seededRandom } from '../../src/random.js';
import type { RowsOfScores } from '../../src/tasks/task.js';
import { crossEntropy, softTargetCrossEntropy } from '../../src/training/losses/index.js';
import {
  clipByGlobalNorm,
  createOptimizer,
  globalNorm,
  type OptimizerSettings,
  optimizedParameters,
} from '../../src/training/optimizers/index.js';
import { RecordedLoss } from '../../src/training/recordedLoss.js';
import { allocated, RecordedUpdate } from '../../src/training/recordedUpdate.js';
import { layParameters } from '../../src/training/trainingMemory.js';
import { instructionSets, nativeSuffix } from '../engines/nativeSupport.js';
import { expectSame } from '../engines/support.js';

const contestants: readonly (readonly [string, () => Promise<Engine & TrainingEngine>])[] = [
  ['reference', async () => (await createReferenceEngine()) as Engine & TrainingEngine],
  ...[1, 2, 3].map((threads) => [`wasm ×${threads}`, () => createWasmEngine({ threads })] as const),
  ...instructionSets.map(
    (instructionSet) => [`native ${instructionSet}`, () => createNativeEngine({ threads: 2, instructionSet })] as const,
  ),
];
if (instructionSets.length === 0) it.skip(`the native engine${nativeSuffix}`, () => {});

/** Of odd lengths, with gaps between them. */
const shapes = [[3, 7], [1], [40, 3, 3, 5], [17], [501, 9], [33]];
const specs = shapes.map((shape, index) => ({ name: `p${index}`, shape, role: 'weight' as const }));
const optimizers: readonly OptimizerSettings[] = [
  { name: 'adamw', weightDecay: 0.05 },
  { name: 'adamw', epsilon: 0 },
  { name: 'lamb' },
  { name: 'sgd', weightDecay: 0.01 },
];

describe.each(contestants)('on the %s engine', (_name, create) => {
  let engine: Engine & TrainingEngine;
  beforeAll(async () => {
    engine = await create();
  });
  afterAll(() => engine.dispose());

  it.each(optimizers)('an update gives the bits that the loops give, clipped or not: %o', async (settings) => {
    const kernels = engine.recordTraining();
    const values = layParameters(kernels, specs as never, new Map());
    const gradients = layParameters(kernels, specs as never, new Map()).tensor;
    const trainable = { slots: values.slots, values: values.tensor, gradients };
    const rateOf = (name: string) => ({ p2: 10, p3: 10, p5: 0.5 })[name] ?? 1;
    const update = new RecordedUpdate(kernels, trainable, settings, rateOf);
    const program = kernels.finish();
    const optimizer = update.begin(program);
    const layout = optimizedParameters(trainable.slots, rateOf);
    const length = values.tensor.shape[0]!;
    const random = seededRandom(3);
    const inParameters = (scale: number) => {
      const vector = new Float32Array(length);
      for (const { offset, length: count } of layout)
        for (let i = offset; i < offset + count; i++) vector[i] = scale * random.normal();
      return vector;
    };
    const expected = inParameters(1);
    program.view(values.tensor).set(expected);
    const byHand = createOptimizer(layout, settings);
    for (const [step, maximum] of [null, 5, 0.3, 1e6].entries()) {
      const slope = inParameters(10 ** (step - 2));
      program.view(gradients).set(slope);
      const norm = maximum === null ? globalNorm(slope, layout) : clipByGlobalNorm(slope, layout, maximum);
      byHand.step(expected, slope, 0.01);
      expect(await update.norm()).toBe(norm);
      await update.step(0.01, maximum === null ? 1 : Math.min(1, maximum / (norm + 1e-6)));
      expectSame(program.view(values.tensor), expected);
      expectSame(program.view(gradients), slope);
    }
    for (const [name, found] of optimizer.state()) expectSame(found, byHand.state().get(name)!);
    expect(optimizer.counters()).toEqual(byHand.counters());
    const saved = new Map([...byHand.state()].map(([name, state]) => [name, state.map((value) => value / 2)]));
    optimizer.restore(saved, { steps: 9 });
    for (const [name, found] of optimizer.state()) expectSame(found, saved.get(name)!);
    program.dispose();
  });

  it.each([
    ['labels', 3000, 11, 0],
    ['smoothed labels', 300, 150, 0.1],
    ['targets', 40, 1000, 0],
  ])('a loss is that of the loops but for a rounding: %s', async (kind, rows, classes, labelSmoothing) => {
    const random = seededRandom(7);
    const shape = { batch: rows, classes };
    const scores = Float32Array.from({ length: rows * classes }, () => 4 * random.normal());
    const labels = Int32Array.from({ length: rows }, (_, row) => (row * 7) % classes);
    const targets = scores.map((_, index) => (index % 3 === 0 ? 0 : 3 / classes));
    const kernels = engine.recordTraining();
    const output = { value: allocated(kernels, [rows, classes]), gradient: allocated(kernels, [rows, classes]) };
    const onEngine: RowsOfScores<object> = {
      output: 'scores',
      classes,
      labelSmoothing,
      compared: () => (kind === 'targets' ? { labels, targets } : { labels }),
      sums: (likeliest) => ({ correct: labels.filter((label, row) => label === likeliest[row]).length }),
    };
    const loss = RecordedLoss.where(kernels, new Map([['scores', output]]), { onEngine } as never, kind === 'targets')!;
    const program = kernels.finish();
    await program.write(output.value, scores);
    const share = 0.5;
    const found = await loss.judge(program, {}, share);
    const gradient = new Float32Array(scores.length);
    const expected =
      kind === 'targets'
        ? softTargetCrossEntropy(scores, targets, shape, gradient, share)
        : crossEntropy(scores, labels, shape, gradient, { labelSmoothing, weight: share });
    expect(Math.abs(found.loss / expected - 1)).toBeLessThan(1e-7);
    const written = await program.read(output.gradient);
    let others = 0;
    for (const [i, value] of written.entries()) {
      if (value === gradient[i]) continue;
      others++;
      expect(Math.abs(value - gradient[i]!)).toBeLessThanOrEqual(2 ** -23 * Math.abs(gradient[i]!) + 2e-17);
    }
    expect(others / written.length).toBeLessThan(1e-4);
    const right = labels.filter((label, row) =>
      scores.subarray(row * classes, (row + 1) * classes).every((score) => score <= scores[row * classes + label]!),
    );
    expect(found.sums.correct).toBe(right.length);
    program.dispose();
  });

  it('leaves rows without an answer out of the mean', async () => {
    const [rows, classes] = [400, 100];
    const random = seededRandom(9);
    const scores = Float32Array.from({ length: rows * classes }, () => random.normal());
    const labels = Int32Array.from({ length: rows }, (_, row) => (row % 4 === 0 ? 255 : row % classes));
    const kernels = engine.recordTraining();
    const output = { value: allocated(kernels, [rows, classes]), gradient: allocated(kernels, [rows, classes]) };
    const compared = () => ({ labels, leftOut: 255 });
    const onEngine = { output: 'scores', classes, labelSmoothing: 0, compared, sums: () => ({}) };
    const loss = RecordedLoss.where(kernels, new Map([['scores', output]]), { onEngine } as never, false)!;
    const program = kernels.finish();
    await program.write(output.value, scores);
    const found = await loss.judge(program, {}, 1);
    const isKept = (index: number) => Math.floor(index / classes) % 4 !== 0;
    const kept = scores.filter((_, index) => isKept(index));
    const gradient = new Float32Array(kept.length);
    const shape = { batch: 300, classes };
    const expected = crossEntropy(
      kept,
      labels.filter((label) => label !== 255),
      shape,
      gradient,
    );
    expect(Math.abs(found.loss / expected - 1)).toBeLessThan(1e-7);
    const written = await program.read(output.gradient);
    expect(written.filter((_, index) => !isKept(index)).every((value) => value === 0)).toBe(true);
    const largest = written
      .filter((_, index) => isKept(index))
      .reduce((most, value, index) => Math.max(most, Math.abs(value - gradient[index]!)), 0);
    expect(largest).toBeLessThan(1e-9);
    program.dispose();
  });
});
