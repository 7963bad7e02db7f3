/** Joints, bones and their motion, and turns in space: against CTR-GCN's NTU feeder where the goldens are, and by hand. */
import { describe, expect, it } from 'vitest';
import { skeletons } from '../../../src/data/skeletons/skeletonSequence.js';
import { centreCrop, resizeInTime } from '../../../src/modalities/skeletons/cropResize.js';
import { rotate, rotationOf, type StreamName, writeStream } from '../../../src/modalities/skeletons/streams.js';
import { bodiesFirst, largestDifference, skeletonGolden, withoutGoldens } from '../../support/skeletons.js';

const golden = skeletonGolden('ntu_feeder');
const [bodies, joints] = [2, 25];
const [share, window] = [0.95, 16];

/** Sequence n of the feeder's input `[N, T, 150]`: its frames that are not 0, cropped and resampled. */
function resized(n: number) {
  const { shape, values } = golden!.tensor('x');
  const [, frames, size] = shape as [number, number, number];
  const sequence = values.subarray(n * frames * size, (n + 1) * frames * size);
  let valid = 0;
  for (let t = 0; t < frames; t++)
    if (sequence.subarray(t * size, (t + 1) * size).some((value) => value !== 0)) valid++;
  return resizeInTime({ frames, bodies, joints, values: sequence }, centreCrop(valid, share), window);
}

const streamOf: Readonly<Record<string, StreamName>> = {
  bone0vel0: 'joint',
  bone0vel1: 'jointMotion',
  bone1vel0: 'bone',
  bone1vel1: 'boneMotion',
};

describe.skipIf(!golden)(`streams of the published feeder${golden ? '' : withoutGoldens}`, () => {
  it.each(Object.entries(streamOf))('%s is the stream %s, to 2e-6', (key, stream) => {
    for (const n of [0, 1, 2]) {
      const sequence = resized(n);
      const found = new Float32Array(sequence.values.length);
      writeStream(sequence, stream, skeletons.kinect25.parents, found);
      expect(largestDifference(found, bodiesFirst(golden!.tensor(`${key}.${n}`)).values)).toBeLessThan(2e-6);
    }
  });

  it.each([0, 1, 2])('turns sequence %i as the feeder does', (n) => {
    const rotation = rotationOf(golden!.tensor(`rot.${n}.angles`).values as never);
    expect(largestDifference(rotation, golden!.tensor(`rot.${n}.matrix`).values)).toBeLessThan(2e-6);
    const sequence = resized(n);
    rotate(sequence, rotation);
    expect(largestDifference(sequence.values, bodiesFirst(golden!.tensor(`rot.${n}`)).values)).toBeLessThan(2e-6);
  });
});

describe('streams by hand', () => {
  // Two frames of one body with two joints; the second hangs from the first.
  const sequence = {
    frames: 2,
    bodies: 1,
    joints: 2,
    values: new Float32Array([1, 2, 3, 2, 4, 6, 5, 5, 5, 7, 8, 9]),
  };
  const streamed = (stream: StreamName) => {
    const into = new Float32Array(12);
    writeStream(sequence, stream, [0, 0], into);
    return [...into];
  };

  it('has 0 as the root’s bone, and as the motion of the last frame', () => {
    expect(streamed('bone')).toEqual([0, 0, 0, 1, 2, 3, 0, 0, 0, 2, 3, 4]);
    expect(streamed('jointMotion')).toEqual([4, 3, 2, 5, 4, 3, 0, 0, 0, 0, 0, 0]);
    expect(streamed('boneMotion')).toEqual([0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]);
    expect(streamed('joint')).toEqual([...sequence.values]);
  });

  it('turns about z so that x becomes −y', () => {
    const turned = { ...sequence, values: Float64Array.from([1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]) };
    rotate(turned, rotationOf([0, 0, Math.PI / 2]));
    expect(largestDifference(turned.values, [0, -1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0])).toBeLessThan(1e-15);
  });
});
