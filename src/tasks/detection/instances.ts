/**
 * From what the heads of a detector with regions say to what was found, as mmdetection does: a softmax over classes and background, the box of each class decoded and cut off at the image,
 * and of those of one class that overlap the surest.
 */
import { decodeBoxes, headDeviations } from '../../data/geometry/boxCoding.js';
import { suppress } from '../../data/geometry/suppress.js';
import type { Outputs } from '../task.js';
import { type Detection, type DetectionMask, leastScore } from './found.js';
import { sigmoid, softmax } from './numbers.js';

/** Boxes of one class that overlap more are one object. */
const mostOverlap = 0.5;
/** Detections of an image. */
const mostDetections = 100;

/**
 * @param regions `[N, 5]`
 * @param outputs With `cls_score_mean` and `bbox_pred_mean`.
 * @returns `detection_boxes`, `detection_scores` and `detection_labels`, image by image and from the surest on.
 */
export function detectionOutputs(
  regions: Float32Array,
  outputs: Outputs,
  [height, width]: readonly [number, number],
  classes: number,
): Map<string, { readonly shape: readonly number[]; readonly data: Float32Array }> {
  const scores = outputs.get('cls_score_mean')!.data;
  const given = Float32Array.from(
    { length: (regions.length / 5) * 4 },
    (_, i) => regions[5 * Math.floor(i / 4) + 1 + (i % 4)]!,
  );
  const deltas = outputs.get('bbox_pred_mean')!.data;
  const decoded = decodeBoxes(given, deltas, { deviations: headDeviations, within: { width, height } });
  const candidates = new Map<
    number,
    { readonly boxes: number[]; readonly scores: number[]; readonly labels: number[] }
  >();
  for (let region = 0; region < regions.length / 5; region++) {
    const image = regions[5 * region]!;
    const own = candidates.get(image) ?? { boxes: [], scores: [], labels: [] };
    candidates.set(image, own);
    const shares = softmax(scores.subarray(region * (classes + 1), (region + 1) * (classes + 1)));
    for (let label = 0; label < classes; label++) {
      if (!(shares[label]! > leastScore)) continue;
      const at = 4 * (region * classes + label);
      own.boxes.push(...decoded.subarray(at, at + 4));
      own.scores.push(shares[label]!);
      own.labels.push(label);
    }
  }
  const found = { boxes: [] as number[], scores: [] as number[], labels: [] as number[] };
  for (const [image, own] of [...candidates].sort(([a], [b]) => a - b)) {
    const boxes = Float32Array.from(own.boxes);
    const kept = suppress(boxes, own.scores, mostOverlap, { groups: own.labels, most: mostDetections });
    for (const index of kept) {
      found.boxes.push(image, ...boxes.subarray(4 * index, 4 * index + 4));
      found.scores.push(own.scores[index]!);
      found.labels.push(own.labels[index]!);
    }
  }
  const count = found.scores.length;
  return new Map([
    ['detection_boxes', { shape: [count, 5], data: Float32Array.from(found.boxes) }],
    ['detection_scores', { shape: [count], data: Float32Array.from(found.scores) }],
    ['detection_labels', { shape: [count], data: Float32Array.from(found.labels) }],
  ]);
}

/** Of each image of a batch, from the surest on; undefined for outputs of a detector without regions. */
export function instancesOf(outputs: Outputs): readonly (readonly Detection[])[] | undefined {
  const boxes = outputs.get('detection_boxes')?.data;
  if (boxes === undefined) return undefined;
  const [scores, labels] = [outputs.get('detection_scores')!.data, outputs.get('detection_labels')!.data];
  const [, batch] = outputs.get('rpn_cls.0')!.shape as [number, number];
  const images = Array.from({ length: batch }, (): Detection[] => []);
  // Masks of other regions than these were asked for, or of these.
  const hasMasks = outputs.get('mask_rois')!.data === boxes;
  for (const [i, score] of scores.entries()) {
    const [image, left, top, right, bottom] = boxes.subarray(5 * i, 5 * i + 5) as unknown as Five;
    const found = { class: labels[i]!, score, left, top, right, bottom };
    images[image]!.push(hasMasks ? { ...found, mask: maskOf(outputs, i, labels[i]!) } : found);
  }
  return images;
}

type Five = readonly [number, number, number, number, number];

/** Probabilities of the detection's own class. */
function maskOf(outputs: Outputs, index: number, label: number): DetectionMask {
  const { shape, data } = outputs.get('mask_preds')!;
  const [, classes, height, width] = shape as [number, number, number, number];
  const area = height * width;
  const from = (index * classes + label) * area;
  return { height, width, probabilities: data.slice(from, from + area).map(sigmoid) };
}
