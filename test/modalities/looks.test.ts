/** Looks at an input: what a linear picture becomes under each is known exactly, and a mirrored one is the loader's mirror image. */
import { describe, expect, it } from 'vitest';
import { flipHorizontally } from '../../src/data/geometry/image.js';
import { furtherLooks, lookCounts, throughLook } from '../../src/modalities/image/looks.js';

const [height, width] = [20, 20];
const grid = (value: (x: number, y: number) => number) =>
  Float32Array.from({ length: height * width }, (_, i) => value(i % width, Math.floor(i / width)));

describe('looks', () => {
  it('are the input, its mirror image, and two nearer ones turned either way', () => {
    expect(lookCounts.map((count) => furtherLooks(Number(count)).length)).toEqual([0, 1, 3]);
    const [mirrored, left, right] = furtherLooks(4);
    expect(mirrored).toEqual({ mirrored: true, part: 1, degrees: 0 });
    expect([left!.degrees, right!.degrees]).toEqual([10, -10]);
    expect(left!.part * (Math.cos(Math.PI / 18) + Math.sin(Math.PI / 18))).toBeLessThan(1);
  });

  it('turn and enlarge around the centre: a plane stays a plane, with the slopes of the turned axes', () => {
    for (const look of furtherLooks(4)) {
      const seen = throughLook(
        grid((x, y) => 3 * x - 2 * y + 5),
        [height, width],
        look,
      );
      const turn = (look.degrees * Math.PI) / 180;
      const [along, across] = [look.part * Math.cos(turn), look.part * Math.sin(turn)];
      const sign = look.mirrored ? -1 : 1;
      const middle = 3 * 9.5 - 2 * 9.5 + 5;
      const expected = grid((x, y) => {
        const [dx, dy] = [sign * (x - 9.5), y - 9.5];
        return middle + 3 * (along * dx - across * dy) - 2 * (across * dx + along * dy);
      });
      for (const [i, value] of seen.entries()) expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-4);
    }
  });

  it('show every plane of a batch alike, and a mirror image as the loader makes it', () => {
    const data = Uint8Array.from({ length: 5 * 4 * 3 }, (_, i) => (i * 37) % 251);
    const planes = (image: { readonly data: Uint8Array }) =>
      Float32Array.from({ length: 3 * 20 }, (_, i) => image.data[(i % 20) * 3 + Math.floor(i / 20)]!);
    const [mirrored] = furtherLooks(2);
    const image = { width: 5, height: 4, data };
    expect(throughLook(planes(image), [4, 5], mirrored!)).toEqual(planes(flipHorizontally(image)));
  });

  it('of a long input stay within it', () => {
    const [, turned] = furtherLooks(4);
    const seen = throughLook(new Float32Array(200).fill(0.25), [4, 50], turned!);
    for (const value of seen) expect(value).toBeCloseTo(0.25, 6);
  });
});
