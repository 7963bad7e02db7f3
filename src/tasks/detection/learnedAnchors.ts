/** The region proposal network while it learns: its numbers averaged over time, and the losses of a sample of each image's anchors (`RPNHead` of mmdetection 3). */
import { anchorsOf } from '../../data/geometry/anchors.js';
import { decodeBoxes, encodeBoxes } from '../../data/geometry/boxCoding.js';
import { overlapOfBoxes } from '../../data/geometry/suppress.js';
import { anchorsAtPlace } from '../../models/regionHeads.js';
import { averaged, type Learned, scoreLoss, spreadOverTime, wayLoss } from './regionLosses.js';
import { learnedObjects, randomOf, sampledAnchors } from './regionTargets.js';
import type { RegionSettings } from './settings.js';
import type { BoxBatch } from './truths.js';

/** A level of the pyramid. */
export interface LearnedLevel {
  /** `[B, h, w, 3]`, before their sigmoid. */
  readonly scores: Learned;
  /** `[B, h, w, 3, 4]` */
  readonly ways: Learned;
  readonly timeSteps: number;
  /** Of an image, `[h, w, 3, 4]`. */
  readonly anchors: Float32Array;
  /** Both as `proposals.ts` reads them, under their names. */
  inField(
    level: number,
  ): readonly (readonly [string, { readonly shape: readonly number[]; readonly data: Float32Array }])[];
}

/** @param outputs `rpn_cls.i` `[T, B, h, w, 3]` and `rpn_reg.i` `[T, B, h, w, 12]`. */
export function learnedLevels(
  outputs: ReadonlyMap<string, Float32Array>,
  shapes: ReadonlyMap<string, readonly number[]>,
  strides: readonly number[],
): readonly LearnedLevel[] {
  return strides.map((stride, level) => {
    const [timeSteps, batch, height, width] = shapes.get(`rpn_cls.${level}`)! as [number, number, number, number];
    const scores = averaged(outputs.get(`rpn_cls.${level}`)!, timeSteps);
    const ways = averaged(outputs.get(`rpn_reg.${level}`)!, timeSteps);
    const field = (values: Float32Array, channels: number) => ({
      shape: [1, batch, channels, height, width],
      data: channelsFirst(values, channels, height * width),
    });
    return {
      ...{ scores, ways, timeSteps },
      anchors: anchorsOf({ width, height }, stride),
      inField: (i) => [
        [`rpn_cls.${i}`, field(scores.values, anchorsAtPlace)],
        [`rpn_reg.${i}`, field(ways.values, 4 * anchorsAtPlace)],
      ],
    };
  });
}

function channelsFirst(values: Float32Array, channels: number, area: number): Float32Array {
  return Float32Array.from(values, (_, i) => {
    const [image, rest] = [Math.floor(i / (channels * area)), i % (channels * area)];
    return values[(image * area + (rest % area)) * channels + Math.floor(rest / area)]!;
  });
}

/** Losses are sums over the sample of all images, by the number of its anchors. */
export function judgeAnchors(
  levels: readonly LearnedLevel[],
  batch: BoxBatch,
  settings: { readonly boxWeight: number; readonly regions: RegionSettings },
  share: number,
): {
  readonly loss: number;
  readonly gradients: ReadonlyMap<string, Float32Array>;
  /** Mean overlap of the boxes that anchors on objects lead to with those objects. */
  readonly overlap: number;
} {
  const images = batch.ends.length;
  const anchors = joined(levels.map((level) => level.anchors));
  const random = randomOf(batch.boxes, levels.at(-1)!.scores.values);
  const samples = Array.from({ length: images }, (_, image) => {
    const learned = learnedObjects(batch, image);
    return { learned, ...sampledAnchors(anchors, learned, settings.regions, random) };
  });
  // An image without either counts one, as in mmdetection.
  const counted = samples.reduce(
    (sum, { positives, negatives }) => sum + Math.max(1, positives.length) + Math.max(1, negatives.length),
    0,
  );
  const weight = share / counted;
  const placeOf = placesIn(levels);
  const onObjects = samples.reduce((sum, { positives }) => sum + positives.length, 0);
  let [loss, overlap] = [0, 0];
  for (const [image, { learned, assigned, positives, negatives }] of samples.entries()) {
    for (const anchor of positives) {
      const { level, at } = placeOf(image, anchor);
      const object = learned.objects[assigned[anchor]!]!;
      const box = anchors.subarray(4 * anchor, 4 * anchor + 4);
      const way = encodeBoxes(box, object.sides);
      const found = decodeBoxes(box, level.ways.values.subarray(4 * at, 4 * at + 4));
      overlap += overlapOfBoxes(Float32Array.of(...found, ...object.sides), 0, 1) / onObjects;
      loss += scoreLoss(level.scores, at, 1, weight);
      loss += wayLoss(level.ways, 4 * at, way, weight * settings.boxWeight);
    }
    for (const anchor of negatives) {
      const { level, at } = placeOf(image, anchor);
      loss += scoreLoss(level.scores, at, 0, weight);
    }
  }
  const gradients = levels.flatMap(({ scores, ways, timeSteps }, i): [string, Float32Array][] => [
    [`rpn_cls.${i}`, spreadOverTime(scores.gradient, timeSteps)],
    [`rpn_reg.${i}`, spreadOverTime(ways.gradient, timeSteps)],
  ]);
  return { loss, overlap, gradients: new Map(gradients) };
}

/** Where an anchor's score is: anchors are numbered through all levels. */
function placesIn(levels: readonly LearnedLevel[]) {
  const counts = levels.map(({ anchors }) => anchors.length / 4);
  return (image: number, anchor: number): { readonly level: LearnedLevel; readonly at: number } => {
    let [level, own] = [0, anchor];
    while (own >= counts[level]!) own -= counts[level++]!;
    return { level: levels[level]!, at: image * counts[level]! + own };
  };
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
