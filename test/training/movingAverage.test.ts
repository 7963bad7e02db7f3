/** The moving average of weights against PyTorch's AveragedModel, and across an interruption. */
import { describe, expect, it } from 'vitest';
import { TrainingError } from '../../src/training/errors.js';
import { MovingAverage, type MovingAverageSettings } from '../../src/training/movingAverage.js';
import { largestDifference, readFixture } from './support.js';

interface Fixture {
  readonly weights: readonly (readonly number[])[];
  readonly cases: readonly {
    readonly settings: MovingAverageSettings;
    readonly after: readonly (readonly number[])[];
  }[];
}

const fixture = readFixture<Fixture>('movingAverage');
const weights = fixture.weights.map((values) => Float32Array.from(values));

describe.each(fixture.cases)('a moving average with $settings', ({ settings, after }) => {
  it('follows PyTorch, in place', () => {
    const moving = new MovingAverage(weights[0]!, settings);
    const { average } = moving;
    for (const [update, expected] of after.entries()) {
      moving.update(weights[update + 1]!);
      expect(moving.average).toBe(average);
      expect(largestDifference(average, expected)).toBeLessThan(5e-7);
    }
  });

  it('continues bit for bit from a saved state', () => {
    const uninterrupted = new MovingAverage(weights[0]!, settings);
    for (const values of weights.slice(1, 3)) uninterrupted.update(values);
    const resumed = new MovingAverage(weights[7]!, settings);
    resumed.restore(uninterrupted.state(), uninterrupted.counters());
    for (const values of weights.slice(3)) {
      uninterrupted.update(values);
      resumed.update(values);
    }
    expect(resumed.average).toEqual(uninterrupted.average);
    expect(resumed.counters()).toEqual({ updates: 7 });
  });
});

it('does not change the weights that it began with', () => {
  const first = Float32Array.from(weights[0]!);
  new MovingAverage(first, { decay: 0 }).update(weights[1]!);
  expect(first).toEqual(weights[0]);
});

describe('what cannot work is refused with the reason', () => {
  const moving = () => new MovingAverage(weights[0]!, { decay: 0.9 });

  it.each<[string, () => void, RegExp]>([
    ['a decay above 1', () => new MovingAverage(weights[0]!, { decay: 1.1 }), /decay: is 1\.1/],
    ['other weights', () => moving().update(new Float32Array(8)), /got 8 weights, expected 9/],
    ['an empty state', () => moving().restore(new Map(), { updates: 1 }), /no entry average/],
    ['a negative count', () => moving().restore(moving().state(), { updates: -1 }), /-1 updates/],
  ])('%s', (_title, act, message) => {
    expect(act).toThrow(TrainingError);
    expect(act).toThrow(message);
  });
});
