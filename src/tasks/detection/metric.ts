/** How good a detector is: mean average precision at an overlap of one half, as COCO computes it. */
import { pastedRuns } from '../../data/geometry/pasteMasks.js';
import { CocoCounter, type CocoCounts, mergeCoco, scoreCoco } from '../../metrics/cocoMap.js';
import type { CocoDetection } from '../../metrics/cocoMatching.js';
import type { AnsweringNetwork, Counter, Metric } from '../task.js';
import { percent } from '../words.js';
import { detectionsOf } from './decode.js';
import type { Detection } from './found.js';
import { type BoxBatch, cocoBox, truthsOf } from './truths.js';

export function averagePrecisionMetric({ classes }: AnsweringNetwork): Metric<BoxBatch, CocoCounts> {
  return {
    name: 'map50',
    counter: () => boxCounter(classes),
    merge: mergeDetections,
    figure: (counts) => scoreCoco(counts).averagePrecision50,
    better: (a, b) => a > b,
    progress: {
      name: 'overlap',
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

/** Counts how boxes that were found meet boxes that are there. */
export function boxCounter(classes: number): Counter<BoxBatch, CocoCounts> {
  return counterOf(new CocoCounter(classes, 'boxes'), (detection) => {
    const { left, top, right, bottom } = detection;
    return { box: cocoBox([left, top, right, bottom]) };
  });
}

/** The same of masks, put into the network's input. Detections and objects have to have some. */
export function maskCounter(classes: number): Counter<BoxBatch, CocoCounts> {
  return counterOf(new CocoCounter(classes, 'masks'), ({ mask, ...box }, size) => ({
    mask: pastedRuns({ ...mask!, box }, size),
  }));
}

type Shown = (detection: Detection, size: { width: number; height: number }) => Partial<CocoDetection>;

/** @param shown What of a detection is compared. */
function counterOf(counter: CocoCounter, shown: Shown): Counter<BoxBatch, CocoCounts> {
  let seen = 0;
  return {
    add: (outputs, batch) => {
      const [height = 0, width = 0] = outputs.get('image_size')?.data ?? [];
      for (const [image, detections] of detectionsOf(outputs).entries()) {
        const found = detections.map((detection) => {
          const { class: label, score } = detection;
          return { class: label, score, ...shown(detection, { width, height }) };
        });
        counter.add(seen++, truthsOf(batch, image), found);
      }
    },
    counts: () => counter.counts(),
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
