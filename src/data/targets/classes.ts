/** Class numbers as targets: one for each sample, out of a list of names. */
import { DataError } from '../errors.js';
import type { Mixture, TargetKind } from './targetKind.js';

export interface ClassTargets {
  readonly kind: 'classes';
  /** Class names; a label is an index into them. */
  readonly classes: readonly string[];
  readonly labels: Int32Array;
}

export interface ClassBatch {
  /** Class numbers [B]. */
  readonly labels: Int32Array;
  /** Soft targets, float32 [B, classes]: only with mixup or cutmix, and then the labels alone are not the truth. */
  readonly targets?: Float32Array;
}

export const classTargets: TargetKind<ClassTargets, number, ClassBatch> = {
  name: 'classes',
  count: ({ labels }) => labels.length,
  check: ({ labels, classes }, source) => {
    const wrong = labels.findIndex((label) => label < 0 || label >= classes.length);
    if (wrong >= 0) {
      throw new DataError(
        `${source}: image ${wrong} has the label ${labels[wrong]}; expected 0 to ${classes.length - 1}, one of ${classes.length} classes`,
      );
    }
  },
  read: ({ labels }, position) => labels[position]!,
  transform: (label) => label,
  collate: (_, labels) => ({ labels: Int32Array.from(labels) }),
  mixed: ({ classes }, targets, mixture) => {
    const labels = Int32Array.from(targets);
    return { labels, targets: mixedLabels(labels, classes.length, mixture) };
  },
  groups: { count: ({ classes }) => classes.length, of: ({ labels }, position) => labels[position]! },
};

/** `weight` of each sample's own label and 1 - `weight` of its opposite's, both smoothed: float32 [B, classes]. */
export function mixedLabels(labels: Int32Array, classes: number, { weight, labelSmoothing }: Mixture): Float32Array {
  const batch = labels.length;
  const targets = new Float32Array(batch * classes).fill(labelSmoothing / classes);
  for (let i = 0; i < batch; i++) {
    targets[i * classes + labels[i]!]! += (1 - labelSmoothing) * weight;
    targets[i * classes + labels[batch - 1 - i]!]! += (1 - labelSmoothing) * (1 - weight);
  }
  return targets;
}
