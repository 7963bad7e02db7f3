/**
 * Re-ranking of a gallery by k-reciprocal neighbours (Zhong, Zheng, Cao and Li, CVPR 2017): images are compared by which images are near to both, in
 * Jaccard's distance of their neighbourhoods, mixed with the distance of their descriptors. Figures that use it say so: it looks at all queries at once, which a
 * search for one image cannot.
 */
import { UsageError } from '../errors.js';
import {
  type DescriptorRows,
  extendedReciprocals,
  nearest,
  nearestNeighbours,
  squaredDistance,
} from './kReciprocal.js';

export interface RerankingOptions {
  /** k₁: how many neighbours are looked at. Default 20. */
  readonly neighbours?: number;
  /** k₂: over how many neighbours, itself included, a neighbourhood is averaged. Default 6. */
  readonly averagedOver?: number;
  /** λ: the share of the descriptors' own distance. Default 0.3. */
  readonly ownShare?: number;
}

/** Every image is compared with every other: at this many that is minutes. */
export const mostReranked = 20_000;

/** A neighbourhood: weights by image. */
type Neighbourhood = ReadonlyMap<number, number>;

/**
 * @param queries `[Q, D]`
 * @param gallery `[N, D]`
 * @returns scores `[Q, N]`, larger is better: −((1 − λ) · Jaccard + λ · d), d the squared distance as a share of the query's largest.
 * @throws UsageError when lengths or options do not fit, or there are more than 20,000 images together.
 */
export function rerankedScores(
  queries: Float32Array,
  gallery: Float32Array,
  dimensions: number,
  options: RerankingOptions = {},
): Float64Array {
  const { neighbours: k = 20, averagedOver = 6, ownShare = 0.3 } = options;
  requireOptions(k, averagedOver, ownShare);
  const [asked, searched] = [queries.length / dimensions, gallery.length / dimensions];
  if (!Number.isInteger(asked) || !Number.isInteger(searched))
    throw new UsageError(
      `re-ranking: ${queries.length} and ${gallery.length} numbers are no rows of ${dimensions}; pass [Q, D] and [N, D]`,
    );
  const count = asked + searched;
  if (count > mostReranked)
    throw new UsageError(
      `re-ranking: ${count} images, at most ${mostReranked} are compared each with each; re-rank fewer`,
    );
  const values = new Float32Array(count * dimensions);
  values.set(queries);
  values.set(gallery, queries.length);
  const rows: DescriptorRows = { values, count, dimensions };
  const neighbours = nearestNeighbours(rows, Math.max(k + 1, averagedOver));
  const half = roundHalfToEven(k / 2);
  // Of equal descriptors all distances are 0, and so are their shares.
  const distance = (row: number, other: number) =>
    neighbours.farthest[row] === 0 ? 0 : squaredDistance(rows, row, other) / neighbours.farthest[row]!;
  const own = Array.from({ length: count }, (_, row) =>
    weighted(extendedReciprocals(neighbours, row, k, half), (other) => Math.exp(-distance(row, other))),
  );
  const averaged = own.map((_, row) => mean(nearest(neighbours, row, averagedOver).map((other) => own[other]!)));
  const scores = new Float64Array(asked * searched);
  for (let query = 0; query < asked; query++) {
    const one = averaged[query]!;
    for (let image = 0; image < searched; image++) {
      const shared = overlap(one, averaged[asked + image]!);
      const jaccard = 1 - shared / (2 - shared);
      scores[query * searched + image] = -((1 - ownShare) * jaccard + ownShare * distance(query, asked + image));
    }
  }
  return scores;
}

function requireOptions(k: number, averagedOver: number, ownShare: number): void {
  for (const [name, value] of Object.entries({ neighbours: k, averagedOver }))
    if (!Number.isInteger(value) || value < 1 || value > 1000)
      throw new UsageError(`re-ranking: ${name} is ${value}; pass a whole number from 1 to 1000`);
  if (!(ownShare >= 0 && ownShare <= 1))
    throw new UsageError(`re-ranking: ownShare is ${ownShare}; pass a number from 0 to 1`);
}

function roundHalfToEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 === 1 ? rounded - 1 : rounded;
}

/** Weights that sum to 1. */
function weighted(members: readonly number[], weightOf: (member: number) => number): Neighbourhood {
  const weights = members.map(weightOf);
  const sum = weights.reduce((a, b) => a + b, 0);
  return new Map(members.map((member, i) => [member, weights[i]! / sum]));
}

function mean(neighbourhoods: readonly Neighbourhood[]): Neighbourhood {
  const sums = new Map<number, number>();
  for (const neighbourhood of neighbourhoods)
    for (const [member, weight] of neighbourhood)
      sums.set(member, (sums.get(member) ?? 0) + weight / neighbourhoods.length);
  return sums;
}

function overlap(one: Neighbourhood, other: Neighbourhood): number {
  const [smaller, larger] = one.size < other.size ? [one, other] : [other, one];
  let sum = 0;
  for (const [member, weight] of smaller) sum += Math.min(weight, larger.get(member) ?? 0);
  return sum;
}
