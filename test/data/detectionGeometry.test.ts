/** Boxes, anchors, levels and masks of a detector against mmdetection's and torchvision's own functions, run on made-up boxes. */
import { describe, expect, it } from 'vitest';
import { anchorsOf, baseAnchors } from '../../src/data/geometry/anchors.js';
import {
  clipBoxes,
  decodeBoxes,
  encodeBoxes,
  headDeviations,
  proposalDeviations,
} from '../../src/data/geometry/boxCoding.js';
import { levelsOf } from '../../src/data/geometry/levels.js';
import { transformMask } from '../../src/data/geometry/mask.js';
import { transformObjectMasks } from '../../src/data/geometry/objectMasks.js';
import { pastedRuns, pasteMask } from '../../src/data/geometry/pasteMasks.js';
import { overlapOfBoxes, suppress } from '../../src/data/geometry/suppress.js';
import type { GeometricStep } from '../../src/data/geometry/transform.js';
import { maskFromPixels, pixelsOfMask } from '../../src/data/masks/runLength.js';
import { seededRandom } from '../../src/random.js';
import { sharedGolden } from '../support/golden.js';
import { largestDifference, withoutGoldens } from '../support/skeletons.js';

const golden = (name: string) => sharedGolden<{ readonly strides: readonly number[] }>('dense', name);
const [anchors, delta, nms, levels, paste] = [
  'geom_anchors',
  'geom_delta',
  'geom_nms',
  'geom_levels',
  'geom_paste',
].map(golden);
const skipped = anchors ? '' : withoutGoldens;

describe.skipIf(!anchors)(`anchors${skipped}`, () => {
  // Widths and heights of maps: of true strides, and those that the authors' network has.
  const truly = [
    [10, 8],
    [5, 4],
    [3, 2],
    [2, 1],
    [1, 1],
  ];
  const published = truly.with(3, [3, 2]).with(4, [2, 1]);

  it('of one cell have mmdetection’s bits', () => {
    for (const [i, stride] of anchors!.json.strides.entries())
      expect(baseAnchors(stride)).toEqual(anchors!.floats(`base.${i}`));
  });

  it.each([
    ['grid', truly],
    ['official', published],
  ])('of a map too: %s', (name, sizes) => {
    for (const [i, stride] of anchors!.json.strides.entries()) {
      const [width, height] = sizes[i]!;
      expect(anchorsOf({ width: width!, height: height! }, stride)).toEqual(anchors!.floats(`${name}.${i}`));
    }
  });
});

describe.skipIf(!delta)(`ways between boxes${skipped}`, () => {
  it.each([
    ['rpn', proposalDeviations],
    ['roi', headDeviations],
  ] as const)('are mmdetection’s: %s', (name, deviations) => {
    const [boxes, wanted, deltas] = ['boxes', 'gt', 'deltas'].map(delta!.floats) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    const encoded = encodeBoxes(boxes, wanted, deviations);
    expect(largestDifference(encoded, delta!.floats(`encode.${name}`))).toBeLessThan(1e-5);
    expect(largestDifference(decodeBoxes(boxes, encoded, { deviations }), wanted)).toBeLessThan(1e-4);
    const decoded = delta!.floats(`decode.${name}`);
    const largest = decoded.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    expect(largestDifference(decodeBoxes(boxes, deltas, { deviations }), decoded)).toBeLessThan(largest * 1e-6);
    const within = { width: 100, height: 80 };
    const clipped = delta!.floats(`decode_clipped.${name}`);
    expect(largestDifference(decodeBoxes(boxes, deltas, { deviations, within }), clipped)).toBeLessThan(1e-4);
  });
});

