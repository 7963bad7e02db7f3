/** The front door to sets of skeleton sequences: a folder, a tar archive or prepared arrays, and which data set it is is recognised. For Node. */
import type { Split } from '../datasets/layout.js';
import { DataError, MissingSplitError } from '../errors.js';
import { type FileTree, openFileTree } from '../events/datasets/fileTree.js';
import { locate } from '../fileNames.js';
import { hasExtension } from '../names.js';
import { readNtuArrays } from './ntuArrays.js';
import { holdsNtu, placeNtu } from './ntuLayout.js';
import { type NtuProtocol, ntuProtocols } from './ntuNames.js';
import { holdsNwUcla, type PlacedSequences, placeNwUcla } from './nwUclaLayout.js';
import { isNtuProtocol, type Protocol } from './protocols.js';
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
  const splits = typeof split === 'string' ? [split] : split;
  if (hasExtension(path, ['.npz'])) return openArrays(await locate(path), splits, ntuProtocolFor(path, protocol));
  const tree = await openFileTree(path);
  const { chosen, found } = await firstThere(splits, (each) => place(tree, each, protocol));
  const { classes, sequences, notes } = found;
  return sequencesWith({
    name: `${tree.name} (${chosen})`,
    store: { kind: 'sequences', files: await tree.store(sequences.map(({ file }) => file)) },
    targets: { kind: 'classes', classes, labels: Int32Array.from(sequences, ({ label }) => label) },
    notes,
  });
}

async function openArrays(
  path: string,
  splits: readonly Split[],
  protocol: NtuProtocol | undefined,
): Promise<LabelledSequences> {
  const { chosen, found } = await firstThere(splits, (each) => readNtuArrays(path, each, protocol));
  const { store, classes, labels, notes } = found;
  return sequencesWith({ name: `${path} (${chosen})`, store, targets: { kind: 'classes', classes, labels }, notes });
}

async function firstThere<Found>(
  [split, ...others]: readonly Split[],
  open: (split: Split) => Promise<Found>,
): Promise<{ readonly chosen: Split; readonly found: Found }> {
  try {
    return { chosen: split!, found: await open(split!) };
  } catch (error) {
    if (others.length === 0 || !(error instanceof MissingSplitError)) throw error;
    return firstThere(others, open);
  }
}

function place(tree: FileTree, split: Split, protocol: Protocol | undefined): Promise<PlacedSequences> {
  if (holdsNwUcla(tree)) return placeNwUcla(tree, split, protocol);
  if (holdsNtu(tree)) return placeNtu(tree, split, ntuProtocolFor(tree.name, protocol));
  throw new DataError(
    `${tree.name}: holds no sequences of skeletons that are known; expected those of NW-UCLA, a01_s01_e00_v01.json, or of NTU RGB+D, S001C001P001R001A001.skeleton`,
  );
}

function ntuProtocolFor(name: string, protocol: Protocol | undefined): NtuProtocol | undefined {
  if (protocol === undefined || isNtuProtocol(protocol)) return protocol;
  throw new DataError(`${name}: holds NTU RGB+D, which has no protocol ${protocol}; take ${ntuProtocols.join(' or ')}`);
}
