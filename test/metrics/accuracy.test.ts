import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/errors.js';
import { AccuracyCounter, countCorrect, mergeAccuracy, rankOf } from '../../src/metrics/accuracy.js';

/** The example in the documentation of scikit-learn's `top_k_accuracy_score`: top-2 accuracy 0.75. */
const scores = Float32Array.of(0.5, 0.2, 0.2, 0.3, 0.4, 0.2, 0.2, 0.4, 0.3, 0.7, 0.2, 0.1);
const targets = [0, 1, 2, 2];

function counted(k: number, rows: readonly number[]) {
  const counter = new AccuracyCounter(3, k);
  for (const row of rows) counter.add(scores.subarray(3 * row, 3 * row + 3), [targets[row]!]);
  return counter.counts();
}

describe('accuracy', () => {
  it('is scikit-learn’s on its own example', () => {
    const { images, top1, topK } = counted(2, [0, 1, 2, 3]);
    expect(topK / images).toBe(0.75);
    expect(top1 / images).toBe(0.5);
  });

  it('counts by class', () => {
    expect(counted(2, [0, 1, 2, 3]).perClass).toEqual([
      { images: 1, top1: 1, topK: 1 },
      { images: 1, top1: 1, topK: 1 },
      { images: 2, top1: 0, topK: 1 },
    ]);
  });

  it('gives ties to the class with the smaller number', () => {
    const equal = Float32Array.of(1, 1, 1, 1);
    expect([0, 1, 2, 3].map((target) => rankOf(equal, target))).toEqual([0, 1, 2, 3]);
    const counter = new AccuracyCounter(4, 2);
    for (const target of [0, 1, 2, 3]) counter.add(equal, [target]);
    expect(counter.counts()).toMatchObject({ images: 4, top1: 1, topK: 2 });
  });

  it('calls the same samples right wherever it is asked, ties included', () => {
    const tied = Float32Array.of(2, 2, 0, 1, 3, 3, 0, 0, 0, ...scores);
    const labels = [0, 2, 1, ...targets];
    const counter = new AccuracyCounter(3);
    counter.add(tied, labels);
    // The first ties with its successor, the second with its predecessor, the third with both; then scikit-learn's four.
    expect(countCorrect(tied, labels, 3)).toBe(1 + 0 + 0 + 2);
    expect(counter.counts().top1).toBe(3);
  });

  it('takes nothing that is no number for an answer', () => {
    for (const row of [
      [Number.NaN, 0, 0],
      [0, Number.NaN, 0],
      [Number.NaN, Number.NaN, Number.NaN],
    ])
      expect([0, 1, 2].map((target) => countCorrect(Float32Array.from(row), [target], 3))).not.toContain(1);
  });

  it('makes top-5 of three classes top-3', () => {
    const counter = new AccuracyCounter(3);
    counter.add(scores, targets);
    expect(counter.counts()).toMatchObject({ k: 3, topK: 4 });
  });

  it('is the same merged from parts as in one piece', () => {
    expect(mergeAccuracy([counted(2, [3]), counted(2, [0, 2]), counted(2, []), counted(2, [1])])).toEqual(
      counted(2, [0, 1, 2, 3]),
    );
  });

  it('does not merge what is counted differently', () => {
    expect(() => mergeAccuracy([counted(1, [0]), counted(2, [1])])).toThrow(UsageError);
    expect(() => mergeAccuracy([])).toThrow(UsageError);
  });

  it('refuses classes that do not exist and scores that do not fit', () => {
    const counter = new AccuracyCounter(3);
    expect(() => counter.add(scores.subarray(0, 3), [3])).toThrow('class 3 does not exist; there are 3');
    expect(() => counter.add(scores.subarray(0, 3), [-1])).toThrow(UsageError);
    expect(() => counter.add(scores.subarray(0, 4), [1])).toThrow('4 scores for 1 samples');
  });
});
