/**
 * Boxes with class numbers as targets, any number for each sample, and masks where every object has one: what a detector learns. They move with the picture and are cut
 * off at its border; those of which too little is left are dropped from a batch.
 */
import { DataError } from '../errors.js';
import { type Box, transformBoxes } from '../geometry/boxes.js';
import { transformObjectMasks } from '../geometry/objectMasks.js';
import type { RunLengthMask } from '../masks/runLength.js';
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
  /** [M]: 1 for a box that stands for many objects, which are neither learned nor asked for. Absent: there are none. */
  readonly crowds?: Uint8Array;
  /** Of every object; absent where not all have one. */
  readonly masks?: ObjectMasks;
}

/** Masks of objects one after the other, as runs (`masks/runLength.ts`). */
export interface ObjectMasks {
  /** Width and height of each sample's image as it is stored [N, 2]. */
  readonly sizes: Int32Array;
  readonly runs: Uint32Array;
  /** [M]: how many runs the objects 0 to i have together. */
  readonly ends: Int32Array;
}

export interface LabelledBox extends Box {
  readonly label: number;
  readonly crowd?: true;
  /** In the size of the picture. */
  readonly mask?: RunLengthMask;
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
  /** [K], where the store has crowds. */
  readonly crowds?: Uint8Array;
  /** Where the store has masks: their runs one after the other, and how many the boxes 0 to i have together [K]. */
  readonly maskRuns?: Uint32Array;
  readonly maskEnds?: Int32Array;
  /** With masks: width and height of the pictures [2], zeros when the batch has no box. */
  readonly maskSize?: Int32Array;
}

export const boxTargets: TargetKind<BoxTargets, readonly LabelledBox[], BoxBatch> = {
  name: 'boxes',
  count: ({ ends }) => ends.length,
  check,
  read,
  identity: (store, position) =>
    JSON.stringify(
      read(store, position).map(({ mask, ...box }) =>
        mask === undefined ? box : { ...box, mask: { ...mask, runs: Array.from(mask.runs) } },
      ),
    ),
  transform: (boxes, geometry) => {
    if (geometry === undefined) return boxes;
    const masks = transformObjectMasks(
      boxes.flatMap(({ mask }) => mask ?? []),
      geometry,
    );
    return transformBoxes(boxes, geometry).map((box, i) => ({
      ...{ ...box, label: boxes[i]!.label },
      ...(boxes[i]!.crowd ? { crowd: true } : {}),
      ...(masks[i] === undefined ? {} : { mask: masks[i] }),
    }));
  },
  collate: (store, targets) => {
    const { leastVisible } = store;
    const kept = targets.map((boxes) => boxes.filter(({ visible }) => visible > 0 && visible >= leastVisible));
    const all = kept.flat();
    return {
      boxes: Float32Array.from(all.flatMap(({ left, top, right, bottom }) => [left, top, right, bottom])),
      labels: Int32Array.from(all, ({ label }) => label),
      visible: Float32Array.from(all, ({ visible }) => visible),
      ends: sumsOf(kept.map(({ length }) => length)),
      ...(store.crowds === undefined ? {} : { crowds: Uint8Array.from(all, ({ crowd }) => (crowd ? 1 : 0)) }),
      ...(store.masks === undefined ? {} : collatedMasks(all)),
    };
  },
};

function read({ ends, boxes, labels, crowds, masks }: BoxTargets, position: number): readonly LabelledBox[] {
  const first = position === 0 ? 0 : ends[position - 1]!;
  return Array.from({ length: ends[position]! - first }, (_, i) => {
    const at = first + i;
    const [left, top, right, bottom] = boxes.subarray(at * 4, at * 4 + 4);
    return {
      ...{ left: left!, top: top!, right: right!, bottom: bottom!, label: labels[at]!, visible: 1 },
      ...(crowds?.[at] === 1 ? { crowd: true } : {}),
      ...(masks === undefined ? {} : { mask: maskAt(masks, position, at) }),
    };
  });
}

function maskAt({ sizes, runs, ends }: ObjectMasks, position: number, at: number): RunLengthMask {
  const [width, height] = sizes.subarray(2 * position, 2 * position + 2) as unknown as [number, number];
  return { width, height, runs: runs.subarray(at === 0 ? 0 : ends[at - 1]!, ends[at]!) };
}

function collatedMasks(boxes: readonly LabelledBox[]) {
  const masks = boxes.map(({ mask }) => mask!);
  const { width, height } = masks[0] ?? { width: 0, height: 0 };
  return { ...joinedRuns(masks.map(({ runs }) => runs)), maskSize: Int32Array.of(width, height) };
}

function joinedRuns(parts: readonly Uint32Array[]): { maskRuns: Uint32Array; maskEnds: Int32Array } {
  const maskEnds = sumsOf(parts.map(({ length }) => length));
  const maskRuns = new Uint32Array(maskEnds.at(-1) ?? 0);
  for (const [i, part] of parts.entries()) maskRuns.set(part, maskEnds[i]! - part.length);
  return { maskRuns, maskEnds };
}

/** Sum of each number and those before. */
function sumsOf(numbers: readonly number[]): Int32Array {
  let sum = 0;
  return Int32Array.from(numbers, (number) => {
    sum += number;
    return sum;
  });
}

/** Masks of all objects of all samples as a store has them, or undefined where one has none or there is no object. */
export function objectMasks(
  images: readonly {
    readonly width: number;
    readonly height: number;
    readonly masks: readonly (RunLengthMask | undefined)[];
  }[],
): ObjectMasks | undefined {
  const masks = images.flatMap((image) => image.masks);
  if (masks.length === 0 || masks.some((mask) => mask === undefined)) return undefined;
  const { maskRuns: runs, maskEnds: ends } = joinedRuns(masks.map((mask) => mask!.runs));
  return { sizes: Int32Array.from(images.flatMap(({ width, height }) => [width, height])), runs, ends };
}

function check({ classes, ends, boxes, labels, crowds, masks }: BoxTargets, source: string): void {
  const besides = [crowds?.length, masks?.ends.length].filter((length) => length !== undefined);
  const wrong = besides.find((length) => length !== labels.length);
  if (wrong !== undefined)
    throw new DataError(
      `${source}: has ${wrong} masks or marks of crowds for ${labels.length} boxes; expected as many`,
    );
  if (masks && (masks.sizes.length !== 2 * ends.length || masks.runs.length !== (masks.ends.at(-1) ?? 0)))
    throw new DataError(
      `${source}: has masks of ${masks.sizes.length / 2} samples and ${masks.runs.length} runs; expected ${ends.length} and ${masks.ends.at(-1) ?? 0}`,
    );
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
