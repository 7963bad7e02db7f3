/**
 * Losses that pull views of one place together without negatives: the plain cosine between pairs, and the alignment with descriptors that their k-reciprocal neighbours in
 * the batch have refined, both as SpikeViMFormer's public code defines them.
 */
import { extendedReciprocals, nearest, nearestNeighbours } from '../../metrics/kReciprocal.js';
import { requireRange } from '../optimizers/optimizer.js';
import {
  type PairedDescriptors,
  type PairsShape,
  requirePairs,
  throughUnitRows,
  type UnitRows,
  unitRows,
} from './pairs.js';

/**
 * L = weight · (1 − mean over b of cos(qᵦ, gᵦ)). Overwrites the gradients with those of the descriptors as they came.
 *
 * @throws TrainingError when lengths do not fit.
 */
export function cosineAlignment(pairs: PairedDescriptors, shape: PairsShape, weight = 1): number {
  requirePairs('alignment', shape, pairs);
  const [query, gallery] = [unitRows(pairs.query, shape), unitRows(pairs.gallery, shape)];
  const share = weight / shape.batch;
  throughUnitRows(
    query,
    gallery.values.map((value) => -share * value),
    pairs.queryGradient,
  );
  throughUnitRows(
    gallery,
    query.values.map((value) => -share * value),
    pairs.galleryGradient,
  );
  let sum = 0;
  for (let i = 0; i < query.values.length; i++) sum += query.values[i]! * gallery.values[i]!;
  return weight - share * sum;
}

export interface RefinementOptions {
  /** k: how many neighbours are looked at, cut to those there are. Default 15. */
  readonly neighbours?: number;
  /** Over how many neighbours, itself included, neighbourhoods are averaged. Default 6. */
  readonly averagedOver?: number;
  /** α: the share of a descriptor that stays. Default 0.7. */
  readonly ownShare?: number;
}

/**
 * Descriptors refined by their neighbours among both views: f′ = normalise(α f + (1 − α) Σ A f), A the mean over the nearest descriptors of their affinities e^(−(2 − 2 cos)),
 * which go over k-reciprocal neighbours and sum to 1.
 *
 * @returns both views' rows of length 1, `[B, D]` each.
 * @throws TrainingError when lengths or options do not fit; UsageError when a descriptor is not finite.
 */
export function refinedByNeighbours(
  { query, gallery }: { readonly query: UnitRows; readonly gallery: UnitRows },
  options: RefinementOptions = {},
): { readonly query: Float64Array; readonly gallery: Float64Array } {
  const { neighbours = 15, averagedOver = 6, ownShare = 0.7 } = options;
  requireRange('alignment neighbours', neighbours, 1, 1000);
  requireRange('alignment averagedOver', averagedOver, 1, 1000);
  requireRange('alignment ownShare', ownShare, 0, 1);
  const { batch, dimensions } = query;
  const count = 2 * batch;
  const values = new Float64Array(count * dimensions);
  values.set(query.values);
  values.set(gallery.values, query.values.length);
  const k = Math.min(neighbours, count - 1);
  const near = nearestNeighbours({ values, count, dimensions }, Math.max(k + 1, averagedOver));
  // What each row's neighbourhood is on average, and then the average of those.
  const local = meansOf(values, dimensions, count, (row) =>
    affinities(values, dimensions, row, extendedReciprocals(near, row, k, Math.floor(k / 2))),
  );
  const smoothed = meansOf(local, dimensions, count, (row) => {
    const members = nearest(near, row, averagedOver);
    return members.map((member) => ({ member, weight: 1 / members.length }));
  });
  const refined = Float32Array.from(values, (value, i) => ownShare * value + (1 - ownShare) * smoothed[i]!);
  const rows = unitRows(refined, { batch: count, dimensions }).values;
  return { query: rows.slice(0, batch * dimensions), gallery: rows.slice(batch * dimensions) };
}

interface Weighted {
  readonly member: number;
  readonly weight: number;
}

/** Each row becomes a weighted sum of rows. */
function meansOf(
  rows: Float64Array,
  dimensions: number,
  count: number,
  weightsOf: (row: number) => readonly Weighted[],
) {
  const output = new Float64Array(rows.length);
  for (let row = 0; row < count; row++)
    for (const { member, weight } of weightsOf(row))
      for (let d = 0; d < dimensions; d++) output[row * dimensions + d]! += weight * rows[member * dimensions + d]!;
  return output;
}

function affinities(
  values: Float64Array,
  dimensions: number,
  row: number,
  members: readonly number[],
): readonly Weighted[] {
  const weights = members.map((member) => {
    let cosine = 0;
    for (let d = 0; d < dimensions; d++) cosine += values[row * dimensions + d]! * values[member * dimensions + d]!;
    return Math.exp(-Math.max(0, 2 - 2 * cosine));
  });
  const sum = weights.reduce((a, b) => a + b, 0);
  return members.map((member, i) => ({ member, weight: weights[i]! / sum }));
}

/**
 * L = weight · mean over both views of (1 − mean cosine of descriptors and refined ones + mean over b of KL(softmax(refined) ‖ softmax(descriptor))). In the divergence refined
 * descriptors have length 1 and the others the length with which they came, as in the authors' code. No gradient flows through what is refined. Overwrites the gradients.
 *
 * @throws TrainingError when lengths or options do not fit; UsageError when a descriptor is not finite.
 */
export function neighbourAlignment(
  pairs: PairedDescriptors,
  shape: PairsShape,
  { weight = 1, ...options }: RefinementOptions & { readonly weight?: number } = {},
): number {
  requirePairs('alignment', shape, pairs);
  const unit = { query: unitRows(pairs.query, shape), gallery: unitRows(pairs.gallery, shape) };
  const refined = refinedByNeighbours(unit, options);
  const share = weight / (2 * shape.batch);
  return (
    viewLoss(pairs.query, unit.query, refined.query, share, pairs.queryGradient) +
    viewLoss(pairs.gallery, unit.gallery, refined.gallery, share, pairs.galleryGradient)
  );
}

function viewLoss(
  rows: Float32Array,
  unit: UnitRows,
  refined: Float64Array,
  share: number,
  output: Float32Array,
): number {
  const { batch, dimensions, values } = unit;
  throughUnitRows(
    unit,
    refined.map((value) => -share * value),
    output,
  );
  let loss = 0;
  for (let b = 0; b < batch; b++) {
    const [from, to] = [b * dimensions, (b + 1) * dimensions];
    const own = logSoftmax(Float64Array.from(rows.subarray(from, to)));
    const aim = logSoftmax(refined.subarray(from, to));
    loss += share;
    for (let d = 0; d < dimensions; d++) {
      const probability = Math.exp(aim[d]!);
      const i = from + d;
      loss += share * (probability * (aim[d]! - own[d]!) - values[i]! * refined[i]!);
      output[i]! += share * (Math.exp(own[d]!) - probability);
    }
  }
  return loss;
}

function logSoftmax(row: Float64Array): Float64Array {
  const largest = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const logNorm = largest + Math.log(row.reduce((sum, value) => sum + Math.exp(value - largest), 0));
  return row.map((value) => value - logNorm);
}
