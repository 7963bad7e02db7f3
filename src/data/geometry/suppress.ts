/**
 * Non-maximum suppression on the host: of boxes that overlap too much, the one of the highest score stays. The rule is torchvision's `nms`: a box goes when its intersection over
 * union with one that stays is larger than the threshold; of equal scores the box that is listed first is the higher.
 */
import { DataError } from '../errors.js';

export interface SuppressOptions {
  /** `[N]`: boxes of different groups, classes or levels, do not suppress each other. */
  readonly groups?: ArrayLike<number>;
  /** No more are kept. */
  readonly most?: number;
}

/**
 * @param boxes `[N, 4]`: left, top, right and bottom.
 * @param scores `[N]`
 * @param threshold From 0 to 1.
 * @returns Numbers of the boxes that stay, highest score first.
 * @throws DataError when the lengths do not fit or a score is no number.
 */
export function suppress(
  boxes: Float32Array,
  scores: ArrayLike<number>,
  threshold: number,
  { groups, most = Number.POSITIVE_INFINITY }: SuppressOptions = {},
): Int32Array {
  const count = scores.length;
  if (boxes.length !== 4 * count || (groups !== undefined && groups.length !== count)) {
    const grouped = groups === undefined ? '' : ` and ${groups.length} groups`;
    throw new DataError(`suppression: ${boxes.length / 4} boxes, ${count} scores${grouped}; pass as many of each`);
  }
  const order = Array.from({ length: count }, (_, i) => i);
  const unusable = order.find((i) => Number.isNaN(scores[i]!));
  if (unusable !== undefined) throw new DataError(`suppression: box ${unusable} has the score NaN; pass numbers`);
  order.sort((a, b) => scores[b]! - scores[a]! || a - b);
  const kept = new Map<number, number[]>();
  const stay: number[] = [];
  for (const candidate of order) {
    if (stay.length >= most) break;
    const group = groups?.[candidate] ?? 0;
    const rivals = kept.get(group) ?? [];
    if (rivals.some((rival) => overlapOfBoxes(boxes, rival, candidate) > threshold)) continue;
    rivals.push(candidate);
    kept.set(group, rivals);
    stay.push(candidate);
  }
  return Int32Array.from(stay);
}

/** Intersection over union of boxes number a and b of `[N, 4]`, rounded to float32 as torchvision does; NaN when neither has an area. */
export function overlapOfBoxes(boxes: Float32Array, a: number, b: number): number {
  const [left, top] = [Math.max(boxes[4 * a]!, boxes[4 * b]!), Math.max(boxes[4 * a + 1]!, boxes[4 * b + 1]!)];
  const [right, bottom] = [
    Math.min(boxes[4 * a + 2]!, boxes[4 * b + 2]!),
    Math.min(boxes[4 * a + 3]!, boxes[4 * b + 3]!),
  ];
  const shared = Math.fround(Math.max(0, Math.fround(right - left)) * Math.max(0, Math.fround(bottom - top)));
  return Math.fround(shared / Math.fround(Math.fround(areaOf(boxes, a) + areaOf(boxes, b)) - shared));
}

function areaOf(boxes: Float32Array, i: number): number {
  return Math.fround(
    Math.fround(boxes[4 * i + 2]! - boxes[4 * i]!) * Math.fround(boxes[4 * i + 3]! - boxes[4 * i + 1]!),
  );
}