describe('ways between boxes', () => {
  it('enlarge by 1000/16 at most, and shift by any amount', () => {
    const box = Float32Array.of(0, 0, 16, 16);
    expect([...decodeBoxes(box, Float32Array.of(0, 0, 50, -50))].map((x) => Math.round(x * 1000) / 1000)).toEqual([
      8 - 500,
      8 - 0.128,
      8 + 500,
      8 + 0.128,
    ]);
    expect([...decodeBoxes(box, Float32Array.of(1000, 0, 0, 0))]).toEqual([16000, 0, 16016, 16]);
  });

  it('refuse lengths that do not fit', () => {
    expect(() => encodeBoxes(new Float32Array(4), new Float32Array(8))).toThrow('4 numbers for 8');
    expect(() => decodeBoxes(new Float32Array(8), new Float32Array(12))).toThrow('12 deltas for 2 boxes');
    expect(() => decodeBoxes(new Float32Array(0), new Float32Array(4))).toThrow('4 deltas for 0 boxes');
    expect(decodeBoxes(new Float32Array(0), new Float32Array(0))).toHaveLength(0);
  });

  it('end at the border, also of boxes beyond it', () => {
    const boxes = Float32Array.of(-5, -6, 3, 200, 120, 130, 140, 150);
    expect([...clipBoxes(boxes, { width: 100, height: 80 })]).toEqual([0, 0, 3, 80, 100, 80, 100, 80]);
  });
});

describe.skipIf(!nms)(`suppression${skipped}`, () => {
  it.each([0.3, 0.5, 0.7])('keeps what torchvision keeps, over all and by group, at %d', (threshold) => {
    const [boxes, scores] = [nms!.floats('boxes'), nms!.floats('scores')];
    const groups = nms!.tensor('group').values;
    const kept = [...nms!.tensor(`keep.${threshold}`).values];
    expect([...suppress(boxes, scores, threshold)]).toEqual(kept);
    expect([...suppress(boxes, scores, threshold, { most: 7 })]).toEqual(kept.slice(0, 7));
    const inGroups = [...nms!.tensor(`keep_batched.${threshold}`).values];
    expect([...suppress(boxes, scores, threshold, { groups })]).toEqual(inGroups);
  });

  it('has torchvision’s overlaps', () => {
    const [boxes, overlaps] = [nms!.floats('boxes'), nms!.floats('iou')];
    for (let i = 0; i < overlaps.length; i++)
      expect(overlapOfBoxes(boxes, Math.floor(i / 40), i % 40)).toBe(overlaps[i]);
  });
});

describe('suppression', () => {
  // Halves of the second cover the first; the third is the first again.
  const boxes = Float32Array.of(0, 0, 10, 10, 0, 0, 10, 20, 0, 0, 10, 10);

  it('keeps a box that overlaps by exactly the threshold, and of equal ones the first', () => {
    expect([...suppress(boxes, [1, 2, 1], 0.5)]).toEqual([1, 0]);
    expect([...suppress(boxes, [1, 2, 1], 0.49)]).toEqual([1]);
  });

  it('keeps boxes without an area', () => {
    expect([...suppress(new Float32Array(8), [1, 1], 0.5)]).toEqual([0, 1]);
    expect([...suppress(new Float32Array(0), [], 0.5)]).toEqual([]);
  });

  it('refuses scores that have no order, and lengths that do not fit', () => {
    expect(() => suppress(boxes, [1, Number.NaN, 1], 0.5)).toThrow('box 1 has the score NaN');
    expect(() => suppress(boxes, [1, 2], 0.5)).toThrow('3 boxes, 2 scores');
    expect(() => suppress(boxes, [1, 2, 3], 0.5, { groups: [0] })).toThrow('3 scores and 1 groups');
  });
});

describe.skipIf(!levels)(`levels${skipped}`, () => {
  it('are mmdetection’s for every region', () => {
    const regions = levels!.floats('rois');
    const boxes = Float32Array.from(
      { length: (regions.length / 5) * 4 },
      (_, i) => regions[i + Math.floor(i / 4) + 1]!,
    );
    expect([...levelsOf(boxes)]).toEqual([...levels!.tensor('level').values]);
  });
});

describe('levels', () => {
  it('end at the finest and the coarsest there is', () => {
    const boxes = Float32Array.of(0, 0, 0, 0, 5, 5, 4, 6, 0, 0, 55, 55, 0, 0, 112, 112, 0, 0, 9000, 9000);
    expect([...levelsOf(boxes)]).toEqual([0, 0, 0, 1, 3]);
    expect([...levelsOf(boxes, { levels: 2, finestSide: 10 })]).toEqual([0, 0, 1, 1, 1]);
  });
});

