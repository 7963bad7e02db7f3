/** Against the evaluations of University-1652 and SpikeViMFormer, run on made-up descriptors with ties, junk and queries without a positive; and small rankings by hand. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/errors.js';
import {
  dotScores,
  mergeRetrieval,
  onePercentRank,
  type RetrievalConvention,
  RetrievalCounter,
  type RetrievalCounts,
  rankGallery,
  rankQuery,
  scoreRetrieval,
} from '../../src/metrics/retrieval.js';
import { sharedPath } from '../shared.js';
import { readTensors } from '../support/safetensors.js';

const sizes = ['rank_small', 'rank_medium', 'rank_large'];
const hasGolden = sharedPath('golden', 'retrieval', 'rank_small.json') !== undefined;
const note = hasGolden ? '' : ' (skipped: the shared golden files are absent)';

function golden(name: string) {
  const tensor = readTensors(sharedPath('golden', 'retrieval', `${name}.safetensors`)!);
  const summary = JSON.parse(readFileSync(sharedPath('golden', 'retrieval', `${name}.json`)!, 'utf8'));
  const { values: queries, shape } = tensor('query');
  const values = (key: string) => tensor(key).values;
  const queryPlaces = values('query_label');
  const scores = dotScores(Float32Array.from(queries), Float32Array.from(values('gallery')), shape[1]!);
  return { values, summary, queryPlaces, galleryPlaces: values('gallery_label'), scores };
}

/** Each query counted by a counter of its own, in reversed order, as shards might come. */
function counted({ queryPlaces, galleryPlaces, scores }: ReturnType<typeof golden>, convention: RetrievalConvention) {
  const gallery = galleryPlaces.length;
  const parts = [...queryPlaces.keys()].reverse().map((query): RetrievalCounts => {
    const counter = new RetrievalCounter(galleryPlaces, convention);
    counter.add([query], [queryPlaces[query]!], scores.subarray(query * gallery, (query + 1) * gallery));
    return JSON.parse(JSON.stringify(counter.counts()));
  });
  return mergeRetrieval(parts);
}

function rankings({ queryPlaces, galleryPlaces, scores }: ReturnType<typeof golden>, convention: RetrievalConvention) {
  const gallery = galleryPlaces.length;
  return [...queryPlaces.keys()].flatMap((query) => [
    ...rankGallery(scores.subarray(query * gallery, (query + 1) * gallery), convention),
  ]);
}

