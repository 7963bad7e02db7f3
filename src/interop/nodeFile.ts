/**
 * Files of Node for the checkpoint readers and writers: reading by range, and writing to a temporary file that is then
 * renamed, so that a reader never meets half a checkpoint. The only file of this folder that needs `node:fs`.
 */
import { type FileHandle, open, rename, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MetaSpikeformerError } from '../errors.js';
import { CheckpointError } from './errors.js';
import { reasonOf } from './fileReasons.js';
import { checkRange, endedEarly, type RandomAccessFile } from './randomAccessFile.js';
import { sweepOnce, temporaryNameFor } from './temporaryFiles.js';

/** One call of the operating system moves less than 2 GiB. */
const LARGEST_TRANSFER = 1 << 30;

/** Opens a regular file for reading by range. @throws CheckpointError when it is missing, a directory, or unreadable. */
export async function openNodeFile(path: string): Promise<RandomAccessFile> {
  // Asked before opening: opening a named pipe would wait for a writer for ever.
  const kind = await translated(path, 'read', () => stat(path));
  if (kind.isDirectory()) {
    throw new CheckpointError(
      `${path}: is a directory, not a checkpoint; name the .pth or .safetensors file inside it`,
    );
  }
  if (!kind.isFile()) throw new CheckpointError(`${path}: is not a regular file; name a .pth or .safetensors file`);
  const handle = await translated(path, 'read', () => open(path, 'r'));
  const { size } = await handle.stat();
  return {
    name: path,
    size,
    async read(offset, length) {
      checkRange(path, size, offset, length);
      return translated(path, 'read', () => readFully(handle, path, offset, length));
    },
    async close() {
      await handle.close();
    },
  };
}

/**
 * Writes the parts one after the other into a temporary file beside `path`, then renames it to `path`. On failure the
 * temporary file is removed and what was at `path` before is untouched; what killed writers left beside it goes.
 */
export async function writeNodeFile(path: string, parts: Iterable<Uint8Array>): Promise<void> {
  await replaceNodeFile(path, async (temporary) => {
    const handle = await open(temporary, 'wx');
    try {
      for (const part of parts) await writeFully(handle, part);
      await handle.sync();
    } finally {
      await handle.close();
    }
  });
}

/** As {@link writeNodeFile}, for those who write the temporary file themselves; what they throw of ours is thrown on. */
export async function replaceNodeFile(path: string, write: (temporary: string) => Promise<void>): Promise<void> {
  await sweepOnce(dirname(path));
  const temporary = temporaryNameFor(path);
  await translated(path, 'write', async () => {
    try {
      await write(temporary);
      await rename(temporary, path);
    } catch (error) {
      await unlink(temporary).catch(() => undefined);
      throw error;
    }
  });
}

async function readFully(handle: FileHandle, path: string, offset: number, length: number) {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const wanted = Math.min(length - done, LARGEST_TRANSFER);
    const { bytesRead } = await handle.read(bytes, done, wanted, offset + done);
    if (bytesRead === 0) throw endedEarly(path, offset, length, done);
    done += bytesRead;
  }
  return bytes;
}

async function writeFully(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.byteLength) {
    const wanted = Math.min(bytes.byteLength - done, LARGEST_TRANSFER);
    done += (await handle.write(bytes, done, wanted)).bytesWritten;
  }
}

/** Runs an operation on a file and turns what the operating system or the allocator reports into a CheckpointError. */
async function translated<T>(path: string, verb: 'read' | 'write', operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (cause) {
    if (cause instanceof MetaSpikeformerError || !(cause instanceof Error)) throw cause;
    throw new CheckpointError(`${path}: cannot ${verb}: ${reasonOf(cause)}`, { cause });
  }
}
