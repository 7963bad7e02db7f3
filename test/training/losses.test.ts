/** Losses and their gradients against PyTorch in float64, against finite differences, and on the authors' golden step. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { TrainingError } from '../../src/training/errors.js';
import {
  crossEntropy,
  distillationDivergence,
  hardDistillation,
  likeliestClasses,
  mixedTargets,
  softDistillation,
  softTargetCrossEntropy,
  temporalEfficientLoss,
} from '../../src/training/losses/index.js';
import { sharedPath } from '../shared.js';
import { largestDifference, readFixture, readTrainingStep } from './support.js';

interface Measured {
  readonly loss: number;
  readonly gradients: readonly (readonly number[])[];
}

interface Fixture {
  readonly timeSteps: number;
  readonly batch: number;
  readonly classes: number;
  readonly labels: readonly number[];
  readonly mates: readonly number[];
  readonly teacherLabels: readonly number[];
  readonly stepLogits: readonly number[];
  readonly logits: readonly number[];
  readonly distilled: readonly number[];
  readonly teacher: readonly number[];
  readonly soft: readonly number[];
  readonly mixed: readonly number[];
  readonly crossEntropy: readonly (Measured & { readonly smoothing: number })[];
  readonly softTargets: Measured;
  readonly temporalEfficient: readonly (Measured & {
    readonly share: number;
    readonly target: number;
    readonly smoothing: number;
  })[];
  readonly hardDistillation: readonly (Measured & { readonly share: number; readonly smoothing: number })[];
  readonly softDistillation: readonly (Measured & { readonly share: number; readonly temperature: number })[];
}

const fixture = readFixture<Fixture>('losses');
const { labels, teacherLabels } = fixture;
const shape = { batch: fixture.batch, classes: fixture.classes };
const timedShape = { ...shape, timeSteps: fixture.timeSteps };
const logits = Float32Array.from(fixture.logits);
const stepLogits = Float32Array.from(fixture.stepLogits);
const distilled = Float32Array.from(fixture.distilled);
const teacher = Float32Array.from(fixture.teacher);
const soft = Float32Array.from(fixture.soft);

/** A loss of some inputs that writes one gradient per input. */
type Loss = (inputs: readonly Float32Array[], gradients: readonly Float32Array[]) => number;

interface LossCase {
  readonly title: string;
  readonly inputs: readonly Float32Array[];
  readonly loss: Loss;
  readonly expected: Measured;
}

const heads = ([head, other]: readonly Float32Array[], [first, second]: readonly Float32Array[]) => ({
  head: head!,
  headGradient: first!,
  distilled: other!,
  distilledGradient: second!,
});

const cases: readonly LossCase[] = [
  ...fixture.crossEntropy.map((expected) => ({
    title: `cross entropy, label smoothing ${expected.smoothing}`,
    inputs: [logits],
    loss: (([z], [g]) => crossEntropy(z!, labels, shape, g!, { labelSmoothing: expected.smoothing })) as Loss,
    expected,
  })),
  {
    title: 'cross entropy with soft targets',
    inputs: [logits],
    loss: ([z], [g]) => softTargetCrossEntropy(z!, soft, shape, g!),
    expected: fixture.softTargets,
  },
  ...fixture.temporalEfficient.map((expected) => ({
    title: `TET, λ ${expected.share}, φ ${expected.target}, label smoothing ${expected.smoothing}`,
    inputs: [stepLogits],
    loss: (([z], [g]) =>
      temporalEfficientLoss(z!, labels, timedShape, g!, {
        regulariserShare: expected.share,
        regulariserTarget: expected.target,
        labelSmoothing: expected.smoothing,
      })) as Loss,
    expected,
  })),
  ...fixture.hardDistillation.map((expected) => ({
    title: `hard distillation, α ${expected.share}, label smoothing ${expected.smoothing}`,
    inputs: [logits, distilled],
    loss: ((inputs, gradients) =>
      hardDistillation(heads(inputs, gradients), labels, teacherLabels, shape, {
        teacherShare: expected.share,
        labelSmoothing: expected.smoothing,
      })) as Loss,
    expected,
  })),
  ...fixture.softDistillation.map((expected) => ({
    title: `soft distillation, α ${expected.share}, temperature ${expected.temperature}`,
    inputs: [logits, distilled],
    loss: ((inputs, gradients) =>
      softDistillation(heads(inputs, gradients), labels, teacher, shape, {
        teacherShare: expected.share,
        temperature: expected.temperature,
      })) as Loss,
    expected,
  })),
];

