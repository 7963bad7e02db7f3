/**
 * Pascal VOC (Everingham et al. 2010) as published: `JPEGImages`, `SegmentationClass` and the lists in `ImageSets/Segmentation`, and its extension
 * by the masks of SBD (Hariharan et al. 2011) as it is usually handed on: `SegmentationClassAug` with the list `trainaug.txt`. Masks are palette
 * images; 255 is the border around objects, which has no class.
 */
import { noSuchSplit, type Split } from '../datasets/layout.js';
import { DataError } from '../errors.js';
import type { FileTree } from '../events/datasets/fileTree.js';
import { linesOf } from '../events/datasets/layout.js';
import { ignoredClass } from '../targets/masks.js';
import { imagesIn, masksIn, numbersOf, rootOf, type SegmentationLayout } from './layout.js';

const classes: readonly string[] = [
  ...['background', 'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow'],
  ...['diningtable', 'dog', 'horse', 'motorbike', 'person', 'pottedplant', 'sheep', 'sofa', 'train', 'tvmonitor'],
];

const lists = 'ImageSets/Segmentation/';
/** Of those that are there, the first is taken. */
const listNames: Readonly<Record<Split, readonly string[]>> = {
  train: ['trainaug', 'train', 'trainval'],
  test: ['val'],
};

export const pascalVoc: SegmentationLayout = {
  name: 'JPEGImages with SegmentationClass and ImageSets/Segmentation (Pascal VOC)',
  recognise: (tree) => {
    const root = rootOf(tree, /ImageSets\/Segmentation\/[^/]+\.txt$/);
    if (root === undefined) return undefined;
    return async (split) => {
      const plain = masksIn(tree, `${root}SegmentationClass/`);
      const augmented = masksIn(tree, `${root}SegmentationClassAug/`);
      // The list of what is only there in the extension is of no use without it.
      const names = listNames[split].filter((name) => name !== 'trainaug' || augmented.size > 0);
      const list = await firstList(tree, root, names);
      if (list === undefined) throw noSuchSplit(tree.name, split);
      // The originals are drawn more finely and have borders; the extension is trained on as a whole.
      const isAugmented = list.name === 'trainaug';
      const [first, second] = isAugmented ? [augmented, plain] : [plain, augmented];
      const images = imagesIn(tree, `${root}JPEGImages/`);
      const pairs = list.stems.map((stem) => ({
        stem,
        image: images.get(stem),
        mask: first.get(stem) ?? second.get(stem),
      }));
      const notes = isAugmented ? [`${tree.name}: trained is on the extended list, trainaug.txt`] : [];
      return { classes, numbers: numbersOf(classes, [ignoredClass]), pairs, notes };
    };
  },
};

async function firstList(tree: FileTree, root: string, names: readonly string[]) {
  for (const name of names) {
    const file = `${root}${lists}${name}.txt`;
    const text = await tree.text(file);
    if (text !== undefined) return { name, stems: stemsOf(text, `${tree.name}/${file}`) };
  }
  return undefined;
}

/** A stem on each line, or paths of image and mask. Throws DataError for a name that is there twice. */
function stemsOf(text: string, name: string): readonly string[] {
  const stems = new Set<string>();
  for (const { line, place } of linesOf(text, name)) {
    const [first = ''] = line.split(/\s/);
    const stem = first.slice(first.lastIndexOf('/') + 1).replace(/\.(jpe?g|png)$/i, '');
    if (stem === '') throw new DataError(`${place}: found "${line.slice(0, 100)}", expected the name of an image`);
    if (stems.has(stem)) throw new DataError(`${place}: ${stem} is on the list twice; remove one of its lines`);
    stems.add(stem);
  }
  return [...stems];
}
