/**
 * What a mask head says of a region, put back into the image: the small mask is stretched over the region's box, bilinear between its pixels' centres and falling to 0
 * beyond its border, as mmdetection's `_do_paste_mask` (PyTorch's `grid_sample`, `align_corners=False`, zeros outside).
 */
import { DataError } from '../errors.js';
import { checkMaskSize, type RunLengthMask } from '../masks/runLength.js';
import type { Size } from '../resize.js';
import type { Box } from './boxes.js';

/** What a mask head says of one region. */
export interface RegionMask extends Size {
  /** float32 `[height, width]`: probabilities. */
  readonly probabilities: Float32Array;
  /** Where the region is, in pixels of the image; it may reach beyond it. */
  readonly box: Box;
}

/**
 * @returns float32 `[height, width]` of the image: probabilities, 0 away from the box. All 0 when the box has no area.
 * @throws DataError when the mask has another size than it says, or the image is larger than masks may be.
 */
export function pasteMask(mask: RegionMask, image: Size): Float32Array {
  const { columns, rows } = placesIn(mask, image);
  const pasted = new Float32Array(image.width * image.height);
  for (const row of rows)
    for (const column of columns) pasted[row.pixel * image.width + column.pixel] = between(mask, row, column);
  return pasted;
}

/** The pixels that are of the object, as runs: those of a probability of at least `threshold`, which is above 0. Throws as {@link pasteMask}. */
export function pastedRuns(mask: RegionMask, image: Size, threshold = 0.5): RunLengthMask {
  const { columns, rows } = placesIn(mask, image);
  // Only the box is looked at: an image has a hundred of them, and most are small.
  const runs: number[] = [];
  let end = 0;
  for (const column of columns) {
    for (const row of rows) {
      if (!(Math.fround(between(mask, row, column)) >= threshold)) continue;
      const place = column.pixel * image.height + row.pixel;
      if (place === end && runs.length > 0) runs[runs.length - 1]!++;
      else runs.push(place - end, 1);
      end = place + 1;
    }
  }
  const rest = image.width * image.height - end;
  if (rest > 0 || runs.length === 0) runs.push(rest);
  return { width: image.width, height: image.height, runs: Uint32Array.from(runs) };
}

/** Where the mask is in the image; nowhere when the box has no area. */
function placesIn({ width, height, probabilities, box }: RegionMask, image: Size) {
  checkMaskSize(image);
  if (probabilities.length !== width * height)
    throw new DataError(`a region's mask has ${probabilities.length} numbers; expected ${width} x ${height}`);
  const { left, top, right, bottom } = box;
  if (!(right > left && bottom > top)) return { columns: [], rows: [] };
  return { columns: placesOf(left, right, width, image.width), rows: placesOf(top, bottom, height, image.height) };
}

/** A pixel of the image along one axis, and where its centre is in the mask: between `first` and the next, `share` of the way. */
interface Place {
  readonly pixel: number;
  readonly first: number;
  readonly share: number;
}

function placesOf(start: number, end: number, cells: number, pixels: number): Place[] {
  const cell = (end - start) / cells;
  // A cell's centre reaches as far as the centres beside it, also beyond the border.
  const from = Math.max(0, Math.floor(start - cell));
  const until = Math.min(pixels, Math.ceil(end + cell));
  const places: Place[] = [];
  for (let pixel = from; pixel < until; pixel++) {
    const position = ((pixel + 0.5 - start) / (end - start)) * cells - 0.5;
    const first = Math.floor(position);
    if (first >= -1 && first < cells) places.push({ pixel, first, share: position - first });
  }
  return places;
}

function between({ width, height, probabilities }: RegionMask, row: Place, column: Place): number {
  const at = (y: number, x: number) =>
    y >= 0 && y < height && x >= 0 && x < width ? probabilities[y * width + x]! : 0;
  const line = (y: number) => at(y, column.first) * (1 - column.share) + at(y, column.first + 1) * column.share;
  return line(row.first) * (1 - row.share) + line(row.first + 1) * row.share;
}
