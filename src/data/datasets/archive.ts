/**
 * A data set inside a tar archive, plain or gzip: labelled folders of images, or the binary files of CIFAR. The archive streams by
 * twice, for its names and for the images of the split, and nothing is unpacked to disk. Entries are counted and not kept; of two
 * files of one name the last is taken, as unpacking would leave it.
 */
import { basename } from 'node:path';
import { decodeImage } from '../decode.js';
import { DataError, ImageError } from '../errors.js';
import { memoryBudget } from '../memoryBudget.js';
import { isImageName, isMacDouble, isStray, mayBeStray } from '../names.js';
import { sharedMemory } from '../sharedMemory.js';
import { openBytes } from './byteReader.js';
import { cifarDataset, holdsCifar, isCifarFile, isPickledCifar, pickledCifar } from './cifar.js';
import type { EncodedStore } from './imageStore.js';
import { type LabelledImages, labelledImages } from './images.js';
import { ignoredNote, type Split } from './layout.js';
import { placeImages, plainName } from './placeImages.js';
import { sharedBytes } from './sharedBytes.js';
import { type DecodingOptions, decodeSmallImages } from './smallImages.js';
import { defaultTarLimits, readTar, type TarFile, type TarLimits } from './tar.js';
import { longestWords, parseWords, wordedClasses, wordsFile } from './words.js';

/** A file that is wanted. */
interface Entry {
  /** As stored. */
  readonly name: string;
  readonly size: number;
  /** Which of the wanted files of the archive it is, counted from 0. */
  readonly number: number;
}

/** What the first pass finds. */
interface Contents {
  /** One for each name, in the order in which the names first came. */
  readonly entries: readonly Entry[];
  readonly ignored: readonly string[];
  /** Of the outermost file of words. */
  readonly words: ReadonlyMap<string, string>;
}

/** Opens a split of an archive, the first that it has of several. Throws DataError naming it when it is no tar archive, is damaged, or holds no data set. */
export async function openArchive(
  path: string,
  split: Split | readonly Split[],
  options: DecodingOptions & { readonly limits?: TarLimits } = {},
): Promise<LabelledImages> {
  const limits = options.limits ?? defaultTarLimits;
  const names = new NameMemory(path);
  try {
    const { entries, ...others } = await contentsOf(path, limits, names);
    const images = entries.filter(({ name }) => isImageName(name));
    const splits = typeof split === 'string' ? [split] : split;
    if (images.length > 0)
      return await imageDataset(path, { entries: images, ...others }, splits, { ...options, limits });
    return await cifarIn(path, entries, splits[0]!, limits);
  } finally {
    names.release();
  }
}

/** What a name costs beside its characters: an entry, its place in a table and in a tree of folders. */
const bytesPerName = 300;
const bytesAtATime = 2 ** 22;

/** Asks the budget for what the names of an archive take, as they come. */
class NameMemory {
  readonly #path: string;
  readonly #releases: (() => void)[] = [];
  #left = 0;

  constructor(path: string) {
    this.#path = path;
  }

