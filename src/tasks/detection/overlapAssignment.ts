/**
 * Which anchor or proposal answers for which object, by their overlap, and a sample of them to learn from: Ren et al. 2015, Faster R-CNN, section 3.1.2, with the rules of mmdetection 3
 * (`MaxIoUAssigner`, `RandomSampler`).
 */
import type { Random } from '../../random.js';

/** In place of an object's number: shows none, and says nothing to the loss. */
export const background = -1;
export const undecided = -2;

export interface OverlapRule {
  /** From this overlap on a box answers for the object that it overlaps most. */
  readonly positive: number;
  /** Below this overlap with all objects it shows the background. */
  readonly negative: number;
  /** Of each object the boxes that overlap it most answer for it, if they do so at least as much: later objects before earlier ones, and before the rule above. */
  readonly least: number;
}

/** Of anchors. */
export const anchorRule: OverlapRule = { positive: 0.7, negative: 0.3, least: 0.3 };
/** Of proposals. */
export const proposalRule: OverlapRule = { positive: 0.5, negative: 0.5, least: 0.5 };

/**
 * @param boxes `[N, 4]`: left, top, right and bottom.
 * @param objects `[K, 4]`
 * @returns `[N]`: the number of an object, `background` or `undecided`.
 */
export function assignByOverlap(boxes: Float32Array, objects: Float32Array, rule: OverlapRule): Int32Array {
  const [count, objectCount] = [boxes.length / 4, objects.length / 4];
  const assigned = new Int32Array(count).fill(background);
  if (objectCount === 0) return assigned;
  const most = new Float32Array(count).fill(-1);
  const nearest = new Int32Array(count);
  const areas = Float32Array.from({ length: count }, (_, i) => areaOf(boxes, i));
  /** By object. */
  const closest: number[][] = [];
  for (let object = 0; object < objectCount; object++) {
    let [best, places] = [-1, [] as number[]];
    const area = areaOf(objects, object);
    for (let i = 0; i < count; i++) {
      const overlap = overlapOf(boxes, i, areas[i]!, objects, object, area);
      if (overlap > most[i]!) {
        most[i] = overlap;
        nearest[i] = object;
      }
      if (overlap > best) [best, places] = [overlap, [i]];
      else if (overlap === best) places.push(i);
    }
    closest.push(best >= Math.fround(rule.least) ? places : []);
  }
  const [positive, negative] = [Math.fround(rule.positive), Math.fround(rule.negative)];
  for (let i = 0; i < count; i++)
    assigned[i] = most[i]! >= positive ? nearest[i]! : most[i]! < negative ? background : undecided;
  for (const [object, places] of closest.entries()) for (const i of places) assigned[i] = object;
  return assigned;
}

/** Intersection over union in float32, as mmdetection's `bbox_overlaps`. */
function overlapOf(boxes: Float32Array, i: number, area: number, objects: Float32Array, k: number, own: number) {
  const across = Math.min(boxes[4 * i + 2]!, objects[4 * k + 2]!) - Math.max(boxes[4 * i]!, objects[4 * k]!);
  if (!(across > 0)) return 0;
  const down = Math.min(boxes[4 * i + 3]!, objects[4 * k + 3]!) - Math.max(boxes[4 * i + 1]!, objects[4 * k + 1]!);
  if (!(down > 0)) return 0;
  const shared = Math.fround(Math.fround(across) * Math.fround(down));
  const union = Math.fround(Math.fround(area + own) - shared);
  return Math.fround(shared / Math.max(union, leastUnion));
}

const leastUnion = Math.fround(1e-6);

function areaOf(boxes: Float32Array, i: number): number {
  const [left, top, right, bottom] = boxes.subarray(4 * i, 4 * i + 4) as unknown as [number, number, number, number];
  return Math.fround(Math.fround(right - left) * Math.fround(bottom - top));
}

export interface Sample {
  /** Numbers of boxes that answer for an object, in ascending order. */
  readonly positives: readonly number[];
  /** Of those that show the background. */
  readonly negatives: readonly number[];
}

/**
 * Some of the boxes by chance.
 *
 * @param most How many together; where positives are few, more of the others.
 * @param share Of them may be positive.
 */
export function sampleOf(assigned: Int32Array, most: number, share: number, random: Random): Sample {
  const [positives, negatives]: [number[], number[]] = [[], []];
  for (const [i, object] of assigned.entries()) {
    if (object >= 0) positives.push(i);
    else if (object === background) negatives.push(i);
  }
  const chosen = some(positives, Math.floor(most * share), random);
  return { positives: chosen, negatives: some(negatives, most - chosen.length, random) };
}

/** In ascending order. */
function some(from: number[], count: number, random: Random): readonly number[] {
  if (from.length <= count) return from;
  for (let i = 0; i < count; i++) {
    const other = i + random.integer(from.length - i);
    [from[i], from[other]] = [from[other]!, from[i]!];
  }
  return from.slice(0, count).sort((a, b) => a - b);
}
