/**
 * HARDVS (Wang et al. 2022) as pictures: `train_label.txt` and `test_label.txt`, each line a folder, how many pictures it holds where the list
 * says so, and the number of the class; the folders beside the lists or in `rawframes`. Everything that is missing is named at once. For Node.
 */
import { chosenOf, type Dataset, type DatasetSource, viewOf } from '../../datasets/dataset.js';
import { noSuchSplit, type Split } from '../../datasets/layout.js';
import { DataError, MissingSplitError } from '../../errors.js';
import { someNames } from '../../names.js';
import { readAhead } from '../../readAhead.js';
import type { ClassTargets } from '../../targets/classes.js';
import { targetKindOf } from '../../targets/registry.js';
import { openPictures, type PictureStore, readPictures } from '../pictureStore.js';
import type { RecordedPictures } from '../recordedPictures.js';
import { type LabelLine, labelLinesOf, labelListNames, labelNames } from './labelLists.js';
import { openPictureTree, type PictureTree } from './pictureTree.js';

/** Recordings that are folders of pictures, with class numbers. A sample is the whole recording, decoded. */
export interface LabelledPictures extends Dataset<RecordedPictures, ClassTargets> {
  readonly store: PictureStore;
}

/** Which part; the first that is there, where there are several. */
export interface OpenPicturesOptions {
  readonly split: Split | readonly [Split, ...Split[]];
}

/** Folders that are listed at once. */
const listedAtOnce = 16;
const noun = 'recording';

/** Throws DataError naming the list and all folders that are not there or hold no pictures; MissingSplitError without the split's list. */
export async function openPictureFolders(path: string, { split }: OpenPicturesOptions): Promise<LabelledPictures> {
  const tree = await openPictureTree(path);
  const lists = new Map<Split, Listed>();
  for (const each of ['train', 'test'] as const) {
    const found = await tree.list(labelListNames[each]);
    if (found === undefined) continue;
    lists.set(each, { name: found.name, folder: found.folder, lines: labelLinesOf(found.text, found.name) });
  }
  if (lists.size === 0)
    throw new DataError(
      `${tree.name}: has neither ${labelListNames.train} nor ${labelListNames.test}; expected the lists of HARDVS beside its folders of pictures`,
    );
  const asked: readonly Split[] = typeof split === 'string' ? [split] : split;
  const chosen = asked.find((each) => lists.has(each));
  if (chosen === undefined) throw missing(tree, asked[0]!);
  const list = lists.get(chosen)!;
  if (list.lines.length === 0) throw new DataError(`${list.name}: has no lines; expected a folder and a class in each`);
  const { folders, notes } = await foundIn(tree, list);
  const classes = labelNames([...lists.values()].flatMap(({ lines }) => lines));
  const labels = Int32Array.from(list.lines, ({ label }) => label);
  const targets: ClassTargets = { kind: 'classes', classes, labels };
  const name = `${tree.name} (${chosen})`;
  targetKindOf(targets).check(targets, name);
  const store = await tree.store(folders);
  const positions = Int32Array.from(folders, (_, i) => i);
  return picturesAt({ store, targets, notes }, positions, name);
}

interface Listed {
  readonly name: string;
  readonly folder: string;
  readonly lines: readonly LabelLine[];
}

function missing(tree: PictureTree, split: Split): MissingSplitError {
  const { message } = noSuchSplit(tree.name, split);
  return new MissingSplitError(`${message.split(';')[0]}; expected the list ${labelListNames[split]}`);
}

/** Where the folder of a line is, and how many pictures are in it. */
interface FoundFolder {
  readonly folder: string;
  readonly count: number;
  /** What the list says. */
  readonly listed: number | undefined;
}

async function foundIn(
  tree: PictureTree,
  { name, folder, lines }: Listed,
): Promise<{ readonly folders: readonly string[]; readonly notes: readonly string[] }> {
  const folders: string[] = [];
  const [gone, empty, different]: [string[], string[], string[]] = [[], [], []];
  const find = finder(tree, folder);
  let next = 0;
  for await (const found of readAhead(lines, find, { concurrency: listedAtOnce, lookAhead: 4 * listedAtOnce })) {
    const { path } = lines[next++]!;
    if (found === undefined) gone.push(path);
    else if (found.count === 0) empty.push(found.folder);
    else if (found.listed !== undefined && found.listed !== found.count)
      different.push(`${found.folder} (${found.count} of ${found.listed})`);
    folders.push(found?.folder ?? path);
  }
  const wrong = [
    ...(gone.length > 0 ? [`${gone.length} not there: ${someNames(gone)}`] : []),
    ...(empty.length > 0 ? [`${empty.length} without pictures: ${someNames(empty)}`] : []),
  ];
  if (wrong.length > 0)
    throw new DataError(
      `${name}: of its ${lines.length} folders are ${wrong.join('; ')}; complete the data, or take these lines out`,
    );
  const notes =
    different.length > 0
      ? [`${name}: another number of pictures than the list says, taken as they are: ${someNames(different)}`]
      : [];
  return { folders, notes };
}

/** A folder may have a number at its end that is its name's, and not how many pictures it holds: it is looked for as it is written first. */
function finder(tree: PictureTree, beside: string): (line: LabelLine) => Promise<FoundFolder | undefined> {
  const places = [beside, `${beside}rawframes/`];
  return async ({ path, place }) => {
    const [, shorter, number] = /^(.+?)[\s,]+(\d{1,9})$/.exec(path) ?? [];
    const written: readonly (readonly [string, number | undefined])[] =
      shorter === undefined
        ? [[path, undefined]]
        : [
            [path, undefined],
            [shorter, Number(number)],
          ];
    let empty: FoundFolder | undefined;
    for (const [name, listed] of written) {
      for (const base of places) {
        const folder = `${base}${plain(name, place)}`;
        const count = await tree.count(folder);
        if (count !== undefined && count > 0) return { folder, count, listed };
        if (count === 0) empty ??= { folder, count, listed };
      }
    }
    return empty;
  };
}

/** Lists come from outside: their folders lie below them. */
function plain(name: string, place: string): string {
  const parts = name.split(/[\\/]/).filter((part) => part !== '' && part !== '.');
  if (parts.length === 0 || parts.includes('..') || name.includes('\0'))
    throw new DataError(`${place}: found "${name.slice(0, 100)}", expected a folder below the list`);
  return parts.join('/');
}

function picturesAt(
  parts: { readonly store: PictureStore; readonly targets: ClassTargets; readonly notes: readonly string[] },
  positions: Int32Array,
  name: string,
): LabelledPictures {
  const { store, targets, notes } = parts;
  const source: DatasetSource<RecordedPictures, ClassTargets> = {
    modality: 'eventPictures',
    noun,
    store,
    targets,
    read: async (position) => readPictures(await openPictures(store, position)),
    nameAt: (position) => store.folders[position]!,
  };
  return {
    ...viewOf(source, positions, name),
    store,
    part: (indices, partName) => picturesAt(parts, chosenOf(positions, indices, { name, noun }), partName),
    ...(notes.length > 0 ? { notes } : {}),
  };
}
