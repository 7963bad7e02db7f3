/** How good descriptors are: the share of queries whose nearest image of the other view shows their place, the mean over the directions. */

import type { PlaceBatch } from '../../data/targets/places.js';
import { UsageError } from '../../errors.js';
import { scoreRetrieval } from '../../metrics/retrieval.js';
import type { Metric } from '../task.js';
import { percent } from '../words.js';
import { DescribedImages, type Direction } from './directions.js';

export function recallMetric(): Metric<PlaceBatch, readonly Direction[]> {
  const short = (figure: number) => `R@1 ${percent(figure)}`;
  return {
    name: 'recallAt1',
    counter: () => {
      const images = new DescribedImages();
      return { add: (outputs, batch) => images.add(outputs, batch), counts: () => images.directions() };
    },
    merge: (parts) => {
      if (parts.length === 1) return parts[0]!;
      throw new UsageError('retrieval compares every image with all others: parts of an evaluation do not add up');
    },
    figure: meanRecall,
    better: (a, b) => a > b,
    // Among the pairs of a batch, which are fewer.
    progress: {
      name: 'batchRecallAt1',
      sums: ['found', 'batches'],
      figure: ({ found = 0, batches = 1 }) => found / Math.max(1, batches),
    },
    words: {
      short,
      training: (figure) => `${percent(figure)} of a batch's pairs`,
      on: (figure, images) => `${short(figure)} on ${images}`,
      described: (figure, images) => `${short(figure)} on ${images}`,
    },
  };
}

function meanRecall(directions: readonly Direction[]): number | undefined {
  const recalls = directions.flatMap(({ floats }) => scoreRetrieval(floats).recallAt1 ?? []);
  return recalls.length === 0 ? undefined : recalls.reduce((sum, each) => sum + each, 0) / recalls.length;
}
