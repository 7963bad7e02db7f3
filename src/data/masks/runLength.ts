/**
 * The mask of one object as COCO stores it: lengths of runs, column by column from the left and each from the top, background first. Read from lists and from COCO's
 * text form, whose digits are those of LEB128 with five bits a character; areas, boxes and overlaps are computed on the runs. Numbers are those of pycocotools; unlike
 * there, runs that do not fill the picture are refused. Polygons become runs in `polygons.ts`.
 */
import { DataError } from '../errors.js';
import type { Size } from '../resize.js';

export interface RunLengthMask extends Size {
  /** Pixels of background and of the object by turns; together width · height. The first may be 0. */
  readonly runs: Uint32Array;
}

/** A box in COCO's numbers: pixels from the upper left corner, and extents. */
export type CocoBox = readonly [x: number, y: number, width: number, height: number];

/** Larger pictures would not fit into memory beside what is done with them. */
const mostPixels = 2 ** 28;
/** The first of the 64 characters of the text form. */
const firstCharacter = 48;
/** Seven groups of five bits hold any run and any difference of runs. */
const mostGroups = 7;

/** @throws DataError unless it is a size that a picture can have, of at most 2²⁸ pixels. */
export function checkMaskSize({ width, height }: Size): void {
  const areWhole = [width, height].every((side) => Number.isInteger(side) && side >= 1);
  if (!areWhole || width * height > mostPixels)
    throw new DataError(
      `a mask of ${width} x ${height} pixels; expected whole numbers and at most ${mostPixels} pixels`,
    );
}

/**
 * Runs from a list, as in `"counts": [12, 3, 85]`.
 *
 * @throws DataError when they are not whole numbers that together make the picture.
 */
export function maskFromCounts(counts: ArrayLike<number>, { width, height }: Size): RunLengthMask {
  checkMaskSize({ width, height });
  const pixels = width * height;
  if (counts.length > pixels + 1) throw tooMany({ width, height });
  const runs = new Uint32Array(counts.length);
  let sum = 0;
  for (let i = 0; i < counts.length; i++) {
    const run = counts[i]!;
    if (!(Number.isInteger(run) && run >= 0 && run <= pixels - sum))
      throw wrongSum({ width, height }, `run ${i} is ${run} after ${sum} pixels`);
    sum += run;
    runs[i] = run;
  }
  if (sum !== pixels) throw wrongSum({ width, height }, `its runs end after ${sum}`);
  return { width, height, runs };
}

/**
 * Runs from COCO's text form, as in `"counts": "52203"`: numbers of five bits a character, lowest first; from the fourth on, each is the difference to the one before the last.
 *
 * @throws DataError when it is not such a text, or its runs do not make the picture.
 */
export function maskFromText(text: string, { width, height }: Size): RunLengthMask {
  checkMaskSize({ width, height });
  if (text.length > mostGroups * (width * height + 1)) throw tooMany({ width, height });
  const counts: number[] = [];
  for (let at = 0; at < text.length; ) {
    const { value, next } = numberAt(text, at);
    counts.push(counts.length > 2 ? value + counts[counts.length - 2]! : value);
    at = next;
  }
  return maskFromCounts(counts, { width, height });
}

function numberAt(text: string, start: number): { value: number; next: number } {
  let value = 0;
  for (let group = 0; group < mostGroups; group++) {
    const digit = text.charCodeAt(start + group) - firstCharacter;
    // NaN where the text ends.
    if (!(digit >= 0 && digit < 64))
      throw new DataError(`the runs of a mask are no text of COCO at character ${start + group}`);
    value += (digit & 31) * 32 ** group;
    if (digit < 32) {
      const isNegative = (digit & 16) !== 0;
      return { value: isNegative ? value - 32 ** (group + 1) : value, next: start + group + 1 };
    }
  }
  throw new DataError(`the runs of a mask hold a number of more than ${5 * mostGroups} bits at character ${start}`);
}

/** COCO's text form, see {@link maskFromText}. */
export function textOfMask({ runs }: RunLengthMask): string {
  let text = '';
  for (let i = 0; i < runs.length; i++) {
    let rest = i > 2 ? runs[i]! - runs[i - 2]! : runs[i]!;
    for (let isLast = false; !isLast; ) {
      const digit = ((rest % 32) + 32) % 32;
      rest = Math.floor(rest / 32);
      isLast = rest === ((digit & 16) === 0 ? 0 : -1);
      text += String.fromCharCode(firstCharacter + digit + (isLast ? 0 : 32));
    }
  }
  return text;
}

/**
 * @param pixels `[height, width]`, rows from the top; the object is where it is not 0.
 * @throws DataError when there are not as many pixels.
 */
export function maskFromPixels(pixels: ArrayLike<number>, { width, height }: Size): RunLengthMask {
  checkMaskSize({ width, height });
  if (pixels.length !== width * height)
    throw new DataError(`${pixels.length} pixels for a mask of ${width} x ${height}; pass one number for each`);
  return runsOfColumns({ width, height }, (x, y) => pixels[y * width + x] !== 0);
}

