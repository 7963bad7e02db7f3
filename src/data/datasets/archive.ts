/**
 * A data set inside a tar archive, plain or gzip: labelled folders of images, or the binary files of CIFAR. The archive streams by
 * once and nothing is unpacked to disk; small images end up decoded in memory, larger ones encoded.
 */
import { basename } from 'node:path';
import { decodeImage } from '../decode.js';
import { DataError } from '../errors.js';
import { openBytes } from './byteReader.js';
import { cifarDataset, holdsCifar, isCifarFile } from './cifar.js';
import { type Dataset, datasetOf, type EncodedStore } from './dataset.js';
import { isImageName, placeImages, type Split } from './layout.js';
import { type DecodingOptions, decodeSmallImages } from './smallImages.js';
import { defaultTarLimits, readTar, type TarFile, type TarLimits } from './tar.js';

/** Opens a split of an archive. Throws DataError naming it when it is no tar archive, is damaged, or holds no data set. */
export async function openArchive(
  path: string,
  split: Split,
  options: DecodingOptions & { readonly limits?: TarLimits } = {},
): Promise<Dataset> {
  const files = await readFiles(path, options.limits ?? defaultTarLimits);
  const images = files.filter(({ name }) => isImageName(name));
  if (images.length > 0) return imageDataset(path, images, split, options);
  const cifar = new Map(files.map(({ name, bytes }) => [basename(name), bytes]));
  if (holdsCifar([...cifar.keys()])) return cifarDataset(cifar, split, path);
  throw new DataError(`${path}: holds no images; expected train/<class>/<image> or the binary files of CIFAR`);
}

async function readFiles(path: string, limits: TarLimits): Promise<TarFile[]> {
  const reader = await openBytes(path);
  try {
    const files: TarFile[] = [];
    const wants = (name: string) => (isImageName(name) && !isMacDouble(name)) || isCifarFile(basename(name));
    for await (const file of readTar(reader, wants, limits)) files.push(file);
    return files;
  } finally {
    await reader.close();
  }
}

/** macOS packs a companion of metadata beside each file, under a name that ends as the image's does. */
function isMacDouble(name: string): boolean {
  return basename(name).startsWith('._');
}

async function imageDataset(
  path: string,
  files: readonly TarFile[],
  split: Split,
  options: DecodingOptions,
): Promise<Dataset> {
  const { classes, images } = placeImages(
    files.map(({ name }) => name),
    split,
    path,
  );
  const chosen = images.map(({ entry }) => files[entry]!);
  const names = chosen.map(({ name }) => `${path}/${name}`);
  const small = await decodeSmallImages(chosen.length, (i) => decodeImage(chosen[i]!.bytes, names[i]!), options);
  return datasetOf({
    name: `${path} (${split})`,
    classes,
    labels: Int32Array.from(images, ({ label }) => label),
    store: small ?? encodedStore(chosen, names),
    names,
  });
}

function encodedStore(files: readonly TarFile[], names: readonly string[]): EncodedStore {
  const ends = new Float64Array(new SharedArrayBuffer(8 * files.length));
  let length = 0;
  for (const [i, { bytes }] of files.entries()) {
    length += bytes.length;
    ends[i] = length;
  }
  const bytes = new Uint8Array(new SharedArrayBuffer(length));
  for (const [i, file] of files.entries()) bytes.set(file.bytes, ends[i]! - file.bytes.length);
  return { kind: 'encoded', bytes, ends, names };
}
