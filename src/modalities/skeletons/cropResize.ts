/**
 * A part of a sequence, brought to a number of frames: the crops and the linear resampling in time of the published feeders of skeletons (`valid_crop_resize`, CTR-GCN,
 * Chen et al., ICCV 2021). What chance decides comes in as numbers. There is no smoothing before frames are left out.
 */
import { axes } from '../../data/skeletons/skeletonSequence.js';

/** Places of joints, `[frames, bodies, joints, 3]`, whatever they are relative to. */
export interface JointValues {
  readonly frames: number;
  readonly bodies: number;
  readonly joints: number;
  readonly values: Float32Array | Float64Array;
}

/** Consecutive frames of a sequence; there is at least one. */
export interface Crop {
  readonly begin: number;
  readonly length: number;
}

/** The shortest part that training takes, as published; shorter sequences are taken whole. */
export const shortestPublishedCrop = 64;

/** Evaluation's part: the middle `share` of the frames, `⌊(1 − share) · frames / 2⌋` left out at each end. `share` is in (0, 1]. */
export function centreCrop(frames: number, share: number): Crop {
  const begin = Math.trunc(((1 - share) * frames) / 2);
  return { begin, length: frames - 2 * begin };
}

/**
 * Training's part: `⌊share · frames⌋` frames, but no fewer than `shortest` and no more than there are.
 *
 * @param place In [0, 1): where among all places that the part has.
 */
export function cropAt(frames: number, share: number, place: number, shortest = shortestPublishedCrop): Crop {
  const length = Math.min(Math.max(Math.floor(frames * share), shortest, 1), frames);
  return { begin: Math.floor(place * (frames - length + 1)), length };
}

/**
 * The frames of `crop` resampled to `frames` frames, between neighbours in a straight line: frame i is that at `(i + ½) · length / frames − ½`, held at the ends
 * (`F.interpolate`, `align_corners=False`). Computed in float32 like the original's.
 *
 * @param into Where to write, `frames · bodies · joints · 3` floats.
 */
export function resizeInTime(
  sequence: JointValues,
  { begin, length }: Crop,
  frames: number,
  into = new Float32Array(frames * sequence.bodies * sequence.joints * axes),
): JointValues & { readonly values: Float32Array } {
  const { bodies, joints, values } = sequence;
  const size = bodies * joints * axes;
  const scale = Math.fround(length / frames);
  for (let frame = 0; frame < frames; frame++) {
    const source = Math.max(0, Math.fround(scale * (frame + 0.5) - 0.5));
    const before = Math.min(Math.floor(source), length - 1);
    const after = Math.min(before + 1, length - 1);
    const weight = Math.fround(source - before);
    const [from, to] = [(begin + before) * size, (begin + after) * size];
    for (let i = 0; i < size; i++)
      into[frame * size + i] =
        Math.fround((1 - weight) * Math.fround(values[from + i]!)) + Math.fround(weight * Math.fround(values[to + i]!));
  }
  return { frames, bodies, joints, values: into };
}
