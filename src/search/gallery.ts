/**
 * A gallery: descriptors of many images, and what the images are called. Its file is safetensors, so that others can read it: `descriptors`, float32 `[N, D]` or bits
 * `[N, D/8]`; `names`, the names' UTF-8 one after the other; `names.ends`, where each ends. The metadata says the version, and the fingerprint of the model that made the
 * descriptors, since those of two models mean nothing to each other.
 */

import type { CheckpointTensor } from '../interop/checkpoint.js';
import { printable } from '../interop/errors.js';
import type { RandomAccessFile } from '../interop/randomAccessFile.js';
import { openSafetensors, safetensorsParts } from '../interop/safetensors.js';
import type { TensorData } from '../interop/tensorData.js';
import { SearchError } from './errors.js';
import { checkStrictly } from './galleryChecks.js';
import type { BinaryGallery, FloatGallery, Gallery } from './galleryTypes.js';
import { largestDimensions, largestNameBytes, mostImages } from './limits.js';

export type { BinaryGallery, FloatGallery, Gallery, GalleryContents } from './galleryTypes.js';

const versionKey = 'meta-spikeformer-gallery';
const modelKey = 'meta-spikeformer-gallery-model';
const version = '1';
const tensorNames = ['descriptors', 'names', 'names.ends'] as const;

/** Elements of a descriptor in memory. */
export function rowLength({ kind, dimensions }: Pick<Gallery, 'kind' | 'dimensions'>): number {
  return kind === 'float' ? dimensions : dimensions / 8;
}

/** The file's parts in order. @throws SearchError when the gallery contradicts itself. */
export function galleryParts(gallery: Gallery): Uint8Array[] {
  checkStrictly('gallery', gallery);
  const { kind, dimensions, descriptors, names, model, metadata = {} } = gallery;
  const texts = names.map((name) => new TextEncoder().encode(name));
  const ends = new Int32Array(names.length);
  let end = 0;
  for (const [index, { length }] of texts.entries()) {
    end += length;
    ends[index] = end;
  }
  const joined = new Uint8Array(end);
  for (const [index, text] of texts.entries()) joined.set(text, ends[index]! - text.length);
  const tensors = new Map<string, TensorData>([
    [
      'descriptors',
      {
        dtype: kind === 'float' ? 'float32' : 'uint8',
        shape: [names.length, rowLength({ kind, dimensions })],
        data: descriptors,
      },
    ],
    ['names', { dtype: 'uint8', shape: [joined.length], data: joined }],
    ['names.ends', { dtype: 'int32', shape: [ends.length], data: ends }],
  ]);
  return safetensorsParts(tensors, { ...metadata, [versionKey]: version, [modelKey]: model });
}

/**
 * Reads a gallery. Sizes are checked before anything is allocated, and names and numbers afterwards.
 *
 * @throws SearchError when the file is no gallery or contradicts itself; CheckpointError when it is no safetensors file.
 */
export async function openGallery(file: RandomAccessFile): Promise<Gallery> {
  const { sets, metadata: all } = await openSafetensors(file);
  const { [versionKey]: foundVersion, [modelKey]: model, ...metadata } = all;
  if (foundVersion === undefined || model === undefined)
    throw new SearchError(`${file.name}: is no gallery; make one with the descriptors of images`);
  if (foundVersion !== version)
    throw new SearchError(
      `${file.name}: a gallery of version ${printable(foundVersion)}, and only ${version} is known; make it again`,
    );
  const [set] = sets;
  const found = [...set!.shapes.keys(), ...set!.unreadable.keys()].sort();
  if (found.join() !== [...tensorNames].sort().join())
    throw damaged(file, `it holds ${found.slice(0, 5).map(printable).join(', ')} instead of ${tensorNames.join(', ')}`);
  const [descriptors, names, ends] = tensorNames.map((name) => set!.tensor(name));
  const shapes = checkShapes(file, descriptors!, names!, ends!);
  const gallery = {
    dimensions: shapes.dimensions,
    names: await readNames(file, names!, ends!),
    model,
    metadata,
  };
  const read: Gallery =
    shapes.kind === 'float'
      ? { ...gallery, kind: 'float', descriptors: await descriptors!.readFloat32() }
      : { ...gallery, kind: 'binary', descriptors: await descriptors!.readBytes() };
  checkStrictly(file.name, read);
  return read;
}

