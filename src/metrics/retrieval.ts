/**
 * How well pictures of a place find other pictures of it: recall at 1, 5, 10 and at one percent of the gallery, and mean average precision, in the two
 * conventions that published figures follow. What is kept of a query is plain data that adds up over batches and shards; the order in which queries come
 * changes nothing, not the last bit.
 *
 * `university1652`: as evaluated by the authors of University-1652 (Zheng, Wei and Yang, ACM MM 2020; by SUES-200's too). Of equal scores the larger number in the
 * gallery comes first. Images of the place −1 are junk and left out of the ranking. Average precision is the trapezoid under precision over recall.
 *
 * `plain`: as evaluated by SpikeViMFormer. Of equal scores the smaller number comes first, −1 is a place like others, and average precision is the mean of the
 * precision at each positive's rank.
 *
 * In both a query without a positive counts as not found, with average precision 0.
 */
import { UsageError } from '../errors.js';

export type RetrievalConvention = 'university1652' | 'plain';
export const retrievalConventions: readonly RetrievalConvention[] = ['university1652', 'plain'];

/** The place of images that show no place: junk. */
export const junkPlace = -1;

/** One query's ranking. */
export interface QueryRanking {
  /** How many images of the gallery show the query's place. */
  readonly positives: number;
  /** How many images come before the first positive, junk not counted: 0 when the query is answered rightly. Absent without a positive. */
  readonly rank?: number;
  readonly averagePrecision: number;
}

/** Plain data. */
export interface RetrievalCounts {
  readonly convention: RetrievalConvention;
  /** Images of the gallery, junk included. */
  readonly gallery: number;
  /** In the order of their numbers. */
  readonly queries: readonly (QueryRanking & { readonly query: number })[];
}

/** Shares of 1, over all queries. Undefined when there is no query. */
export interface RetrievalFigures {
  readonly queries: number;
  readonly queriesWithoutPositive: number;
  readonly gallery: number;
  readonly recallAt1: number | undefined;
  readonly recallAt5: number | undefined;
  readonly recallAt10: number | undefined;
  /** Recall at `onePercentRank(gallery) + 1`. */
  readonly recallAt1Percent: number | undefined;
  readonly meanAveragePrecision: number | undefined;
}

/** How an image of the gallery stands to a query. */
type Standing = 'positive' | 'negative' | 'junk';

/**
 * The gallery's numbers, best first; of equal scores the larger or smaller number first, as the convention has it. Junk is included.
 *
 * @param scores `[N]`, larger is better.
 */
export function rankGallery(
  scores: Float32Array | Float64Array,
  convention: RetrievalConvention = 'university1652',
): Uint32Array {
  const order = Uint32Array.from(scores, (_, index) => index);
  const tie = convention === 'university1652' ? -1 : 1;
  return order.sort((a, b) => scores[b]! - scores[a]! || tie * (a - b));
}

/**
 * Where a query's positives are in the ranking, without sorting the gallery: O(N log P).
 *
 * @param scores `[N]`, larger is better.
 * @param galleryPlaces `[N]`, whole numbers.
 * @throws UsageError when a score is no number, lengths differ, or junk is asked for.
 */
export function rankQuery(
  scores: Float32Array | Float64Array,
  galleryPlaces: ArrayLike<number>,
  place: number,
  convention: RetrievalConvention = 'university1652',
): QueryRanking {
  if (scores.length !== galleryPlaces.length)
    throw new UsageError(
      `retrieval: ${scores.length} scores for a gallery of ${galleryPlaces.length}; pass one for each image`,
    );
  const knowsJunk = convention === 'university1652';
  if (knowsJunk && place === junkPlace)
    throw new UsageError(`retrieval: a query shows the place ${junkPlace}, which is junk; give each query its place`);
  const standing = (index: number): Standing => {
    const other = galleryPlaces[index]!;
    if (other === place) return 'positive';
    return knowsJunk && other === junkPlace ? 'junk' : 'negative';
  };
  const rows = positiveRows(scores, standing, knowsJunk ? -1 : 1);
  if (rows.length === 0) return { positives: 0, averagePrecision: 0 };
  return {
    positives: rows.length,
    rank: rows[0]!,
    averagePrecision: (knowsJunk ? trapezoid : meanPrecision)(rows),
  };
}

/** The places of all positives in the ranking without junk, best first. */
function positiveRows(
  scores: Float32Array | Float64Array,
  standing: (index: number) => Standing,
  tie: 1 | -1,
): readonly number[] {
  const isBefore = (a: number, b: number) => scores[a]! > scores[b]! || (scores[a] === scores[b] && tie * (a - b) < 0);
  const positives: number[] = [];
  for (let index = 0; index < scores.length; index++) {
    if (Number.isNaN(scores[index]))
      throw new UsageError(
        `retrieval: the score of image ${index} of the gallery is no number; nothing can be ranked by it`,
      );
    if (standing(index) === 'positive') positives.push(index);
  }
  positives.sort((a, b) => (isBefore(a, b) ? -1 : 1));
  // At each positive how many negatives stand before it and behind the positive before.
  const before = new Uint32Array(positives.length + 1);
  for (let index = 0; index < scores.length; index++) {
    if (standing(index) !== 'negative') continue;
    let [from, to] = [0, positives.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (isBefore(positives[middle]!, index)) from = middle + 1;
      else to = middle;
    }
    before[from]!++;
  }
  let negatives = 0;
  return positives.map((_, i) => {
    negatives += before[i]!;
    return negatives + i;
  });
}