describe.each(cases)('$title', ({ inputs, loss, expected }) => {
  // Garbage, to show that gradients are overwritten.
  const fresh = () => inputs.map(({ length }) => new Float32Array(length).fill(99));

  it('gives the loss and the gradients that PyTorch gives', () => {
    const gradients = fresh();
    expect(loss(inputs, gradients)).toBeCloseTo(expected.loss, 12);
    for (const [i, gradient] of gradients.entries())
      expect(largestDifference(gradient, expected.gradients[i]!)).toBeLessThan(3e-8);
  });

  it('has the gradients that finite differences find', () => {
    const gradients = fresh();
    loss(inputs, gradients);
    for (const [i, gradient] of gradients.entries())
      expect(largestDifference(gradient, slopesOf(loss, inputs, i))).toBeLessThan(2e-5);
  });
});

describe('mixed targets', () => {
  it('are those of PyTorch: two smoothed labels, weighed', () => {
    const targets = new Float32Array(fixture.mixed.length).fill(99);
    mixedTargets(labels, fixture.mates, 0.7, shape, targets, 0.1);
    expect(largestDifference(targets, fixture.mixed)).toBeLessThan(3e-8);
  });

  it('of one label with itself give the loss of that label, smoothed', () => {
    const [targets, gradient, expected] = [0, 1, 2].map(() => new Float32Array(logits.length));
    mixedTargets(labels, labels, 0.3, shape, targets!, 0.1);
    const loss = crossEntropy(logits, labels, shape, expected!, { labelSmoothing: 0.1 });
    expect(softTargetCrossEntropy(logits, targets!, shape, gradient!)).toBeCloseTo(loss, 6);
    expect(largestDifference(gradient!, expected!)).toBeLessThan(5e-8);
  });
});

describe('logits far apart', () => {
  const far = Float32Array.of(1e30, -1e30, 0);
  const gradient = new Float32Array(3);

  it('give a finite cross entropy and a gradient of certainty', () => {
    expect(crossEntropy(far, [0], { batch: 1, classes: 3 }, gradient)).toBe(0);
    expect([...gradient]).toEqual([0, 0, 0]);
    expect(crossEntropy(far, [2], { batch: 1, classes: 3 }, gradient)).toBeCloseTo(Math.fround(1e30), -20);
    expect([...gradient]).toEqual([1, 0, -1]);
  });

  it('give no divergence from a teacher that is as certain', () => {
    expect(distillationDivergence(far, far, { batch: 1, classes: 3 }, gradient, 2)).toBe(0);
  });
});

it('a loss on logits that are not finite is not finite, so that training can stop', () => {
  const broken = Float32Array.of(Number.NaN, 0);
  expect(crossEntropy(broken, [1], { batch: 1, classes: 2 }, new Float32Array(2))).toBeNaN();
});

it('a weight scales loss and gradient, so that a batch may come in parts', () => {
  const [whole, parts] = [new Float32Array(logits.length), new Float32Array(logits.length)];
  const loss = crossEntropy(logits, labels, shape, whole);
  const half = { batch: 2, classes: shape.classes };
  const middle = 2 * shape.classes;
  const sum =
    crossEntropy(logits.subarray(0, middle), labels.slice(0, 2), half, parts.subarray(0, middle), { weight: 0.5 }) +
    crossEntropy(logits.subarray(middle), labels.slice(2), half, parts.subarray(middle), { weight: 0.5 });
  expect(sum).toBeCloseTo(loss, 12);
  expect(largestDifference(parts, whole)).toBeLessThan(3e-8);
});

