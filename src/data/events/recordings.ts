/** Data sets of recordings of events, with targets of any kind. */
import { chosenOf, type Dataset, type DatasetSource, viewOf } from '../datasets/dataset.js';
import { DataError } from '../errors.js';
import type { ClassTargets } from '../targets/classes.js';
import { type TargetStore, targetKindOf } from '../targets/registry.js';
import type { Recording } from './openEvents.js';
import {
  checkClips,
  fileName,
  fileOf,
  type RecordingStore,
  readRecording,
  storedRecordings,
} from './recordingStore.js';

/** Recordings with targets. */
export interface RecordingDataset<Targets extends TargetStore = TargetStore> extends Dataset<Recording, Targets> {
  readonly store: RecordingStore;
}

/** Recordings with class numbers. */
export type LabelledRecordings = RecordingDataset<ClassTargets>;

/** What a set of recordings is made of. */
export interface RecordingParts<Targets extends TargetStore> {
  readonly name: string;
  readonly store: RecordingStore;
  readonly targets: Targets;
  readonly notes?: readonly string[];
}

/** A data set of all recordings of a store. Throws DataError when it is empty or targets do not fit. */
export function recordingsWith<Targets extends TargetStore>(parts: RecordingParts<Targets>): RecordingDataset<Targets> {
  const { name, store, targets } = parts;
  const count = storedRecordings(store);
  const kind = targetKindOf(targets);
  if (count === 0) throw new DataError(`${name}: holds no recordings; at least one was expected`);
  if (kind.count(targets) !== count)
    throw new DataError(`${name}: holds ${count} recordings and ${kind.count(targets)} targets; expected as many`);
  kind.check(targets, name);
  checkClips(store, name);
  return recordingsAt(
    parts,
    Int32Array.from({ length: count }, (_, i) => i),
    name,
  );
}

const noun = 'recording';

function recordingsAt<Targets extends TargetStore>(
  parts: RecordingParts<Targets>,
  positions: Int32Array,
  name: string,
): RecordingDataset<Targets> {
  const { store, targets, notes } = parts;
  const source: DatasetSource<Recording, Targets> = {
    modality: 'events',
    noun,
    store,
    targets,
    read: (position) => readRecording(store, position),
    nameAt: (position) => sampleName(store, position),
  };
  return {
    ...viewOf(source, positions, name),
    store,
    part: (indices, partName) => recordingsAt(parts, chosenOf(positions, indices, { name, noun }), partName),
    ...(notes ? { notes } : {}),
  };
}

/** A clip is called after its file and its time in it. */
function sampleName(store: RecordingStore, position: number): string {
  const file = fileName(store, fileOf(store, position));
  const { clips } = store;
  return clips ? `${file} ${seconds(clips.from[position]!)}-${seconds(clips.to[position]!)} s` : file;
}

function seconds(microseconds: number): string {
  return `${Number((microseconds / 1e6).toFixed(6))}`;
}