/** Σᵢ (i/rᵢ + (i + 1)/(rᵢ + 1)) / 2P over the rows rᵢ of the positives, i from 0; i/rᵢ is 1 in the first row. */
function trapezoid(rows: readonly number[]): number {
  let area = 0;
  for (const [i, row] of rows.entries()) {
    const precisionBefore = row === 0 ? 1 : i / row;
    area += ((1 / rows.length) * (precisionBefore + (i + 1) / (row + 1))) / 2;
  }
  return area;
}

function meanPrecision(rows: readonly number[]): number {
  return rows.reduce((sum, row, i) => sum + (i + 1) / (row + 1), 0) / rows.length;
}

/** Counts while queries arrive. */
export class RetrievalCounter {
  readonly #places: ArrayLike<number>;
  readonly #convention: RetrievalConvention;
  readonly #queries = new Map<number, QueryRanking>();

  /** @param galleryPlaces `[N]`: the place that each image of the gallery shows, a whole number; −1 is junk. */
  constructor(galleryPlaces: ArrayLike<number>, convention: RetrievalConvention = 'university1652') {
    this.#places = galleryPlaces;
    this.#convention = convention;
  }

  /**
   * @param queries `[Q]`: the queries' numbers in the whole evaluation.
   * @param places `[Q]`: the place that each shows.
   * @param scores `[Q, N]`, larger is better.
   * @throws UsageError when lengths do not fit, a score is no number, or a query comes twice.
   */
  add(queries: ArrayLike<number>, places: ArrayLike<number>, scores: Float32Array | Float64Array): void {
    const gallery = this.#places.length;
    if (queries.length !== places.length || scores.length !== queries.length * gallery)
      throw new UsageError(
        `retrieval: ${scores.length} scores and ${places.length} places for ${queries.length} queries and a gallery of ${gallery}; pass [Q, N] scores and [Q] places`,
      );
    for (let row = 0; row < queries.length; row++) {
      const query = queries[row]!;
      if (this.#queries.has(query)) throw new UsageError(`retrieval: query ${query} comes twice; pass each query once`);
      const own = scores.subarray(row * gallery, (row + 1) * gallery);
      this.#queries.set(query, rankQuery(own, this.#places, places[row]!, this.#convention));
    }
  }

  counts(): RetrievalCounts {
    const queries = [...this.#queries].map(([query, ranking]) => ({ query, ...ranking }));
    return { convention: this.#convention, gallery: this.#places.length, queries: inOrder(queries) };
  }
}

function inOrder<T extends { readonly query: number }>(queries: readonly T[]): readonly T[] {
  return [...queries].sort((a, b) => a.query - b.query);
}

/**
 * The counts over the queries of all parts together.
 *
 * @throws UsageError when there are no parts, they are of different evaluations, or a query is in two.
 */
export function mergeRetrieval(parts: readonly RetrievalCounts[]): RetrievalCounts {
  const [first] = parts;
  if (!first) throw new UsageError('retrieval: there is nothing to merge; pass at least one part');
  const { convention, gallery } = first;
  if (parts.some((part) => part.convention !== convention || part.gallery !== gallery))
    throw new UsageError('retrieval: the parts have different galleries or conventions; merge parts of one evaluation');
  const queries = inOrder(parts.flatMap((part) => part.queries));
  const twice = queries.find(({ query }, i) => queries[i + 1]?.query === query);
  if (twice) throw new UsageError(`retrieval: query ${twice.query} is in two parts; merge parts that share none`);
  return { convention, gallery, queries };
}

/** The rank, from 0, up to which recall at one percent looks: 0.01·N rounded, halves to even, as University-1652's evaluation has it. */
export function onePercentRank(gallery: number): number {
  const share = gallery * 0.01;
  const whole = Math.floor(share);
  if (share - whole !== 0.5) return Math.round(share);
  return whole % 2 === 0 ? whole : whole + 1;
}

/** The figures that follow from the counts. Sums go in the order of the queries' numbers. */
export function scoreRetrieval({ queries, gallery }: RetrievalCounts): RetrievalFigures {
  const count = queries.length;
  const share = (sum: number) => (count === 0 ? undefined : sum / count);
  const recallAt = (k: number) => share(queries.filter(({ rank }) => rank !== undefined && rank < k).length);
  return {
    queries: count,
    queriesWithoutPositive: queries.filter(({ positives }) => positives === 0).length,
    gallery,
    recallAt1: recallAt(1),
    recallAt5: recallAt(5),
    recallAt10: recallAt(10),
    recallAt1Percent: recallAt(onePercentRank(gallery) + 1),
    meanAveragePrecision: share(queries.reduce((sum, { averagePrecision }) => sum + averagePrecision, 0)),
  };
}

/**
 * Dot products of every query with every image of the gallery; of descriptors of length 1 their cosines. Added up in float64, so that equal descriptors have
 * equal scores.
 *
 * @param queries `[Q, D]`
 * @param gallery `[N, D]`
 * @returns `[Q, N]`
 * @throws UsageError when lengths are no multiples of D.
 */
export function dotScores(queries: Float32Array, gallery: Float32Array, dimensions: number): Float64Array {
  const [rows, columns] = [queries.length / dimensions, gallery.length / dimensions];
  if (![rows, columns].every(Number.isInteger))
    throw new UsageError(
      `retrieval: ${queries.length} and ${gallery.length} numbers are no rows of ${dimensions}; pass [Q, D] and [N, D]`,
    );
  const scores = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) {
      const [one, other] = [row * dimensions, column * dimensions];
      let sum = 0;
      for (let d = 0; d < dimensions; d++) sum += queries[one + d]! * gallery[other + d]!;
      scores[row * columns + column] = sum;
    }
  return scores;
}