it("a teacher's labels are its likeliest classes, the first when several are equal", () => {
  const found = new Int32Array(shape.batch);
  likeliestClasses(teacher, shape, found);
  expect([...found]).toEqual(teacherLabels);
  likeliestClasses(Float32Array.of(0, 2, 2), { batch: 1, classes: 3 }, found);
  expect(found[0]).toBe(1);
});

describe('what cannot work is refused with the reason', () => {
  const gradient = new Float32Array(logits.length);
  it.each<[string, () => void, RegExp]>([
    [
      'a label that is no class',
      () => crossEntropy(logits, [0, 1, 5, 0], shape, gradient),
      /sample 2 has label 5, expected a whole number from 0 to 4/,
    ],
    ['too few labels', () => crossEntropy(logits, [0], shape, gradient), /got 1 labels, expected 4/],
    [
      'a gradient of another size',
      () => crossEntropy(logits, labels, shape, new Float32Array(3)),
      /gradient has 3 elements/,
    ],
    [
      'logits of one time step for TET',
      () => temporalEfficientLoss(logits, labels, timedShape, gradient),
      /expected 60 for 12 rows/,
    ],
    [
      'smoothing above 1',
      () => crossEntropy(logits, labels, shape, gradient, { labelSmoothing: 2 }),
      /smoothing: is 2/,
    ],
    [
      'temperature 0',
      () => distillationDivergence(logits, teacher, shape, gradient, 0),
      /temperature: is 0, expected a finite number above 0/,
    ],
    [
      'a share above 1',
      () =>
        hardDistillation(heads([logits, distilled], [gradient, gradient]), labels, teacherLabels, shape, {
          teacherShare: 3,
        }),
      /teacherShare: is 3/,
    ],
  ])('%s', (_title, act, message) => {
    expect(act).toThrow(TrainingError);
    expect(act).toThrow(message);
  });
});

describe.each(['train_T1', 'train_T4'])('the golden step %s', (name) => {
  const [weights, tensors] = [sharedPath('golden', `${name}.pth`), sharedPath('golden', `${name}.safetensors`)];
  const present = weights !== undefined && tensors !== undefined;
  const suffix = present ? '' : ' (skipped: the shared golden files are absent)';

  it.skipIf(!present)(`has this loss, and its sum over the batch is the head's bias gradient${suffix}`, async () => {
    const { values } = await readTrainingStep(weights!, tensors!);
    const found = values.get('logits')!;
    const biasGradient = values.get('grad.head.bias')!;
    const goldenShape = { batch: found.length / biasGradient.length, classes: biasGradient.length };
    const gradient = new Float32Array(found.length);
    const loss = crossEntropy(found, goldenLabels(tensors!), goldenShape, gradient, { labelSmoothing: 0.1 });
    expect(loss).toBeCloseTo(values.get('loss')![0]!, 6);
    const sums = Array.from(biasGradient, (_, k) => {
      let sum = 0;
      for (let i = k; i < gradient.length; i += biasGradient.length) sum += gradient[i]!;
      return sum;
    });
    expect(largestDifference(sums, biasGradient)).toBeLessThan(1e-6);
  });
});

/** Central differences in float32 inputs, divided by the difference that was really made. */
function slopesOf(loss: Loss, inputs: readonly Float32Array[], which: number): number[] {
  const scratch = inputs.map(({ length }) => new Float32Array(length));
  return Array.from(inputs[which]!, (value, i) => {
    const at = (moved: number) => {
      const copies = inputs.map((input) => Float32Array.from(input));
      copies[which]![i] = moved;
      return { input: copies[which]![i]!, loss: loss(copies, scratch) };
    };
    const [above, below] = [at(value + 1e-3), at(value - 1e-3)];
    return (above.loss - below.loss) / (above.input - below.input);
  });
}

/** Labels are stored as int64. */
function goldenLabels(path: string): number[] {
  const bytes = readFileSync(path);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, start)) as Record<string, { data_offsets: [number, number] }>;
  const [from, to] = header.target!.data_offsets;
  return Array.from({ length: (to - from) / 8 }, (_, i) => Number(bytes.readBigInt64LE(start + from + 8 * i)));
}
