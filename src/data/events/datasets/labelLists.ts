/**
 * HARDVS (Wang et al. 2022) as its lists name it: `train_label.txt` and `test_label.txt`, each line the path of a recording of events and the
 * number of its class, from 0 on. Its other form, a folder of pictures for each recording, is in `pictureFolders.ts`.
 */
import { noSuchSplit, type Split } from '../../datasets/layout.js';
import { DataError } from '../../errors.js';
import { isImageName } from '../../names.js';
import type { FileTree } from './fileTree.js';
import { type EventLayout, fileNamed, folderOf, isRecordingName, linesOf, type PlacedRecordings } from './layout.js';

/** The list of each split. */
export const labelListNames: Readonly<Record<Split, string>> = { train: 'train_label.txt', test: 'test_label.txt' };
const mostClasses = 100_000;

export interface LabelLine {
  /** What stands before the class. */
  readonly path: string;
  readonly label: number;
  /** What messages call the line. */
  readonly place: string;
}

/** The lines of a list. Throws DataError naming one that is no path and class. */
export function labelLinesOf(text: string, name: string): readonly LabelLine[] {
  return linesOf(text, name).map(({ line, place }) => {
    // A path may have blanks in it: the number is what comes last.
    const [, path, number] = /^(.+?)[\s,]+(\d{1,6})$/.exec(line) ?? [];
    if (path === undefined || Number(number) >= mostClasses)
      throw new DataError(`${place}: found "${line.slice(0, 100)}", expected the path of a recording and its class`);
    return { path: path.replace(/^\.?\//, ''), label: Number(number), place };
  });
}

/** Names of the classes of all splits: numbers up to the largest. */
export function labelNames(lines: readonly LabelLine[]): readonly string[] {
  const classes = lines.reduce((most, { label }) => Math.max(most, label + 1), 0);
  return Array.from({ length: classes }, (_, i) => `action ${i}`);
}

export const labelLists: EventLayout = {
  name: 'the lists train_label.txt and test_label.txt of HARDVS',
  recognise: async (tree) => {
    const found = (['train', 'test'] as const).filter((split) => fileNamed(tree, labelListNames[split]) !== undefined);
    if (found.length === 0) return undefined;
    return { divided: true, place: (split) => placed(tree, split) };
  },
};

async function placed(tree: FileTree, split: Split): Promise<PlacedRecordings> {
  const own = await linesIn(tree, split);
  if (own === undefined) throw noSuchSplit(tree.name, split);
  const other = (await linesIn(tree, split === 'train' ? 'test' : 'train')) ?? [];
  const find = finder(tree);
  const recordings = own.map((line) => ({ file: find(line), label: line.label }));
  return { classes: labelNames([...own, ...other]), recordings, notes: [] };
}

async function linesIn(tree: FileTree, split: Split): Promise<readonly LabelLine[] | undefined> {
  const list = fileNamed(tree, labelListNames[split]);
  if (list === undefined) return undefined;
  const lines = labelLinesOf((await tree.text(list)) ?? '', `${tree.name}/${list}`);
  return lines.map((line) => ({ ...line, path: `${folderOf(list)}${line.path}` }));
}

/** A path with or without the recording's ending, or the folder of one recording. */
function finder({ files }: FileTree): (line: LabelLine) => string {
  const byPath = new Map<string, string>();
  const pictures = new Set<string>();
  for (const file of files) {
    if (isImageName(file)) pictures.add(folderOf(file));
    if (!isRecordingName(file)) continue;
    for (const name of [folderOf(file).slice(0, -1), file.replace(/\.[^./]+$/, ''), file]) byPath.set(name, file);
  }
  return ({ path, place }) => {
    const file = byPath.get(path.replace(/\/$/, ''));
    if (file !== undefined) return file;
    if (pictures.has(`${path.replace(/\/$/, '')}/`))
      throw new DataError(
        `${place}: ${path} holds pictures, recordings of events were expected; pictures are read with data.modality=eventPictures, as in the recipe hardvs`,
      );
    throw new DataError(`${place}: there is no recording ${path}`);
  };
}
