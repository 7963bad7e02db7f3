/**
 * Boxes with class numbers as targets, any number for each sample: what a detector learns. They move with the picture and are cut off at
 * its border; those of which too little is left are dropped from a batch.
 */
import { DataError } from '../errors.js';
import { type Box, transformBoxes } from '../geometry/boxes.js';
import type { TargetKind } from './targetKind.js';

export interface BoxTargets {
  readonly kind: 'boxes';
  /** Class names; a label is an index into them. */
  readonly classes: readonly string[];
  /** Of sample i, the boxes up to number `ends[i]` and not those of the samples before. */
  readonly ends: Int32Array;
  /** float32 [M, 4]: left, top, right and bottom in pixels of the image as it is stored. */
  readonly boxes: Float32Array;
  /** Class numbers [M]. */
  readonly labels: Int32Array;
  /** Boxes of which a smaller share of their area is left in the picture are dropped; 0 keeps all that have not vanished. */
  readonly leastVisible: number;
}

export interface LabelledBox extends Box {
  readonly label: number;
  /** The share of its area that is in the picture. */
  readonly visible: number;
}

export interface BoxBatch {
  /** float32 [K, 4]: left, top, right and bottom in pixels of the input. */
  readonly boxes: Float32Array;
  /** Class numbers [K]. */
  readonly labels: Int32Array;
  /** float32 [K]: the share of each box that is in the picture. */
  readonly visible: Float32Array;
  /** [B]: how many boxes samples 0 to i have together. */
  readonly ends: Int32Array;
}

export const boxTargets: TargetKind<BoxTargets, readonly LabelledBox[], BoxBatch> = {
  name: 'boxes',
  count: ({ ends }) => ends.length,
  check,
  read: ({ ends, boxes, labels }, position) => {
    const first = position === 0 ? 0 : ends[position - 1]!;
    return Array.from({ length: ends[position]! - first }, (_, i) => {
      const [left, top, right, bottom] = boxes.subarray((first + i) * 4, (first + i) * 4 + 4);
      return { left: left!, top: top!, right: right!, bottom: bottom!, label: labels[first + i]!, visible: 1 };
    });
  },
  transform: (boxes, geometry) =>
    geometry === undefined
      ? boxes
      : transformBoxes(boxes, geometry).map((box, i) => ({ ...box, label: boxes[i]!.label })),
  collate: ({ leastVisible }, targets) => {
    const kept = targets.map((boxes) => boxes.filter(({ visible }) => visible > 0 && visible >= leastVisible));
    const all = kept.flat();
    let end = 0;
    return {
      boxes: Float32Array.from(all.flatMap(({ left, top, right, bottom }) => [left, top, right, bottom])),
      labels: Int32Array.from(all, ({ label }) => label),
      visible: Float32Array.from(all, ({ visible }) => visible),
      ends: Int32Array.from(kept, (boxes) => {
        end += boxes.length;
        return end;
      }),
    };
  },
};

function check({ classes, ends, boxes, labels }: BoxTargets, source: string): void {
  if (boxes.length !== 4 * labels.length || (ends.at(-1) ?? 0) !== labels.length) {
    throw new DataError(
      `${source}: has ${boxes.length / 4} boxes, ${labels.length} labels and samples with ${ends.at(-1) ?? 0} boxes; expected as many of each`,
    );
  }
  for (const [i, label] of labels.entries()) {
    const [left, top, right, bottom] = boxes.subarray(4 * i, 4 * i + 4) as unknown as [number, number, number, number];
    if (!(label >= 0 && label < classes.length)) {
      throw new DataError(`${source}: box ${i} has the label ${label}; expected 0 to ${classes.length - 1}`);
    }
    if (!(left <= right && top <= bottom) || ![left, top, right, bottom].every(Number.isFinite)) {
      throw new DataError(
        `${source}: box ${i} goes from (${left}, ${top}) to (${right}, ${bottom}); expected left ≤ right and top ≤ bottom`,
      );
    }
  }
}
