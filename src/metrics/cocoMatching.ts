/**
 * Which detections of an image are right, as COCO's evaluation decides: for each threshold of overlap, the detections in order of their scores take the truth that
 * they overlap most and that none before them took; crowds and objects outside a range of areas are neither asked for nor counted against a detection that finds them.
 */
import { type CocoBox, maskArea, maskOverlap, type RunLengthMask } from '../data/masks/runLength.js';

/** 0.5, 0.55 … 0.95, to the bit as NumPy's `linspace` makes them. */
export const overlapThresholds: readonly number[] = spaced(0.5, 0.95, 10);

/** Areas in pixels, both ends included: all, small, medium, large. */
export const areaRanges = [
  [0, 1e5 ** 2],
  [0, 32 ** 2],
  [32 ** 2, 96 ** 2],
  [96 ** 2, 1e5 ** 2],
] as const;

/** Of one class in one image, no more detections are looked at: those of the highest scores. */
export const mostDetections = 100;

/** An object that is to be found. */
export interface CocoTruth {
  readonly class: number;
  /** In pixels from the upper left corner. */
  readonly box: CocoBox;
  /** Needed to compare masks. */
  readonly mask?: RunLengthMask;
  /** What the annotation says; it decides the range of areas. By default that of what is compared. COCO's is that of the polygons, for boxes too. */
  readonly area?: number;
  /** Stands for many objects: detections in it are neither right nor wrong. */
  readonly crowd?: boolean;
}

/** An answer of a detector. */
export interface CocoDetection {
  readonly class: number;
  /** The higher, the surer; of equal scores the one that is listed first comes first. */
  readonly score: number;
  /** Needed to compare boxes. */
  readonly box?: CocoBox;
  /** Needed to compare masks. */
  readonly mask?: RunLengthMask;
}

/** What of an image's detections and truths is compared. */
export type Compared = 'boxes' | 'masks';

/** Of one class in one image and one range of areas. Bit t of a number is about `overlapThresholds[t]`. */
export interface MatchedDetections {
  /** Objects that are asked for. */
  readonly truths: number;
  /** `[detections]`, in the order of the scores: where it found an object. */
  readonly found: readonly number[];
  /** `[detections]`: where it does not count, right or not. */
  readonly ignored: readonly number[];
}

/** Detections of one class in one image: scores from the highest, and the outcome in each of `areaRanges`. Plain data. */
export interface ClassMatches {
  readonly scores: readonly number[];
  readonly ranges: readonly MatchedDetections[];
}

/** @param truths and detections, all of one class in one image. */
export function matchDetections(
  truths: readonly CocoTruth[],
  detections: readonly CocoDetection[],
  compared: Compared,
): ClassMatches {
  const best = detections.toSorted((a, b) => b.score - a.score).slice(0, mostDetections);
  const overlaps = best.map((detection) => truths.map((truth) => overlapOf(detection, truth, compared)));
  const truthAreas = truths.map((truth) => truth.area ?? areaOf(truth, compared));
  const areas = best.map((detection) => areaOf(detection, compared));
  return {
    scores: best.map(({ score }) => score),
    ranges: areaRanges.map(([least, most]) => {
      const isOutside = (area: number) => area < least || area > most;
      const asked = truths.map(({ crowd = false }, i) => !crowd && !isOutside(truthAreas[i]!));
      const { found, ignored } = matchAll(overlaps, truths, asked);
      const all = 2 ** overlapThresholds.length - 1;
      return {
        truths: asked.filter((is) => is).length,
        found,
        // What finds nothing and is itself outside the range is not wrong in it.
        ignored: ignored.map((bits, i) => (isOutside(areas[i]!) ? bits | (all & ~found[i]!) : bits)),
      };
    }),
  };
}

function matchAll(overlaps: readonly (readonly number[])[], truths: readonly CocoTruth[], asked: readonly boolean[]) {
  // Objects that are asked for come first.
  const order = [true, false].flatMap((is) => truths.flatMap((_, i) => (asked[i] === is ? [i] : [])));
  // Most detections are near nothing.
  const near = overlaps.flatMap((row, i) => (row.some((overlap) => overlap >= overlapThresholds[0]!) ? [i] : []));
  const found = overlaps.map(() => 0);
  const ignored = overlaps.map(() => 0);
  for (const [bit, threshold] of overlapThresholds.entries()) {
    const taken = truths.map(() => false);
    for (const i of near) {
      const row = overlaps[i]!;
      const truth = bestTruth(row, threshold, order, asked, (at) => taken[at]! && !truths[at]!.crowd);
      if (truth === undefined) continue;
      taken[truth] = true;
      found[i]! |= 1 << bit;
      if (!asked[truth]) ignored[i]! |= 1 << bit;
    }
  }
  return { found, ignored };
}

/** The truth of the largest overlap, of equal ones the last; one that is not asked for only if no other overlaps enough. */
function bestTruth(
  overlaps: readonly number[],
  threshold: number,
  order: readonly number[],
  asked: readonly boolean[],
  isGone: (truth: number) => boolean,
): number | undefined {
  let least = Math.min(threshold, 1 - 1e-10);
  let best: number | undefined;
  for (const truth of order) {
    if (isGone(truth)) continue;
    if (best !== undefined && asked[best] && !asked[truth]) break;
    if (overlaps[truth]! < least) continue;
    least = overlaps[truth]!;
    best = truth;
  }
  return best;
}

function overlapOf(detection: CocoDetection, truth: CocoTruth, compared: Compared): number {
  return compared === 'masks'
    ? maskOverlap(detection.mask!, truth.mask!, truth.crowd)
    : boxOverlap(detection.box!, truth.box, truth.crowd);
}

/** Intersection over union; with a crowd, over the detection's area. */
function boxOverlap([x, y, width, height]: CocoBox, truth: CocoBox, isCrowd = false): number {
  const sharedWidth = Math.min(x + width, truth[0] + truth[2]) - Math.max(x, truth[0]);
  const sharedHeight = Math.min(y + height, truth[1] + truth[3]) - Math.max(y, truth[1]);
  if (sharedWidth <= 0 || sharedHeight <= 0) return 0;
  const shared = sharedWidth * sharedHeight;
  return shared / (isCrowd ? width * height : width * height + truth[2] * truth[3] - shared);
}

function areaOf({ box, mask }: Pick<CocoDetection, 'box' | 'mask'>, compared: Compared): number {
  return compared === 'masks' ? maskArea(mask!) : box![2] * box![3];
}

/** As NumPy's `linspace`: the last is not rounded. */
export function spaced(first: number, last: number, count: number): number[] {
  const step = (last - first) / (count - 1);
  return Array.from({ length: count }, (_, i) => (i === count - 1 ? last : i * step + first));
}
