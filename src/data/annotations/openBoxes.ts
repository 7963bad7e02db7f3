/**
 * The front door to sets of images with boxes: a folder in the layout of PASCAL VOC, COCO or YOLO, which is recognised. Everything that is annotated is looked at before any work begins. For Node.
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type ImageDataset, imagesWith } from '../datasets/images.js';
import { noSuchSplit, type Split } from '../datasets/layout.js';
import { DataError } from '../errors.js';
import { locate, systemPath } from '../fileNames.js';
import { type BoxTargets, objectMasks } from '../targets/boxes.js';
import { type Annotations, maskOfObject, type ReadingOptions } from './annotations.js';
import { readCoco, readVoc, readYolo } from './readAnnotations.js';

export interface OpenBoxesOptions {
  /** Which part; the first that is there, where there are several. */
  readonly split: Split | readonly Split[];
  /** Leaves out what cannot be used, and says how much that was; by default it is an error. */
  readonly skipBad?: boolean | undefined;
}

/** How a layout is read: undefined where it has no such split. */
type Reader = (split: Split, options: ReadingOptions) => Promise<ReadSplit | undefined>;

interface ReadSplit {
  readonly annotations: Annotations;
  /** The folder that the images' names are below. */
  readonly images: string;
}

/**
 * Classes are those of the training split, so that numbers are the same in both.
 *
 * @throws DataError naming what is not recognised, absent or wrong; AnnotationError that counts and names bad annotations.
 */
export async function openBoxes(
  path: string,
  { split, skipBad = false }: OpenBoxesOptions,
): Promise<ImageDataset<BoxTargets>> {
  const root = await locate(path);
  const read = await readerOf(root);
  const splits = typeof split === 'string' ? [split] : split;
  const { chosen, found } = await firstThere(root, read, splits, skipBad);
  const { annotations, images } = found;
  const { leftOut } = annotations;
  const name = `${root} (${chosen})`;
  const notes =
    leftOut.images + leftOut.objects > 0
      ? [`${name}: left out ${leftOut.images} images and ${leftOut.objects} boxes that cannot be used`]
      : [];
  const paths = annotations.images.map(({ file }) => join(images, file));
  return {
    ...imagesWith({ name, store: { kind: 'files', paths }, targets: targetsOf(annotations), names: paths }),
    notes,
  };
}

function targetsOf({ classes, images }: Annotations): BoxTargets {
  const objects = images.flatMap((image) => image.objects);
  const masks = objectMasks(
    images.map(({ width, height, objects: own }) => ({
      ...{ width, height },
      masks: own.map((object) => maskOfObject(object, { width, height })),
    })),
  );
  let end = 0;
  return {
    kind: 'boxes',
    classes,
    ends: Int32Array.from(images, ({ objects: { length } }) => {
      end += length;
      return end;
    }),
    boxes: Float32Array.from(objects.flatMap(({ box: [x, y, width, height] }) => [x, y, x + width, y + height])),
    labels: Int32Array.from(objects, ({ class: label }) => label),
    // A sliver of an object at the border cannot be told from what it is not.
    leastVisible: 0.3,
    ...(objects.some(({ crowd }) => crowd) ? { crowds: Uint8Array.from(objects, ({ crowd }) => (crowd ? 1 : 0)) } : {}),
    ...(masks === undefined ? {} : { masks }),
  };
}

async function firstThere(
  root: string,
  read: Reader,
  splits: readonly Split[],
  skipBad: boolean,
): Promise<{ readonly chosen: Split; readonly found: ReadSplit }> {
  for (const chosen of splits) {
    const training = chosen === 'train' ? undefined : await read('train', { skipBad: true });
    const classes = training?.annotations.classes;
    const found = await read(chosen, { skipBad, ...(classes === undefined ? {} : { classes }) });
    if (found !== undefined) return { chosen, found };
  }
  throw noSuchSplit(root, splits[0]!);
}

