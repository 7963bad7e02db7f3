/** Descriptors of images, for the commands that make a gallery and search in one. */
import { createHash } from 'node:crypto';
import { modelFingerprint } from '../api/fingerprint.js';
import { answersToLooks } from '../api/looks.js';
import type { Model } from '../api/model.js';
import { readImage } from '../data/datasets/imageStore.js';
import type { ImageStore } from '../data/datasets/stores.js';
import { openFileTree } from '../data/events/datasets/fileTree.js';
import type { RgbImage } from '../data/image.js';
import { isImageName } from '../data/names.js';
import { UsageError } from '../errors.js';
import { lookCounts } from '../modalities/image/looks.js';
import { descriptorsOutput } from '../models/descriptorHead.js';
import type { Described, Undescribed } from '../search/indexImages.js';
import { taskNamed } from '../tasks/registry.js';
import { oneOf } from './optionParsing.js';
import { oneLine } from './text.js';

/** @throws UsageError for a model that does not describe images. */
export function checkDescribes(model: Model): void {
  if (!model.graph.outputs.has(descriptorsOutput))
    throw new UsageError(
      `${model.provenance.name}: is for ${model.task} and gives no descriptors; take a model for retrieval`,
    );
}

/** How many looks at each image there are; the option of `eval`, `index` and `search`. */
export const looksOption = oneOf(lookCounts).transform(Number).optional();

export const looksHelp = `looks at each image whose descriptors are averaged: ${lookCounts.join(', ')} (default 1); each costs as much as the first`;

/** Tells galleries by one model and so many looks from others. */
export function describerFingerprint(model: Model, looks: number): string {
  const own = modelFingerprint(model);
  if (looks === 1) return own;
  return `sha256:${createHash('sha256').update(`${own}\n${looks} looks`).digest('hex')}`;
}

/** One descriptor for each image, of length 1. */
export async function describe(
  model: Model,
  images: readonly RgbImage[],
  looks: number,
): Promise<readonly Float32Array[]> {
  const input = await model.inputOf(images);
  const { outputs } = await model.run(input);
  const own = new Map([...outputs].map(([name, { shape, data }]) => [name, { shape, data: data.slice() }]));
  const all = [own, ...(await answersToLooks(model, input.data, looks))];
  const { data } = (taskNamed(model.task).evaluating.combineLooks?.(all) ?? own).get(descriptorsOutput)!;
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
  { batch, looks, signal }: { readonly batch: number; readonly looks: number; readonly signal: AbortSignal },
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
    for (const [i, descriptor] of (await describe(model, images, looks)).entries())
      yield { name: readable[i]!, descriptor };
    // An interrupt can only be noticed when waiting events get their turn.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}
