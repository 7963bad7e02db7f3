import { describe, expect, it } from 'vitest';
import { ImageError } from '../../src/data/errors.js';
import type { Raster } from '../../src/data/image.js';
import { centreCropRegion, cropWithBlack, resizeBicubic, shorterSideSize } from '../../src/data/resize.js';
import { expected, type RandomResize, sha256 } from './expected.js';

/** The generator of make.py: a linear congruential one whose high bytes are pushed to 0 and 255 at both ends. */
function generatedBytes(seed: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  let state = seed;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    const byte = state >>> 24;
    bytes[i] = byte < 64 ? 0 : byte >= 192 ? 255 : byte;
  }
  return bytes;
}

function imageOf({ seed, channels, width, height }: RandomResize): Raster {
  return { width, height, channels, data: generatedBytes(seed, width * height * channels) };
}

describe('bicubic resizing', () => {
  it.each(expected.randomResizes)(
    'gives Pillow’s bytes for $channels channel(s), $width x $height to $toWidth x $toHeight',
    (example) => {
      const resized = resizeBicubic(imageOf(example), { width: example.toWidth, height: example.toHeight });
      expect(resized).toMatchObject({ width: example.toWidth, height: example.toHeight, channels: example.channels });
      expect(sha256(resized.data)).toBe(example.sha256);
    },
  );

  it('gives the same pixels for a part as for the whole, whose bytes are Pillow’s', () => {
    for (const example of expected.randomResizes) {
      const size = { width: example.toWidth, height: example.toHeight };
      const whole = resizeBicubic(imageOf(example), size);
      const region = centreCropRegion(size, {
        width: Math.ceil(size.width / 3),
        height: Math.ceil(size.height / 2),
      });
      expect(sha256(whole.data)).toBe(example.sha256);
      expect(resizeBicubic(imageOf(example), size, region)).toEqual(cropWithBlack(whole, region));
    }
  });

  it('keeps a constant image constant, however extreme the scale', () => {
    const image: Raster = { width: 1, height: 60_000, channels: 3, data: new Uint8Array(180_000).fill(201) };
    const size = { width: 5_000, height: 300_000_000 };
    const region = centreCropRegion(size, { width: 20, height: 20 });
    expect(resizeBicubic(image, size, region).data).toEqual(new Uint8Array(1200).fill(201));
  });

  it('refuses images whose bytes do not fit their size, and parts that lie outside', () => {
    const image: Raster = { width: 2, height: 2, channels: 1, data: new Uint8Array(4) };
    const size = { width: 3, height: 3 };
    expect(() => resizeBicubic({ ...image, data: new Uint8Array(3) }, size)).toThrow(/needs 4 bytes, found 3/);
    expect(() => resizeBicubic({ ...image, width: 0 }, size)).toThrow(ImageError);
    expect(() => resizeBicubic(image, { width: 0, height: 3 })).toThrow(ImageError);
    expect(() => resizeBicubic(image, size, { left: 1, top: 0, width: 3, height: 3 })).toThrow(/must lie inside/);
  });
});

describe('sizes and crops', () => {
  it('scales the longer side by truncation: 256 * 500 / 333 = 384.38 becomes 384', () => {
    expect(shorterSideSize({ width: 500, height: 333 }, 256)).toEqual({ width: 384, height: 256 });
    expect(shorterSideSize({ width: 333, height: 500 }, 256)).toEqual({ width: 256, height: 384 });
  });

  it('rounds offsets that end in a half to the even neighbour, as Python does', () => {
    const lefts = [4, 5, 6, 7, 8, 9].map(
      (width) => centreCropRegion({ width, height: 4 }, { width: 4, height: 4 }).left,
    );
    expect(lefts).toEqual([0, 0, 1, 2, 2, 2]);
  });
});
