/**
 * DVS128 Gesture (Amir et al. 2017): lists `trials_to_train.txt` and `trials_to_test.txt` of long recordings, `userNN_LIGHT.aedat` in AEDAT 3.1,
 * and beside each a table `…_labels.csv` with a row for every gesture: its class, and the microseconds of its start and end.
 */
import { noSuchSplit, type Split } from '../../datasets/layout.js';
import { DataError } from '../../errors.js';
import type { FileTree } from './fileTree.js';
import {
  type EventLayout,
  fileNamed,
  folderOf,
  linesOf,
  type PlacedRecording,
  type PlacedRecordings,
} from './layout.js';

const lists: Readonly<Record<Split, string>> = { train: 'trials_to_train.txt', test: 'trials_to_test.txt' };

/** In the order of their numbers, from 1 on, as the set's own `gesture_mapping.csv` names them. */
const gestures = [
  'hand_clapping',
  'right_hand_wave',
  'left_hand_wave',
  'right_arm_clockwise',
  'right_arm_counter_clockwise',
  'left_arm_clockwise',
  'left_arm_counter_clockwise',
  'arm_roll',
  'air_drums',
  'air_guitar',
  'other_gestures',
];

export const gestureTrials: EventLayout = {
  name: 'the lists trials_to_train.txt and trials_to_test.txt of DVS128 Gesture',
  recognise: async (tree) => {
    const found = new Map(
      Object.entries(lists).flatMap(([split, name]) => {
        const file = fileNamed(tree, name);
        return file === undefined ? [] : [[split as Split, file] as const];
      }),
    );
    if (found.size === 0) return undefined;
    return { divided: true, place: (split) => placed(tree, found.get(split), split) };
  },
};

async function placed(tree: FileTree, list: string | undefined, split: Split): Promise<PlacedRecordings> {
  if (list === undefined) throw noSuchSplit(tree.name, split);
  const recordings: PlacedRecording[] = [];
  const known = new Set(tree.files);
  for (const { line, place } of linesOf((await tree.text(list)) ?? '', `${tree.name}/${list}`)) {
    const file = `${folderOf(list)}${line}`;
    const table = file.replace(/\.aedat$/i, '_labels.csv');
    if (!known.has(file)) throw new DataError(`${place}: there is no recording ${line}`);
    if (!known.has(table) || table === file) throw new DataError(`${place}: ${line} has no table ${table} beside it`);
    recordings.push(...(await rowsOf(tree, file, table)));
  }
  return { classes: gestures, recordings, notes: [] };
}

async function rowsOf(tree: FileTree, file: string, table: string): Promise<PlacedRecording[]> {
  const name = `${tree.name}/${table}`;
  const lines = linesOf((await tree.text(table)) ?? '', name);
  // The first line names the columns: class, startTime_usec, endTime_usec.
  return lines.slice(/^[a-z]/i.test(lines[0]?.line ?? '') ? 1 : 0).map(({ line, place }) => {
    const [number, from, to] = line.split(',').map((cell) => (cell.trim() === '' ? Number.NaN : Number(cell)));
    const label = number! - 1;
    const isRow =
      gestures[label] !== undefined && Number.isSafeInteger(from) && Number.isSafeInteger(to) && to! > from!;
    if (!isRow || from! < 0)
      throw new DataError(
        `${place}: found "${line.slice(0, 100)}", expected a class from 1 to ${gestures.length}, its start and its end in microseconds`,
      );
    return { file, label, from: from!, to: to! };
  });
}
