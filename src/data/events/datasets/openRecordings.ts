/** The front door to sets of recordings: a folder or a tar archive, and the layout in which it was published is recognised. For Node. */
import type { Split } from '../../datasets/layout.js';
import { DataError } from '../../errors.js';
import type { RecordingStore } from '../recordingStore.js';
import { type LabelledRecordings, recordingsWith } from '../recordings.js';
import { classFolders } from './classFolders.js';
import { cutIntoClips } from './clips.js';
import { openFileTree } from './fileTree.js';
import { gestureTrials } from './gestures.js';
import { labelLists } from './labelLists.js';
import type { EventLayout, FoundLayout, PlacedRecordings } from './layout.js';
import { listedRecordings } from './listedRecordings.js';
import { sessionIndex } from './sessionIndex.js';

export interface OpenRecordingsOptions {
  /** Which part; the first that is there, where there are several. A set without splits is all training recordings. */
  readonly split: Split | readonly Split[];
  /** Seconds: each recording is cut into clips of this length, and what is left at its end is not used. */
  readonly clip?: number | undefined;
}

/** The more particular first. */
const layouts: readonly EventLayout[] = [gestureTrials, labelLists, sessionIndex, listedRecordings, classFolders];

/** Throws DataError naming the file when nothing is recognised, the split is absent, or a file is damaged. */
export async function openRecordings(
  path: string,
  { split, clip }: OpenRecordingsOptions,
): Promise<LabelledRecordings> {
  const tree = await openFileTree(path);
  const layout = await recognised(tree);
  const { split: chosen, placed } = await firstThere(layout, typeof split === 'string' ? [split] : split);
  const { classes, recordings, notes } = placed;
  const name = `${tree.name} (${chosen})`;
  if (recordings.length === 0) throw new DataError(`${name}: holds no recordings`);
  const names = [...new Set(recordings.map(({ file }) => file))];
  const numbers = new Map(names.map((file, number) => [file, number]));
  const files = await tree.store(names);
  const hasParts = recordings.some(({ from }) => from !== undefined);
  const whole: RecordingStore = hasParts
    ? {
        kind: 'recordings',
        files,
        clips: {
          file: Int32Array.from(recordings, ({ file }) => numbers.get(file)!),
          from: Float64Array.from(recordings, ({ from = 0 }) => from),
          to: Float64Array.from(recordings, ({ to = Number.MAX_SAFE_INTEGER }) => to),
          clock: 'stamps',
        },
      }
    : { kind: 'recordings', files };
  const labels = Int32Array.from(recordings, ({ label }) => label);
  const parts = { name, store: whole, targets: { kind: 'classes', classes, labels } as const, notes };
  return recordingsWith(clip === undefined ? parts : await cutIntoClips(parts, 1e6 * clip));
}

async function recognised(tree: Parameters<EventLayout['recognise']>[0]): Promise<FoundLayout> {
  for (const layout of layouts) {
    const found = await layout.recognise(tree);
    if (found !== undefined) return found;
  }
  throw new DataError(
    `${tree.name}: holds no recordings of events in a layout that is known; expected train/<class>/<recording>, or ${layouts
      .slice(0, -1)
      .map(({ name }) => name)
      .join(', or ')}`,
  );
}

async function firstThere(
  layout: FoundLayout,
  splits: readonly Split[],
): Promise<{ readonly split: Split; readonly placed: PlacedRecordings }> {
  const [split, ...others] = layout.divided ? splits : (['train'] as const);
  try {
    return { split: split!, placed: await layout.place(split!) };
  } catch (error) {
    if (others.length === 0) throw error;
    return firstThere(layout, others);
  }
}
