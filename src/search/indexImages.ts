/**
 * A gallery's file that grows: images that are not in it yet are described and added, and what is there is kept from time to time, so that whoever was interrupted begins again where the file
 * ends. What describes an image is handed in; nothing here knows of networks. For Node.
 */
import { existsSync } from 'node:fs';
import { printable } from '../interop/errors.js';
import { SearchError } from './errors.js';
import { type FloatGallery, type Gallery, joinGalleries, packSigns } from './gallery.js';
import { readGalleryFile, writeGalleryFile } from './galleryFile.js';

export interface Described {
  readonly name: string;
  /** `[D]`. */
  readonly descriptor: Float32Array;
}

/** An image that has no descriptor, and why, in a line. */
export interface Undescribed {
  readonly name: string;
  readonly problem: string;
}

export interface IndexOptions {
  /** The file; added to when it is there. */
  readonly output: string;
  /** Fingerprint of the model that describes. */
  readonly model: string;
  /** D. */
  readonly dimensions: number;
  /** `binary` keeps the signs. Default `float`. */
  readonly kind?: Gallery['kind'];
  /** Descriptors of these images, each once, in any order. */
  readonly describe: (names: readonly string[]) => AsyncIterable<Described | Undescribed>;
  /** Kept at the latest when so many images are new; of large galleries when a quarter is, so that little is written twice. Default 1000. */
  readonly keepEvery?: number;
  /** Told of every image. */
  readonly onImage?: (done: number, all: number) => void;
}

export interface IndexReport {
  /** Images that were in the file before. */
  readonly before: number;
  readonly added: number;
  /** What was left out. */
  readonly failed: readonly Undescribed[];
}

/**
 * Adds images to a gallery's file. Run again after an interruption it goes on; images that failed are tried again.
 *
 * @param names Of the images; those that are in the gallery already are passed over.
 * @throws SearchError when the file is of another model, kind or dimensions, or a descriptor does not fit.
 */
export async function indexImages(names: readonly string[], options: IndexOptions): Promise<IndexReport> {
  const { output, describe, keepEvery = 1000, onImage } = options;
  let gallery = await existing(options);
  const before = gallery.names.length;
  const known = new Set(gallery.names);
  const wanted = [...new Set(names)].filter((name) => !known.has(name));
  const failed: Undescribed[] = [];
  let fresh: Described[] = [];
  const keep = async () => {
    gallery = joinGalleries(gallery, galleryOf(options, fresh));
    fresh = [];
    await writeGalleryFile(output, gallery);
  };
  let done = 0;
  const left = new Set(wanted);
  if (wanted.length > 0)
    for await (const answer of describe(wanted)) {
      if (!left.delete(answer.name))
        throw new SearchError(`${output}: a descriptor of ${printable(answer.name)}, which was not asked for`);
      if ('problem' in answer) failed.push(answer);
      else fresh.push(checked(answer, options));
      onImage?.(++done, wanted.length);
      if (fresh.length >= Math.max(keepEvery, gallery.names.length / 4)) await keep();
    }
  if (fresh.length > 0 || !existsSync(output)) await keep();
  return { before, added: gallery.names.length - before, failed };
}

async function existing(options: IndexOptions): Promise<Gallery> {
  const { output, model, dimensions, kind = 'float' } = options;
  if (!existsSync(output)) return galleryOf(options, []);
  const gallery = await readGalleryFile(output);
  if (gallery.model !== model)
    throw new SearchError(
      `${output}: was made by another model (${gallery.model.slice(0, 15)}…, this one is ${model.slice(0, 15)}…); take that model, or name another file`,
    );
  if (gallery.kind !== kind || gallery.dimensions !== dimensions)
    throw new SearchError(
      `${output}: is a ${gallery.kind} gallery of ${gallery.dimensions} dimensions, not a ${kind} one of ${dimensions}; name another file`,
    );
  return gallery;
}

function checked(described: Described, { dimensions }: IndexOptions): Described {
  const { name, descriptor } = described;
  if (descriptor.length !== dimensions)
    throw new SearchError(`${name}: a descriptor of ${descriptor.length} numbers, expected ${dimensions}`);
  if (!descriptor.every(Number.isFinite))
    throw new SearchError(`${name}: its descriptor holds what is no finite number; the model's weights are damaged`);
  return described;
}

function galleryOf({ dimensions, model, kind = 'float' }: IndexOptions, described: readonly Described[]): Gallery {
  const descriptors = new Float32Array(described.length * dimensions);
  for (const [index, { descriptor }] of described.entries()) descriptors.set(descriptor, index * dimensions);
  const names = described.map(({ name }) => name);
  const floats: FloatGallery = { kind: 'float', dimensions, descriptors, names, model };
  return kind === 'float' ? floats : { ...floats, kind, descriptors: packSigns(descriptors, dimensions) };
}
