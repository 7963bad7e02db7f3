/**
 * From what a region proposal network says of anchors to proposals (Ren et al. 2015, Faster R-CNN), as mmdetection 3 does with the authors' network: scores and ways are averaged over time
 * before the sigmoid; of each level the best are decoded and cut off at the image; of those that overlap within a level the surest stays.
 */
import { anchorsOf } from '../../data/geometry/anchors.js';
import { decodeBoxes } from '../../data/geometry/boxCoding.js';
import { suppress } from '../../data/geometry/suppress.js';
import { anchorsAtPlace } from '../../models/regionHeads.js';
import type { Outputs } from '../task.js';
import { meanOverTime, sigmoid } from './numbers.js';

export interface ProposalSettings {
  /** Height and width of the image. */
  readonly size: readonly [height: number, width: number];
  /** Of each level's anchors. */
  readonly strides: readonly number[];
  /** Of a level, before they are compared. */
  readonly candidates: number;
  /** Of an image. */
  readonly proposals: number;
}

/** The surest first. */
export interface Proposals {
  /** `[N, 4]`: left, top, right and bottom in pixels. */
  readonly boxes: Float32Array;
  /** `[N]` */
  readonly scores: Float32Array;
}

/** Boxes of one level that overlap more are one. */
const mostOverlap = 0.7;

/** @param outputs `rpn_cls.i` `[T, B, 3, h, w]` and `rpn_reg.i` `[T, B, 12, h, w]`. @returns those of each image. */
export function proposalsOf(outputs: Outputs, batch: number, settings: ProposalSettings): readonly Proposals[] {
  const levels = settings.strides.map((stride, level) => {
    const scores = outputs.get(`rpn_cls.${level}`)!;
    const [, , , height, width] = scores.shape as [number, number, number, number, number];
    const deltas = meanOverTime(outputs.get(`rpn_reg.${level}`)!);
    return {
      anchors: anchorsOf({ width, height }, stride),
      area: height * width,
      scores: meanOverTime(scores),
      deltas,
    };
  });
  return Array.from({ length: batch }, (_, image) => ofImage(levels, image, settings));
}

interface LevelOfAnchors {
  /** `[h·w·3, 4]`: by row, column and shape. */
  readonly anchors: Float32Array;
  readonly area: number;
  /** `[B, 3, h, w]` and `[B, 12, h, w]`. */
  readonly scores: Float32Array;
  readonly deltas: Float32Array;
}

function ofImage(levels: readonly LevelOfAnchors[], image: number, settings: ProposalSettings): Proposals {
  const [height, width] = settings.size;
  const boxes: number[] = [];
  const scores: number[] = [];
  const groups: number[] = [];
  for (const [level, numbers] of levels.entries()) {
    const { chosen, surenesses } = best(numbers, image, settings.candidates);
    const given = new Float32Array(4 * chosen.length);
    const deltas = new Float32Array(4 * chosen.length);
    for (const [i, anchor] of chosen.entries()) {
      given.set(numbers.anchors.subarray(4 * anchor, 4 * anchor + 4), 4 * i);
      const [place, shape] = [Math.floor(anchor / anchorsAtPlace), anchor % anchorsAtPlace];
      for (let side = 0; side < 4; side++) {
        const channel = (image * anchorsAtPlace + shape) * 4 + side;
        deltas[4 * i + side] = numbers.deltas[channel * numbers.area + place]!;
      }
    }
    const decoded = decodeBoxes(given, deltas, { within: { width, height } });
    for (let i = 0; i < chosen.length; i++) {
      const [left, top, right, bottom] = decoded.subarray(4 * i, 4 * i + 4) as unknown as [
        number,
        number,
        number,
        number,
      ];
      if (!(right > left && bottom > top)) continue;
      boxes.push(left, top, right, bottom);
      scores.push(surenesses[i]!);
      groups.push(level);
    }
  }
  const all = Float32Array.from(boxes);
  const kept = suppress(all, scores, mostOverlap, { groups, most: settings.proposals });
  const corners = new Float32Array(4 * kept.length);
  for (const [i, index] of kept.entries()) corners.set(all.subarray(4 * index, 4 * index + 4), 4 * i);
  return { boxes: corners, scores: Float32Array.from(kept, (index) => scores[index]!) };
}

/** Numbers of the anchors with the highest scores, of equal ones the first. */
function best({ scores, area }: LevelOfAnchors, image: number, most: number) {
  const count = anchorsAtPlace * area;
  const sure = Float32Array.from({ length: count }, (_, anchor) => {
    const [place, shape] = [Math.floor(anchor / anchorsAtPlace), anchor % anchorsAtPlace];
    return sigmoid(scores[(image * anchorsAtPlace + shape) * area + place]!);
  });
  const order = Array.from({ length: count }, (_, anchor) => anchor);
  const chosen = order.sort((a, b) => sure[b]! - sure[a]! || a - b).slice(0, most);
  return { chosen, surenesses: chosen.map((anchor) => sure[anchor]!) };
}
