/** What is true of the images of a batch: boxes with classes, masks where the data has them, and crowds, which stand for many objects that nobody separated. */
import { type CocoBox, maskArea, type RunLengthMask } from '../../data/masks/runLength.js';
import type { CocoTruth } from '../../metrics/cocoMatching.js';
import type { LabelledBoxes } from './assignment.js';

/** What answers are compared with: the boxes of all images one after the other. */
export interface BoxBatch {
  /** `[K, 4]`: left, top, right, bottom in pixels of the input. */
  readonly boxes: Float32Array;
  /** `[K]` */
  readonly labels: Int32Array;
  /** `[B]`: how many boxes images 0 to i have together. */
  readonly ends: Int32Array;
  /** `[K]`: 1 for a crowd. */
  readonly crowds?: Uint8Array;
  /** Masks of the data that has them: runs one after the other, how many the boxes 0 to i have together `[K]`, and width and height of the input `[2]`. */
  readonly maskRuns?: Uint32Array;
  readonly maskEnds?: Int32Array;
  readonly maskSize?: Int32Array;
}

/** An object of an image. */
export interface TrueObject {
  readonly label: number;
  /** `[4]`: left, top, right, bottom. */
  readonly sides: Float32Array;
  readonly crowd: boolean;
  /** In the size of the input. */
  readonly mask?: RunLengthMask;
}

/** All of one image of a batch. */
export function objectsOf(batch: BoxBatch, image: number): readonly TrueObject[] {
  const { boxes, labels, ends, crowds } = batch;
  const [from, to] = [image === 0 ? 0 : ends[image - 1]!, ends[image]!];
  return Array.from({ length: to - from }, (_, i) => {
    const at = from + i;
    const mask = maskOf(batch, at);
    return {
      label: labels[at]!,
      sides: boxes.subarray(4 * at, 4 * at + 4),
      crowd: crowds?.[at] === 1,
      ...(mask === undefined ? {} : { mask }),
    };
  });
}

/** Whether a batch's objects have masks; one without objects has them where the data has. */
export function hasMasks({ maskRuns }: BoxBatch): boolean {
  return maskRuns !== undefined;
}

function maskOf({ maskRuns, maskEnds, maskSize }: BoxBatch, at: number): RunLengthMask | undefined {
  if (maskRuns === undefined || maskEnds === undefined || maskSize === undefined) return undefined;
  const [width, height] = maskSize as unknown as [number, number];
  return { width, height, runs: maskRuns.subarray(at === 0 ? 0 : maskEnds[at - 1]!, maskEnds[at]!) };
}

/** What is learned of one image: crowds are not. */
export function boxesOf(batch: BoxBatch, image: number): LabelledBoxes {
  const single = objectsOf(batch, image).filter(({ crowd }) => !crowd);
  return {
    boxes: Float32Array.from(single.flatMap(({ sides }) => Array.from(sides))),
    labels: Int32Array.from(single, ({ label }) => label),
  };
}

/** As COCO's evaluation asks for them: an object's area, which says whether it is small, is that of its mask where it has one, also when boxes are compared. */
export function truthsOf(batch: BoxBatch, image: number): readonly CocoTruth[] {
  return objectsOf(batch, image).map(({ label, sides, crowd, mask }) => ({
    class: label,
    box: cocoBox(sides),
    crowd,
    ...(mask === undefined ? {} : { mask, area: maskArea(mask) }),
  }));
}

/** Left, top, right, bottom as COCO has them: left, top, width and height. */
export function cocoBox(sides: ArrayLike<number>): CocoBox {
  const [left, top, right, bottom] = Array.from(sides) as [number, number, number, number];
  return [left, top, right - left, bottom - top];
}
