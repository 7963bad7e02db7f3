/** Targets of every kind that there is, as data; what is done with them is in `registry.ts`. */
import type { BoxTargets } from './boxes.js';
import type { ClassTargets } from './classes.js';
import type { MaskTargets } from './masks.js';
import type { PlaceTargets } from './places.js';
import type { ValueTargets } from './values.js';

/** Targets of any kind that there is. Plain data. */
export type TargetStore = ClassTargets | ValueTargets | BoxTargets | MaskTargets | PlaceTargets;
