/** Masks of runs against pycocotools' C code on made-up polygons (test/fixtures/masks), and against its own published example where the shared folder is. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DataError } from '../../../src/data/errors.js';
import { maskFromPolygons } from '../../../src/data/masks/polygons.js';
import {
  maskArea,
  maskBox,
  maskFromCounts,
  maskFromPixels,
  maskFromText,
  maskOverlap,
  pixelsOfMask,
  textOfMask,
  unionOfMasks,
} from '../../../src/data/masks/runLength.js';
import { sharedPath } from '../../shared.js';
import { readFixtureJson } from '../../support/safetensors.js';

interface Expected {
  readonly cases: readonly {
    readonly width: number;
    readonly height: number;
    readonly polygon: readonly number[];
    readonly counts: readonly number[];
    readonly string: string;
    readonly area: number;
    readonly box: readonly number[];
    readonly before?: {
      readonly iou: number;
      readonly crowd: number;
      readonly union: string;
      readonly intersection: number;
    };
  }[];
}

const { cases } = readFixtureJson('masks/runLength.json') as Expected;
const masks = cases.map(({ polygon, ...size }) => maskFromPolygons([polygon], size));

describe('a mask of runs', () => {
  it('has the pixels that pycocotools gives to a polygon', () => {
    for (const [i, { counts }] of cases.entries()) expect([...masks[i]!.runs], `polygon ${i}`).toEqual(counts);
  });

  it('has its area and box', () => {
    expect(masks.map(maskArea)).toEqual(cases.map(({ area }) => area));
    expect(masks.map(maskBox)).toEqual(cases.map(({ box }) => box));
  });

  it('is written as its text and read from it', () => {
    expect(masks.map(textOfMask)).toEqual(cases.map(({ string }) => string));
    expect(cases.map(({ string, ...size }) => maskFromText(string, size))).toEqual(masks);
    expect(cases.map(({ counts, ...size }) => maskFromCounts(counts, size))).toEqual(masks);
  });

  it('overlaps others, crowds included, as pycocotools says', () => {
    for (const [i, { before }] of cases.entries()) {
      if (before === undefined) continue;
      const [detected, truth] = [masks[i - 1]!, masks[i]!];
      expect(maskOverlap(detected, truth)).toBe(before.iou);
      expect(maskOverlap(detected, truth, true)).toBe(before.crowd);
      expect(textOfMask(unionOfMasks([detected, truth]))).toBe(before.union);
    }
  });

  it('becomes pixels, row by row, and comes back', () => {
    // 3 wide, 2 high; the object is the upper right corner's column and the pixel left of its foot.
    const pixels = [0, 0, 1, 0, 1, 1];
    const mask = maskFromPixels(pixels, { width: 3, height: 2 });
    expect([...mask.runs]).toEqual([3, 3]);
    expect([...pixelsOfMask(mask)]).toEqual(pixels);
    for (const one of masks) expect(maskFromPixels(pixelsOfMask(one), one)).toEqual(one);
  });

  it('may have runs of 0 in between', () => {
    const mask = maskFromCounts([0, 1, 0, 2, 1], { width: 2, height: 2 });
    expect(maskArea(mask)).toBe(3);
    expect(maskBox(mask)).toEqual([0, 0, 2, 2]);
    expect(maskOverlap(mask, maskFromCounts([0, 3, 1], mask))).toBe(1);
    expect([...unionOfMasks([mask, mask]).runs]).toEqual([0, 3, 1]);
  });
});

const results = sharedPath('golden', 'dense', 'coco_map', 'instances_val2014_fakesegm100_results.json');

describe.skipIf(!results)(
  `734 published masks${results ? '' : ' (skipped: the shared golden files are absent)'}`,
  () => {
    it('are read and written to the character', () => {
      const published = JSON.parse(readFileSync(results!, 'utf8')) as {
        segmentation: { size: [number, number]; counts: string };
      }[];
      for (const { segmentation } of published) {
        const [height, width] = segmentation.size;
        expect(textOfMask(maskFromText(segmentation.counts, { width, height }))).toBe(segmentation.counts);
      }
    });
  },
);

describe('what is no mask', () => {
  const size = { width: 4, height: 3 };
  it.each([
    [[12, 1], 'run 1 is 1 after 12 pixels'],
    [[5, 3], 'its runs end after 8; expected runs of together 12'],
    [[], 'its runs end after 0'],
    [[-1, 13], 'run 0 is -1'],
    [[1.5, 10.5], 'run 0 is 1.5'],
    [[Number.NaN], 'run 0 is NaN'],
    [new Array(14).fill(0), 'more runs than pixels'],
  ])('runs %j', (counts, message) => {
    expect(() => maskFromCounts(counts, size)).toThrow(message);
  });

  it.each([
    ['5 2', 'no text of COCO at character 1'],
    ['52é', 'no text of COCO at character 2'],
    ['o', 'no text of COCO at character 1'],
    ['oooooooo0', 'more than 35 bits at character 0'],
    ['0000O', 'run 4 is -1'],
    ['0'.repeat(100), 'more runs than pixels'],
  ])('the text %j', (text, message) => {
    expect(() => maskFromText(text, size)).toThrow(message);
  });

  it.each([
    [0, 3],
    [1.5, 2],
    [2 ** 16, 2 ** 16],
    [-4, -3],
    [Number.NaN, 3],
  ])('a size of %d x %d, before anything is made of it', (width, height) => {
    expect(() => maskFromCounts([], { width, height })).toThrow(DataError);
    expect(() => maskFromText('0', { width, height })).toThrow(DataError);
    expect(() => maskFromPixels([], { width, height })).toThrow(DataError);
    expect(() => pixelsOfMask({ width, height, runs: Uint32Array.of(9) })).toThrow(DataError);
    expect(() => maskFromPolygons([[0, 0, 1, 0, 1, 1]], { width, height })).toThrow(DataError);
  });

  it('polygons without corners, with half a corner, and with borders that lead to the moon', () => {
    expect(() => maskFromPolygons([], size)).toThrow('no polygons');
    expect(() => maskFromPolygons([[0, 0, 1, 1]], size)).toThrow('a polygon of 4 numbers');
    expect(() => maskFromPolygons([[0, 0, 1, 1, 2, 2, 3]], size)).toThrow('a polygon of 7 numbers');
    expect(() => maskFromPolygons([[0, 0, 1, Number.NaN, 2, 2]], size)).toThrow('a corner at NaN');
    expect(() => maskFromPolygons([[0, 0, 1e300, 1, 2, 2]], size)).toThrow('a corner at 1e+300');
    expect(() => maskFromPolygons([[0, 0, 1e9, 1, 2, 2]], size)).toThrow('borders of 2000000001 pixels');
  });

  it('pixels and masks of another size', () => {
    expect(() => maskFromPixels([1, 2], size)).toThrow('2 pixels for a mask of 4 x 3');
    const [a, b] = [maskFromCounts([12], size), maskFromCounts([12], { width: 3, height: 4 })];
    expect(() => maskOverlap(a, b)).toThrow('masks of 4 x 3 and 3 x 4 pixels cannot be compared');
    expect(() => unionOfMasks([])).toThrow('no masks');
  });
});
