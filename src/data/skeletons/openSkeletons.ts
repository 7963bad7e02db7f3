/** The front door to sets of skeleton sequences: a folder or a tar archive, and which data set it is is recognised. For Node. */
import type { Split } from '../datasets/layout.js';
import { DataError, MissingSplitError } from '../errors.js';
import { type FileTree, openFileTree } from '../events/datasets/fileTree.js';
import { holdsNwUcla, type PlacedSequences, placeNwUcla } from './nwUclaLayout.js';
import type { Protocol } from './protocols.js';
import { type LabelledSequences, sequencesWith } from './sequences.js';

export interface OpenSkeletonsOptions {
  /** Which part; the first that is there, where there are several. */
  readonly split: Split | readonly Split[];
  /** How the data set is divided; its usual way by default. */
  readonly protocol?: Protocol | undefined;
}

/** Throws DataError naming the file when nothing is recognised, the split is absent, or a file is damaged. */
export async function openSkeletons(
  path: string,
  { split, protocol }: OpenSkeletonsOptions,
): Promise<LabelledSequences> {
  const tree = await openFileTree(path);
  const [first, ...others] = typeof split === 'string' ? [split] : split;
  const { chosen, placed } = await firstThere(tree, first!, others, protocol);
  const { classes, sequences, notes } = placed;
  return sequencesWith({
    name: `${tree.name} (${chosen})`,
    store: { kind: 'sequences', files: await tree.store(sequences.map(({ file }) => file)) },
    targets: { kind: 'classes', classes, labels: Int32Array.from(sequences, ({ label }) => label) },
    notes,
  });
}

async function firstThere(
  tree: FileTree,
  split: Split,
  others: readonly Split[],
  protocol: Protocol | undefined,
): Promise<{ readonly chosen: Split; readonly placed: PlacedSequences }> {
  try {
    return { chosen: split, placed: await place(tree, split, protocol) };
  } catch (error) {
    const [next, ...rest] = others;
    if (next === undefined || !(error instanceof MissingSplitError)) throw error;
    return firstThere(tree, next, rest, protocol);
  }
}

function place(tree: FileTree, split: Split, protocol: Protocol | undefined): Promise<PlacedSequences> {
  if (holdsNwUcla(tree)) return placeNwUcla(tree, split, protocol);
  throw new DataError(
    `${tree.name}: holds no sequences of skeletons that are known; expected those of NW-UCLA, a01_s01_e00_v01.json`,
  );
}
