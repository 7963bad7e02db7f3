/** How an answer about one image agrees with what is true. */
import { describe, expect, it } from 'vitest';
import { detectionComparing } from '../../src/tasks/detection/comparing.js';
import { segmentationComparing } from '../../src/tasks/segmentation/comparing.js';

describe('a segmentation', () => {
  const frame = { width: 3, height: 2 };
  const truthsOf = (...labels: number[]) =>
    segmentationComparing.truths({ labels: Int32Array.from(labels) }, frame, ['sky', 'road', 'car']);

  it('is as good as the mean over the classes that are there', () => {
    const [answer, truth] = truthsOf(...[0, 1, 1, 2, 1, 0], ...[0, 1, 1, 1, 255, 0]);
    // sky 2 of 2, road 2 of 3; car is not there, and what has no class does not count.
    expect(segmentationComparing.agreement(answer!, truth!)).toBeCloseTo((1 + 2 / 3) / 2, 12);
    expect(segmentationComparing.agreement(answer!, answer!)).toBe(1);
    const [nothing] = truthsOf(255, 255, 255, 255, 255, 255);
    expect(segmentationComparing.agreement(answer!, nothing!)).toBe(1);
  });
});

describe('a detection', () => {
  const object = (index: number, box: readonly [number, number, number, number], score = 1) => ({
    label: `class ${index}`,
    index,
    score,
    box,
  });
  const { agreement, truths } = detectionComparing;

  it('is its F-score at an overlap of one half, each object being found once', () => {
    const there = [object(0, [0, 0, 10, 10]), object(0, [20, 0, 10, 10]), object(1, [0, 20, 10, 10])];
    const found = [
      object(0, [0, 0, 10, 8], 0.9),
      object(0, [1, 0, 10, 10], 0.8),
      object(0, [0, 20, 10, 10], 0.7),
      object(0, [20, 0, 10, 5], 0.6),
    ];
    // The second finds what the first has taken, the third has the wrong class, the fourth overlaps by exactly one half.
    expect(agreement(found, there)).toBeCloseTo((2 * 2) / 7, 12);
    expect(agreement([], there)).toBe(0);
    expect(agreement([], [])).toBe(1);
  });

  it('has the truth of each image in COCO’s boxes', () => {
    const batch = {
      boxes: Float32Array.of(1, 2, 4, 6, 0, 0, 5, 5),
      labels: Int32Array.of(1, 0),
      ends: Int32Array.of(1, 1, 2),
    };
    const frame = { width: 10, height: 10 };
    expect(
      truths(batch, frame, ['red', 'white']).map((objects) => objects.map(({ label, box }) => [label, box])),
    ).toEqual([[['white', [1, 2, 3, 4]]], [], [['red', [0, 0, 5, 5]]]]);
  });
});
