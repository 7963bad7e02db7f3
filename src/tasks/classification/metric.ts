/** Accuracy as a task's metric: the share of images whose likeliest class is right. */
import { logitsOutput } from '../../graph/outputs.js';
import { AccuracyCounter, type AccuracyCounts, mergeAccuracy } from '../../metrics/accuracy.js';
import type { AnsweringNetwork, Metric } from '../task.js';
import { percent } from '../words.js';

/** What answers are compared with. */
export interface Labels {
  /** Class numbers `[B]`. */
  readonly labels: ArrayLike<number>;
}

export function accuracyMetric({ classes }: AnsweringNetwork): Metric<Labels, AccuracyCounts> {
  return {
    name: 'accuracy',
    counter: () => {
      const counter = new AccuracyCounter(classes);
      return {
        add: (outputs, { labels }) => counter.add(outputs.get(logitsOutput)!.data, labels),
        counts: () => counter.counts(),
      };
    },
    merge: mergeAccuracy,
    figure: ({ images, top1 }) => (images === 0 ? undefined : top1 / images),
    better: (a, b) => a > b,
    progress: { sums: ['correct'], figure: ({ correct = 0 }, images) => correct / images },
    words: {
      short: percent,
      on: (accuracy, images) => `${percent(accuracy)} of ${images}`,
      described: (accuracy, images) => `${percent(accuracy)} of ${images} right`,
    },
  };
}
