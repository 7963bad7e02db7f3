/**
 * Pictures of a recording as frames: grey, resized, the centre cut out, and the two channels of HARDVS taken by thresholds, in the order of the
 * published loader of Spike-driven Transformer V3.
 */
import type { RgbImage } from '../../data/image.js';
import { centreCropRegion, intersect, resizeBicubic, shorterSideSize } from '../../data/resize.js';
import type { Frame } from '../events/representations.js';
import { greyOf, writeHardvs } from './hardvs.js';
import { channels, type PicturePreprocessing } from './settings.js';

/** A byte that is in neither channel. */
const empty = 255;

/** Which of `count` pictures is the first of those that are seen: `share` of all places where it can be, 0 ≤ share < 1. */
export function startAt(share: number, count: number, timeSteps: number): number {
  return Math.floor(share * (Math.max(count - timeSteps, 0) + 1));
}

/** The first picture without chance: as many are left out before as after, one fewer before where their number is odd. */
export function middleStart(count: number, timeSteps: number): number {
  return Math.max(Math.floor((count - timeSteps) / 2), 0);
}

/**
 * Writes picture t of those from `start` on as a frame `[2, height, width]` at `offset + t · frameStride`. Time steps without a picture become zeros.
 *
 * @param mirrored Whether left and right change places, in all frames alike.
 */
export function writePictures(
  pictures: readonly RgbImage[],
  start: number,
  mirrored: boolean,
  preprocessing: PicturePreprocessing,
  target: Float32Array,
  offset: number,
  frameStride: number,
): void {
  const { timeSteps, size } = preprocessing;
  for (let step = 0; step < timeSteps; step++) {
    const frame = { target, offset: offset + step * frameStride };
    const picture = pictures[start + step];
    if (picture === undefined) target.fill(0, frame.offset, frame.offset + channels * size[0] * size[1]);
    else writePicture(picture, mirrored, preprocessing, frame);
  }
}

function writePicture(
  picture: RgbImage,
  mirrored: boolean,
  { resize, size: [height, width] }: PicturePreprocessing,
  frame: Frame,
): void {
  const grey = { width: picture.width, height: picture.height, channels: 1, data: greyOf(picture) } as const;
  const resized = resize === null ? grey : shorterSideSize(grey, resize);
  const region = centreCropRegion(resized, { width, height });
  const inside = intersect(resized, region);
  const part = resizeBicubic(grey, { width: resized.width, height: resized.height }, inside);
  const bytes = new Uint8Array(width * height).fill(empty);
  for (let y = 0; y < inside.height; y++) {
    const row = part.data.subarray(y * inside.width, (y + 1) * inside.width);
    bytes.set(row, (y + inside.top - region.top) * width + inside.left - region.left);
  }
  if (mirrored) for (let y = 0; y < height; y++) bytes.subarray(y * width, (y + 1) * width).reverse();
  writeHardvs(bytes, frame);
}
