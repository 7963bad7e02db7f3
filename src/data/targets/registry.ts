/** The kinds of targets by name, which is what a data set says and a loader's threads are told. */
import { type BoxTargets, boxTargets } from './boxes.js';
import { type ClassTargets, classTargets } from './classes.js';
import type { TargetKind } from './targetKind.js';
import { type ValueTargets, valueTargets } from './values.js';

const targetKinds = { classes: classTargets, values: valueTargets, boxes: boxTargets };

/** Targets of any kind that there is. Plain data. */
export type TargetStore = ClassTargets | ValueTargets | BoxTargets;

/** One target out of such a store. */
export type TargetOf<Store extends TargetStore> = ReturnType<(typeof targetKinds)[Store['kind']]['read']>;

/** What a batch has of such targets. */
export type TargetBatch<Store extends TargetStore> = ReturnType<(typeof targetKinds)[Store['kind']]['collate']>;

/** The kind of these targets. */
export function targetKindOf<Store extends TargetStore>(
  store: Store,
): TargetKind<Store, TargetOf<Store>, TargetBatch<Store>> {
  return targetKinds[store.kind] as unknown as TargetKind<Store, TargetOf<Store>, TargetBatch<Store>>;
}
