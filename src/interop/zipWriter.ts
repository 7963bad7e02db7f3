/**
 * Writes zip archives the way PyTorch does: stored entries whose contents begin at multiples of 64 bytes, thanks to an extra
 * field named FB. Without ZIP64, so an archive ends at 4 GB. Layouts are from PKWARE's APPNOTE 6.3, as in `zip.ts`.
 */
import { crc32 } from './crc32.js';
import { CheckpointError } from './errors.js';
import { DIRECTORY_BYTES, DIRECTORY_SIGNATURE, END_BYTES, END_SIGNATURE, LOCAL_BYTES, LOCAL_SIGNATURE } from './zip.js';

const ALIGNMENT = 64;
const ZIP_VERSION = 20;
const UTF8_NAMES = 0x0800;
/** 1 January 1980, the first day zip knows: files with the same weights are the same bytes. */
const DATE = 0x0021;
/** Beyond these a zip archive needs ZIP64. */
const LARGEST_FILE = 0xffffffff;
const MOST_RECORDS = 0xffff;

export interface ZipRecord {
  readonly name: string;
  readonly content: Uint8Array;
}

/** The archive's parts in order; contents are not copied. @throws CheckpointError beyond what fits without ZIP64. */
export function encodeZip(records: readonly ZipRecord[]): Uint8Array[] {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const { name, content } of records) {
    const crc = crc32(content);
    const header = localHeader(name, content.byteLength, crc, offset);
    parts.push(header, content);
    directory.push(directoryEntry(name, content.byteLength, crc, offset));
    offset += header.byteLength + content.byteLength;
    if (offset > LARGEST_FILE || records.length >= MOST_RECORDS) {
      throw new CheckpointError(
        'cannot write a .pth file of more than 4 GB or 65,000 tensors; write safetensors instead',
      );
    }
  }
  return [...parts, ...directory, endRecord(directory, offset)];
}

/** Ends where the content must begin: at a multiple of 64 bytes of the file. */
function localHeader(name: string, size: number, crc: number, offset: number): Uint8Array {
  const nameBytes = new TextEncoder().encode(name);
  const unpadded = LOCAL_BYTES + nameBytes.length + 4;
  const padding = (ALIGNMENT - ((offset + unpadded) % ALIGNMENT)) % ALIGNMENT;
  const bytes = new Uint8Array(unpadded + padding).fill(0x5a);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, LOCAL_SIGNATURE, true);
  writeDescription(view, 4, nameBytes.length, size, crc);
  view.setUint16(28, 4 + padding, true);
  bytes.set(nameBytes, LOCAL_BYTES);
  const extra = LOCAL_BYTES + nameBytes.length;
  bytes.set([0x46, 0x42], extra);
  view.setUint16(extra + 2, padding, true);
  return bytes;
}

function directoryEntry(name: string, size: number, crc: number, offset: number): Uint8Array {
  const nameBytes = new TextEncoder().encode(name);
  const bytes = new Uint8Array(DIRECTORY_BYTES + nameBytes.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, DIRECTORY_SIGNATURE, true);
  view.setUint16(4, ZIP_VERSION, true);
  writeDescription(view, 6, nameBytes.length, size, crc);
  view.setUint32(42, offset, true);
  bytes.set(nameBytes, DIRECTORY_BYTES);
  return bytes;
}

/** The fields that a local header and a directory entry have in common, from `version needed` to `name length`. */
function writeDescription(view: DataView, at: number, nameBytes: number, size: number, crc: number): void {
  view.setUint16(at, ZIP_VERSION, true);
  view.setUint16(at + 2, UTF8_NAMES, true);
  view.setUint16(at + 4, 0, true);
  view.setUint16(at + 6, 0, true);
  view.setUint16(at + 8, DATE, true);
  view.setUint32(at + 10, crc, true);
  view.setUint32(at + 14, size, true);
  view.setUint32(at + 18, size, true);
  view.setUint16(at + 22, nameBytes, true);
}

function endRecord(directory: readonly Uint8Array[], offset: number): Uint8Array {
  const bytes = new Uint8Array(END_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, END_SIGNATURE, true);
  view.setUint16(8, directory.length, true);
  view.setUint16(10, directory.length, true);
  view.setUint32(
    12,
    directory.reduce((sum, entry) => sum + entry.byteLength, 0),
    true,
  );
  view.setUint32(16, offset, true);
  return bytes;
}
