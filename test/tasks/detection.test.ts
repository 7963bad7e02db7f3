/** What a detector says of an image. */
import { describe, expect, it } from 'vitest';
import { placementOf } from '../../src/data/geometry/placement.js';
import { maskArea, maskBox } from '../../src/data/masks/runLength.js';
import { imagenetPreprocessing } from '../../src/data/preprocess.js';
import { detectionAnswers } from '../../src/tasks/detection/answer.js';

const stride = 8;
const [height, width] = [3, 4];

/** One level whose place (x, y) is sure of class 0, a stride to each side of its centre; all others are sure that there is nothing. */
function outputsAround(x: number, y: number) {
  const area = width * height;
  const data = new Float32Array(7 * area).fill(-30);
  const at = Math.max(0, y) * width + x;
  data[at] = 30;
  // Row −1 stands for a small object in the first row.
  for (let side = 0; side < 4; side++) data[(2 + side) * area + at] = y < 0 ? -1 : 0;
  data[6 * area + at] = 30;
  return new Map([[`points.${stride}`, { shape: [1, 7, height, width], data }]]);
}

const reading = { labels: ['red cell', 'white cell'], top: 5, threshold: 0 };
const frame = { width: width * stride, height: height * stride };

function boxIn(own: { width: number; height: number }, resize: number | 'fit' | null, x = 1, y = 1) {
  const preprocessing = { ...imagenetPreprocessing, resize, crop: [frame.height, frame.width] as const };
  const original = { ...own, placement: placementOf(own, preprocessing) };
  return detectionAnswers.decode(outputsAround(x, y), [original], reading)[0]![0]?.box;
}

describe('boxes of a detector', () => {
  const whole = detectionAnswers.decode(outputsAround(1, 1), [frame], reading)[0]!;
  const [left, top, boxWidth, boxHeight] = whole[0]!.box;

  it('are around the place that found the object', () => {
    expect(whole).toHaveLength(1);
    expect(whole[0]).toMatchObject({ label: 'red cell', index: 0 });
    expect(left + boxWidth / 2).toBeCloseTo(12, 6);
    expect(top + boxHeight / 2).toBeCloseTo(12, 6);
  });

  it('move by what the centre crop has cut off', () => {
    expect(boxIn({ width: frame.width + 10, height: frame.height + 6 }, null)).toEqual([
      ...[left + 5, top + 3, boxWidth, boxHeight],
    ]);
  });

  it('grow with a resized image', () => {
    // 96 × 48 becomes 48 × 24 at a shorter side of 24, of which 8 pixels are cut off left and right.
    expect(boxIn({ width: 96, height: 48 }, 24)).toEqual([2 * (left + 8), 2 * top, 2 * boxWidth, 2 * boxHeight]);
  });

  it('are where a fitted image is, without what lies on its border', () => {
    // 64 × 24 becomes 32 × 12, with 6 rows above and below it.
    const [x, y, w, h] = boxIn({ width: 64, height: 24 }, 'fit')!;
    const [upper, lower] = [Math.max(top, 6), Math.min(top + boxHeight, 18)];
    expect([x, y, w, h]).toEqual([2 * left, 2 * (upper - 6), 2 * boxWidth, 2 * (lower - upper)]);
    // One row in the middle of 24 is left of the image: nothing that ends above it is in it.
    const [, ...narrow] = boxIn({ width: 64, height: 2 }, 'fit', 1, 1)!;
    expect(narrow).toEqual([0, 2 * boxWidth, 2]);
    expect(boxIn({ width: 64, height: 2 }, 'fit', 1, -1)).toBeUndefined();
  });
});

describe('masks of a detector with regions', () => {
  /** One object of class 1 whose mask is sure of its left half. */
  function outputsWith(box: readonly [number, number, number, number]) {
    const probabilities = Float32Array.from({ length: 2 * 28 * 28 }, (_, i) => (i >= 784 && i % 28 < 14 ? 30 : -30));
    const boxes = Float32Array.from([0, ...box]);
    return new Map([
      ['rpn_cls.0', { shape: [1, 1, 3, 6, 8], data: new Float32Array(144) }],
      ['detection_boxes', { shape: [1, 5], data: boxes }],
      ['detection_scores', { shape: [1], data: Float32Array.of(0.75) }],
      ['detection_labels', { shape: [1], data: Float32Array.of(1) }],
      ['mask_rois', { shape: [1, 5], data: boxes }],
      ['mask_preds', { shape: [1, 2, 28, 28], data: probabilities }],
      ['image_size', { shape: [2], data: Float32Array.of(frame.height, frame.width) }],
    ]);
  }

  it('are stretched over their boxes, in the pixels of the image', () => {
    const own = { width: 2 * frame.width, height: 2 * frame.height };
    const [object] = detectionAnswers.decode(outputsWith([4, 6, 12, 18]), [own], reading)[0]!;
    expect(object).toMatchObject({ label: 'white cell', index: 1, score: 0.75, box: [8, 12, 16, 24] });
    expect(maskBox(object!.mask!)).toEqual([8, 12, 8, 24]);
    expect(maskArea(object!.mask!)).toBe(8 * 24);
    const { detections } = detectionAnswers.json([object!]) as { detections: readonly { segmentation: object }[] };
    expect(detections[0]!.segmentation).toMatchObject({ size: [own.height, own.width] });
    expect(detectionAnswers.draw([object!], own)).toContain('M8 12v24h1v-24z');
  });

  it('move with a cropped image', () => {
    const own = { width: frame.width + 10, height: frame.height + 6 };
    const preprocessing = { ...imagenetPreprocessing, resize: null, crop: [frame.height, frame.width] as const };
    const original = { ...own, placement: placementOf(own, preprocessing) };
    const [object] = detectionAnswers.decode(outputsWith([4, 6, 12, 18]), [original], reading)[0]!;
    expect(maskBox(object!.mask!)).toEqual([9, 9, 4, 12]);
  });
});
