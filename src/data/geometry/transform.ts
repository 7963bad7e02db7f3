/**
 * A change of where things are in an image, as a value: drawn once, then applied to the image, to a mask, to boxes and to points, which
 * thereby stay together. Plain data; this file says what there is, those beside it draw and apply it.
 *
 * Positions are continuous: pixel (x, y) covers [x, x + 1) x [y, y + 1), and its centre is at (x + 0.5, y + 0.5), as in COCO's annotations.
 */
import type { Region, Size } from '../resize.js';

export type Interpolation = 'bilinear' | 'bicubic';

/** Red, green and blue, 0 to 255. */
export type Colour = readonly [red: number, green: number, blue: number];

/** Input position (a x + b y + c, d x + e y + f) of the output position (x, y), in pixels from the upper left corner. */
export type AffineMatrix = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/** How pixels between pixels and beyond the border are made. */
export interface Sampling {
  readonly interpolation: Interpolation;
  readonly fill: Colour;
}

/** Keeps `region`, which may reach beyond the image: there it is black, of a colour, or the image's reflection without its border pixels. */
export interface Cut {
  readonly kind: 'cut';
  readonly from: Size;
  readonly region: Region;
  readonly border: 'zero' | 'reflect' | Colour;
}

/** Another number of pixels for the same picture. */
export interface Resize {
  readonly kind: 'resize';
  readonly from: Size;
  readonly to: Size;
  readonly interpolation: Interpolation;
}

/** Left becomes right. */
export interface Mirror {
  readonly kind: 'mirror';
  readonly from: Size;
}

/** Rotation, shear or translation in a frame that stays. */
export interface Affine {
  readonly kind: 'affine';
  readonly from: Size;
  readonly matrix: AffineMatrix;
  readonly sampling: Sampling;
}

/** One change. `from` is the size of what it is applied to. */
export type GeometricStep = Cut | Resize | Mirror | Affine;

/** Changes in their order; the output of each has the size that the next one begins with. */
export interface Transform {
  readonly from: Size;
  readonly steps: readonly GeometricStep[];
}

/** The size of what a step makes. */
export function sizeAfter(step: GeometricStep): Size {
  switch (step.kind) {
    case 'cut':
      return { width: step.region.width, height: step.region.height };
    case 'resize':
      return step.to;
    case 'mirror':
    case 'affine':
      return step.from;
  }
}

/** The size of what a transform makes. */
export function outputSize({ from, steps }: Transform): Size {
  const last = steps.at(-1);
  return last === undefined ? from : sizeAfter(last);
}

/** Whether left and right have changed places in the end, as for the names "left hand" and "right hand". */
export function isMirrored({ steps }: Transform): boolean {
  return steps.filter(({ kind }) => kind === 'mirror').length % 2 === 1;
}
