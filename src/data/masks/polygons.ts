/**
 * Polygons as masks, with pycocotools' pixels: borders are followed in fifths of a pixel, corners rounded to them, and in the middle of each column the object
 * begins and ends where a border passes (even and odd: what is enclosed twice is outside). Published masks and results were made so; other fillings differ at borders.
 */
import { DataError } from '../errors.js';
import type { Size } from '../resize.js';
import { checkMaskSize, type RunLengthMask, unionOfMasks } from './runLength.js';

/** Corners as COCO lists them: x, y, x, y… in pixels from the upper left corner. */
export type Polygon = readonly number[];

/** Steps to a pixel. */
const steps = 5;
/** The step in the middle of a pixel. */
const middle = 2;

/**
 * What is in at least one of the polygons.
 *
 * @throws DataError when there are none, one has fewer than three corners or one that is no place, or the borders are longer than any in such a picture.
 */
export function maskFromPolygons(polygons: readonly Polygon[], size: Size): RunLengthMask {
  checkMaskSize(size);
  if (polygons.length === 0) throw new DataError('a mask of no polygons; expected at least one');
  return unionOfMasks(polygons.map((polygon) => maskOf(polygon, size)));
}

/**
 * Whether a polygon can be made a mask of this size, without making it.
 *
 * @throws DataError as {@link maskFromPolygons}.
 */
export function checkPolygon(polygon: Polygon, size: Size): void {
  checkLength(cornersOf(polygon), size);
}

function maskOf(polygon: Polygon, { width, height }: Size): RunLengthMask {
  const corners = cornersOf(polygon);
  checkLength(corners, { width, height });
  const passes: number[] = [];
  for (const [i, corner] of corners.entries())
    followBorder(corner, corners[(i + 1) % corners.length]!, ({ x, y }) => {
      const column = (x - middle) / steps;
      if (!Number.isInteger(column) || column < 0 || column >= width) return;
      const row = Math.ceil((y - middle) / steps);
      passes.push(column * height + Math.min(Math.max(row, 0), height));
    });
  return { width, height, runs: runsBetween(passes, width * height) };
}

/** In steps, rounded as a conversion to `int` does: towards 0. */
interface Corner {
  readonly x: number;
  readonly y: number;
}

function cornersOf(polygon: Polygon): Corner[] {
  if (polygon.length < 6 || polygon.length % 2 !== 0)
    throw new DataError(`a polygon of ${polygon.length} numbers; expected x and y of at least three corners`);
  return Array.from({ length: polygon.length / 2 }, (_, i) => ({
    x: toStep(polygon[2 * i]!),
    y: toStep(polygon[2 * i + 1]!),
  }));
}

function toStep(position: number): number {
  const step = Math.trunc(steps * position + 0.5);
  if (!Number.isSafeInteger(step)) throw new DataError(`a polygon has a corner at ${position}; expected a place`);
  return step;
}

/** No border is longer that separates pixels of the picture, and more than enough outside; each step costs time. */
function checkLength(corners: readonly Corner[], { width, height }: Size): void {
  const most = 2 * steps * width * height + 1000 * (width + height);
  let length = 0;
  for (const [i, { x, y }] of corners.entries()) {
    const next = corners[(i + 1) % corners.length]!;
    length += Math.max(Math.abs(next.x - x), Math.abs(next.y - y)) + 1;
  }
  if (length > most) {
    throw new DataError(
      `a polygon has borders of ${Math.round(length / steps)} pixels; expected at most ${Math.floor(most / steps)} in ${width} x ${height} pixels`,
    );
  }
}

/** Calls for each step of a border that goes to another column, with the place on its left. */
function followBorder(from: Corner, to: Corner, pass: (place: Corner) => void): void {
  const [across, down] = [Math.abs(to.x - from.x), Math.abs(to.y - from.y)];
  const isFlat = across >= down;
  // Drawn from the smaller to the larger place along its longer side, whichever way it runs, so that it has the same pixels in both.
  const isTurned = isFlat ? from.x > to.x : from.y > to.y;
  const [start, end] = isTurned ? [to, from] : [from, to];
  const count = isFlat ? across : down;
  const slope = count === 0 ? 0 : (isFlat ? end.y - start.y : end.x - start.x) / count;
  let previous: Corner | undefined;
  for (let i = 0; i <= count; i++) {
    const step = isTurned ? count - i : i;
    const place = isFlat
      ? { x: start.x + step, y: Math.trunc(start.y + slope * step + 0.5) }
      : { x: Math.trunc(start.x + slope * step + 0.5), y: start.y + step };
    if (previous !== undefined && place.x !== previous.x)
      pass({ x: place.x < previous.x ? place.x : place.x - 1, y: Math.min(place.y, previous.y) });
    previous = place;
  }
}

/** Where two borders pass at one place, nothing changes. */
function runsBetween(passes: number[], pixels: number): Uint32Array {
  const sorted = Float64Array.from(passes).sort();
  const runs: number[] = [];
  let start = 0;
  for (let i = 0; i < sorted.length && sorted[i]! < pixels; ) {
    const place = sorted[i]!;
    let borders = 0;
    for (; sorted[i] === place; i++) borders++;
    if (borders % 2 === 0) continue;
    runs.push(place - start);
    start = place;
  }
  runs.push(pixels - start);
  return Uint32Array.from(runs);
}
