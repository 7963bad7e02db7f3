/** Long recordings cut into clips of one length. Each is looked through once, for its first and its last time. */

import { DataError } from '../../errors.js';
import { someNames } from '../../names.js';
import type { ClassTargets } from '../../targets/classes.js';
import { fileName, fileOf, readRecording, storedRecordings } from '../recordingStore.js';
import type { RecordingParts } from '../recordings.js';

/**
 * Whole clips from the first event on; what is left at the end is not used.
 *
 * @param length Microseconds.
 */
export async function cutIntoClips(
  parts: RecordingParts<ClassTargets>,
  length: number,
): Promise<RecordingParts<ClassTargets>> {
  const { store, targets, name, notes = [] } = parts;
  const cut: { readonly file: number; readonly from: number; readonly label: number }[] = [];
  const tooShort: string[] = [];
  for (let position = 0; position < storedRecordings(store); position++) {
    const { t, length: count } = await readRecording(store, position);
    const [first, last] = extent(t, count);
    const clips = Math.floor((last - first) / length);
    if (clips === 0) tooShort.push(fileName(store, fileOf(store, position)));
    for (let clip = 0; clip < clips; clip++)
      cut.push({ file: fileOf(store, position), from: first + clip * length, label: targets.labels[position]! });
  }
  if (cut.length === 0)
    throw new DataError(`${name}: no recording is as long as a clip of ${length / 1e6} s; use shorter clips`);
  const passedOver = tooShort.length === 0 ? [] : [`${name}: shorter than a clip, not used: ${someNames(tooShort)}`];
  return {
    name,
    store: {
      ...store,
      clips: {
        file: Int32Array.from(cut, ({ file }) => file),
        from: Float64Array.from(cut, ({ from }) => from),
        to: Float64Array.from(cut, ({ from }) => from + length),
        clock: 'stamps',
      },
    },
    targets: { ...targets, labels: Int32Array.from(cut, ({ label }) => label) },
    notes: [...notes, ...passedOver],
  };
}

/** Times may step back. */
function extent(t: Float64Array, count: number): readonly [first: number, last: number] {
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < count; i++) {
    if (t[i]! < first) first = t[i]!;
    if (t[i]! > last) last = t[i]!;
  }
  return count === 0 ? [0, 0] : [first, last];
}
