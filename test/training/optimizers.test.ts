/** Optimizers and gradient clipping against PyTorch, against timm's LAMB on the authors' module, and across an interruption. */
import { beforeAll, describe, expect, it } from 'vitest';
import { TrainingError } from '../../src/training/errors.js';
import {
  clipByGlobalNorm,
  clipByValue,
  createOptimizer,
  firstNonFiniteGradient,
  globalNorm,
  type OptimizedParameter,
  type OptimizerSettings,
  optimizedParameters,
} from '../../src/training/optimizers/index.js';
import { roundMoments, upperHalves } from '../../src/training/optimizers/roundedMoments.js';
import { sharedPath } from '../shared.js';
import { type GoldenTensors, largestDifference, layOut, readFixture, readTrainingStep, vectorOf } from './support.js';

type Values = Readonly<Record<string, readonly number[]>>;

interface Fixture {
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly rates: readonly number[];
  readonly initial: Values;
  readonly gradients: readonly Values[];
  readonly cases: readonly {
    readonly title: string;
    readonly settings: OptimizerSettings;
    /** What the learning rate of some parameters is multiplied by. */
    readonly rates?: Readonly<Record<string, number>>;
    readonly after: readonly Values[];
  }[];
  readonly clippedByNorm: readonly {
    readonly maximum: number;
    /** Gradients are multiplied by this first. */
    readonly share: number;
    readonly norm: number;
    readonly after: Values;
  }[];
  readonly clippedByValue: { readonly maximum: number; readonly after: Values };
}

const fixture = readFixture<Fixture>('optimizers');
const gap = 3;
const layout = layOut(fixture.shapes, gap);
const gradientsAt = (step: number) => vectorOf(layout, fixture.gradients[step]!, gap);

describe.each(fixture.cases)('$title', ({ settings, rates = {}, after }) => {
  const groups = layout.map((parameter) => ({ ...parameter, rate: rates[parameter.name] ?? 1 }));
  it('follows PyTorch over several steps with changing rates, and touches nothing between parameters', () => {
    const weights = vectorOf(layout, fixture.initial, gap);
    const optimizer = createOptimizer(groups, settings);
    for (const [step, rate] of fixture.rates.entries()) {
      const gradients = gradientsAt(step);
      optimizer.step(weights, gradients, rate);
      expectParameters(weights, after[step]!);
      expect(gradients, 'gradients are left as they were').toEqual(gradientsAt(step));
    }
    for (const [i, weight] of weights.entries()) expect(Number.isNaN(weight)).toBe(inGap(i));
  });

  it('continues bit for bit from a saved state, and differs without it', () => {
    const weights = vectorOf(layout, fixture.initial, gap);
    const uninterrupted = createOptimizer(groups, settings);
    for (let step = 0; step < 3; step++) uninterrupted.step(weights, gradientsAt(step), 0.02);
    const saved = new Map([...uninterrupted.state()].map(([name, values]) => [name, Float32Array.from(values)]));
    const resumed = createOptimizer(groups, settings);
    resumed.restore(saved, uninterrupted.counters());
    const [again, fresh] = [Float32Array.from(weights), Float32Array.from(weights)];
    const forgetful = createOptimizer(groups, settings);
    for (let step = 3; step < 6; step++) {
      uninterrupted.step(weights, gradientsAt(step), 0.02);
      resumed.step(again, gradientsAt(step), 0.02);
      forgetful.step(fresh, gradientsAt(step), 0.02);
    }
    expect(bitsOf(again)).toEqual(bitsOf(weights));
    expect(resumed.counters()).toEqual({ steps: 6 });
    expect(bitsOf(fresh).equals(bitsOf(weights))).toBe(saved.size === 0);
  });
});

