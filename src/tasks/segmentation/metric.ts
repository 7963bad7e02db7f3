/** How good a segmentation is: the mean over the classes of intersection over union. */
import {
  mergeSegmentation,
  SegmentationCounter,
  type SegmentationCounts,
  scoreSegmentation,
} from '../../metrics/segmentation.js';
import { fullLogitsOutput } from '../../models/semanticPyramid.js';
import type { AnsweringNetwork, Metric, Outputs } from '../task.js';
import { percent } from '../words.js';
import { ignored, type MaskBatch } from './objective.js';

export function meanIouMetric({ classes }: AnsweringNetwork): Metric<MaskBatch, SegmentationCounts> {
  return {
    name: 'meanIou',
    counter: () => {
      const counter = new SegmentationCounter(classes, ignored);
      return {
        add: (outputs, { labels }) => counter.add(likeliestPerPixel(outputs), labels),
        counts: () => counter.counts(),
      };
    },
    merge: mergeSegmentation,
    figure: (counts) => scoreSegmentation(counts).meanIou,
    better: (a, b) => a > b,
    // A mean over classes cannot be added up from batches: while it learns, pixels are what is told.
    progress: {
      name: 'pixelAccuracy',
      sums: ['right', 'batches'],
      figure: ({ right = 0, batches = 1 }) => right / Math.max(1, batches),
    },
    words: {
      short: (figure) => `mIoU ${percent(figure)}`,
      training: (figure) => `${percent(figure)} of pixels`,
      on: (figure, images) => `mIoU ${percent(figure)} on ${images}`,
      described: (figure, images) => `mIoU ${percent(figure)} on ${images}`,
    },
  };
}

/** Class numbers `[B, H, W]` in place of scores: what is known of an image in whose pixels scores were compared already. */
export const likeliestOutput = 'likeliest';

/** The class of the largest score, of equal ones the first, for every pixel `[B · H · W]`. */
export function likeliestPerPixel(outputs: Outputs): Uint16Array {
  const known = outputs.get(likeliestOutput);
  if (known) return Uint16Array.from(known.data);
  const { shape, data } = outputs.get(fullLogitsOutput)!;
  const [batch, classes, height, width] = shape as [number, number, number, number];
  const area = height * width;
  const likeliest = new Uint16Array(batch * area);
  for (let image = 0; image < batch; image++) {
    const [from, to] = [image * classes * area, image * area];
    const best = data.slice(from, from + area);
    for (let k = 1; k < classes; k++) {
      const start = from + k * area;
      for (let i = 0; i < area; i++) {
        if (data[start + i]! <= best[i]!) continue;
        best[i] = data[start + i]!;
        likeliest[to + i] = k;
      }
    }
  }
  return likeliest;
}
