/** What the evaluation of a retrieval says: recalls and average precision for every view that asks another, of descriptors and of their bits. */
import { z } from 'zod';
import type { PlaceBatch } from '../../data/targets/places.js';
import { UsageError } from '../../errors.js';
import { mostReranked } from '../../metrics/reranking.js';
import { type RetrievalCounts, scoreRetrieval } from '../../metrics/retrieval.js';
import type { Evaluating } from '../task.js';
import { percent } from '../words.js';
import { DescribedImages, type Direction } from './directions.js';
import { meanDescriptors } from './looks.js';

const share = z.number().min(0).max(1).nullable();

const figures = z.strictObject({
  recallAt1: share,
  recallAt5: share,
  recallAt10: share,
  recallAt1Percent: share,
  /** Trapezoid, as University-1652's own evaluation has it. */
  averagePrecision: share,
});

const direction = z.strictObject({
  query: z.string(),
  gallery: z.string(),
  queries: z.int().min(0),
  images: z.int().min(0),
  floats: figures,
  /** Of the floats, the mean of the precision at each right image. */
  plainAveragePrecision: share,
  bits: figures,
  /** By k-reciprocal neighbours, where asked for; null where there are too many images. */
  reranked: figures.nullable().optional(),
});

const schema = z.object({ directions: z.array(direction) });

export type RetrievalFields = z.output<typeof schema>;

export const retrievalEvaluation: Evaluating<PlaceBatch, RetrievalFields> = {
  schema,
  needsAll: true,
  reranks: true,
  combineLooks: meanDescriptors,
  begin: (_, { name, names }, { rerank = false } = {}) => {
    if (names.length < 2)
      throw new UsageError(`${name}: has one view, ${names.join('')}; retrieval is judged between two, give both`);
    const images = new DescribedImages();
    return {
      notes: [],
      add: (outputs, batch) => images.add(outputs, batch),
      fields: () => ({ directions: images.directions({ rerank }).map((each) => fieldsOf(each, names)) }),
    };
  },
  inconsistency: ({ directions }, images) =>
    directions.some((each) => each.queries > images || each.images > images)
      ? 'directions count more images than there are'
      : undefined,
  same: () => [],
  merge: (parts) => {
    if (parts.length === 1) return parts[0]!;
    throw new UsageError('retrieval compares every image with all others: parts of an evaluation do not add up');
  },
  holds: (names) => `, places in the views ${names.join(', ')}`,
  lines: ({ directions }) =>
    directions.flatMap(({ query, gallery, queries, images, floats, plainAveragePrecision, bits, reranked }) => [
      `${query} → ${gallery}, ${queries} queries among ${images} images`,
      `  descriptors  ${line(floats)} (plain ${said(plainAveragePrecision)})`,
      `  their bits   ${line(bits)}`,
      ...(reranked ? [`  re-ranked    ${line(reranked)}`] : []),
      ...(reranked === null ? [`  not re-ranked: more than ${mostReranked} images to compare each with each`] : []),
    ]),
};

function fieldsOf({ query, gallery, floats, plain, bits, reranked }: Direction, names: readonly string[]) {
  return {
    query: names[query]!,
    gallery: names[gallery]!,
    queries: floats.queries.length,
    images: floats.gallery,
    floats: figuresOf(floats),
    plainAveragePrecision: figuresOf(plain).averagePrecision,
    bits: figuresOf(bits),
    ...(reranked === undefined ? {} : { reranked: reranked && figuresOf(reranked) }),
  };
}

function figuresOf(counts: RetrievalCounts): z.output<typeof figures> {
  const { recallAt1, recallAt5, recallAt10, recallAt1Percent, meanAveragePrecision } = scoreRetrieval(counts);
  return {
    recallAt1: recallAt1 ?? null,
    recallAt5: recallAt5 ?? null,
    recallAt10: recallAt10 ?? null,
    recallAt1Percent: recallAt1Percent ?? null,
    averagePrecision: meanAveragePrecision ?? null,
  };
}

function line({
  recallAt1,
  recallAt5,
  recallAt10,
  recallAt1Percent,
  averagePrecision,
}: z.output<typeof figures>): string {
  const parts = [recallAt1, recallAt5, recallAt10, recallAt1Percent].map(said);
  return `R@1 ${parts[0]}, R@5 ${parts[1]}, R@10 ${parts[2]}, R@1% ${parts[3]}, AP ${said(averagePrecision)}`;
}

const said = (share: number | null) => (share === null ? 'unknown' : percent(share));
