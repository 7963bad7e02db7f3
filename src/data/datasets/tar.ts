/**
 * The files of a tar archive in order, as they stream by. It reads ustar, GNU (long names, base-256 sizes) and pax archives as
 * POSIX.1-2001 and the GNU tar manual describe them; it writes nothing to disk, so names need no defence, but their number,
 * their length and all sizes are limited.
 */
import { DataError } from '../errors.js';
import { decodeName } from '../fileNames.js';
import type { ByteReader } from './byteReader.js';

/** What an archive may claim. */
export interface TarLimits {
  /** Headers of any kind. */
  readonly entries: number;
  /** Bytes of one file that is wanted. */
  readonly fileBytes: number;
  /** Bytes of the names of all files that are wanted. */
  readonly nameBytes: number;
  /** Bytes of the whole archive, decompressed. */
  readonly archiveBytes: number;
}

export const defaultTarLimits: TarLimits = {
  entries: 4_000_000,
  fileBytes: 256 * 2 ** 20,
  nameBytes: 128 * 2 ** 20,
  archiveBytes: 16 * 2 ** 30,
};

/** A file in an archive, as the reader stands before it. What is not taken until the next file is passed over. */
export interface TarFile {
  /** As stored, for example `train/cat/0001.jpg`; bytes that are no UTF-8 as `decodeName` gives them. */
  readonly name: string;
  readonly size: number;
  /** Reads the next bytes of the file into `target`, which must not be longer than what is left of it. */
  fill(target: Uint8Array): Promise<void>;
}

interface Header {
  readonly name: string;
  readonly size: number;
  readonly type: string;
}

/** What headers before a file's own say about it. */
interface Announced {
  name?: string;
  size?: number;
}

const blockBytes = 512;
const longestName = 65_536;
const longestPaxHeader = 2 ** 20;

/**
 * The files whose names `wants` accepts. Throws DataError naming the archive when it is no tar, is truncated or damaged, exceeds
 * the limits, or a wanted name is not a regular file (a link, for example).
 */
export async function* readTar(
  reader: ByteReader,
  wants: (name: string) => boolean,
  limits: TarLimits = defaultTarLimits,
): AsyncGenerator<TarFile, void, undefined> {
  let entries = 0;
  let nameBytes = 0;
  let announced: Announced = {};
  for (;;) {
    const block = reader.takeNow(blockBytes) ?? (await nextBlock(reader));
    const header = block && headerIn(block, reader);
    if (header === undefined) return;
    checkTotals(reader, ++entries, header.size, limits);
    if (isAboutNext(header.type)) {
      announced = { ...announced, ...(await readAnnouncement(reader, header)) };
      continue;
    }
    const name = announced.name ?? header.name;
    const size = announced.size ?? header.size;
    announced = {};
    checkTotals(reader, entries, size, limits);
    if (header.type === '5' || header.type === 'g' || !wants(name)) {
      await skipPadded(reader, hasData(header.type) ? size : 0, name);
      continue;
    }
    checkRegular(reader, header.type, name);
    nameBytes += name.length;
    checkWanted(reader, name, size, nameBytes, limits);
    const end = reader.offset + size + padding(size);
    yield { name, size, fill: (target) => reader.fill(target, name) };
    if (end > reader.offset) await reader.skip(end - reader.offset, name);
  }
}

/** Undefined at the end of the file between two entries, which may end an archive too. */
async function nextBlock(reader: ByteReader): Promise<Uint8Array | undefined> {
  if (!(await reader.atEnd())) return reader.take(blockBytes, 'a tar header');
  if (reader.offset === 0) throw new DataError(`${reader.name}: is empty; a tar archive was expected`);
  return undefined;
}