describe.each(['train_T1', 'train_T4'])('one step from the golden gradients of %s', (name) => {
  const tensors = sharedPath('golden', `${name}.safetensors`);
  const checkpoint = sharedPath('golden', `${name}.pth`);
  const present = tensors !== undefined && checkpoint !== undefined;
  const suffix = present ? '' : ' (skipped: the shared golden files are absent)';
  let golden: GoldenTensors;

  beforeAll(async () => {
    if (present) golden = await readTrainingStep(checkpoint, tensors);
  });

  // Half a unit in the last place of a weight of 1 is 6e-8: what float32 storage allows.
  it.skipIf(!present).each([
    ['lamb', { name: 'lamb', trustClip: true, weightDecay: 0.05 }, 2e-3, 1.5e-7],
    ['adamw', { name: 'adamw', weightDecay: 0.05 }, 1e-3, 1.5e-7],
  ] as const)(`%s gives every weight of the reference${suffix}`, (key, settings, rate, tolerance) => {
    const shapes = Object.fromEntries([...golden.parameters].map(([parameter, { shape }]) => [parameter, shape]));
    const places = layOut(shapes, 0);
    const values = Object.fromEntries([...golden.parameters].map(([parameter, entry]) => [parameter, entry.values]));
    const slopes = Object.fromEntries([...golden.parameters.keys()].map((p) => [p, golden.values.get(`grad.${p}`)!]));
    const weights = vectorOf(places, values, 0);
    createOptimizer(places, settings).step(weights, vectorOf(places, slopes, 0), rate);
    expect(places.length).toBe([...golden.values.keys()].filter((entry) => entry.startsWith(`${key}.`)).length);
    for (const place of places) {
      const found = weights.subarray(place.offset, place.offset + place.length);
      const expected = golden.values.get(`${key}.${place.name}`)!;
      expect(largestDifference(found, expected), place.name).toBeLessThanOrEqual(tolerance);
    }
  });
});

describe('clipping', () => {
  it.each(fixture.clippedByNorm)(
    'by a norm of $maximum gives what PyTorch gives, gradients multiplied by $share',
    ({ maximum, share, norm, after }) => {
      const gradients = gradientsAt(2).map((value) => share * value);
      expect(clipByGlobalNorm(gradients, layout, maximum) / norm).toBeCloseTo(1, 10);
      // Shares are powers of two: dividing by them again changes no digit.
      const scaled = Object.entries(after).map(([name, values]) => [name, values.map((value) => value / share)]);
      expectParameters(
        gradients.map((value) => value / share),
        Object.fromEntries(scaled),
      );
    },
  );

  it('by value gives what PyTorch gives', () => {
    const gradients = gradientsAt(2);
    clipByValue(gradients, layout, fixture.clippedByValue.maximum);
    expectParameters(gradients, fixture.clippedByValue.after);
  });

  it('leaves gradients alone whose norm is not finite, and says so', () => {
    const gradients = gradientsAt(2);
    gradients[gap] = Number.POSITIVE_INFINITY;
    const before = Float32Array.from(gradients);
    expect(clipByGlobalNorm(gradients, layout, 1)).toBe(Number.POSITIVE_INFINITY);
    expect(gradients).toEqual(before);
  });

  it('does not overflow on the largest float32 gradients', () => {
    const largest = new Float32Array(64).fill(3.4028234663852886e38);
    const norm = globalNorm(largest, [{ offset: 0, length: 64 }]);
    expect(norm / (8 * 3.4028234663852886e38)).toBeCloseTo(1, 12);
  });
});

describe('a gradient that is not finite', () => {
  it.each([
    ['NaN', Number.NaN],
    ['an infinity', Number.NEGATIVE_INFINITY],
  ])('%s is reported with the first parameter in order', (_title, value) => {
    const gradients = gradientsAt(0);
    expect(firstNonFiniteGradient(gradients, layout)).toBeUndefined();
    const [second, last] = [layout[1]!, layout[3]!];
    gradients[last.offset] = value;
    expect(firstNonFiniteGradient(gradients, layout)).toBe(last.name);
    gradients[second.offset + second.length - 1] = value;
    expect(firstNonFiniteGradient(gradients, layout)).toBe(second.name);
  });
});

