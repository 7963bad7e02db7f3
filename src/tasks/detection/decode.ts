/** From a network's numbers to boxes: the sigmoids and exponentials of every place, the best of them, and of boxes that overlap the surest. */
import { suppress } from '../../data/geometry/suppress.js';
import { boxNumbers, strideOf } from '../../models/pointHead.js';
import type { Outputs } from '../task.js';
import { type Detection, leastScore } from './found.js';
import { instancesOf } from './instances.js';
import { distance } from './losses.js';
import { sigmoid } from './numbers.js';

/** Boxes of one class that overlap more are one object. */
const mostOverlap = 0.6;
/** Candidates of an image that are compared with each other. */
const mostCandidates = 1000;
/** Detections of an image. */
export const mostDetections = 100;

/** Of each image of a batch, from the surest on. The score of a place is `√(sigmoid(class) · sigmoid(centrality))`; a detector with regions has its own. */
export function detectionsOf(outputs: Outputs): readonly (readonly Detection[])[] {
  const instances = instancesOf(outputs);
  if (instances) return instances;
  const levels = [...outputs].flatMap(([name, { shape, data }]) => {
    const stride = strideOf(name);
    const [batch, numbers, height, width] = shape as [number, number, number, number];
    return stride === undefined ? [] : [{ stride, batch, numbers, height, width, data }];
  });
  return Array.from({ length: levels[0]?.batch ?? 0 }, (_, image) =>
    suppressed(
      levels
        .flatMap((level) => candidates(level, image))
        .sort(bySureness)
        .slice(0, mostCandidates),
    ),
  );
}

interface LevelNumbers {
  readonly stride: number;
  readonly numbers: number;
  readonly height: number;
  readonly width: number;
  /** `[B, numbers, height, width]` */
  readonly data: Float32Array;
}

function candidates({ stride, numbers, height, width, data }: LevelNumbers, image: number): Detection[] {
  const area = height * width;
  const classes = numbers - boxNumbers;
  const at = (number: number, place: number) => data[(image * numbers + number) * area + place]!;
  const found: Detection[] = [];
  for (let place = 0; place < area; place++) {
    const central = sigmoid(at(classes + 4, place));
    for (let k = 0; k < classes; k++) {
      const score = Math.sqrt(sigmoid(at(k, place)) * central);
      if (score < leastScore) continue;
      const [x, y] = [(place % width) + 0.5, Math.floor(place / width) + 0.5];
      const side = (number: number) => distance(at(classes + number, place));
      found.push({
        class: k,
        score,
        left: Math.max(0, stride * (x - side(0))),
        top: Math.max(0, stride * (y - side(1))),
        right: Math.min(stride * width, stride * (x + side(2))),
        bottom: Math.min(stride * height, stride * (y + side(3))),
      });
    }
  }
  return found;
}

function bySureness(a: Detection, b: Detection): number {
  return b.score - a.score;
}

/** Greedy, class by class. */
function suppressed(sorted: readonly Detection[]): readonly Detection[] {
  const boxes = Float32Array.from(sorted.flatMap(({ left, top, right, bottom }) => [left, top, right, bottom]));
  const scores = sorted.map(({ score }) => score);
  const groups = sorted.map((one) => one.class);
  const kept = suppress(boxes, scores, mostOverlap, { groups, most: mostDetections });
  return Array.from(kept, (index) => sorted[index]!);
}
