/**
 * The part of the zip format that PyTorch and NumPy write: stored entries, read by range through the central directory, with
 * ZIP64. Not a general unzipper: encrypted and multi-disk archives are refused, compressed entries are only located.
 * Layouts are from PKWARE's APPNOTE 6.3, sections 4.3.7 (local header), 4.3.12 (directory), 4.3.14 to 4.3.16 (ends), 4.5.3 (ZIP64).
 */
import { crc32 } from './crc32.js';
import { CheckpointError, printable } from './errors.js';
import type { RandomAccessFile } from './randomAccessFile.js';

export const LOCAL_SIGNATURE = 0x04034b50;
export const DIRECTORY_SIGNATURE = 0x02014b50;
export const END_SIGNATURE = 0x06054b50;
const END64_SIGNATURE = 0x06064b50;
const LOCATOR64_SIGNATURE = 0x07064b50;

export const LOCAL_BYTES = 30;
export const DIRECTORY_BYTES = 46;
export const END_BYTES = 22;
const END64_BYTES = 56;
const LOCATOR64_BYTES = 20;

const LARGEST_COMMENT = 0xffff;
const LARGEST_DIRECTORY = 64 * 1024 * 1024;
const IN_ZIP64_FIELD_16 = 0xffff;
const IN_ZIP64_FIELD_32 = 0xffffffff;
const ZIP64_EXTRA = 0x0001;
const ENCRYPTED = 0x0001;

export interface ZipEntry {
  readonly name: string;
  /** Bytes of content. */
  readonly size: number;
  /** Bytes of the file that hold the content; as many where it is not compressed. */
  readonly storedSize: number;
  readonly crc: number;
  readonly compression: number;
  readonly encrypted: boolean;
  readonly localHeader: number;
}

