/** The front door to images with masks: a folder or a tar archive, and the layout in which it was published is recognised. For Node. */
import { type ImageDataset, imagesWith } from '../datasets/images.js';
import type { Split } from '../datasets/layout.js';
import { DataError, MissingSplitError } from '../errors.js';
import { type FileTree, openFileTree } from '../events/datasets/fileTree.js';
import { ignoredClass, type MaskTargets } from '../targets/masks.js';
import { ade20k } from './ade20k.js';
import { camVid } from './camVid.js';
import { completePairs, leftOutNote, noneLeft, problemsOf, refusal } from './checkMasks.js';
import type { PlacedMasks, SegmentationLayout } from './layout.js';
import { pascalVoc } from './pascalVoc.js';

export interface OpenSegmentationOptions {
  /** Which part; the first that is there, where there are several. `test` is what the data set is evaluated on, be it called validation. */
  readonly split: Split | readonly Split[];
  /** Leave out images that cannot be used, and say so in the notes, instead of refusing the data. */
  readonly skipBad?: boolean | undefined;
}

const layouts: readonly SegmentationLayout[] = [pascalVoc, ade20k, camVid];

/**
 * Images with a class for every pixel. All masks are decoded and compared with their images before anything else.
 *
 * @throws DataError naming the first ten files that are wrong, or when nothing is recognised; MissingSplitError without the split.
 */
export async function openSegmentation(
  path: string,
  { split, skipBad = false }: OpenSegmentationOptions,
): Promise<ImageDataset<MaskTargets>> {
  const tree = await openFileTree(path);
  const place = recognised(tree);
  const { chosen, placed } = await firstThere(typeof split === 'string' ? [split] : split, place);
  const { classes, numbers, pairs, notes } = placed;
  const name = `${tree.name} (${chosen})`;
  const { complete, problems } = completePairs(pairs, tree.name);
  if (complete.length === 0) throw noneLeft(name, pairs.length, problems);
  const store = await tree.store(complete.map(({ image }) => image));
  const masks = await tree.store(complete.map(({ mask }) => mask));
  const known = Array.from({ length: 256 }, (_, value) => numbers.has(value));
  const good: number[] = [];
  let position = 0;
  for await (const problem of problemsOf(store, masks, known)) {
    if (problem === undefined) good.push(position);
    else problems.push(problem);
    position++;
  }
  if (good.length === 0) throw noneLeft(name, pairs.length, problems);
  if (problems.length > 0 && !skipBad) throw refusal(name, pairs.length, problems);
  const targets: MaskTargets = {
    kind: 'masks',
    classes,
    files: masks,
    numbers: Uint8Array.from({ length: 256 }, (_, value) => numbers.get(value) ?? ignoredClass),
  };
  const whole = imagesWith({ name, store, targets });
  const dataset = good.length === complete.length ? whole : whole.part(good, name);
  return { ...dataset, notes: problems.length === 0 ? notes : [...notes, leftOutNote(name, pairs.length, problems)] };
}

function recognised(tree: FileTree): (split: Split) => Promise<PlacedMasks> {
  for (const layout of layouts) {
    const place = layout.recognise(tree);
    if (place !== undefined) return place;
  }
  const expected = layouts.map(({ name }) => name).join('; or ');
  throw new DataError(`${tree.name}: holds no images with masks in a layout that is known; expected ${expected}`);
}

async function firstThere(
  [split, ...others]: readonly Split[],
  place: (split: Split) => Promise<PlacedMasks>,
): Promise<{ readonly chosen: Split; readonly placed: PlacedMasks }> {
  try {
    return { chosen: split!, placed: await place(split!) };
  } catch (error) {
    if (others.length === 0 || !(error instanceof MissingSplitError)) throw error;
    return firstThere(others, place);
  }
}
