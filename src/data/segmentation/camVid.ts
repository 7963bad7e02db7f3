/**
 * CamVid (Brostow et al. 2009) as SegNet's authors published it, and any data laid out so: `train/x.png` with its mask `trainannot/x.png`, `val`
 * and `test` alike. `classes.json` may say what the values mean; without it they are the 11 classes of SegNet (Badrinarayanan et al. 2017).
 */
import * as z from 'zod';
import { noSuchSplit, type Split } from '../datasets/layout.js';
import { DataError } from '../errors.js';
import type { FileTree } from '../events/datasets/fileTree.js';
import { ignoredClass } from '../targets/masks.js';
import { imagesIn, type MaskClasses, masksIn, numbersOf, pairsOf, rootOf, type SegmentationLayout } from './layout.js';

const segNetClasses = [
  ...['Sky', 'Building', 'Pole', 'Road', 'Pavement', 'Tree', 'SignSymbol', 'Fence', 'Car', 'Pedestrian', 'Bicyclist'],
];
const segNetVoid = 11;

/** Of those that are there, the first is taken. */
const folders: Readonly<Record<Split, readonly string[]>> = { train: ['train'], test: ['test', 'val'] };

const value = z.int().min(0).max(255);
const classesSchema = z.object({
  classes: z.array(z.string().min(1).max(200)).min(1).max(ignoredClass),
  /** The value of pixels that are left out. */
  void_id: value.optional(),
});

export const camVid: SegmentationLayout = {
  name: 'train/<image> with trainannot/<mask>.png (CamVid)',
  recognise: (tree) => {
    const root = rootOf(tree, /(train|val|test)annot\/[^/]+\.png$/i);
    if (root === undefined) return undefined;
    return async (split) => {
      const there = folders[split].filter((folder) => masksIn(tree, `${root}${folder}annot/`).size > 0);
      const [chosen] = there;
      if (chosen === undefined) throw noSuchSplit(tree.name, split);
      const images = imagesIn(tree, `${root}${chosen}/`);
      const masks = masksIn(tree, `${root}${chosen}annot/`);
      return { ...(await classesOf(tree, root)), pairs: pairsOf(images, masks), notes: notesOf(tree, split, there) };
    };
  },
};

function notesOf({ name }: FileTree, split: Split, [chosen, unused]: readonly string[]): readonly string[] {
  if (split === 'train') return [];
  if (unused !== undefined) return [`${name}: evaluated is ${chosen}; ${unused} is not used`];
  return chosen === 'test' ? [] : [`${name}: has no test images; ${chosen} is evaluated`];
}

async function classesOf(tree: FileTree, root: string): Promise<MaskClasses> {
  const file = `${root}classes.json`;
  const text = await tree.text(file);
  // Files of others leave out what is beyond the classes by the usual 255 too.
  if (text === undefined)
    return { classes: segNetClasses, numbers: numbersOf(segNetClasses, [segNetVoid, ignoredClass]) };
  const { classes, void_id = ignoredClass } = parsed(text, `${tree.name}/${file}`);
  if (void_id < classes.length)
    throw new DataError(`${tree.name}/${file}: void_id is ${void_id}, which is the class ${classes[void_id]}`);
  return { classes, numbers: numbersOf(classes, [void_id, ignoredClass]) };
}

function parsed(text: string, name: string): z.output<typeof classesSchema> {
  const expected = 'expected {"classes": ["sky", …], "void_id": 11}';
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (cause) {
    throw new DataError(`${name}: is not JSON; ${expected}`, { cause });
  }
  const result = classesSchema.safeParse(content);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw new DataError(`${name}: is wrong at ${issue.path.join('.') || 'the whole'}: ${issue.message}; ${expected}`);
}
