/**
 * The HDF5 library (`h5wasm`, the C library compiled to WebAssembly), loaded when the first HDF5 file is opened, and files as it sees them: a file system of one file, whose
 * bytes come from a source of ours. Nothing else of the machine is there, so links and storage in other files lead nowhere. Loading costs 0.2 s and 35 MB once.
 */
import type * as Library from 'h5wasm';
import { MetaSpikeformerError } from '../../errors.js';
import { DataError } from '../errors.js';

export type Hdf5 = typeof Library;

/** Bytes behind a file of the library; all at once, for it cannot wait. */
export interface VirtualBytes {
  readonly size: number;
  /** Fills `target` as far as there are bytes; returns how many. */
  read(target: Uint8Array, position: number): number;
  write?(bytes: Uint8Array, position: number): void;
  truncate?(size: number): void;
}

let loading: Promise<Hdf5> | undefined;

/** @throws DataError where the package is not installed. */
export async function hdf5Library(name: string): Promise<Hdf5> {
  loading ??= import('h5wasm').then(async (library) => {
    const module = await library.ready;
    // Else the library prints what it finds wrong, in many lines, and returns memory that it never wrote.
    module.activate_throwing_error_handler();
    return library;
  });
  try {
    return await loading;
  } catch (cause) {
    loading = undefined;
    throw new DataError(`${name}: HDF5 needs the package h5wasm, which cannot be loaded here; npm install h5wasm`, {
      cause,
    });
  }
}

/** The part of Emscripten's file system that is used. */
interface FileSystem {
  analyzePath(path: string): { readonly exists: boolean };
  mkdir(path: string): unknown;
  unlink(path: string): void;
  createFile(parent: string, name: string, properties: object, canRead: boolean, canWrite: boolean): FileNode;
}

interface FileNode {
  id: number;
  mode: number;
  node_ops: object;
  stream_ops: object;
}

interface Stream {
  readonly position: number;
}

const folder = '/recordings';
const [fromHere, fromEnd] = [1, 2];
let opened = 0;

export interface OpenedHdf5 {
  readonly file: Library.File;
  readonly library: Hdf5;
  /** Runs something on the file. @throws DataError for whatever the library finds wrong. */
  guarded<T>(use: () => T): T;
  /** Writes what is outstanding. @throws as `guarded`. */
  close(): void;
}

/**
 * Opens a file of the library over our bytes.
 *
 * @param name What messages call it.
 * @throws DataError when it is no HDF5 file.
 */
export async function openHdf5File(name: string, bytes: VirtualBytes, mode: 'r' | 'w'): Promise<OpenedHdf5> {
  const library = await hdf5Library(name);
  const system = library.FS as unknown as FileSystem;
  if (!system.analyzePath(folder).exists) system.mkdir(folder);
  const own = `${++opened}.h5`;
  serve(system, own, bytes);
  const guarded = <T>(use: () => T): T => {
    try {
      return use();
    } catch (cause) {
      throw translated(name, cause);
    }
  };
  try {
    const file = guarded(() => new library.File(`${folder}/${own}`, mode));
    const close = () => {
      try {
        guarded(() => file.close());
      } finally {
        system.unlink(`${folder}/${own}`);
      }
    };
    return { file, library, guarded, close };
  } catch (error) {
    system.unlink(`${folder}/${own}`);
    throw error;
  }
}

function serve(system: FileSystem, name: string, bytes: VirtualBytes): void {
  const node = system.createFile(folder, name, {}, true, true);
  const epoch = new Date(0);
  node.node_ops = {
    getattr: () => ({
      ...{ dev: 1, ino: node.id, mode: node.mode, nlink: 1, uid: 0, gid: 0, rdev: 0, size: bytes.size },
      ...{ atime: epoch, mtime: epoch, ctime: epoch, blksize: 4096, blocks: Math.ceil(bytes.size / 4096) },
    }),
    setattr: (_node: FileNode, { size }: { readonly size?: number }) => {
      if (size !== undefined && size !== bytes.size) bytes.truncate?.(size);
    },
  };
  node.stream_ops = {
    llseek: ({ position }: Stream, offset: number, whence: number) =>
      offset + (whence === fromHere ? position : whence === fromEnd ? bytes.size : 0),
    read: (_stream: Stream, memory: Int8Array, offset: number, length: number, position: number) =>
      bytes.read(partOf(memory, offset, length), position),
    write: (_stream: Stream, memory: Int8Array, offset: number, length: number, position: number) => {
      bytes.write?.(partOf(memory, offset, length), position);
      return length;
    },
  };
}

function partOf(memory: Int8Array, offset: number, length: number): Uint8Array {
  return new Uint8Array(memory.buffer, memory.byteOffset + offset, length);
}

/** The library reports in several lines, and by traps of WebAssembly where a file leads it astray. */
function translated(name: string, cause: unknown): unknown {
  if (cause instanceof MetaSpikeformerError || (cause instanceof Error && 'syscall' in cause)) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  const filter = /filter '?([^'\n]*)'? is not registered|required filter '([^']*)'/i.exec(message);
  if (filter)
    return new DataError(
      `${name}: is compressed by ${filter[1] || filter[2] || 'a filter'}, a plug-in of HDF5 that is not here; repack it with gzip: h5repack -f GZIP=4`,
      { cause },
    );
  const first = message.split('\n').find((line) => line.trim() !== '') ?? 'no reason given';
  return new DataError(`${name}: damaged or not HDF5: ${first.trim().slice(0, 200)}; copy or download it again`, {
    cause,
  });
}
