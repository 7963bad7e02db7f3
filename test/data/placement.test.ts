/** Where an image lies in a network's input, against the steps that put it there. */
import { describe, expect, it } from 'vitest';
import { centreCrop } from '../../src/data/geometry/crop.js';
import { forward, type Position } from '../../src/data/geometry/mapping.js';
import { boxInImage, maskInImage, placementOf, seenPart } from '../../src/data/geometry/placement.js';
import { imagenetPreprocessing } from '../../src/data/preprocess.js';

const cases = [
  ['the centre of a resized image', { width: 90, height: 50 }, { resize: 20, crop: [16, 16] }],
  ['the centre of an image as it is', { width: 31, height: 23 }, { resize: null, crop: [10, 20] }],
  ['an image that is smaller than the input', { width: 7, height: 9 }, { resize: null, crop: [16, 12] }],
  ['a wide image that is fitted', { width: 80, height: 30 }, { resize: 'fit', crop: [24, 32] }],
  ['a high image that is fitted', { width: 30, height: 80 }, { resize: 'fit', crop: [24, 32] }],
] as const;

describe.each(cases)('%s', (_, own, { resize, crop: [height, width] }) => {
  const preprocessing = { ...imagenetPreprocessing, resize, crop: [height, width] as const };
  const placement = placementOf(own, preprocessing);
  const moved = (at: Position) => centreCrop(own, preprocessing).reduce((to, step) => forward(step, to), at);

  it('lies where evaluation puts it', () => {
    const { image, frame } = placement;
    expect(frame).toEqual({ width, height });
    expect(moved([0, 0])).toEqual([image.left, image.top]);
    expect(moved([own.width, own.height])).toEqual([image.left + image.width, image.top + image.height]);
  });

  it('gives each pixel what the input has at its centre, and those outside nothing', () => {
    const mask = Uint16Array.from({ length: width * height }, (_, i) => i % 251);
    const found = maskInImage(mask, placement, own, 255);
    const expected = Array.from(found, (_, i) => {
      const centre = [(i % own.width) + 0.5, Math.floor(i / own.width) + 0.5] as const;
      const [u, v] = moved(centre).map(Math.floor) as [number, number];
      return u >= 0 && v >= 0 && u < width && v < height ? mask[v * width + u] : 255;
    });
    expect([...found]).toEqual(expected);
  });

  it('has boxes where the image has the object, cut off at what was seen', () => {
    const [left, top, right, bottom] = seenPart(placement, own);
    expect(boxInImage([0, 0, width, height], placement, own)).toEqual([left, top, right, bottom]);
    const object = [left + 1, top + 1, right - 1, bottom - 2] as const;
    const [from, to] = [moved([object[0], object[1]]), moved([object[2], object[3]])];
    const found = boxInImage([...from, ...to] as [number, number, number, number], placement, own)!;
    for (const [i, side] of object.entries()) expect(found[i]).toBeCloseTo(side, 9);
    expect(boxInImage([-9, -9, -1, -1], placement, own)).toBeUndefined();
  });
});
