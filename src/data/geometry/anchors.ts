/**
 * Anchors of a region proposal network (Ren et al. 2015, Faster R-CNN) as mmdetection 3 lays them: boxes of one area and several shapes around the upper left corner of each
 * cell of a map, not around its centre. Which stride a level is laid at is the caller's choice: it need not be that of its map, and in the published Meta-SpikeFormer detector
 * is not.
 */
import type { Size } from '../resize.js';

export interface AnchorSettings {
  /** Side of a square anchor, in strides. */
  readonly scale: number;
  /** Height / width. */
  readonly ratios: readonly number[];
}

/** Those of mmdetection's Mask R-CNN. */
export const publishedAnchors: AnchorSettings = { scale: 8, ratios: [0.5, 1, 2] };

/**
 * Around (0, 0): `w = stride · scale / √ratio`, `h = stride · scale · √ratio`, rounded to float32 where PyTorch rounds.
 *
 * @returns `[ratios, 4]`: left, top, right and bottom in pixels.
 */
export function baseAnchors(stride: number, { scale, ratios }: AnchorSettings = publishedAnchors): Float32Array {
  const anchors = new Float32Array(4 * ratios.length);
  for (const [i, ratio] of ratios.entries()) {
    const root = Math.fround(Math.sqrt(ratio));
    const width = Math.fround(Math.fround(stride * Math.fround(1 / root)) * scale);
    const height = Math.fround(Math.fround(stride * root) * scale);
    anchors.set([-width / 2, -height / 2, width / 2, height / 2], 4 * i);
  }
  return anchors;
}

/**
 * One level's anchors, by row, column and ratio.
 *
 * @param map Cells of the level's map.
 * @param stride Pixels from a cell to the next; the anchors of cell (x, y) are around (x · stride, y · stride).
 * @returns `[height · width · ratios, 4]`: left, top, right and bottom in pixels, also outside the image.
 */
export function anchorsOf({ width, height }: Size, stride: number, settings = publishedAnchors): Float32Array {
  const base = baseAnchors(stride, settings);
  const anchors = new Float32Array(width * height * base.length);
  let at = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let i = 0; i < base.length; i += 4) {
        anchors[at++] = base[i]! + x * stride;
        anchors[at++] = base[i + 1]! + y * stride;
        anchors[at++] = base[i + 2]! + x * stride;
        anchors[at++] = base[i + 3]! + y * stride;
      }
    }
  }
  return anchors;
}