/** @param isObject Asked for each pixel, column by column from the left and each from the top. */
export function runsOfColumns({ width, height }: Size, isObject: (x: number, y: number) => boolean): RunLengthMask {
  const runs: number[] = [];
  let [inObject, length] = [false, 0];
  for (let x = 0; x < width; x++) {
    for (let y = 0; y < height; y++) {
      if (isObject(x, y) !== inObject) {
        inObject = !inObject;
        runs.push(length);
        length = 0;
      }
      length++;
    }
  }
  runs.push(length);
  return { width, height, runs: Uint32Array.from(runs) };
}

/** `[height, width]`, rows from the top: 1 where the object is, else 0. */
export function pixelsOfMask({ width, height, runs }: RunLengthMask): Uint8Array {
  checkMaskSize({ width, height });
  const pixels = new Uint8Array(width * height);
  let start = runs[0] ?? 0;
  for (let i = 1; i < runs.length; i += 2) {
    const end = start + runs[i]!;
    for (let position = start; position < end; position++)
      pixels[(position % height) * width + Math.floor(position / height)] = 1;
    start = end + (runs[i + 1] ?? 0);
  }
  return pixels;
}

/** Pixels of the object. */
export function maskArea({ runs }: RunLengthMask): number {
  let area = 0;
  for (let i = 1; i < runs.length; i += 2) area += runs[i]!;
  return area;
}

/** The smallest box around the object; all zeros when there is none. */
export function maskBox({ height, runs }: RunLengthMask): CocoBox {
  let [left, top, right, bottom] = [Number.POSITIVE_INFINITY, height, 0, 0];
  let end = 0;
  for (let i = 0; i < runs.length; i++) {
    const start = end;
    end += runs[i]!;
    if (i % 2 === 0 || start === end) continue;
    const [firstColumn, lastColumn] = [Math.floor(start / height), Math.floor((end - 1) / height)];
    left = Math.min(left, firstColumn);
    right = Math.max(right, lastColumn + 1);
    const isWithinColumn = firstColumn === lastColumn;
    top = Math.min(top, isWithinColumn ? start % height : 0);
    bottom = Math.max(bottom, isWithinColumn ? ((end - 1) % height) + 1 : height);
  }
  return right === 0 ? [0, 0, 0, 0] : [left, top, right - left, bottom - top];
}

/**
 * Intersection over union; with a crowd, which a detection need not cover, intersection over the detection's area. 0 when nothing overlaps.
 *
 * @throws DataError when the masks are of different sizes.
 */
export function maskOverlap(detected: RunLengthMask, truth: RunLengthMask, isCrowd = false): number {
  const shared = intersectionArea(detected, truth);
  if (shared === 0) return 0;
  return shared / (isCrowd ? maskArea(detected) : maskArea(detected) + maskArea(truth) - shared);
}

function intersectionArea(a: RunLengthMask, b: RunLengthMask): number {
  let area = 0;
  walkTogether(a, b, (length, inA, inB) => {
    if (inA && inB) area += length;
  });
  return area;
}

/**
 * What is in at least one of the masks.
 *
 * @throws DataError when there are none, or they are of different sizes.
 */
export function unionOfMasks(masks: readonly RunLengthMask[]): RunLengthMask {
  const [first, ...others] = masks;
  if (first === undefined) throw new DataError('a union of no masks; pass at least one');
  return others.reduce(union, first);
}

function union(a: RunLengthMask, b: RunLengthMask): RunLengthMask {
  const runs: number[] = [0];
  walkTogether(a, b, (length, inA, inB) => {
    if ((inA || inB) !== (runs.length % 2 === 0)) runs.push(0);
    runs[runs.length - 1]! += length;
  });
  return { width: a.width, height: a.height, runs: Uint32Array.from(runs) };
}

/** Calls for each stretch in which neither mask changes, in order. */
function walkTogether(
  a: RunLengthMask,
  b: RunLengthMask,
  visit: (length: number, inA: boolean, inB: boolean) => void,
): void {
  if (a.width !== b.width || a.height !== b.height) {
    throw new DataError(
      `masks of ${a.width} x ${a.height} and ${b.width} x ${b.height} pixels cannot be compared; give both the size of the image`,
    );
  }
  let [i, j, at] = [0, 0, 0];
  let [endA, endB] = [a.runs[0]!, b.runs[0]!];
  for (;;) {
    const end = Math.min(endA, endB);
    if (end > at) visit(end - at, i % 2 === 1, j % 2 === 1);
    at = end;
    if (endA === at) {
      if (++i >= a.runs.length) return;
      endA += a.runs[i]!;
    } else {
      if (++j >= b.runs.length) return;
      endB += b.runs[j]!;
    }
  }
}

function tooMany({ width, height }: Size): DataError {
  return new DataError(`a mask of ${width} x ${height} pixels has more runs than pixels`);
}

function wrongSum({ width, height }: Size, found: string): DataError {
  return new DataError(`a mask of ${width} x ${height} pixels: ${found}; expected runs of together ${width * height}`);
}