export interface ZipArchive {
  readonly entries: ReadonlyMap<string, ZipEntry>;
  /** Where in the file the `storedSize` bytes of an entry begin, compressed or not. */
  locate(entry: ZipEntry): Promise<number>;
  /** Bytes of an entry's content; the checksum is verified when the whole content is asked for. */
  read(entry: ZipEntry, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** Reads the central directory. @throws CheckpointError when the archive is truncated, damaged, or not plainly stored. */
export async function openZip(file: RandomAccessFile): Promise<ZipArchive> {
  const directory = await locateDirectory(file);
  const entries = parseDirectory(file, directory, await file.read(directory.offset, directory.size));
  const contentOffsets = new Map<string, number>();
  const contentOffset = async (entry: ZipEntry): Promise<number> => {
    const known = contentOffsets.get(entry.name);
    if (known !== undefined) return known;
    const found = await locateContent(file, entry, directory.offset);
    contentOffsets.set(entry.name, found);
    return found;
  };
  return {
    entries,
    locate: contentOffset,
    async read(entry, offset, length) {
      if (entry.compression !== 0) throw compressed(file, entry);
      if (offset < 0 || length < 0 || length > entry.size - offset)
        throw damaged(file, `its entry ${entry.name} is too short`);
      const bytes = await file.read((await contentOffset(entry)) + offset, length);
      if (length === entry.size) verify(file, entry, bytes);
      return bytes;
    },
  };
}

interface Directory {
  readonly offset: number;
  readonly size: number;
  readonly count: number;
}

async function locateDirectory(file: RandomAccessFile): Promise<Directory> {
  const tailBytes = Math.min(file.size, END_BYTES + LARGEST_COMMENT + LOCATOR64_BYTES);
  const tail = viewOf(await file.read(file.size - tailBytes, tailBytes));
  const end = findEnd(tail);
  if (end === undefined) {
    throw new CheckpointError(
      `${file.name}: truncated: it starts as a zip archive, but the directory at the end of the archive is missing; download or copy it again`,
    );
  }
  const plain = {
    count: tail.getUint16(end + 10, true),
    size: tail.getUint32(end + 12, true),
    offset: tail.getUint32(end + 16, true),
  };
  const isZip64 =
    plain.count === IN_ZIP64_FIELD_16 || plain.size === IN_ZIP64_FIELD_32 || plain.offset === IN_ZIP64_FIELD_32;
  const directory = isZip64 ? await locateDirectory64(file, tail, end) : plain;
  const endOffset = file.size - tailBytes + end;
  const inside = directory.offset + directory.size <= endOffset && directory.count * DIRECTORY_BYTES <= directory.size;
  if (!inside) throw damaged(file, 'its directory of entries does not fit into the file');
  if (directory.size > LARGEST_DIRECTORY) {
    throw new CheckpointError(
      `${file.name}: refused: its zip directory has ${directory.size} bytes, more than any checkpoint needs`,
    );
  }
  return directory;
}

/** The last end record whose comment reaches exactly to the end of the file. */
function findEnd(tail: DataView): number | undefined {
  for (let at = tail.byteLength - END_BYTES; at >= 0; at--) {
    if (tail.getUint32(at, true) !== END_SIGNATURE) continue;
    if (at + END_BYTES + tail.getUint16(at + 20, true) === tail.byteLength) return at;
  }
  return undefined;
}

async function locateDirectory64(file: RandomAccessFile, tail: DataView, end: number): Promise<Directory> {
  const locator = end - LOCATOR64_BYTES;
  if (locator < 0 || tail.getUint32(locator, true) !== LOCATOR64_SIGNATURE) {
    throw damaged(file, 'the ZIP64 locator is missing');
  }
  const record = viewOf(await file.read(safeUint64(file, tail, locator + 8), END64_BYTES));
  if (record.getUint32(0, true) !== END64_SIGNATURE) throw damaged(file, 'the ZIP64 end record is missing');
  return {
    count: safeUint64(file, record, 32),
    size: safeUint64(file, record, 40),
    offset: safeUint64(file, record, 48),
  };
}

function parseDirectory(
  file: RandomAccessFile,
  directory: Directory,
  bytes: Uint8Array<ArrayBuffer>,
): Map<string, ZipEntry> {
  const view = viewOf(bytes);
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  for (let index = 0; index < directory.count; index++) {
    if (at + DIRECTORY_BYTES > bytes.length || view.getUint32(at, true) !== DIRECTORY_SIGNATURE) {
      throw damaged(file, `entry ${index} of its zip directory is malformed`);
    }
    const nameEnd = at + DIRECTORY_BYTES + view.getUint16(at + 28, true);
    const extraEnd = nameEnd + view.getUint16(at + 30, true);
    const next = extraEnd + view.getUint16(at + 32, true);
    if (next > bytes.length) throw damaged(file, `entry ${index} of its zip directory is malformed`);
    const entry = parseEntry(file, view, at, nameEnd, extraEnd);
    if (entries.has(entry.name)) throw damaged(file, `two entries are named ${printable(entry.name)}`);
    entries.set(entry.name, entry);
    at = next;
  }
  return entries;
}

function parseEntry(file: RandomAccessFile, view: DataView, at: number, nameEnd: number, extraEnd: number): ZipEntry {
  const name = new TextDecoder().decode(
    new Uint8Array(view.buffer, at + DIRECTORY_BYTES, nameEnd - at - DIRECTORY_BYTES),
  );
  const compression = view.getUint16(at + 10, true);
  const stored = {
    compressed: view.getUint32(at + 20, true),
    size: view.getUint32(at + 24, true),
    localHeader: view.getUint32(at + 42, true),
  };
  const { compressed, size, localHeader } = withZip64(file, view, stored, nameEnd, extraEnd);
  if (compression === 0 && compressed !== size) throw damaged(file, `entry ${printable(name)} has two sizes`);
  const encrypted = (view.getUint16(at + 8, true) & ENCRYPTED) !== 0;
  const crc = view.getUint32(at + 16, true);
  return { name, size, storedSize: compressed, crc, compression, encrypted, localHeader };
}

interface SizesAndOffset {
  readonly size: number;
  readonly compressed: number;
  readonly localHeader: number;
}

/** Values that do not fit into 32 bits stand in the ZIP64 field, in this order, and only those that do not fit. */
function withZip64(
  file: RandomAccessFile,
  view: DataView,
  stored: SizesAndOffset,
  from: number,
  to: number,
): SizesAndOffset {
  let at = findExtra(view, from, to);
  const next = (value: number): number => {
    if (value !== IN_ZIP64_FIELD_32) return value;
    if (at === undefined || at + 8 > to) throw damaged(file, 'a ZIP64 field is missing');
    at += 8;
    return safeUint64(file, view, at - 8);
  };
  const size = next(stored.size);
  const compressed = next(stored.compressed);
  return { size, compressed, localHeader: next(stored.localHeader) };
}

function findExtra(view: DataView, from: number, to: number): number | undefined {
  let at = from;
  while (at + 4 <= to) {
    if (view.getUint16(at, true) === ZIP64_EXTRA) return at + 4;
    at += 4 + view.getUint16(at + 2, true);
  }
  return undefined;
}

/** The content's offset stands only in the local header, whose extra field differs from the directory's. */
async function locateContent(file: RandomAccessFile, entry: ZipEntry, directoryOffset: number): Promise<number> {
  if (entry.encrypted)
    throw new CheckpointError(
      `${file.name}: entry ${printable(entry.name)} is encrypted; unpack the archive and save it without a password`,
    );
  const header = viewOf(await file.read(entry.localHeader, LOCAL_BYTES));
  if (header.getUint32(0, true) !== LOCAL_SIGNATURE)
    throw damaged(file, `entry ${printable(entry.name)} is not where the directory says`);
  const offset = entry.localHeader + LOCAL_BYTES + header.getUint16(26, true) + header.getUint16(28, true);
  if (entry.storedSize > directoryOffset - offset)
    throw damaged(file, `entry ${printable(entry.name)} runs into the directory`);
  return offset;
}

function compressed(file: RandomAccessFile, entry: ZipEntry): CheckpointError {
  return new CheckpointError(
    `${file.name}: entry ${printable(entry.name)} is compressed; PyTorch stores tensors uncompressed, so save it with torch.save, or unpack and repack it with "zip -0"`,
  );
}

function verify(file: RandomAccessFile, entry: ZipEntry, bytes: Uint8Array): void {
  if (crc32(bytes) !== entry.crc) throw damaged(file, `the checksum of its entry ${printable(entry.name)} is wrong`);
}

function safeUint64(file: RandomAccessFile, view: DataView, at: number): number {
  const value = view.getBigUint64(at, true);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw damaged(file, 'it contains an impossible offset');
  return Number(value);
}

function viewOf(bytes: Uint8Array<ArrayBuffer>): DataView<ArrayBuffer> {
  // Names are decoded at offsets of the buffer, so the view must start where the buffer does.
  const whole = bytes.byteOffset === 0 ? bytes : bytes.slice();
  return new DataView(whole.buffer, 0, whole.byteLength);
}

function damaged(file: RandomAccessFile, what: string): CheckpointError {
  return new CheckpointError(`${file.name}: damaged zip archive: ${what}; download or copy it again`);
}