/** How archives begin that people take for data sets; all but zip, RAR and 7z are a compressed tar. */
const otherArchives: readonly (readonly [name: string, start: readonly number[]])[] = [
  ['a zip', [0x50, 0x4b, 0x03, 0x04]],
  ['a zip', [0x50, 0x4b, 0x05, 0x06]],
  ['an xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]],
  ['a bzip2', [0x42, 0x5a, 0x68]],
  ['a Zstandard', [0x28, 0xb5, 0x2f, 0xfd]],
  ['an LZ4', [0x04, 0x22, 0x4d, 0x18]],
  ['a 7z', [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]],
  ['a RAR', [0x52, 0x61, 0x72, 0x21, 0x1a, 0x07]],
];

function otherArchive(block: Uint8Array): string | undefined {
  return otherArchives.find(([, start]) => start.every((byte, i) => block[i] === byte))?.[0];
}

/** Undefined for a block of zeros, which ends an archive. */
function headerIn(block: Uint8Array, reader: ByteReader): Header | undefined {
  if (block[0] === 0 && block.every((byte) => byte === 0)) return undefined;
  const place = reader.offset - blockBytes;
  if (checksumOf(block) !== octal(block, 148, 156)) {
    const other = place === 0 ? otherArchive(block) : undefined;
    if (other !== undefined) {
      throw new DataError(
        `${reader.name}: is ${other} archive, which is not read; unpack it and give the folder, or pack it as .tar or .tar.gz`,
      );
    }
    throw new DataError(
      `${reader.name}: there is no tar header at byte ${place} (its checksum is wrong); the file is damaged or not a tar archive`,
    );
  }
  const size = block[124] === 0x80 ? largeSize(block.subarray(124, 136)) : octal(block, 124, 136);
  if (size === undefined) throw new DataError(`${reader.name}: the tar header at byte ${place} has no valid size`);
  return { name: nameOf(block), size, type: String.fromCharCode(block[156]!) };
}

/** Of all bytes, with the checksum's own taken as spaces. */
function checksumOf(block: Uint8Array): number {
  let sum = 8 * 0x20;
  for (let i = 0; i < 148; i++) sum += block[i]!;
  for (let i = 156; i < blockBytes; i++) sum += block[i]!;
  return sum;
}

/** How the magic of POSIX archives begins; GNU's has a space at its end, and no prefix. */
const posixMagic = [...'ustar\0'].map((character) => character.charCodeAt(0));

function nameOf(block: Uint8Array): string {
  const name = textOf(block.subarray(0, 100));
  const isPosix = posixMagic.every((byte, i) => block[257 + i] === byte);
  const prefix = isPosix && block[345] !== 0 ? textOf(block.subarray(345, 500)) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

/** A 0x80 and a big-endian number, for files beyond 8 GiB. */
function largeSize(field: Uint8Array): number | undefined {
  if (field.subarray(1, 6).some((byte) => byte !== 0)) return undefined;
  const size = field.subarray(6, 12).reduce((value, byte) => 256 * value + byte, 0);
  return Number.isSafeInteger(size) ? size : undefined;
}

/** Digits with spaces or zero bytes around; without text in between, for there may be millions. */
function octal(field: Uint8Array, start: number, end: number): number | undefined {
  let at = start;
  while (at < end && field[at] === 0x20) at++;
  const first = at;
  let value = 0;
  for (; at < end && field[at]! >= 0x30 && field[at]! <= 0x37; at++) value = value * 8 + field[at]! - 0x30;
  if (at === first) return undefined;
  while (at < end && field[at] === 0x20) at++;
  return at === end || field[at] === 0 ? value : undefined;
}

/** Up to the first zero byte. */
function textOf(field: Uint8Array): string {
  const end = field.indexOf(0);
  return decodeName(end < 0 ? field : field.subarray(0, end));
}

/** GNU long name (L) and long link (K), and the extended header of POSIX (x). */
function isAboutNext(type: string): boolean {
  return type === 'L' || type === 'K' || type === 'x';
}

async function readAnnouncement(reader: ByteReader, { type, size }: Header): Promise<Announced> {
  const limit = type === 'x' ? longestPaxHeader : longestName;
  if (size > limit) {
    throw new DataError(
      `${reader.name}: a tar header for a long name has ${size} bytes, more than the ${limit} allowed`,
    );
  }
  const bytes = await reader.take(size, 'a long name');
  await reader.skip(padding(size), 'a long name');
  if (type === 'K') return {};
  return type === 'L' ? { name: textOf(bytes) } : paxFields(bytes, reader.name);
}

/** Records `length key=value\n`, where length counts the whole record. */
function paxFields(bytes: Buffer, archive: string): Announced {
  const fields: Announced = {};
  for (let start = 0; start < bytes.length; ) {
    const space = bytes.indexOf(0x20, start);
    const digits = space < 0 ? '' : bytes.toString('latin1', start, space);
    const length = /^[1-9]\d{0,6}$/.test(digits) ? Number(digits) : 0;
    const record = decodeName(bytes.subarray(space + 1, Math.max(space + 1, start + length - 1)));
    const equals = record.indexOf('=');
    if (start + length > bytes.length || length <= digits.length + 1 || equals < 0) {
      throw new DataError(`${archive}: an extended tar header is malformed; the file is damaged`);
    }
    addField(fields, record.slice(0, equals), record.slice(equals + 1), archive);
    start += length;
  }
  return fields;
}

function addField(fields: Announced, key: string, value: string, archive: string): void {
  if (key === 'path') fields.name = value;
  if (key.startsWith('GNU.sparse.')) throw new DataError(`${archive}: holds sparse files, which are not supported`);
  if (key !== 'size') return;
  const size = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(size)) throw new DataError(`${archive}: an extended tar header gives the size "${value}"`);
  fields.size = size;
}

function checkTotals(reader: ByteReader, entries: number, size: number, limits: TarLimits): void {
  if (entries > limits.entries) {
    throw new DataError(`${reader.name}: holds more than the ${limits.entries} files allowed; unpack it into a folder`);
  }
  if (reader.offset + size > limits.archiveBytes) {
    throw new DataError(
      `${reader.name}: unpacks to more than the ${limits.archiveBytes} bytes allowed; unpack it into a folder`,
    );
  }
}

function checkWanted(reader: ByteReader, name: string, size: number, nameBytes: number, limits: TarLimits): void {
  if (size > limits.fileBytes) {
    throw new DataError(
      `${reader.name}: ${name} has ${size} bytes, more than the ${limits.fileBytes} allowed for a file`,
    );
  }
  if (nameBytes > limits.nameBytes) {
    throw new DataError(
      `${reader.name}: the names of its images have more than the ${limits.nameBytes} bytes allowed; unpack it into a folder`,
    );
  }
}

function checkRegular(reader: ByteReader, type: string, name: string): void {
  if (type !== '0' && type !== '\0' && type !== '7') {
    throw new DataError(
      `${reader.name}: ${name} is not a regular file (tar type "${type}"); pack the images themselves, not links to them`,
    );
  }
}

/** Links, devices, directories and pipes have none, whatever size they state. */
function hasData(type: string): boolean {
  return !'123456'.includes(type);
}

async function skipPadded(reader: ByteReader, size: number, name: string): Promise<void> {
  if (size > 0) await reader.skip(size + padding(size), name);
}

function padding(size: number): number {
  return (blockBytes - (size % blockBytes)) % blockBytes;
}