describe.skipIf(!paste)(`masks of regions${skipped}`, () => {
  it('are put into the image as mmdetection puts them', () => {
    const image = { width: 80, height: 64 };
    const [masks, boxes, pasted] = [paste!.floats('masks'), paste!.floats('boxes'), paste!.floats('pasted')];
    const binary = paste!.tensor('binary').values;
    for (let i = 0; i < boxes.length / 4; i++) {
      const [left, top, right, bottom] = boxes.subarray(4 * i, 4 * i + 4);
      const mask = {
        width: 28,
        height: 28,
        probabilities: masks.subarray(784 * i, 784 * (i + 1)),
        box: { left: left!, top: top!, right: right!, bottom: bottom! },
      };
      const wanted = pasted.subarray(5120 * i, 5120 * (i + 1));
      expect(largestDifference(pasteMask(mask, image), wanted)).toBeLessThan(1e-5);
      expect([...pixelsOfMask(pastedRuns(mask, image))]).toEqual([...binary.subarray(5120 * i, 5120 * (i + 1))]);
    }
  });
});

describe('masks of regions', () => {
  const box = { left: 0, top: 0, right: 1e9, bottom: 1e9 };

  it('are nothing in a box of no area, and take no longer in one of a planet', () => {
    const mask = { width: 1, height: 1, probabilities: Float32Array.of(1) };
    const size = { width: 2, height: 2 };
    expect([...pasteMask({ ...mask, box: { ...box, right: 0 } }, size)]).toEqual([0, 0, 0, 0]);
    expect([...pasteMask({ ...mask, box: { left: -1e9, top: -1e9, right: 1e9, bottom: 1e9 } }, size)]).toEqual(
      expect.arrayContaining([1]),
    );
  });

  it('refuse sizes that do not fit, before anything is made', () => {
    const mask = { width: 2, height: 1, probabilities: Float32Array.of(1), box };
    expect(() => pasteMask(mask, { width: 2, height: 2 })).toThrow('1 numbers; expected 2 x 1');
    expect(() => pasteMask(mask, { width: 1e6, height: 1e6 })).toThrow('a mask of 1000000 x 1000000');
  });
});

describe('masks of objects', () => {
  it('move as masks of classes do, though they lie over each other', () => {
    const random = seededRandom(4);
    const from = { width: 13, height: 9 };
    const pixels = Array.from({ length: 11 }, () => Uint8Array.from({ length: 117 }, () => random.integer(2)));
    const larger = { width: 17, height: 14 };
    const resize = { kind: 'resize', from, to: larger, interpolation: 'bilinear' } as const;
    const cut: GeometricStep = {
      kind: 'cut',
      from: larger,
      border: 'zero',
      region: { left: -2, top: 3, width: 15, height: 12 },
    };
    const after = { width: 15, height: 12 };
    const mirror = { kind: 'mirror', from: after } as const;
    const sampling = { interpolation: 'bilinear', fill: [0, 0, 0] } as const;
    const turn = { kind: 'affine', from: after, matrix: [0.9, 0.3, 1, -0.2, 1.1, 0.5], sampling } as const;
    const transforms: readonly (readonly GeometricStep[])[] = [
      [],
      [resize, cut, mirror],
      [resize, { ...cut, border: 'reflect' }, mirror, turn],
    ];
    for (const steps of transforms) {
      const transform = { from, steps };
      const moved = transformObjectMasks(
        pixels.map((own) => maskFromPixels(own, from)),
        transform,
      );
      for (const [i, data] of pixels.entries())
        expect([...pixelsOfMask(moved[i]!)]).toEqual([...transformMask({ ...from, data }, transform, 0).data]);
    }
    expect(() => transformObjectMasks([maskFromPixels([1], { width: 1, height: 1 })], { from, steps: [] })).toThrow(
      'a mask of 1 x 1 pixels does not fit its image of 13 x 9',
    );
  });
});
