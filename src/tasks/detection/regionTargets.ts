/**
 * What the parts of a detector with regions are to learn from a batch: of each image a sample of anchors, and a sample of proposals and objects for the heads, with the objects that they
 * answer for. Chance is drawn from the batch itself, so that a run that was stopped goes on as if it had not been.
 */
import { type Random, seededRandom } from '../../random.js';
import { anchorRule, assignByOverlap, proposalRule, type Sample, sampleOf } from './overlapAssignment.js';
import type { RegionSettings } from './settings.js';
import { type BoxBatch, objectsOf, type TrueObject } from './truths.js';

/** At most so many of the anchors and of the regions that are learned from are on objects. */
const anchorShare = 0.5;
const regionShare = 0.25;
/** Objects with a shorter side have no way to them. */
const leastSide = 1e-2;

/** What can be learned of an image: no crowds, and nothing without an area. */
export interface LearnedObjects {
  readonly objects: readonly TrueObject[];
  /** `[K, 4]` */
  readonly boxes: Float32Array;
}

export function learnedObjects(batch: BoxBatch, image: number): LearnedObjects {
  const objects = objectsOf(batch, image).filter(({ crowd, sides: [left, top, right, bottom] }) => {
    return !crowd && right! - left! >= leastSide && bottom! - top! >= leastSide;
  });
  return { objects, boxes: Float32Array.from(objects.flatMap(({ sides }) => Array.from(sides))) };
}

/** Anchors of an image that the loss counts. */
export interface AnchorSample extends Sample {
  /** By anchor: the number of an object where it answers for one. */
  readonly assigned: Int32Array;
}

export function sampledAnchors(
  anchors: Float32Array,
  { boxes }: LearnedObjects,
  settings: RegionSettings,
  random: Random,
): AnchorSample {
  const assigned = assignByOverlap(anchors, boxes, anchorRule);
  return { assigned, ...sampleOf(assigned, settings.anchors, anchorShare, random) };
}

/** Regions of an image that the heads learn from. */
export interface RegionSample {
  /** `[N, 4]`: those on objects first. */
  readonly boxes: Float32Array;
  /** Of the regions on objects: which. */
  readonly objects: readonly TrueObject[];
}

/** @param proposed `[P, 4]`. The objects themselves are regions too, before the proposals. */
export function sampledRegions(
  proposed: Float32Array,
  { objects, boxes }: LearnedObjects,
  settings: RegionSettings,
  random: Random,
): RegionSample {
  const found = assignByOverlap(proposed, boxes, proposalRule);
  const all = Float32Array.from([...boxes, ...proposed]);
  const assigned = Int32Array.from([...objects.keys(), ...found]);
  const { positives, negatives } = sampleOf(assigned, settings.sampled, regionShare, random);
  return {
    boxes: Float32Array.from([...positives, ...negatives].flatMap((i) => Array.from(all.subarray(4 * i, 4 * i + 4)))),
    objects: positives.map((i) => objects[assigned[i]!]!),
  };
}

/** The same for the same numbers. */
export function randomOf(...numbers: readonly Float32Array[]): Random {
  // FNV-1a over the bits.
  let hash = 0x811c9dc5;
  for (const values of numbers)
    for (const word of new Uint32Array(Float32Array.from(values).buffer)) hash = Math.imul(hash ^ word, 0x01000193);
  return seededRandom(hash >>> 0);
}
