/**
 * NTU RGB+D 60 or 120 as a data set: files `SsssCcccPpppRrrrAaaa.skeleton` in any folder, divided by a protocol. Recordings that the authors list as having no usable skeletons
 * are left out, and those that a list beside the recordings names.
 */
import type { Split } from '../datasets/layout.js';
import { DataError, MissingSplitError } from '../errors.js';
import type { FileTree } from '../events/datasets/fileTree.js';
import { someNames } from '../names.js';
import { ntuActions } from './ntuActions.js';
import { ntuMissing } from './ntuMissing.js';
import { isNtuTraining, type NtuName, type NtuProtocol, ntuClassCount, ntuName } from './ntuNames.js';
import type { PlacedSequences } from './nwUclaLayout.js';

const ending = '.skeleton';
const list = /(?:^|\/)[^/]*samples_with_missing_skeletons[^/]*\.txt$/i;

export function holdsNtu({ files }: FileTree): boolean {
  return files.some(isRecording);
}

function isRecording(file: string): boolean {
  return file.endsWith(ending) && ntuName(file) !== undefined;
}

/**
 * @param protocol By default that of performers, for as many actions as there are.
 * @throws DataError for an action that there is not; MissingSplitError for a split without recordings.
 */
export async function placeNtu(tree: FileTree, split: Split, protocol?: NtuProtocol): Promise<PlacedSequences> {
  const all = tree.files.filter(isRecording).map((file) => ({ file, name: ntuName(file)! }));
  const unknown = all.find(({ name: { action } }) => action < 1 || action > ntuActions.length);
  if (unknown)
    throw new DataError(
      `${tree.name}/${unknown.file}: names action ${unknown.name.action}; NTU RGB+D has 1 to ${ntuActions.length}`,
    );
  const chosen = protocol ?? (all.some(({ name }) => name.action > 60) ? 'xsub120' : 'xsub');
  const classes = ntuClassCount(chosen);
  const known = all.filter(({ name }) => name.action <= classes);
  const listed = await namesListed(tree);
  const usable = known.filter(({ name }) => !ntuMissing.has(name.stem) && !listed.has(name.stem));
  const placed = usable.filter(({ name }) => isNtuTraining(name, chosen) === (split === 'train'));
  if (placed.length === 0)
    throw nothing(
      tree.name,
      split,
      chosen,
      usable.map(({ name }) => name),
    );
  return {
    classes: ntuActions.slice(0, classes),
    sequences: placed.map(({ file, name }) => ({ file, label: name.action - 1 })),
    notes: [
      ...said(all.length - known.length, all.length, `have actions beyond the ${classes} of ${chosen}`).map(
        inTree(tree),
      ),
      ...said(known.length - usable.length, known.length, 'are listed as having no usable skeletons').map(inTree(tree)),
    ],
  };
}

function said(count: number, of: number, why: string): string[] {
  return count === 0 ? [] : [`${count} of ${of} recordings are left out: they ${why}`];
}

function inTree({ name }: FileTree): (note: string) => string {
  return (note) => `${name}: ${note}`;
}

function nothing(name: string, split: Split, protocol: NtuProtocol, usable: readonly NtuName[]): MissingSplitError {
  const held =
    usable.length === 0
      ? 'none'
      : someNames(
          usable.map(({ stem }) => stem),
          2,
        );
  return new MissingSplitError(
    `${name}: has no recordings that ${protocol} ${split === 'train' ? 'trains on' : 'tests on'} (usable: ${held}); add them, or set data.protocol to another`,
  );
}

/** What lists beside the recordings name, whatever else their lines say. */
async function namesListed(tree: FileTree): Promise<ReadonlySet<string>> {
  const names = new Set<string>();
  for (const file of tree.files.filter((path) => list.test(path))) {
    const text = (await tree.text(file)) ?? '';
    for (const name of text.match(/S\d{3}C\d{3}P\d{3}R\d{3}A\d{3}/g) ?? []) names.add(name);
  }
  return names;
}
