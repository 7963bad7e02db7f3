/**
 * Masks as targets, a class for every pixel: what segmentation learns. They are files of numbers beside the images and move with the picture;
 * what is read of them is in `maskFiles.ts`. Nothing is read here, so that it runs in a page too.
 */
import type { EncodedStore, FileStore } from '../datasets/stores.js';
import { DataError } from '../errors.js';
import { type ClassMask, transformMask } from '../geometry/mask.js';
import type { TargetKind } from './targetKind.js';

/** The number of a pixel that has no class: of what a data set leaves out, and of what was not in the picture. */
export const ignoredClass = 255;

export interface MaskTargets {
  readonly kind: 'masks';
  /** Class names, at most 255; a pixel's number is an index into them, or {@link ignoredClass}. */
  readonly classes: readonly string[];
  /** PNG files of grey values or palette indices. Mask p belongs to the image at position p. */
  readonly files: FileStore | EncodedStore;
  /** Of each value that a file may store, the class number or {@link ignoredClass}: uint8 [256]. */
  readonly numbers: Uint8Array;
}

export interface MaskBatch {
  /** Class numbers or {@link ignoredClass}, rows from the top: int32 [B, H, W]. */
  readonly labels: Int32Array;
}

/** All of the kind that reads nothing. */
export const maskTargets: Omit<TargetKind<MaskTargets, ClassMask, MaskBatch>, 'read' | 'identity'> = {
  name: 'masks',
  count: ({ files }) => (files.kind === 'encoded' ? files.ends.length : files.paths.length),
  check: ({ classes, numbers }, source) => {
    if (classes.length < 1 || classes.length > ignoredClass)
      throw new DataError(`${source}: its masks have ${classes.length} classes; 1 to ${ignoredClass} were expected`);
    const wrong = numbers.findIndex((number) => number >= classes.length && number !== ignoredClass);
    if (numbers.length !== 256 || wrong >= 0) {
      throw new DataError(
        `${source}: masks need a class number for each of 256 values, 0 to ${classes.length - 1} or ${ignoredClass}; found ${numbers.length}${wrong < 0 ? '' : `, of which number ${wrong} is ${numbers[wrong]}`}`,
      );
    }
  },
  transform: (mask, geometry) => (geometry === undefined ? mask : transformMask(mask, geometry, ignoredClass)),
  largestShare: ({ data }) => {
    const counts = new Uint32Array(ignoredClass + 1);
    for (const number of data) counts[number]!++;
    counts[ignoredClass] = 0;
    const there = counts.filter((count) => count > 0);
    return there.length < 2 ? 1 : Math.max(...there) / there.reduce((sum, count) => sum + count, 0);
  },
  collate: (_, masks) => {
    const [{ width, height } = { width: 0, height: 0 }] = masks;
    const labels = new Int32Array(masks.length * height * width);
    for (const [i, mask] of masks.entries()) {
      if (mask.width !== width || mask.height !== height)
        throw new DataError(
          `a batch has masks of ${width} x ${height} and of ${mask.width} x ${mask.height} pixels; one size was expected`,
        );
      labels.set(mask.data, i * height * width);
    }
    return { labels };
  },
};
