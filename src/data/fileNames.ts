/**
 * Names of files as bytes. Linux lets a name be any bytes; those that are no UTF-8 become single surrogates U+DC80 to U+DCFF in our strings
 * (Python's `surrogateescape`), and bytes again when the system is asked. Other names are what they always were. Node only.
 */
import { isUtf8 } from 'node:buffer';
import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DataError } from './errors.js';

const escaped = /[\udc80-\udcff]/u;
const replacement = '\ufffd';

/** Text of a name's bytes, without loss. */
export function decodeName(bytes: Uint8Array): string {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (isUtf8(buffer)) return buffer.toString('utf8');
  let text = '';
  for (let at = 0; at < buffer.length; ) {
    const length = characterLength(buffer, at);
    text += length > 0 ? buffer.toString('utf8', at, at + length) : String.fromCharCode(0xdc00 + buffer[at]!);
    at += Math.max(length, 1);
  }
  return text;
}

/** Bytes of the UTF-8 character at a place; 0 when there is none. */
function characterLength(buffer: Buffer, at: number): number {
  for (let length = 1; length <= 4 && at + length <= buffer.length; length++) {
    if (isUtf8(buffer.subarray(at, at + length))) return length;
  }
  return 0;
}

/** The path to give to the system: the text itself, or bytes where it stands for some that are no UTF-8. */
export function systemPath(path: string): string | Buffer {
  if (!escaped.test(path)) return path;
  const parts = Array.from(path, (character) => {
    const unit = character.charCodeAt(0);
    return character.length === 1 && unit >= 0xdc80 && unit <= 0xdcff
      ? Buffer.of(unit - 0xdc00)
      : Buffer.from(character);
  });
  return Buffer.concat(parts);
}

/** What lies in a folder. */
export interface FolderNames {
  readonly folders: string[];
  readonly files: string[];
}

/** Names in a folder, in the system's order. Links to folders are folders; one that leads nowhere counts as a file. */
export async function readFolder(path: string): Promise<FolderNames> {
  const entries = await readdir(systemPath(path), { withFileTypes: true, encoding: 'buffer' });
  const names: FolderNames = { folders: [], files: [] };
  for (const entry of entries) {
    const name = decodeName(entry.name);
    ((await isFolder(path, name, entry)) ? names.folders : names.files).push(name);
  }
  return names;
}

async function isFolder(parent: string, name: string, entry: Dirent<Buffer>): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isDirectory();
  const target = await stat(systemPath(join(parent, name))).catch(() => undefined);
  return target?.isDirectory() ?? false;
}

/**
 * The path that a person typed. Node replaces bytes of arguments that are no UTF-8 by U+FFFD before any program sees them: such a path is
 * looked up among the names that read like it. Throws DataError when several do; what is not found is given back as it came.
 */
export async function locate(path: string): Promise<string> {
  if (!path.includes(replacement) || (await exists(path))) return path;
  const parent = dirname(path);
  if (parent === path) return path;
  const name = basename(path);
  const place = parent.includes(replacement) ? await locate(parent) : parent;
  if (!name.includes(replacement)) return join(place, name);
  const matches = await namesLike(place, name);
  if (matches.length > 1) {
    throw new DataError(
      `${path}: ${matches.length} names in ${place} read like this one, and the bytes that tell them apart were lost on the command line; rename the files or give the folder`,
    );
  }
  return matches.length === 1 ? join(place, matches[0]!) : path;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function namesLike(folder: string, name: string): Promise<string[]> {
  const names = await readdir(systemPath(folder), { encoding: 'buffer' }).catch(() => []);
  return names.filter((bytes) => bytes.toString('utf8') === name).map(decodeName);
}
