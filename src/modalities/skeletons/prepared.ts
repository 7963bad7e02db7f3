/**
 * From a sequence to the floats of a network's input: bodies chosen, normalised, changed as chance decided, brought to T frames, and what the features say of each joint
 * written down. Evaluation is the same without chance.
 */
import { DataError } from '../../data/errors.js';
import { type SkeletonSample, sequenceOf } from '../../data/skeletons/preparations.js';
import { axes, type SkeletonSequence, skeletons } from '../../data/skeletons/skeletonSequence.js';
import { type Crop, centreCrop, cropAt, type JointValues, resizeInTime } from './cropResize.js';
import { alignBody, centreOnSpine, isPresent, scaleToRange } from './normalise.js';
import type { SkeletonFeature, SkeletonPreprocessing } from './settings.js';
import { type Rotation, rotate, writeStream } from './streams.js';

/** What chance decided about one sequence. */
export interface SkeletonChange {
  /** Which part is kept: share, place of it, and the fewest frames. */
  readonly crop: { readonly share: number; readonly place: number; readonly shortest: number } | undefined;
  readonly rotations: readonly Rotation[];
  readonly axisScales: readonly [number, number, number];
  /** `[joints, 3]`; empty for none. */
  readonly jointOffsets: Float64Array;
  /** Where each frame is taken from with `nearest`, as shares of the part, in order; undefined for equal distances. */
  readonly framePlaces: readonly number[] | undefined;
}

/** @throws DataError naming the sequence when its joints are others than the settings', or it is a recording that cannot be prepared. */
export function preparedJoints(
  sample: SkeletonSample,
  settings: SkeletonPreprocessing,
  change?: SkeletonChange,
): JointValues {
  const joints = chosenBodies(sequenceOf(sample, settings.preparation), settings);
  const skeleton = skeletons[settings.skeleton];
  if (settings.normalise !== 'none') centreOnSpine(joints, skeleton);
  if (settings.normalise === 'body') alignBody(joints, skeleton);
  if (change !== undefined) moveJoints(joints, change);
  if (settings.normalise === 'range') scaleToRange(joints);
  const crop = cropOf(joints.frames, settings, change);
  return settings.sampling === 'linear'
    ? resizeInTime(joints, crop, settings.timeSteps)
    : framesAt(joints, crop, settings.timeSteps, change?.framePlaces);
}

/** A copy of the bodies that a network sees. */
function chosenBodies(sequence: SkeletonSequence, { skeleton, bodies }: SkeletonPreprocessing): JointValues {
  const { frames, joints, positions } = sequence;
  const expected = skeletons[skeleton].joints.length;
  if (joints !== expected)
    throw new DataError(
      `${sequence.name}: has ${joints} joints, the preprocessing is for ${expected} (${skeleton}); set data.preprocessing.skeleton, or choose other data`,
    );
  const size = joints * axes;
  const values = new Float64Array(frames * bodies * size);
  const taken = Math.min(bodies, sequence.bodies) * size;
  for (let frame = 0; frame < frames; frame++) {
    const start = frame * sequence.bodies * size;
    values.set(positions.subarray(start, start + taken), frame * bodies * size);
  }
  return { frames, bodies, joints, values };
}

function moveJoints(sequence: JointValues, { rotations, axisScales, jointOffsets }: SkeletonChange): void {
  const { frames, bodies, joints, values } = sequence;
  for (const rotation of rotations) rotate(sequence, rotation);
  for (let i = 0; i < values.length; i++) values[i]! *= axisScales[i % axes]!;
  if (jointOffsets.length === 0) return;
  for (let frame = 0; frame < frames; frame++) {
    for (let body = 0; body < bodies; body++) {
      if (!isPresent(sequence, frame, body)) continue;
      const start = (frame * bodies + body) * joints * axes;
      for (let i = 0; i < joints * axes; i++) values[start + i]! += jointOffsets[i]!;
    }
  }
}

function cropOf(frames: number, { keep }: SkeletonPreprocessing, change: SkeletonChange | undefined): Crop {
  if (change?.crop === undefined) return centreCrop(frames, keep);
  const { share, place, shortest } = change.crop;
  return cropAt(frames, share, place, shortest);
}

/** Frames as they are: `linspace(0, length − 1)` rounded down, or where chance says. */
function framesAt(
  { bodies, joints, values }: JointValues,
  { begin, length }: Crop,
  frames: number,
  places: readonly number[] | undefined,
): JointValues {
  const size = bodies * joints * axes;
  const chosen = new Float64Array(frames * size);
  for (let frame = 0; frame < frames; frame++) {
    const place = places?.[frame];
    const step = frames === 1 ? 0 : (length - 1) / (frames - 1);
    const from = begin + (place === undefined ? Math.trunc(frame * step) : Math.floor(place * length));
    chosen.set(values.subarray(from * size, (from + 1) * size), frame * size);
  }
  return { frames, bodies, joints, values: chosen };
}

/**
 * Writes the features of prepared joints: frame t, channel c of joint v of body m at `offset + t · frameStride + (c · bodies + m) · joints + v`. Replaces what is there.
 */
export function writeFeatures(
  sequence: JointValues,
  { features, skeleton }: Pick<SkeletonPreprocessing, 'features' | 'skeleton'>,
  target: Float32Array,
  offset: number,
  frameStride: number,
): void {
  const { frames, bodies, joints } = sequence;
  const row = bodies * joints;
  let channel = 0;
  for (const feature of features) {
    if (feature.stream === 'identity') {
      for (let frame = 0; frame < frames; frame++) {
        const start = offset + frame * frameStride + channel * row;
        target.fill(0, start, start + joints * row);
        for (let at = 0; at < row; at++) target[start + (at % joints) * row + at] = 1;
      }
      channel += joints;
      continue;
    }
    const values = streamOf(sequence, feature, skeletons[skeleton].parents);
    for (let frame = 0; frame < frames; frame++) {
      for (let at = 0; at < row; at++) {
        for (let axis = 0; axis < axes; axis++)
          target[offset + frame * frameStride + (channel + axis) * row + at] =
            feature.scale * values[(frame * row + at) * axes + axis]!;
      }
    }
    channel += axes;
  }
}

type Stream = Exclude<SkeletonFeature, { readonly stream: 'identity' }>;

function streamOf(
  sequence: JointValues,
  { stream, reach }: Stream,
  parents: readonly number[],
): Float32Array | Float64Array {
  const { frames, values } = sequence;
  const still = reach === 0 ? stream : stream === 'jointMotion' ? 'joint' : 'bone';
  const written = values instanceof Float64Array ? new Float64Array(values.length) : new Float32Array(values.length);
  writeStream(sequence, still, parents, written);
  if (reach === 0) return written;
  const size = values.length / frames;
  return written.map((_, i) => {
    const frame = Math.floor(i / size);
    const [later, earlier] = [Math.min(frame + reach, frames - 1), Math.max(frame - reach, 0)];
    return written[later * size + (i % size)]! - written[earlier * size + (i % size)]!;
  });
}
