/** Sensors of the cameras of iniVation and the Institute of Neuroinformatics, by what headers call them. */
import type { Sensor } from './events.js';

const chips: readonly (readonly [RegExp, Sensor])[] = [
  [/DVS[^\d]*128/i, { width: 128, height: 128 }],
  [/DAVIS[^\d]*(240|SBRet)|SBRet10/i, { width: 240, height: 180 }],
  [/DAVIS[^\d]*346|DVXplorer.?S.?346/i, { width: 346, height: 260 }],
  [/DAVIS[^\d]*208/i, { width: 208, height: 192 }],
  [/DAVIS[^\d]*128/i, { width: 128, height: 128 }],
  [/DAVIS[^\d]*640/i, { width: 640, height: 480 }],
];

/** @returns undefined for a camera that is not known here. */
export function sensorOfChip(name: string): Sensor | undefined {
  return chips.find(([pattern]) => pattern.test(name))?.[1];
}
