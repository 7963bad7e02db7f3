/**
 * An object's mask as a mask head is to answer for a region: the region cut out of it and resampled, by RoIAlign (aligned, as many samples as pixels) and a threshold of one half. As
 * mmdetection's `BitmapMasks.crop_and_resize`.
 */
import { pixelsOfMask, type RunLengthMask } from '../masks/runLength.js';
import type { Box } from './boxes.js';

/** A mask as pixels. */
export interface PixelMask {
  readonly width: number;
  readonly height: number;
  /** `[height, width]`, 0 or 1. */
  readonly pixels: Uint8Array;
}

export function pixelMask(mask: RunLengthMask): PixelMask {
  return { width: mask.width, height: mask.height, pixels: pixelsOfMask(mask) };
}

/** @returns `[cells, cells]`: 1 where at least half of a cell is of the object. */
export function cropMask({ width, height, pixels }: PixelMask, box: Box, cells: number): Uint8Array {
  const columns = Array.from({ length: cells }, (_, cell) => weightsOf(cell, [box.left, box.right], cells, width));
  const rows = Array.from({ length: cells }, (_, cell) => weightsOf(cell, [box.top, box.bottom], cells, height));
  const cropped = new Uint8Array(cells * cells);
  for (const [y, ownRows] of rows.entries()) {
    for (const [x, ownColumns] of columns.entries()) {
      let sum = 0;
      for (const [row, a] of ownRows)
        for (const [column, b] of ownColumns) if (pixels[row * width + column] === 1) sum += a * b;
      cropped[y * cells + x] = Math.fround(sum) >= 0.5 ? 1 : 0;
    }
  }
  return cropped;
}

/** More samples along an axis of a cell are not taken, as in `engines/calls/roiAlign.ts`. */
const mostSamples = 256;

/** Along one axis: how much of each pixel a cell is made of. Samples lie between pixels' centres, which are whole numbers here; those outside of the image weigh nothing. */
function weightsOf(
  cell: number,
  [from, to]: readonly [number, number],
  cells: number,
  pixels: number,
): ReadonlyMap<number, number> {
  const [start, side] = [Math.fround(from - 0.5), Math.fround(Math.fround(to - 0.5) - Math.fround(from - 0.5))];
  const size = Math.fround(side / cells);
  const samples = Math.min(mostSamples, Math.ceil(size));
  const weights = new Map<number, number>();
  const put = (pixel: number, weight: number) => weights.set(pixel, (weights.get(pixel) ?? 0) + weight);
  for (let i = 0; i < samples; i++) {
    const place = Math.fround(start + cell * size + ((i + 0.5) * size) / samples);
    if (place < -1 || place > pixels) continue;
    const inside = Math.min(Math.max(place, 0), pixels - 1);
    const first = Math.floor(inside);
    const share = inside - first;
    put(first, (1 - share) / samples);
    if (share > 0) put(first + 1, share / samples);
  }
  return weights;
}
