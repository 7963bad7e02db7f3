/**
 * Batch-hard triplet loss (Hermans, Beyer and Leibe, "In Defense of the Triplet Loss for Person Re-Identification", 2017) across two views: the farthest view of
 * one's own place is to be nearer, by a margin, than the nearest view of another. Both ways, each view against the other only.
 */
import { requireRange } from '../optimizers/optimizer.js';
import {
  addRow,
  type PairedDescriptors,
  type PairsShape,
  products,
  requirePairs,
  requirePlaces,
  throughUnitRows,
  unitRows,
} from './pairs.js';

export interface TripletOptions {
  /** By how much. Distances of descriptors of length 1 are from 0 to 2. Default 0.3. */
  readonly margin?: number;
  /** `[B]`: the place of each pair. Default: all pairs are different places. */
  readonly places?: ArrayLike<number>;
  /** Multiplies loss and gradients. Default 1. */
  readonly weight?: number;
}

/**
 * d(i, j) = ‖q̂ᵢ − ĝⱼ‖; L = weight · ½ (mean over i of max(0, m + max of d(i, j) over i's place − min of d(i, j) over others) + the same over j). A view to which the batch has no
 * other place costs nothing. Overwrites the gradients with those of the descriptors as they came; at equal descriptors the distance's is 0. Of equal distances the first counts.
 *
 * @throws TrainingError when lengths or options do not fit.
 */
export function batchHardTriplet(pairs: PairedDescriptors, shape: PairsShape, options: TripletOptions = {}): number {
  const { margin = 0.3, places, weight = 1 } = options;
  requirePairs('triplet', shape, pairs);
  requirePlaces('triplet', shape, places);
  requireRange('triplet margin', margin, 0, 2);
  const { batch, dimensions } = shape;
  const [query, gallery] = [unitRows(pairs.query, shape), unitRows(pairs.gallery, shape)];
  const distances = products(query, gallery).map((cosine) => Math.sqrt(Math.max(0, 2 - 2 * cosine)));
  const queryGradient = new Float64Array(batch * dimensions);
  const galleryGradient = new Float64Array(batch * dimensions);
  const share = weight / (2 * batch);
  /** δd = factor: with rows of length 1, d² = 2 − 2 q̂·ĝ up to what leads along a row, which `throughUnitRows` takes out. */
  const pull = (row: number, column: number, factor: number) => {
    const distance = distances[row * batch + column]!;
    if (distance === 0) return;
    addRow(queryGradient, row, -factor / distance, gallery, column);
    addRow(galleryGradient, column, -factor / distance, query, row);
  };
  const isOne = (row: number, column: number) => (places ? places[row] === places[column] : row === column);
  let loss = 0;
  for (let anchor = 0; anchor < batch; anchor++)
    for (const isRow of [true, false]) {
      const at = (other: number) => (isRow ? ([anchor, other] as const) : ([other, anchor] as const));
      const { positive, negative, violation } = hardest(batch, margin, (other) => {
        const [row, column] = at(other);
        return { distance: distances[row * batch + column]!, isOne: isOne(row, column) };
      });
      if (!(violation > 0)) continue;
      loss += share * violation;
      pull(...at(positive), share);
      pull(...at(negative), -share);
    }
  throughUnitRows(query, queryGradient, pairs.queryGradient);
  throughUnitRows(gallery, galleryGradient, pairs.galleryGradient);
  return loss;
}

interface Compared {
  readonly distance: number;
  readonly isOne: boolean;
}

function hardest(batch: number, margin: number, comparedTo: (other: number) => Compared) {
  let [positive, farthest] = [0, Number.NEGATIVE_INFINITY];
  let [negative, nearest] = [0, Number.POSITIVE_INFINITY];
  for (let other = 0; other < batch; other++) {
    const { distance, isOne } = comparedTo(other);
    // What is no number must not disappear: it stays the farthest, and the loss is none.
    if (isOne && !(distance <= farthest) && !Number.isNaN(farthest)) [positive, farthest] = [other, distance];
    if (!isOne && distance < nearest) [negative, nearest] = [other, distance];
  }
  return { positive, negative, violation: margin + farthest - nearest };
}
