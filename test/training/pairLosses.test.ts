/**
 * Losses on pairs of views: against SpikeViMFormer's code, and PyTorch's autograd (test/fixtures/retrieval/retrieval.py). Gradients are those of descriptors before they
 * are brought to length 1.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { TrainingError } from '../../src/training/errors.js';
import {
  batchHardTriplet,
  cosineAlignment,
  infoNce,
  largestScale,
  neighbourAlignment,
  type PairedDescriptors,
  refinedByNeighbours,
  startingLogScale,
} from '../../src/training/losses/index.js';
import { unitRows } from '../../src/training/losses/pairs.js';
import { sharedPath } from '../shared.js';
import { readTensors } from '../support/safetensors.js';
import { largestDifference } from './support.js';

interface Measured {
  readonly loss: number;
  readonly queryGradient: readonly number[];
  readonly galleryGradient: readonly number[];
}

interface Case {
  readonly batch: number;
  readonly dimensions: number;
  readonly places: readonly number[];
  readonly query: readonly number[];
  readonly gallery: readonly number[];
  readonly margin: number;
  readonly triplet: Measured;
  readonly scale: number;
  readonly masked: Measured;
}

interface QueuedCase extends Measured {
  readonly batch: number;
  readonly dimensions: number;
  readonly places: readonly number[];
  readonly query: readonly number[];
  readonly gallery: readonly number[];
  readonly logarithm: number;
  readonly logScaleGradient: number;
  readonly queue: Readonly<Record<'query' | 'gallery', readonly (readonly number[])[]>> & {
    readonly places: readonly number[];
  };
}

const fixture = new URL('../fixtures/retrieval/retrieval.json', import.meta.url);
const made = JSON.parse(readFileSync(fixture, 'utf8'));
const cases: readonly Case[] = made.losses;
const queuedCases: readonly QueuedCase[] = made.queued;

function pairsOf(query: ArrayLike<number>, gallery: ArrayLike<number>): PairedDescriptors {
  const gradient = () => new Float32Array(query.length).fill(Number.NaN);
  return {
    query: Float32Array.from(query),
    gallery: Float32Array.from(gallery),
    queryGradient: gradient(),
    galleryGradient: gradient(),
  };
}

function expectMeasured(pairs: PairedDescriptors, loss: number, expected: Measured): void {
  expect(loss).toBeCloseTo(expected.loss, 6);
  expect(largestDifference(pairs.queryGradient, expected.queryGradient)).toBeLessThan(1e-6);
  expect(largestDifference(pairs.galleryGradient, expected.galleryGradient)).toBeLessThan(1e-6);
}

describe.each(cases)('losses of $batch pairs', ({ query, gallery, places, ...given }) => {
  it('batch-hard triplets are those of PyTorch', () => {
    const pairs = pairsOf(query, gallery);
    expectMeasured(pairs, batchHardTriplet(pairs, given, { margin: given.margin, places }), given.triplet);
  });

  it('InfoNCE takes pairs of one place for no negatives when places are said', () => {
    const pairs = pairsOf(query, gallery);
    expectMeasured(pairs, infoNce(pairs, given, Math.log(given.scale), { places }).loss, given.masked);
  });
});

describe.each(queuedCases)(
  'InfoNCE with a queue, $batch pairs',
  ({ query, gallery, places, queue, logarithm, ...given }) => {
    it('has the loss and the gradients of PyTorch', () => {
      const pairs = pairsOf(query, gallery);
      const view = (which: 'query' | 'gallery') => ({
        descriptors: Float32Array.from(queue[which].flat()),
        places: queue.places,
      });
      const views = { query: view('query'), gallery: view('gallery') };
      const found = infoNce(pairs, given, logarithm, { places, queue: views });
      expectMeasured(pairs, found.loss, given);
      expect(found.logScaleGradient).toBeCloseTo(given.logScaleGradient, 6);
      // Without the queue it is another loss.
      expect(Math.abs(infoNce(pairs, given, logarithm, { places }).loss - given.loss)).toBeGreaterThan(1e-3);
    });
  },
);

interface GoldenCase {
  readonly id: string;
  readonly B: number;
  readonly D: number;
  readonly scale: number;
  readonly loss: number;
  readonly grad_log_scale: number;
  readonly grad_scale: number;
  readonly cosine_alignment_loss: number;
  readonly top_k: number;
  readonly query_expansion: number;
  readonly alpha: number;
}

function golden(name: string) {
  const path = sharedPath('golden', 'retrieval', `${name}.json`);
  const data = sharedPath('golden', 'retrieval', `${name}.safetensors`);
  const found: readonly GoldenCase[] = path && data ? JSON.parse(readFileSync(path, 'utf8')).cases : [];
  const tensor = data ? readTensors(data) : undefined;
  return { cases: found, values: (key: string) => [...tensor!(key).values] };
}

const nce = golden('infonce');
const refinement = golden('hral');
const note = nce.cases.length > 0 ? '' : ' (skipped: the shared golden files are absent)';

describe.skipIf(nce.cases.length === 0)(`the losses of SpikeViMFormer${note}`, () => {
  it.each(nce.cases)('$id: InfoNCE, with its scale of $scale', ({ id, B, D, scale, loss, grad_log_scale }) => {
    const pairs = pairsOf(nce.values(`${id}.query`), nce.values(`${id}.gallery`));
    const found = infoNce(pairs, { batch: B, dimensions: D }, Math.log(scale));
    expectMeasured(pairs, found.loss, {
      loss,
      queryGradient: nce.values(`${id}.grad_query`),
      galleryGradient: nce.values(`${id}.grad_gallery`),
    });
    expect(found.logScaleGradient).toBeCloseTo(grad_log_scale, 8);
  });

  it.each(nce.cases)('$id: the cosine between pairs', ({ id, B, D, cosine_alignment_loss }) => {
    const pairs = pairsOf(nce.values(`${id}.query`), nce.values(`${id}.gallery`));
    expectMeasured(pairs, cosineAlignment(pairs, { batch: B, dimensions: D }), {
      loss: cosine_alignment_loss,
      queryGradient: nce.values(`${id}.cos.grad_query`),
      galleryGradient: nce.values(`${id}.cos.grad_gallery`),
    });
  });

  it.each(refinement.cases)('$id: alignment with neighbours, k $top_k', (given) => {
    const { id, loss } = given;
    const shape = { batch: given.B, dimensions: given.D };
    const options = { neighbours: given.top_k, averagedOver: given.query_expansion, ownShare: given.alpha };
    const pairs = pairsOf(refinement.values(`${id}.query`), refinement.values(`${id}.gallery`));
    const unit = { query: unitRows(pairs.query, shape), gallery: unitRows(pairs.gallery, shape) };
    const refined = refinedByNeighbours(unit, options);
    expect(largestDifference(refined.query, refinement.values(`${id}.refined_query`))).toBeLessThan(1e-6);
    expect(largestDifference(refined.gallery, refinement.values(`${id}.refined_gallery`))).toBeLessThan(1e-6);
    expectMeasured(pairs, neighbourAlignment(pairs, shape, options), {
      loss,
      queryGradient: refinement.values(`${id}.grad_query`),
      galleryGradient: refinement.values(`${id}.grad_gallery`),
    });
  });
});

describe('losses of pairs', () => {
  it('start at the scale 1/0.07, and pass the gradient at exactly the largest', () => {
    expect(Math.exp(startingLogScale)).toBeCloseTo(1 / 0.07, 10);
    // The largest logarithm whose exponential is not above 100.
    let atLimit = Math.log(largestScale);
    for (let step = 0; step < 8 && Math.exp(atLimit) > largestScale; step++) atLimit -= 2 ** -50;
    const shape = { batch: 2, dimensions: 2 };
    const pairs = () => pairsOf([1, 0.2, 0.9, 0.3], [1, 0.1, 1, 0.4]);
    expect(infoNce(pairs(), shape, atLimit).logScaleGradient).not.toBe(0);
    expect(infoNce(pairs(), shape, atLimit + 1e-12).logScaleGradient).toBe(0);
  });

  it('scale with their weight', () => {
    const { query, gallery, ...shape } = cases[0]!;
    const measured = [1, 2].map((weight) => {
      const pairs = pairsOf(query, gallery);
      const losses = [
        infoNce(pairs, shape, 1, { weight }).loss,
        batchHardTriplet(pairs, shape, { weight }),
        cosineAlignment(pairs, shape, weight),
        neighbourAlignment(pairs, shape, { weight }),
      ];
      return [...losses, ...pairs.queryGradient];
    });
    expect(
      largestDifference(
        measured[1]!,
        measured[0]!.map((value) => 2 * value),
      ),
    ).toBeLessThan(1e-6);
  });

  it('do not fail on descriptors of length 0', () => {
    const pairs = pairsOf([0, 0, 1, 0], [0, 0, 0, 1]);
    expect(infoNce(pairs, { batch: 2, dimensions: 2 }, 1).loss).toBeGreaterThan(0);
    expect(pairs.queryGradient.every(Number.isFinite)).toBe(true);
    expect(batchHardTriplet(pairs, { batch: 2, dimensions: 2 })).toBeGreaterThan(0);
    expect(pairs.queryGradient.every(Number.isFinite)).toBe(true);
  });

  it('refuse what does not fit', () => {
    const pairs = pairsOf([1, 0, 0, 1], [1, 0, 0, 1]);
    expect(() => infoNce(pairs, { batch: 2, dimensions: 3 }, 1)).toThrow(/query has 4 elements, expected 6/);
    expect(() => infoNce(pairs, { batch: 2, dimensions: 2 }, Number.NaN)).toThrow(TrainingError);
    expect(() => infoNce(pairs, { batch: 2, dimensions: 2 }, 1, { places: [1] })).toThrow(/got 1 places/);
    expect(() => batchHardTriplet(pairs, { batch: 2, dimensions: 2 }, { margin: 3 })).toThrow(/margin/);
  });
});