async function readerOf(root: string): Promise<Reader> {
  const readers = [voc(root), coco(root), yolo(root)];
  for (const recognise of readers) {
    const reader = await recognise();
    if (reader !== undefined) return reader;
  }
  throw new DataError(
    `${root}: holds no boxes in a layout that is known; expected Annotations and JPEGImages (PASCAL VOC), annotations/*.json (COCO), or images and labels (YOLO)`,
  );
}

/** Names of what lies in a folder; nothing where there is none. */
async function listed(...parts: readonly string[]): Promise<readonly string[]> {
  return (await readdir(systemPath(join(...(parts as [string, ...string[]])))).catch(() => [])).sort();
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(systemPath(path)).catch(() => undefined))?.isDirectory() ?? false;
}

/** In the order in which they are preferred. */
const splitLists: Readonly<Record<Split, readonly string[]>> = {
  train: ['train.txt', 'trainval.txt'],
  test: ['test.txt', 'val.txt'],
};

function voc(root: string): () => Promise<Reader | undefined> {
  return async () => {
    const annotations = join(root, 'Annotations');
    const images = join(root, 'JPEGImages');
    if (!(await isFolder(annotations)) || !(await isFolder(images))) return undefined;
    const lists = await listed(root, 'ImageSets', 'Main');
    return async (split, options) => {
      const list = splitLists[split].find((name) => lists.includes(name));
      if (list === undefined && lists.length > 0) return undefined;
      if (list === undefined && split === 'test') return undefined;
      const file = list === undefined ? {} : { list: join(root, 'ImageSets', 'Main', list) };
      return { annotations: await readVoc({ annotations, images, ...file }, options), images };
    };
  };
}

const splitWords: Readonly<Record<Split, RegExp>> = {
  train: /(?:^|[_-])train(?:ing)?(?:\d|[_.-]|$)/i,
  test: /(?:^|[_-])(?:test|val(?:id(?:ation)?)?)(?:\d|[_.-]|$)/i,
};

function coco(root: string): () => Promise<Reader | undefined> {
  return async () => {
    const inside = (await listed(root, 'annotations')).filter((name) => name.endsWith('.json'));
    const folder = inside.length > 0 ? join(root, 'annotations') : root;
    const files = inside.length > 0 ? inside : (await listed(root)).filter((name) => name.endsWith('.json'));
    if (!files.some((name) => splitWords.train.test(name) || splitWords.test.test(name))) return undefined;
    const folders = await listed(root);
    return async (split, options) => {
      // Of instances, captions and keypoints the boxes are in the first.
      const named = files.filter((name) => splitWords[split].test(name));
      const file = named.find((name) => name.startsWith('instances')) ?? named[0];
      if (file === undefined) return undefined;
      const candidates = [...folders.filter((name) => splitWords[split].test(name)), 'images', '.'];
      const images = await firstFolder(candidates.map((name) => join(root, name)));
      return { annotations: await readCoco(join(folder, file), images, options), images };
    };
  };
}

async function firstFolder(paths: readonly string[]): Promise<string> {
  for (const path of paths) if (await isFolder(path)) return path;
  return paths.at(-1)!;
}

const nameFiles = ['data.yaml', 'dataset.yaml', 'classes.txt', 'obj.names'];

function yolo(root: string): () => Promise<Reader | undefined> {
  return async () => {
    const names = (await listed(root)).find((name) => nameFiles.includes(name));
    if (names === undefined) return undefined;
    const folders: Readonly<Record<Split, readonly string[]>> = { train: ['train'], test: ['test', 'val', 'valid'] };
    return async (split, options) => {
      for (const name of folders[split]) {
        // Both orders are in use: images/train and train/images.
        for (const place of [(kind: string) => join(root, kind, name), (kind: string) => join(root, name, kind)]) {
          if (!(await isFolder(place('images')))) continue;
          const places = { labels: place('labels'), images: place('images'), names: join(root, names) };
          return { annotations: await readYolo(places, options), images: places.images };
        }
      }
      return undefined;
    };
  };
}
