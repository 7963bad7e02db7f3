/**
 * k-reciprocal neighbours (Zhong, Zheng, Cao and Li, "Re-ranking Person Re-identification with k-reciprocal Encoding", CVPR 2017): two descriptors that
 * are each among the nearest k of the other are more surely alike than one that only finds the other. Beneath re-ranking, and beneath the loss that aligns
 * descriptors with those refined by their neighbours.
 */
import { UsageError } from '../errors.js';

/** `[count, dimensions]` descriptors, row after row. */
export interface DescriptorRows {
  readonly values: ArrayLike<number>;
  readonly count: number;
  readonly dimensions: number;
}

export interface Neighbours {
  /** How many are known of each row; itself is one of them. */
  readonly known: number;
  /** `[count, known]`, nearest first; of equal distances the smaller number first. */
  readonly indices: Int32Array;
  /** `[count]`: from each row to the one farthest from it. */
  readonly farthest: Float64Array;
}

/** Squared Euclidean distance of two rows, which is 0 of equal rows without rounding; of rows of length 1 it is 2 − 2 cos. */
export function squaredDistance({ values, dimensions }: DescriptorRows, one: number, other: number): number {
  const [from, to] = [one * dimensions, other * dimensions];
  let sum = 0;
  for (let d = 0; d < dimensions; d++) {
    const difference = values[from + d]! - values[to + d]!;
    sum += difference * difference;
  }
  return sum;
}

/**
 * The nearest rows of each row, itself included: O(count² · dimensions) time, O(count · known) memory.
 *
 * @throws UsageError when a number is not finite.
 */
export function nearestNeighbours(rows: DescriptorRows, known: number): Neighbours {
  const { count } = rows;
  const kept = Math.min(known, count);
  const indices = new Int32Array(count * kept);
  const farthest = new Float64Array(count);
  const distances = new Float64Array(count);
  const order = new Int32Array(count);
  for (let row = 0; row < count; row++) {
    for (let other = 0; other < count; other++) {
      const distance = squaredDistance(rows, row, other);
      if (!Number.isFinite(distance))
        throw new UsageError(`retrieval: descriptor ${row} or ${other} holds what is no finite number`);
      distances[other] = distance;
      farthest[row] = Math.max(farthest[row]!, distance);
      order[other] = other;
    }
    order.sort((a, b) => distances[a]! - distances[b]! || a - b);
    indices.set(order.subarray(0, kept), row * kept);
  }
  return { known: kept, indices, farthest };
}

/**
 * The k-reciprocal neighbours of a row, extended as in the paper's equation 4: by the `half`-reciprocal neighbours of each of them, where more than two thirds
 * of those are neighbours already.
 *
 * @param k How many neighbours are looked at on both sides, itself not counted.
 * @returns their numbers, ascending.
 */
export function extendedReciprocals(neighbours: Neighbours, row: number, k: number, half: number): readonly number[] {
  const own = reciprocals(neighbours, row, k);
  const known = new Set(own);
  const extended = new Set(own);
  for (const candidate of own) {
    const further = reciprocals(neighbours, candidate, half);
    const shared = further.filter((index) => known.has(index)).length;
    if (3 * shared > 2 * further.length) for (const index of further) extended.add(index);
  }
  return [...extended].sort((a, b) => a - b);
}

function reciprocals(neighbours: Neighbours, row: number, k: number): readonly number[] {
  return nearest(neighbours, row, k + 1).filter((other) => nearest(neighbours, other, k + 1).includes(row));
}

/** The first `count` neighbours of a row. */
export function nearest({ indices, known }: Neighbours, row: number, count: number): readonly number[] {
  return Array.from(indices.subarray(row * known, row * known + Math.min(count, known)));
}
