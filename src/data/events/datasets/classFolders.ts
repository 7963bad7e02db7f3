/**
 * Recordings in a folder for each class: `train/<class>/…` and `test/<class>/…`, as N-MNIST is published (`Train/0`), or `<class>/…` alone. Two
 * that are published without a split, CIFAR10-DVS and N-Caltech101, get one here, and say so.
 */

import { findLayout, noSuchSplit, type Place, type Split } from '../../datasets/layout.js';
import { DataError } from '../../errors.js';
import { className, compareCodePoints, someNames } from '../../names.js';
import type { FileTree } from './fileTree.js';
import { type EventLayout, isRecordingName, type PlacedRecordings } from './layout.js';

const cifar10 = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];
/** Of N-Caltech101: pictures of nothing in particular, which some count as a class and some leave out. */
const background = 'BACKGROUND_Google';
/** The first of every ten recordings of a class are for training, where nothing is published. */
const trainingShare = 0.9;

export const classFolders: EventLayout = {
  name: 'a folder for each class',
  recognise: async (tree) => {
    const recordings = tree.files.filter(isRecordingName);
    const root = folderTree(recordings);
    if (root.folders.size === 0) return undefined;
    const list = async (place: Place) => {
      const folder = folderAt(root, place);
      return { folders: [...(folder?.folders.keys() ?? [])], hasImages: (folder?.files.length ?? 0) > 0 };
    };
    const layout = await findLayout(list, { source: tree.name, unwrap: true });
    const place = layout.train ?? layout.test;
    const folder = place && folderAt(root, place);
    if (folder === undefined || folder.folders.size === 0) return undefined;
    const own = layout.divided ? undefined : ownSplit([...folder.folders.keys()]);
    return {
      divided: layout.divided || own !== undefined,
      place: async (split) => {
        const chosen = layout.divided ? layout[split] : layout.train;
        if (chosen === undefined || (split === 'test' && !layout.divided && own === undefined))
          throw noSuchSplit(tree.name, split);
        const classes = classesOf(folderAt(root, layout.train ?? chosen)!);
        return placed(tree, { classes, found: classesOf(folderAt(root, chosen)!), split, own });
      },
    };
  },
};

interface Folder {
  readonly folders: Map<string, Folder>;
  /** Whole paths. */
  readonly files: string[];
}

function folderTree(files: readonly string[]): Folder {
  const root: Folder = { folders: new Map(), files: [] };
  for (const file of files) {
    let folder = root;
    for (const part of file.split('/').slice(0, -1)) {
      const inner = folder.folders.get(part) ?? { folders: new Map(), files: [] };
      folder.folders.set(part, inner);
      folder = inner;
    }
    folder.files.push(file);
  }
  return root;
}

function folderAt(root: Folder, place: Place): Folder | undefined {
  return place.reduce<Folder | undefined>((folder, name) => folder?.folders.get(name), root);
}

/** A split of our own: which classes there are, and a word about it. */
interface OwnSplit {
  readonly leftOut: readonly string[];
  readonly called: string;
}

function ownSplit(folders: readonly string[]): OwnSplit | undefined {
  const names = new Set(folders.map(className));
  if (names.size === 10 && cifar10.every((name) => names.has(name))) return { leftOut: [], called: 'CIFAR10-DVS' };
  return names.has(background) && names.size > 90 ? { leftOut: [background], called: 'N-Caltech101' } : undefined;
}

function classesOf(folder: Folder): ReadonlyMap<string, readonly string[]> {
  const classes = new Map<string, string[]>();
  for (const [name, inner] of folder.folders) {
    const files = classes.get(className(name)) ?? [];
    gather(inner, files);
    classes.set(className(name), files);
  }
  return classes;
}

function gather(folder: Folder, files: string[]): void {
  files.push(...folder.files);
  for (const inner of folder.folders.values()) gather(inner, files);
}

interface Placing {
  readonly classes: ReadonlyMap<string, readonly string[]>;
  readonly found: ReadonlyMap<string, readonly string[]>;
  readonly split: Split;
  readonly own: OwnSplit | undefined;
}

function placed(tree: FileTree, { classes, found, split, own }: Placing): PlacedRecordings {
  const names = [...classes.keys()].filter((name) => !own?.leftOut.includes(name)).sort(compareCodePoints);
  const strangers = [...found.keys()].filter((name) => !classes.has(name));
  if (strangers.length > 0)
    throw new DataError(
      `${tree.name}: the classes ${someNames(strangers)} are in the test split but not in the training split`,
    );
  const recordings = names.flatMap((name, label) => {
    const files = [...(found.get(name) ?? [])].sort(own ? byNumbers : compareCodePoints);
    const edge = own ? Math.round(trainingShare * files.length) : 0;
    const part = own ? (split === 'train' ? files.slice(0, edge) : files.slice(edge)) : files;
    return part.map((file) => ({ file, label }));
  });
  return { classes: names, recordings, notes: own ? [noteOf(tree, own)] : [] };
}

function noteOf({ name }: FileTree, { called, leftOut }: OwnSplit): string {
  const without = leftOut.length > 0 ? `; without ${leftOut.join(', ')}, which uses of it treat differently` : '';
  return `${name}: ${called} is published without a split; here the first nine tenths of each class, in the order of their numbers, are for training and the rest for testing${without}`;
}

/** `…_10` comes after `…_9`. */
function byNumbers(a: string, b: string): number {
  const number = (name: string) => Number(/(\d+)\.[^./]*$/.exec(name)?.[1] ?? 0);
  return number(a) - number(b) || compareCodePoints(a, b);
}
