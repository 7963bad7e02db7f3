/**
 * ADE20K as the scene parsing benchmark has it (Zhou et al. 2017, `ADEChallengeData2016`): `images/training`, `annotations/training` and the same for
 * `validation`. Masks store 0 for what has no class, else the class's number from 1 on; `objectInfo150.txt` has the names.
 */
import { noSuchSplit, type Split } from '../datasets/layout.js';
import { DataError } from '../errors.js';
import type { FileTree } from '../events/datasets/fileTree.js';
import { linesOf } from '../events/datasets/layout.js';
import { ignoredClass } from '../targets/masks.js';
import { imagesIn, masksIn, pairsOf, rootOf, type SegmentationLayout } from './layout.js';

const folders: Readonly<Record<Split, string>> = { train: 'training', test: 'validation' };
const classCount = 150;
const namesFile = 'objectInfo150.txt';

export const ade20k: SegmentationLayout = {
  name: 'images/training with annotations/training (ADE20K)',
  recognise: (tree) => {
    const root = rootOf(tree, /annotations\/(training|validation)\/[^/]+\.png$/i);
    if (root === undefined) return undefined;
    return async (split) => {
      const masks = masksIn(tree, `${root}annotations/${folders[split]}/`);
      if (masks.size === 0) throw noSuchSplit(tree.name, split);
      const images = imagesIn(tree, `${root}images/${folders[split]}/`);
      const named = await namesIn(tree, root);
      const classes = named ?? Array.from({ length: classCount }, (_, i) => `class ${i + 1}`);
      const numbers = new Map([[0, ignoredClass], ...classes.map((_, i) => [i + 1, i] as const)]);
      const notes =
        named === undefined ? [`${tree.name}: has no ${namesFile}; classes are called by their numbers`] : [];
      return { classes, numbers, pairs: pairsOf(images, masks), notes };
    };
  },
};

/** The last column, behind one line of headings; names may hold blanks and commas. */
async function namesIn(tree: FileTree, root: string): Promise<readonly string[] | undefined> {
  const file = `${root}${namesFile}`;
  const text = await tree.text(file);
  if (text === undefined) return undefined;
  const rows = linesOf(text, `${tree.name}/${file}`).filter(({ line }) => !/^idx\b/i.test(line));
  const names = rows.map(({ line, place }, i) => {
    const [number, ...columns] = line.split('\t').map((column) => column.trim());
    const name = columns.at(-1);
    if (Number(number) !== i + 1 || name === undefined || name === '')
      throw new DataError(
        `${place}: found "${line.slice(0, 100)}", expected ${i + 1}, a tab, and a name as last column`,
      );
    return name;
  });
  if (names.length < 1 || names.length > ignoredClass - 1)
    throw new DataError(`${tree.name}/${file}: names ${names.length} classes; 1 to ${ignoredClass - 1} were expected`);
  return names;
}
