/** Numbers as targets, so many for each sample: what a regression learns. They do not move with the picture. */
import { DataError } from '../errors.js';
import type { TargetKind } from './targetKind.js';

export interface ValueTargets {
  readonly kind: 'values';
  /** What each of a sample's numbers is. */
  readonly names: readonly string[];
  /** float32 [N, names]. */
  readonly values: Float32Array;
}

export interface ValueBatch {
  /** float32 [B, names]. */
  readonly values: Float32Array;
}

export const valueTargets: TargetKind<ValueTargets, Float32Array, ValueBatch> = {
  name: 'values',
  count: ({ names, values }) => values.length / names.length,
  check: ({ names, values }, source) => {
    if (names.length === 0) throw new DataError(`${source}: its targets have no names; expected one for each number`);
    const wrong = values.findIndex((value) => !Number.isFinite(value));
    if (wrong >= 0) {
      const [sample, name] = [Math.floor(wrong / names.length), names[wrong % names.length]];
      throw new DataError(`${source}: ${name} of sample ${sample} is ${values[wrong]}; expected a finite number`);
    }
  },
  read: ({ names, values }, position) => values.subarray(position * names.length, (position + 1) * names.length),
  transform: (values) => values,
  collate: ({ names }, targets) => {
    const values = new Float32Array(targets.length * names.length);
    for (const [i, target] of targets.entries()) values.set(target, i * names.length);
    return { values };
  },
};