describe('what cannot work is refused with the reason', () => {
  const adamW = () => createOptimizer(layout, { name: 'adamw' });
  const entryOf = (name: string, length: number) => new Map(adamW().state()).set(name, new Float32Array(length));

  it.each<[string, () => void, RegExp]>([
    [
      'vectors shorter than the layout',
      () => adamW().step(new Float32Array(9), new Float32Array(99), 1),
      /got 9 parameters/,
    ],
    [
      'a rate that is not a number',
      () => adamW().step(gradientsAt(0), gradientsAt(0), Number.NaN),
      /learning rate: is NaN/,
    ],
    ['a decay of 1', () => createOptimizer(layout, { name: 'lamb', firstMomentDecay: 1 }), /firstMomentDecay: is 1/],
    [
      'Nesterov without momentum',
      () => createOptimizer(layout, { name: 'sgd', momentum: 0, nesterov: true }),
      /nesterov/,
    ],
    [
      'overlapping parameters',
      () => createOptimizer([layout[0]!, { ...layout[1]!, offset: 5 }], { name: 'sgd' }),
      /overlap/,
    ],
    ['a state without an entry', () => adamW().restore(new Map(), { steps: 1 }), /no entry firstMoment\.kernel/],
    [
      'a state of another network',
      () => adamW().restore(entryOf('secondMoment.bias', 8), { steps: 1 }),
      /secondMoment\.bias has 8 elements, expected 7/,
    ],
    ['a state with half a step', () => adamW().restore(adamW().state(), { steps: 1.5 }), /1\.5 steps/],
  ])('%s', (_title, act, message) => {
    expect(act).toThrow(TrainingError);
    expect(act).toThrow(message);
  });

  it('leaves the optimizer as it was when a state is refused', () => {
    const optimizer = adamW();
    const first = new Map([...optimizer.state()].map(([name, { length }]) => [name, new Float32Array(length).fill(7)]));
    first.delete('secondMoment.scale');
    expect(() => optimizer.restore(first, { steps: 4 })).toThrow(TrainingError);
    for (const values of optimizer.state().values()) expect(values.every((value) => value === 0)).toBe(true);
    expect(optimizer.counters()).toEqual({ steps: 0 });
  });
});

it('weight decay is for parameters with more than one axis', () => {
  const slots = layout.map(({ name, shape, offset, length }) => ({ spec: { name, shape }, offset, length }));
  expect(optimizedParameters(slots)).toEqual<OptimizedParameter[]>(layout);
});

function expectParameters(vector: Float32Array, expected: Values): void {
  for (const { name, offset, length } of layout)
    expect(largestDifference(vector.subarray(offset, offset + length), expected[name]!), name).toBeLessThan(5e-7);
}

function inGap(index: number): boolean {
  return !layout.some(({ offset, length }) => index >= offset && index < offset + length);
}

function bitsOf(values: Float32Array): Buffer {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
}

describe('moments of 16 bits', () => {
  const rounded = (values: readonly number[], step: number) => {
    const vector = Float32Array.from(values);
    roundMoments(new Map([['moment', vector]]), step);
    return vector;
  };
  const neighbours = (value: number) => {
    const word = new Uint32Array(Float32Array.of(value).buffer)[0]!;
    return [word & 0xffff0000, (word & 0xffff0000) + 0x10000].map(
      (bits) => new Float32Array(Uint32Array.of(bits).buffer)[0]!,
    );
  };

  it('are one of the two nearest, in the mean the number itself, and another one at another place and step', () => {
    for (const value of [1.003, -2.7e-9, 3.3e12]) {
      const found = rounded(Array(20_000).fill(value), 7);
      const [below, above] = neighbours(value);
      for (const one of found) expect([below, above]).toContain(one);
      const mean = found.reduce((sum, one) => sum + one, 0) / found.length;
      // Five standard deviations of the mean of 20,000 choices between two.
      expect(Math.abs(mean - Math.fround(value))).toBeLessThan(
        (5 * 0.5 * Math.abs(above! - below!)) / Math.sqrt(20_000),
      );
      expect(found).not.toEqual(rounded(Array(20_000).fill(value), 8));
      expect(found).toEqual(rounded(Array(20_000).fill(value), 7));
    }
  });

  it('stay what they are when they have 16 bits already', () => {
    const values = [0, 1, -1.5, 2 ** -100, 1.0078125];
    expect([...rounded(values, 3)]).toEqual(values);
    expect([...upperHalves(Float32Array.of(1, -1.5))]).toEqual([0x3f80, 0xbfc0]);
  });

  it('follow a second moment that nearest rounding would leave where it is', () => {
    let moments = Float32Array.from(Array(2000).fill(1));
    for (let step = 1; step <= 1000; step++)
      moments = rounded(
        [...moments].map((v) => 0.999 * v),
        step,
      );
    const mean = moments.reduce((sum, one) => sum + one, 0) / moments.length;
    expect(mean / 0.999 ** 1000).toBeGreaterThan(0.98);
    expect(mean / 0.999 ** 1000).toBeLessThan(1.02);
  });
});
