/**
 * Recordings that lists name: `train.txt` and `test.txt`, each line the number or name of a recording and its class, beside folders `train` and
 * `test` that hold them. As small parts of N-MNIST are shared.
 */
import { noSuchSplit, type Split } from '../../datasets/layout.js';
import { DataError } from '../../errors.js';
import { compareCodePoints } from '../../names.js';
import type { FileTree } from './fileTree.js';
import { type EventLayout, folderOf, isRecordingName, linesOf, type PlacedRecordings } from './layout.js';

interface ListedRecording {
  readonly file: string;
  readonly name: string;
}

export const listedRecordings: EventLayout = {
  name: 'lists train.txt and test.txt beside folders train and test',
  recognise: async (tree) => {
    const lists = new Map<Split, string>();
    for (const split of ['train', 'test'] as const) {
      const list = tree.files.find(
        (file) => file.split('/').at(-1) === `${split}.txt` && hasFolder(tree, `${folderOf(file)}${split}/`),
      );
      if (list !== undefined) lists.set(split, list);
    }
    if (lists.size === 0) return undefined;
    return { divided: true, place: (split) => placed(tree, lists, split) };
  },
};

function hasFolder({ files }: FileTree, folder: string): boolean {
  return files.some((file) => file.startsWith(folder) && isRecordingName(file));
}

async function placed(tree: FileTree, lists: ReadonlyMap<Split, string>, split: Split): Promise<PlacedRecordings> {
  const list = lists.get(split);
  if (list === undefined) throw noSuchSplit(tree.name, split);
  const listed = await read(tree, list, split);
  const training = lists.get('train');
  const known = split === 'train' || training === undefined ? listed : await read(tree, training, 'train');
  const classes = [...new Set(known.map(({ name }) => name))].sort(byNumber);
  const labels = new Map(classes.map((name, label) => [name, label]));
  const recordings = listed.map(({ file, name }) => {
    const label = labels.get(name);
    if (label === undefined)
      throw new DataError(`${tree.name}/${list}: the class "${name}" is in no line of ${training}`);
    return { file, label };
  });
  return { classes, recordings, notes: [] };
}

async function read(tree: FileTree, list: string, split: Split): Promise<readonly ListedRecording[]> {
  const place = `${folderOf(list)}${split}/`;
  const byStem = new Map(
    tree.files
      .filter((file) => file.startsWith(place) && isRecordingName(file))
      .flatMap((file) => [
        [file.slice(place.length), file],
        [file.slice(place.length).replace(/\.[^./]+$/, ''), file],
      ]),
  );
  return linesOf((await tree.text(list)) ?? '', `${tree.name}/${list}`).map(({ line, place: where }) => {
    const [id, name, ...more] = line.split(/[\t,]|\s+/).filter((word) => word !== '');
    if (id === undefined || name === undefined || more.length > 0)
      throw new DataError(`${where}: found "${line.slice(0, 100)}", expected a recording and its class`);
    const file = byStem.get(id);
    if (file === undefined) throw new DataError(`${where}: there is no recording ${id} in ${place}`);
    return { file, name };
  });
}

/** Names that are numbers in the order of these. */
function byNumber(a: string, b: string): number {
  return Number(a) - Number(b) || compareCodePoints(a, b);
}
