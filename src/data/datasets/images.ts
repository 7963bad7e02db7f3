/** Data sets of images: with targets of any kind, and with class numbers, which has names of its own for what there is. */
import { DataError } from '../errors.js';
import type { RgbImage } from '../image.js';
import type { ClassTargets } from '../targets/classes.js';
import { type TargetStore, targetKindOf } from '../targets/registry.js';
import { chosenOf, type Dataset, type DatasetSource, viewOf } from './dataset.js';
import { type ImageStore, readImage, storedImages, storedName } from './imageStore.js';

/** Images with targets. */
export interface ImageDataset<Targets extends TargetStore = TargetStore> extends Dataset<RgbImage, Targets> {
  readonly store: ImageStore;
  /** Height and width when every image has the same and they are known without decoding. */
  readonly imageSize: readonly [height: number, width: number] | null;
}

/** A labelled set of images. */
export interface LabelledImages extends ImageDataset<ClassTargets> {
  /** Class names; a label is an index into them. */
  readonly classes: readonly string[];
  /** The class number of image i: its target. Throws UsageError when there is no such image. */
  label(i: number): number;
  /** Image i, the sample. Throws ImageError naming the file when it cannot be decoded, UsageError when there is no such image. */
  image(i: number): Promise<RgbImage>;
  /** What messages call image i: a path where there is one. */
  imageName(i: number): string;
}

/** What a set of images is made of. */
export interface ImageDatasetParts<Targets extends TargetStore> {
  readonly name: string;
  readonly store: ImageStore;
  readonly targets: Targets;
  /** What messages call the images; the store's own names when absent. */
  readonly names?: readonly string[];
}

/** What a labelled set is made of; `labels[p]` belongs to position p of the store. */
export interface LabelledImageParts extends Omit<ImageDatasetParts<ClassTargets>, 'targets'> {
  readonly classes: readonly string[];
  readonly labels: Int32Array;
}

/** A data set of all images of a store. Throws DataError when it is empty or targets do not fit. */
export function imagesWith<Targets extends TargetStore>(parts: ImageDatasetParts<Targets>): ImageDataset<Targets> {
  return imagesAt(parts, allPositions(parts), parts.name);
}

/** A labelled set of all images of a store. Throws DataError when it is empty or a label has no class. */
export function labelledImages({ classes, labels, ...parts }: LabelledImageParts): LabelledImages {
  const complete = { ...parts, targets: { kind: 'classes', classes, labels } as const };
  return labelledAt(complete, allPositions(complete), parts.name);
}

function allPositions<Targets extends TargetStore>({ name, store, targets }: ImageDatasetParts<Targets>): Int32Array {
  const count = storedImages(store);
  const kind = targetKindOf(targets);
  const called = kind.name === 'classes' ? 'labels' : 'targets';
  if (count === 0) throw new DataError(`${name}: holds no images; at least one was expected`);
  if (kind.count(targets) !== count) {
    throw new DataError(
      `${name}: holds ${count} images and ${kind.count(targets)} ${called}; expected as many ${called} as images`,
    );
  }
  kind.check(targets, name);
  return Int32Array.from({ length: count }, (_, i) => i);
}

function imagesAt<Targets extends TargetStore>(
  parts: ImageDatasetParts<Targets>,
  positions: Int32Array,
  name: string,
): ImageDataset<Targets> {
  const { store } = parts;
  return {
    ...viewOf(sourceOf(parts), positions, name),
    store,
    imageSize: store.kind === 'pixels' ? [store.height, store.width] : null,
    part: (indices, partName) => imagesAt(parts, chosenOf(positions, indices, { name, noun }), partName),
  };
}

function labelledAt(parts: ImageDatasetParts<ClassTargets>, positions: Int32Array, name: string): LabelledImages {
  const images = imagesAt(parts, positions, name);
  return {
    ...images,
    classes: parts.targets.classes,
    label: images.target,
    image: images.sample,
    imageName: images.sampleName,
    part: (indices, partName) => labelledAt(parts, chosenOf(positions, indices, { name, noun }), partName),
  };
}

const noun = 'image';

function sourceOf<Targets extends TargetStore>({
  store,
  targets,
  names,
}: ImageDatasetParts<Targets>): DatasetSource<RgbImage, Targets> {
  return {
    modality: 'image',
    noun,
    store,
    targets,
    read: async (position) => {
      const image = await readImage(store, position);
      return store.kind === 'pixels' ? { ...image, data: Uint8Array.from(image.data) } : image;
    },
    nameAt: (position) => names?.[position] ?? storedName(store, position),
  };
}
