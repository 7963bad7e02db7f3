/**
 * Skeletons over time in memory: where the joints of every body are in every frame. What files say becomes this, and what a network sees is made of it. Beside the
 * places of joints there is which of them are connected, by the sensor.
 */

/** A sequence as data sets give it, after whatever cleaning their published preparation does. */
export interface SkeletonSequence {
  /** What messages call it: a file, or a file and a position in it. */
  readonly name: string;
  readonly frames: number;
  /** Bodies side by side; one that is not there in a frame has zeros. */
  readonly bodies: number;
  readonly joints: number;
  /** x, y, z in metres, `[frames, bodies, joints, 3]`. */
  readonly positions: Float64Array;
}

/** The joints of one sensor. */
export interface Skeleton {
  readonly joints: readonly string[];
  /** For each joint the one that it hangs from; the root is its own parent. A bone is a joint minus its parent. */
  readonly parents: readonly number[];
  /** Between hips and shoulders. */
  readonly spine: number;
  readonly hips: readonly [left: number, right: number];
  readonly shoulders: readonly [left: number, right: number];
  readonly head: number;
}

/** Numbers of a place in space. */
export const axes = 3;

/** Kinect v1, 20 joints: NW-UCLA. The bones of the published list have the third joint as the root. */
const kinect20: Skeleton = {
  joints: [
    'hip centre',
    'spine',
    'shoulder centre',
    'head',
    'left shoulder',
    'left elbow',
    'left wrist',
    'left hand',
    'right shoulder',
    'right elbow',
    'right wrist',
    'right hand',
    'left hip',
    'left knee',
    'left ankle',
    'left foot',
    'right hip',
    'right knee',
    'right ankle',
    'right foot',
  ],
  parents: [1, 2, 2, 2, 2, 4, 5, 6, 2, 8, 9, 10, 0, 12, 13, 14, 0, 16, 17, 18],
  spine: 1,
  hips: [12, 16],
  shoulders: [4, 8],
  head: 3,
};

/** Kinect v2, 25 joints: NTU RGB+D 60 and 120. The bones of the published list have joint 21 (between the shoulders) as the root. */
const kinect25: Skeleton = {
  joints: [
    'base of the spine',
    'middle of the spine',
    'neck',
    'head',
    'left shoulder',
    'left elbow',
    'left wrist',
    'left hand',
    'right shoulder',
    'right elbow',
    'right wrist',
    'right hand',
    'left hip',
    'left knee',
    'left ankle',
    'left foot',
    'right hip',
    'right knee',
    'right ankle',
    'right foot',
    'spine at the shoulders',
    'left hand tip',
    'left thumb',
    'right hand tip',
    'right thumb',
  ],
  parents: [1, 20, 20, 2, 20, 4, 5, 6, 20, 8, 9, 10, 0, 12, 13, 14, 0, 16, 17, 18, 20, 22, 7, 24, 11],
  spine: 1,
  hips: [12, 16],
  shoulders: [4, 8],
  head: 3,
};

export const skeletonNames = ['kinect20', 'kinect25'] as const;
export type SkeletonName = (typeof skeletonNames)[number];

/** By the name that settings say. */
export const skeletons: Readonly<Record<SkeletonName, Skeleton>> = { kinect20, kinect25 };