describe.skipIf(!hasGolden)(`retrieval figures${note}`, () => {
  it.each(sizes)('%s: are those of University-1652, ties, junk and missing positives included', (name) => {
    const given = golden(name);
    const { u1652 } = given.summary;
    expect(rankings(given, 'university1652')).toEqual([...given.values('u1652.ranking')]);
    const counts = counted(given, 'university1652');
    expect(counts.queries.map(({ averagePrecision }) => averagePrecision)).toEqual([
      ...given.values('u1652.ap').map((value) => Math.max(value, 0)),
    ]);
    const figures = scoreRetrieval(counts);
    expect(figures.queries).toBe(u1652.queries);
    expect(figures.queriesWithoutPositive).toBe(u1652.queries_without_positive);
    // Theirs are sums of float32.
    expect(figures.recallAt1! * 100).toBeCloseTo(u1652.R1, 4);
    expect(figures.recallAt5! * 100).toBeCloseTo(u1652.R5, 4);
    expect(figures.recallAt10! * 100).toBeCloseTo(u1652.R10, 4);
    expect(figures.recallAt1Percent! * 100).toBeCloseTo(u1652.R_top1_percent, 4);
    expect(figures.meanAveragePrecision! * 100).toBeCloseTo(u1652.AP, 10);
    expect(onePercentRank(figures.gallery)).toBe(u1652.top1_percent_zero_based_index);
  });

  it.each(sizes)('%s: each query has its first hit where their curves rise', (name) => {
    const given = golden(name);
    const curves = given.values('u1652.cmc');
    const { queries, gallery } = counted(given, 'university1652');
    const firstHits = queries.map(({ query }) => {
      const hit = curves.subarray(query * gallery, (query + 1) * gallery).indexOf(1);
      return hit < 0 ? undefined : hit;
    });
    expect(queries.map(({ rank }) => rank)).toEqual(firstHits);
  });

  it.each(sizes)('%s: are those of SpikeViMFormer in the plain convention', (name) => {
    const given = golden(name);
    const { vim_stable } = given.summary;
    expect(rankings(given, 'plain')).toEqual([...given.values('vim_stable.ranking')]);
    const counts = counted(given, 'plain');
    const own = counts.queries.map(({ averagePrecision }) => averagePrecision);
    // Their sums are float32.
    for (const [query, expected] of given.values('vim_stable.ap').entries())
      if (Math.abs(own[query]! - expected) > 1e-6) expect.fail(`query ${query}: ${own[query]} instead of ${expected}`);
    const figures = scoreRetrieval(counts);
    expect(figures.recallAt1! * 100).toBeCloseTo(vim_stable['R@1'], 10);
    expect(figures.recallAt5! * 100).toBeCloseTo(vim_stable['R@5'], 10);
    expect(figures.recallAt10! * 100).toBeCloseTo(vim_stable['R@10'], 10);
    expect(figures.meanAveragePrecision! * 100).toBeCloseTo(vim_stable.AP, 5);
  });

  it('are the same bits however the queries are split', () => {
    const given = golden('rank_large');
    const whole = new RetrievalCounter(given.galleryPlaces);
    whole.add([...given.queryPlaces.keys()], given.queryPlaces, given.scores);
    expect(scoreRetrieval(whole.counts())).toEqual(scoreRetrieval(counted(given, 'university1652')));
  });
});

describe('a ranking', () => {
  const scores = Float32Array.of(0.5, 0.9, 0.5, 0.1);

  it('puts the larger number first among equal scores, or the smaller in the plain convention', () => {
    expect([...rankGallery(scores)]).toEqual([1, 2, 0, 3]);
    expect([...rankGallery(scores, 'plain')]).toEqual([1, 0, 2, 3]);
    expect(rankQuery(scores, [7, 1, 2, 3], 7).rank).toBe(2);
    expect(rankQuery(scores, [7, 1, 2, 3], 7, 'plain').rank).toBe(1);
  });

  it('passes over junk', () => {
    expect(rankQuery(scores, [7, -1, 2, 3], 7).rank).toBe(1);
    expect(rankQuery(scores, [7, -1, 7, 3], 7)).toEqual({ positives: 2, rank: 0, averagePrecision: 1 });
  });

  it('of a place that is not in the gallery has no rank and counts as 0', () => {
    expect(rankQuery(scores, [1, 2, 3, 4], 7)).toEqual({ positives: 0, averagePrecision: 0 });
  });

  it('is refused where it would mean nothing', () => {
    const counter = new RetrievalCounter([1, 2]);
    counter.add([0], [1], Float32Array.of(1, 0));
    expect(() => counter.add([0], [1], Float32Array.of(1, 0))).toThrow(/query 0 comes twice/);
    expect(() => counter.add([1], [1], Float32Array.of(1))).toThrow(/1 scores and 1 places for 1 queries/);
    expect(() => counter.add([1], [1], Float32Array.of(1, Number.NaN))).toThrow(/image 1 of the gallery is no number/);
    expect(() => counter.add([1], [-1], Float32Array.of(1, 0))).toThrow(/junk/);
    expect(() => mergeRetrieval([])).toThrow(UsageError);
    expect(() => mergeRetrieval([counter.counts(), counter.counts()])).toThrow(/query 0 is in two parts/);
    expect(() => mergeRetrieval([counter.counts(), new RetrievalCounter([1]).counts()])).toThrow(/different galleries/);
    expect(scoreRetrieval(new RetrievalCounter([1]).counts()).recallAt1).toBeUndefined();
  });

  it('looks up to one percent of the gallery, halves to even', () => {
    expect([20, 150, 250, 350, 951, 51355].map(onePercentRank)).toEqual([0, 2, 2, 4, 10, 514]);
  });
});