  add(name: string): void {
    this.#left -= bytesPerName + 2 * name.length;
    if (this.#left >= 0) return;
    this.#releases.push(memoryBudget().take(bytesAtATime, `${this.#path}: the names of its images`));
    this.#left += bytesAtATime;
  }

  release(): void {
    for (const release of this.#releases.splice(0)) release();
  }
}

function isWanted(name: string): boolean {
  const file = name.slice(name.lastIndexOf('/') + 1);
  return (isImageName(file) && !isMacDouble(file)) || isCifarFile(file) || isPickledCifar(file) || file === wordsFile;
}

async function contentsOf(path: string, limits: TarLimits, memory: NameMemory): Promise<Contents> {
  const places = new Map<string, number>();
  const entries: Entry[] = [];
  const passedOver = new Passed();
  const wants = (name: string) => isWanted(name) && !passedOver.isStray(name);
  let words: { readonly depth: number; readonly known: ReadonlyMap<string, string> } | undefined;
  let number = 0;
  await eachFile(path, wants, limits, async ({ name, size, fill }) => {
    const place = plainName(name, path);
    const depth = place.split('/').length;
    if (basename(place) === wordsFile) {
      number++;
      if (size > longestWords || (words !== undefined && words.depth < depth)) return;
      const bytes = new Uint8Array(size);
      await fill(bytes);
      words = { depth, known: parseWords(new TextDecoder().decode(bytes)) };
      return;
    }
    const known = places.get(place);
    const entry = { name, size, number: number++ };
    if (known !== undefined) {
      entries[known] = entry;
      return;
    }
    memory.add(name);
    places.set(place, entries.length);
    entries.push(entry);
  });
  return { entries, ignored: passedOver.names, words: words?.known ?? new Map() };
}

const mostStrays = 100;

/** Remembers a few of the stray folders that were met. */
class Passed {
  readonly #names = new Set<string>();

  get names(): string[] {
    return [...this.#names];
  }

  isStray(name: string): boolean {
    if (!mayBeStray(name)) return false;
    const folders = name.split('/').slice(0, -1);
    const stray = folders.findIndex(isStray);
    if (stray < 0) return false;
    if (this.#names.size < mostStrays) this.#names.add(folders.slice(0, stray + 1).join('/'));
    return true;
  }
}

/** Calls back for every wanted file; a promise it returns is waited for. */
async function eachFile(
  path: string,
  wants: (name: string) => boolean,
  limits: TarLimits,
  visit: (file: TarFile) => void | Promise<void>,
): Promise<void> {
  const reader = await openBytes(path);
  try {
    for await (const file of readTar(reader, wants, limits)) await visit(file);
  } finally {
    await reader.close();
  }
}

/** The second pass: calls back for these entries, in the order of the archive. */
async function readEntries(
  path: string,
  entries: readonly Entry[],
  limits: TarLimits,
  visit: (file: TarFile, index: number) => Promise<void>,
): Promise<void> {
  const indices = new Map(entries.map(({ number }, index) => [number, index]));
  const passedOver = new Passed();
  const wants = (name: string) => isWanted(name) && !passedOver.isStray(name);
  let number = 0;
  let found = 0;
  await eachFile(path, wants, limits, async (file) => {
    const index = indices.get(number++);
    if (index === undefined) return;
    const { name, size } = entries[index]!;
    if (file.name !== name || file.size !== size) throw changed(path);
    found++;
    await visit(file, index);
  });
  if (found !== entries.length) throw changed(path);
}

function changed(path: string): DataError {
  return new DataError(`${path}: changed while it was read; try again when nobody writes to it`);
}

async function imageDataset(
  path: string,
  { entries, ignored, words }: Contents,
  splits: readonly Split[],
  options: DecodingOptions & { readonly limits: TarLimits },
): Promise<LabelledImages> {
  const { split, ...placed } = await placeImages(
    entries.map(({ name }) => name),
    splits,
    path,
  );
  const chosen = placed.images.map(({ entry }) => entries[entry]!);
  const names = chosen.map(({ name }) => `${path}/${name}`);
  const empty = chosen.findIndex(({ size }) => size === 0);
  if (empty >= 0) throw new ImageError(`${names[empty]}: is empty; an image file was expected`);
  const { bytes, ends } = await encodedStore(path, chosen, options.limits);
  const read = (i: number) => decodeImage(bytes.subarray(i === 0 ? 0 : ends[i - 1]!, ends[i]!), names[i]!);
  const small = await decodeSmallImages(chosen.length, read, options);
  return {
    ...labelledImages({
      name: `${path} (${split})`,
      classes: wordedClasses(placed.classes, words),
      labels: Int32Array.from(placed.images, ({ label }) => label),
      store: small ?? { kind: 'encoded', bytes, ends, names },
      names,
    }),
    notes: ignoredNote(path, [...ignored, ...placed.ignored]),
  };
}

async function encodedStore(
  path: string,
  chosen: readonly Entry[],
  limits: TarLimits,
): Promise<Pick<EncodedStore, 'bytes' | 'ends'>> {
  const ends = new Float64Array(sharedMemory(8 * chosen.length, path));
  let length = 0;
  for (const [i, { size }] of chosen.entries()) {
    length += size;
    ends[i] = length;
  }
  const bytes = sharedBytes(length, `${path}: its ${chosen.length} images`);
  await readEntries(path, chosen, limits, async ({ name, size, fill }, i) => {
    const image = bytes.subarray(ends[i]! - size, ends[i]!);
    const head = image.subarray(0, longestSignature);
    await fill(head);
    // What is no image is not read to its end; decoding says what is wrong with it.
    if (!signature.test(Buffer.from(head).toString('latin1'))) await decodeImage(head, `${path}/${name}`);
    await fill(image.subarray(head.length));
  });
  return { bytes, ends };
}

const longestSignature = 12;
/** How JPEG, PNG, WebP, GIF, TIFF and AVIF files begin. */
const signature = /^(?:\xff\xd8\xff|\x89PNG|RIFF|GIF8|II\*\0|MM\0\*|.{4}ftypavi)/s;

async function cifarIn(
  path: string,
  entries: readonly Entry[],
  split: Split,
  limits: TarLimits,
): Promise<LabelledImages> {
  const byName = new Map(entries.map((entry) => [basename(entry.name), entry]));
  const names = [...byName.keys()];
  if (!holdsCifar(names)) {
    if (names.some(isPickledCifar)) throw pickledCifar(path);
    throw new DataError(`${path}: holds no images; expected train/<class>/<image> or the binary files of CIFAR`);
  }
  const sizes = new Map([...byName].map(([name, { size }]) => [name, size]));
  return cifarDataset(sizes, split, path, (wanted, visit) =>
    readEntries(
      path,
      wanted.map((name) => byName.get(name)!),
      limits,
      ({ fill }, i) => visit(wanted[i]!, fill),
    ),
  );
}
