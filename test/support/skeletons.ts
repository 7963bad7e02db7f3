/** Golden files of the published code for skeletons, and numbers of its layouts in ours. */
import { readFileSync } from 'node:fs';
import { sharedPath } from '../shared.js';
import { type FixtureTensor, readTensors } from './safetensors.js';

export interface SkeletonGolden<Description> {
  readonly json: Description;
  tensor(name: string): FixtureTensor;
}

/** The golden `shared/golden/skeleton/NAME`, or undefined without the shared folder. */
export function skeletonGolden<Description>(name: string): SkeletonGolden<Description> | undefined {
  const [json, data] = [
    sharedPath('golden', 'skeleton', `${name}.json`),
    sharedPath('golden', 'skeleton', `${name}.safetensors`),
  ];
  if (json === undefined || data === undefined) return undefined;
  return { json: JSON.parse(readFileSync(json, 'utf8')) as Description, tensor: readTensors(data) };
}

/** What a title says where the golden files are absent. */
export const withoutGoldens = ' (skipped: the shared golden files are absent)';

/** `[C, T, V, M]` as the field's networks have it becomes `[frames, bodies, joints, 3]`; a third axis that is not there is 0. */
export function bodiesFirst({ shape, values }: FixtureTensor) {
  const [channels, frames, joints, bodies] = shape as [number, number, number, number];
  const placed = new Float64Array(frames * bodies * joints * 3);
  for (let frame = 0; frame < frames; frame++)
    for (let body = 0; body < bodies; body++)
      for (let joint = 0; joint < joints; joint++)
        for (let axis = 0; axis < channels; axis++)
          placed[((frame * bodies + body) * joints + joint) * 3 + axis] =
            values[((axis * frames + frame) * joints + joint) * bodies + body]!;
  return { frames, bodies, joints, values: placed };
}

/** The largest difference of two arrays of one length; NaN counts as infinite. */
export function largestDifference(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (found.length !== expected.length) throw new Error(`${found.length} numbers, expected ${expected.length}`);
  let largest = 0;
  for (let i = 0; i < found.length; i++) {
    const difference = Math.abs(found[i]! - expected[i]!);
    largest = difference <= largest ? largest : Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
  }
  return largest;
}
