/** Learning rates against PyTorch's schedulers, and at the edges that the formulas promise. */
import { describe, expect, it } from 'vitest';
import { TrainingError } from '../../src/training/errors.js';
import { learningRateAt, type Schedule, validateSchedule } from '../../src/training/schedules.js';
import { readFixture } from './support.js';

interface Fixture {
  readonly cases: readonly {
    readonly title: string;
    readonly steps: number;
    readonly schedule: Schedule;
    readonly rates: readonly number[];
  }[];
}

describe.each(readFixture<Fixture>('schedules').cases)('$title', ({ steps, schedule, rates }) => {
  it('gives the rates that PyTorch gives, at every step', () => {
    expect(rates.length).toBe(steps);
    for (const [step, rate] of rates.entries()) {
      const found = learningRateAt(step, steps, schedule);
      expect(Math.abs(found - rate), `step ${step}: ${found}, expected ${rate}`).toBeLessThan(1e-12);
    }
  });

  it('passes its own validation and stays where it ended', () => {
    expect(() => validateSchedule(steps, schedule)).not.toThrow();
    const end = learningRateAt(steps, steps, schedule);
    expect(learningRateAt(10 * steps, steps, schedule)).toBe(end);
  });
});

describe('the recipe of the authors: 6e-4 to 1e-6, 10 of 200 epochs of warm-up', () => {
  const recipe: Schedule = { kind: 'cosine', learningRate: 6e-4, minimum: 1e-6, warmUpSteps: 10 };

  it.each([
    [0, 0],
    [5, 3e-4],
    [9.5, 5.7e-4],
    [10, 6e-4],
    [105, (6e-4 + 1e-6) / 2],
    [200, 1e-6],
  ])('has at epoch %d the rate %d', (epoch, rate) => {
    expect(learningRateAt(epoch, 200, recipe)).toBeCloseTo(rate, 12);
  });

  it('does not jump when the warm-up ends', () => {
    expect(learningRateAt(10 - 1e-9, 200, recipe)).toBeCloseTo(learningRateAt(10, 200, recipe), 12);
  });
});

describe('warm-up, a constant rate, a decay', () => {
  const schedule = (decay: 'linear' | 'cosine' | 'squareRoot', decaySteps = 20): Schedule => ({
    kind: 'warmUpStableDecay',
    learningRate: 1,
    minimum: 0.1,
    warmUpSteps: 10,
    decaySteps,
    decay,
  });

  // Hägele et al. 2024, equation 2 and section 3.2: η · (1 − (n − (N − D)) / D), and with the square root of that fraction.
  it.each([
    ['linear', 0.75],
    ['cosine', 0.5 * (1 + Math.SQRT1_2)],
    ['squareRoot', 0.5],
  ] as const)('%s: constant until the decay, then along its curve to the minimum', (decay, quarter) => {
    const rate = (step: number) => learningRateAt(step, 100, schedule(decay));
    expect(rate(5)).toBe(0.5);
    for (const step of [10, 50, 80]) expect(rate(step)).toBe(1);
    expect(rate(85)).toBeCloseTo(0.1 + 0.9 * quarter, 12);
    expect(rate(100)).toBe(0.1);
    expect(rate(1000)).toBe(0.1);
  });

  it('does not know, before the decay, how long the run will be', () => {
    for (let step = 0; step <= 80; step++)
      expect(learningRateAt(step, 100, schedule('linear'))).toBe(learningRateAt(step, 5000, schedule('cosine', 7)));
  });

  it('is a constant rate without a decay', () => {
    for (const step of [0, 5, 10, 99])
      expect(learningRateAt(step, 100, schedule('linear', 0))).toBe(
        learningRateAt(step, 100, { kind: 'constant', learningRate: 1, warmUpSteps: 10 }),
      );
  });
});

describe('a schedule that cannot be is refused with the reason', () => {
  it.each<[string, number, Schedule, RegExp]>([
    ['longer warm-up than run', 10, { kind: 'cosine', learningRate: 1, warmUpSteps: 11 }, /warmUpSteps: is 11/],
    ['a minimum above the rate', 10, { kind: 'cosine', learningRate: 1, minimum: 2 }, /minimum: is 2/],
    ['a rate that is not a number', 10, { kind: 'constant', learningRate: Number.NaN }, /learningRate: is NaN/],
    [
      'a decay longer than what the warm-up leaves',
      10,
      { kind: 'warmUpStableDecay', learningRate: 1, warmUpSteps: 4, decaySteps: 7 },
      /decaySteps: is 7/,
    ],
    ['no steps', 0, { kind: 'constant', learningRate: 1 }, /length: is 0/],
    ['a rise longer than the run', 10, { kind: 'oneCycle', learningRate: 1, riseShare: 1.5 }, /riseShare: is 1.5/],
  ])('%s', (_title, steps, schedule, message) => {
    expect(() => validateSchedule(steps, schedule)).toThrow(TrainingError);
    expect(() => validateSchedule(steps, schedule)).toThrow(message);
  });
});
