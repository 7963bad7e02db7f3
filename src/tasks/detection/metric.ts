/** How good a detector is: mean average precision at an overlap of one half, as COCO computes it. */
import { CocoCounter, type CocoCounts, mergeCoco, scoreCoco } from '../../metrics/cocoMap.js';
import type { AnsweringNetwork, Metric } from '../task.js';
import { percent } from '../words.js';
import { detectionsOf } from './decode.js';
import { type BoxBatch, boxesOf } from './objective.js';

export function averagePrecisionMetric({ classes }: AnsweringNetwork): Metric<BoxBatch, CocoCounts> {
  return {
    name: 'map50',
    counter: () => {
      const counter = new CocoCounter(classes, 'boxes');
      let seen = 0;
      return {
        add: (outputs, batch) => {
          for (const [image, detections] of detectionsOf(outputs).entries()) {
            const { boxes, labels } = boxesOf(batch, image);
            const truths = Array.from(labels, (label, i) => ({
              class: label,
              box: cocoBox(boxes.subarray(4 * i, 4 * i + 4)),
            }));
            counter.add(
              seen++,
              truths,
              detections.map(({ class: label, score, left, top, right, bottom }) => ({
                class: label,
                score,
                box: cocoBox([left, top, right, bottom]),
              })),
            );
          }
        },
        counts: () => counter.counts(),
      };
    },
    merge: mergeDetections,
    figure: (counts) => scoreCoco(counts).averagePrecision50,
    better: (a, b) => a > b,
    progress: {
      sums: ['overlap', 'batches'],
      figure: ({ overlap = 0, batches = 1 }) => overlap / Math.max(1, batches),
    },
    words: {
      short: (figure) => `mAP@.5 ${percent(figure)}`,
      training: (figure) => `overlap ${figure.toFixed(3)}`,
      on: (figure, images) => `mAP@.5 ${percent(figure)} on ${images}`,
      described: (figure, images) => `mAP@.5 ${percent(figure)} on ${images}`,
    },
  };
}

/** Images of the parts are numbered on: each part counts its own from 0. */
export function mergeDetections(parts: readonly CocoCounts[]): CocoCounts {
  let first = 0;
  const numbered = parts.map((part) => {
    const from = first;
    first += part.images.length;
    return {
      ...part,
      images: part.images.map((image) => from + image),
      matches: part.matches.map((match) => ({ ...match, image: from + match.image })),
    };
  });
  return mergeCoco(numbered);
}

/** Left, top, right, bottom as COCO has them: left, top, width and height. */
export function cocoBox(sides: ArrayLike<number>): readonly [number, number, number, number] {
  const [left, top, right, bottom] = Array.from(sides) as [number, number, number, number];
  return [left, top, right - left, bottom - top];
}
