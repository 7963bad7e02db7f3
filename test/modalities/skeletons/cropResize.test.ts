/** Parts of sequences resampled in time: against CTR-GCN's own `valid_crop_resize` where the goldens are, and by hand. */
import { describe, expect, it } from 'vitest';
import { centreCrop, cropAt, type JointValues, resizeInTime } from '../../../src/modalities/skeletons/cropResize.js';
import { bodiesFirst, largestDifference, skeletonGolden, withoutGoldens } from '../../support/skeletons.js';

interface Case {
  readonly id: string;
  readonly valid_frame_num: number;
  readonly p_interval: readonly number[];
  readonly window: number;
  readonly p?: number;
  readonly begin: number;
  readonly cropped_length: number;
}

const golden = skeletonGolden<{ readonly cases: readonly Case[] }>('valid_crop_resize');

describe.skipIf(!golden)(`crop and resize of the published feeders${golden ? '' : withoutGoldens}`, () => {
  it.each((golden?.json.cases ?? []).map((c) => [c.id, c] as const))('%s is equal to 2e-6', (id, c) => {
    const crop =
      c.p === undefined
        ? centreCrop(c.valid_frame_num, c.p_interval[0]!)
        : { ...cropAt(c.valid_frame_num, c.p, 0), begin: c.begin };
    expect(crop).toEqual({ begin: c.begin, length: c.cropped_length });
    const resized = resizeInTime(bodiesFirst(golden!.tensor(`${id}.in`)), crop, c.window);
    const expected = bodiesFirst(golden!.tensor(`${id}.out`));
    expect(resized).toMatchObject({ frames: expected.frames, bodies: expected.bodies, joints: expected.joints });
    expect(largestDifference(resized.values, expected.values)).toBeLessThan(2e-6);
  });
});

/** One joint that is at (t, 10 t, 100 t) in frame t. */
function walk(frames: number): JointValues {
  const values = Float64Array.from({ length: 3 * frames }, (_, i) => Math.floor(i / 3) * 10 ** (i % 3));
  return { frames, bodies: 1, joints: 1, values };
}

const firstAxis = (values: ArrayLike<number>) => Array.from(values).filter((_, i) => i % 3 === 0);

describe('parts and resampling', () => {
  it('takes the middle, as many frames from both ends', () => {
    expect(centreCrop(81, 0.95)).toEqual({ begin: 2, length: 77 });
    expect(centreCrop(1, 0.5)).toEqual({ begin: 0, length: 1 });
  });

  it('takes at least 64 frames in training, or all, anywhere', () => {
    expect(cropAt(110, 0.5, 0)).toEqual({ begin: 0, length: 64 });
    expect(cropAt(110, 0.5, 0.999)).toEqual({ begin: 46, length: 64 });
    expect(cropAt(50, 0.5, 0.999)).toEqual({ begin: 0, length: 50 });
    expect(cropAt(50, 0.5, 0.5, 1)).toEqual({ begin: 13, length: 25 });
    expect(cropAt(1, 0.1, 0.9, 0)).toEqual({ begin: 0, length: 1 });
  });

  it('lies between neighbours in a straight line and stays at the ends', () => {
    expect(firstAxis(resizeInTime(walk(4), { begin: 0, length: 4 }, 8).values)).toEqual([
      0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3,
    ]);
    expect(firstAxis(resizeInTime(walk(10), { begin: 2, length: 4 }, 2).values)).toEqual([2.5, 4.5]);
    expect(Array.from(resizeInTime(walk(3), { begin: 1, length: 1 }, 2).values)).toEqual([1, 10, 100, 1, 10, 100]);
  });
});
