/** Re-ranking against a dense NumPy computation from the formulas of the paper (test/fixtures/retrieval/retrieval.py), and laws. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/errors.js';
import { rerankedScores } from '../../src/metrics/reranking.js';

interface Case {
  readonly dimensions: number;
  readonly neighbours: number;
  readonly averagedOver: number;
  readonly ownShare: number;
  readonly queries: readonly number[];
  readonly gallery: readonly number[];
  readonly distances: readonly number[];
}

const fixture = new URL('../fixtures/retrieval/retrieval.json', import.meta.url);
const cases: readonly Case[] = JSON.parse(readFileSync(fixture, 'utf8')).reranking;

describe('re-ranking by k-reciprocal neighbours', () => {
  it.each(cases)('gives the distances of the paper (k₁ $neighbours, k₂ $averagedOver, λ $ownShare)', (given) => {
    const { queries, gallery, dimensions, distances, ...options } = given;
    const scores = rerankedScores(Float32Array.from(queries), Float32Array.from(gallery), dimensions, options);
    expect(scores.length).toBe(distances.length);
    // The descriptors are float32 here.
    for (const [i, distance] of distances.entries())
      if (!(Math.abs(scores[i]! + distance) < 1e-6)) expect.fail(`score ${i}: ${scores[i]} instead of ${-distance}`);
  });

  it('does not divide by zero where all descriptors are equal', () => {
    const scores = rerankedScores(Float32Array.of(1, 0), Float32Array.of(1, 0, 1, 0), 2);
    expect([...scores].every((score) => Math.abs(score) < 1e-12)).toBe(true);
  });

  it('is refused with options or rows that mean nothing', () => {
    const row = Float32Array.of(1, 0);
    expect(() => rerankedScores(row, row, 2, { neighbours: 0 })).toThrow(/neighbours is 0/);
    expect(() => rerankedScores(row, row, 2, { ownShare: 2 })).toThrow(/ownShare is 2/);
    expect(() => rerankedScores(row, row, 3)).toThrow(UsageError);
    expect(() => rerankedScores(Float32Array.of(Number.NaN, 0), row, 2)).toThrow(/no finite number/);
    expect(() => rerankedScores(new Float32Array(20_001), row, 1)).toThrow(/at most 20000/);
  });
});
