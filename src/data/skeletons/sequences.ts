/** Data sets of sequences of skeletons, with targets of any kind. */
import { chosenOf, type Dataset, type DatasetSource, viewOf } from '../datasets/dataset.js';
import { DataError } from '../errors.js';
import type { ClassTargets } from '../targets/classes.js';
import { type TargetStore, targetKindOf } from '../targets/registry.js';
import type { SkeletonSample } from './preparations.js';
import { readSequence, type SequenceStore, sequenceName, storedSequences } from './sequenceStore.js';

/** Sequences with targets. */
export interface SequenceDataset<Targets extends TargetStore = TargetStore> extends Dataset<SkeletonSample, Targets> {
  readonly store: SequenceStore;
}

/** Sequences with class numbers. */
export type LabelledSequences = SequenceDataset<ClassTargets>;

/** What a set of sequences is made of. */
export interface SequenceParts<Targets extends TargetStore> {
  readonly name: string;
  readonly store: SequenceStore;
  readonly targets: Targets;
  readonly notes?: readonly string[];
}

/** A data set of all sequences of a store. Throws DataError when it is empty or targets do not fit. */
export function sequencesWith<Targets extends TargetStore>(parts: SequenceParts<Targets>): SequenceDataset<Targets> {
  const { name, store, targets } = parts;
  const count = storedSequences(store);
  const kind = targetKindOf(targets);
  if (count === 0) throw new DataError(`${name}: holds no sequences; at least one was expected`);
  if (kind.count(targets) !== count)
    throw new DataError(`${name}: holds ${count} sequences and ${kind.count(targets)} targets; expected as many`);
  kind.check(targets, name);
  return sequencesAt(
    parts,
    Int32Array.from({ length: count }, (_, i) => i),
    name,
  );
}

const noun = 'sequence';

function sequencesAt<Targets extends TargetStore>(
  parts: SequenceParts<Targets>,
  positions: Int32Array,
  name: string,
): SequenceDataset<Targets> {
  const { store, targets, notes } = parts;
  const source: DatasetSource<SkeletonSample, Targets> = {
    modality: 'skeletons',
    noun,
    store,
    targets,
    read: (position) => readSequence(store, position),
    nameAt: (position) => sequenceName(store, position),
  };
  return {
    ...viewOf(source, positions, name),
    store,
    part: (indices, partName) => sequencesAt(parts, chosenOf(positions, indices, { name, noun }), partName),
    ...(notes ? { notes } : {}),
  };
}