function checkShapes(
  file: RandomAccessFile,
  descriptors: CheckpointTensor,
  names: CheckpointTensor,
  ends: CheckpointTensor,
): Pick<Gallery, 'kind' | 'dimensions'> {
  const { dtype, shape } = descriptors;
  if (shape.length !== 2 || (dtype !== 'float32' && dtype !== 'uint8'))
    throw damaged(file, `descriptors are ${dtype} [${shape.join(', ')}] instead of float32 [N, D] or uint8 [N, D/8]`);
  const [images, width] = shape as readonly [number, number];
  const dimensions = dtype === 'float32' ? width : 8 * width;
  if (images > mostImages) throw damaged(file, `it claims ${images} images, at most ${mostImages} are searched`);
  if (dimensions < 1 || dimensions > largestDimensions)
    throw damaged(file, `descriptors have ${dimensions} dimensions, expected 1 to ${largestDimensions}`);
  if (names.dtype !== 'uint8' || names.shape.length !== 1 || names.shape[0]! > largestNameBytes)
    throw damaged(
      file,
      `names are ${names.dtype} [${names.shape.join(', ')}], expected up to ${largestNameBytes} bytes`,
    );
  if (ends.dtype !== 'int32' || ends.shape.length !== 1 || ends.shape[0] !== images)
    throw damaged(file, `names.ends are ${ends.dtype} [${ends.shape.join(', ')}] for ${images} images`);
  return { kind: dtype === 'float32' ? 'float' : 'binary', dimensions };
}

async function readNames(file: RandomAccessFile, names: CheckpointTensor, ends: CheckpointTensor) {
  const bytes = await names.readBytes();
  const { buffer } = await ends.readBytes();
  const places = new DataView(buffer);
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const read: string[] = [];
  let start = 0;
  for (let index = 0; index < ends.shape[0]!; index++) {
    const end = places.getInt32(4 * index, true);
    if (end < start || end > bytes.length)
      throw damaged(file, `name ${index} goes from byte ${start} to ${end} of ${bytes.length}`);
    try {
      read.push(decoder.decode(bytes.subarray(start, end)));
    } catch (cause) {
      throw new SearchError(`${file.name}: damaged gallery: name ${index} is no UTF-8; make it again`, { cause });
    }
    start = end;
  }
  if (start !== bytes.length) throw damaged(file, `the names end at byte ${start} of ${bytes.length}`);
  return read;
}

/**
 * One gallery behind another.
 *
 * @throws SearchError when they are of different models, kinds or dimensions, or share a name.
 */
export function joinGalleries(first: Gallery, second: Gallery): Gallery {
  for (const what of ['model', 'kind', 'dimensions'] as const)
    if (first[what] !== second[what])
      throw new SearchError(
        `gallery: its ${what} is ${printable(String(first[what]))}, and what is to be added has ${printable(String(second[what]))}; make a gallery of its own`,
      );
  const names = [...first.names, ...second.names];
  const length = first.descriptors.length + second.descriptors.length;
  const joined = <Descriptors extends Float32Array | Uint8Array>(target: Descriptors): Descriptors => {
    target.set(first.descriptors);
    target.set(second.descriptors, first.descriptors.length);
    return target;
  };
  const all: Gallery =
    first.kind === 'float'
      ? { ...first, names, descriptors: joined(new Float32Array(length)) }
      : { ...first, names, descriptors: joined(new Uint8Array(length)) };
  checkStrictly('gallery', all);
  return all;
}

/** The signs of descriptors as bits: 1 where a number is above 0. @throws SearchError when D is no multiple of 8. */
export function binaryGallery(gallery: FloatGallery): BinaryGallery {
  return { ...gallery, kind: 'binary', descriptors: packSigns(gallery.descriptors, gallery.dimensions) };
}

/** @param descriptors `[N, D]`. @returns `[N, D/8]`. @throws SearchError when D is no multiple of 8. */
export function packSigns(descriptors: Float32Array, dimensions: number): Uint8Array {
  if (dimensions % 8 !== 0)
    throw new SearchError(`binary descriptors: ${dimensions} dimensions are no whole bytes; use a multiple of 8`);
  const bytes = new Uint8Array(descriptors.length / 8);
  for (let i = 0; i < descriptors.length; i++) if (descriptors[i]! > 0) bytes[i >> 3]! |= 1 << (i & 7);
  return bytes;
}

function damaged(file: RandomAccessFile, what: string): SearchError {
  return new SearchError(`${file.name}: damaged gallery: ${what}; make it again`);
}
