/** Descriptors of images, for the commands that make a gallery and search in one. */
import type { Model } from '../api/model.js';
import { readImage } from '../data/datasets/imageStore.js';
import type { ImageStore } from '../data/datasets/stores.js';
import { openFileTree } from '../data/events/datasets/fileTree.js';
import type { RgbImage } from '../data/image.js';
import { isImageName } from '../data/names.js';
import { UsageError } from '../errors.js';
import { descriptorsOutput } from '../models/descriptorHead.js';
import type { Described, Undescribed } from '../search/indexImages.js';
import { oneLine } from './text.js';

/** @throws UsageError for a model that does not describe images. */
export function checkDescribes(model: Model): void {
  if (!model.graph.outputs.has(descriptorsOutput))
    throw new UsageError(
      `${model.provenance.name}: is for ${model.task} and gives no descriptors; take a model for retrieval`,
    );
}

/** One descriptor for each image, of length 1. */
export async function describe(model: Model, images: readonly RgbImage[]): Promise<readonly Float32Array[]> {
  const { outputs } = await model.run(await model.inputOf(images));
  const { data } = outputs.get(descriptorsOutput)!;
  const dimensions = data.length / images.length;
  return images.map((_, i) => data.slice(i * dimensions, (i + 1) * dimensions));
}

/** The images below a folder, or of a tar archive, by their paths in it. */
export interface ImageTree {
  /** Sorted. */
  readonly names: readonly string[];
  /** @throws ImageError for one that cannot be decoded. */
  read(name: string): Promise<RgbImage>;
}

/** @throws UsageError where there are no images; DataError for what is no folder or archive. */
export async function openImages(path: string): Promise<ImageTree> {
  const tree = await openFileTree(path);
  const names = tree.files.filter((file) => isImageName(file));
  if (names.length === 0) throw new UsageError(`${path}: holds no images; name another folder or archive`);
  const store: ImageStore = await tree.store(names);
  const positions = new Map(names.map((name, position) => [name, position]));
  return { names, read: async (name) => readImage(store, positions.get(name)!) };
}

/** Descriptors of images in batches, until the signal says that it is enough; what cannot be read is named. */
export async function* descriptions(
  model: Model,
  { read }: ImageTree,
  names: readonly string[],
  { batch, signal }: { readonly batch: number; readonly signal: AbortSignal },
): AsyncGenerator<Described | Undescribed, void, undefined> {
  for (let first = 0; first < names.length && !signal.aborted; first += batch) {
    const asked = names.slice(first, first + batch);
    const found = await Promise.allSettled(asked.map((name) => read(name)));
    const images: RgbImage[] = [];
    const readable: string[] = [];
    for (const [i, result] of found.entries()) {
      if (result.status === 'fulfilled') {
        images.push(result.value);
        readable.push(asked[i]!);
      } else yield { name: asked[i]!, problem: oneLine(String((result.reason as Error).message ?? result.reason)) };
    }
    if (images.length === 0) continue;
    for (const [i, descriptor] of (await describe(model, images)).entries()) yield { name: readable[i]!, descriptor };
    // An interrupt can only be noticed when waiting events get their turn.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}
