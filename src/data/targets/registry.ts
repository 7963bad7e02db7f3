/** The kinds of targets by name, which is what a data set says and a loader's threads are told. For Node, since some are files. */
import { boxTargets } from './boxes.js';
import { classTargets } from './classes.js';
import { maskFiles } from './maskFiles.js';
import { placeTargets } from './places.js';
import type { TargetStore } from './stores.js';
import type { TargetKind } from './targetKind.js';
import { valueTargets } from './values.js';

export type { TargetStore } from './stores.js';

const targetKinds = {
  classes: classTargets,
  values: valueTargets,
  boxes: boxTargets,
  masks: maskFiles,
  places: placeTargets,
};

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
