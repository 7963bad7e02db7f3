/**
 * Reads PyTorch checkpoints: the zip archives of PyTorch 1.6 and later and the legacy stream before them. The pickle inside
 * is read by our own machine and nothing in it is executed. Opening costs the directory and the pickle; weights are read by
 * range when asked for. Layouts are those of `torch.serialization`.
 */
import { type Checkpoint, type CheckpointTensor, tensorsOf } from './checkpoint.js';
import { CheckpointError, printable } from './errors.js';
import { readPickle } from './pickle.js';
import { PickleDict, type PickleValue } from './pickleValues.js';
import { locateLegacyStorages, readLegacyPickles } from './pthLegacy.js';
import { findSets, moduleNote } from './pthSets.js';
import { damaged, LARGEST_PICKLE, type Storages, wrongByteOrder } from './pthStorages.js';
import type { RandomAccessFile } from './randomAccessFile.js';
import { type StorageReference, TorchWorld } from './torchPickle.js';
import { openZip, type ZipArchive, type ZipEntry } from './zip.js';

/** Opens a zip archive of `torch.save`. @throws CheckpointError when it is damaged, hostile, or no checkpoint. */
export async function openPthZip(file: RandomAccessFile): Promise<Checkpoint> {
  const archive = await openZip(file);
  const root = archiveRoot(file, archive);
  await checkByteOrder(file, archive, root);
  const pickle = await readWhole(file, archive, archive.entries.get(`${root}data.pkl`)!, LARGEST_PICKLE);
  const result = readPickle(pickle, file.name, new TorchWorld(file.name));
  if (result === undefined) throw damaged(file, 'its pickle ends in the middle');
  return makeCheckpoint(file, 'pth-zip', result.value, zipStorages(file, archive, root));
}

/** Opens a stream that `torch.save` wrote before PyTorch 1.6. @throws CheckpointError like `openPthZip`. */
export async function openPthLegacy(file: RandomAccessFile): Promise<Checkpoint> {
  const stream = await readLegacyPickles(file);
  const storages = await locateLegacyStorages(file, stream);
  return makeCheckpoint(file, 'pth-legacy', stream.value, storages);
}

// The zip archive.

/** The folder inside the archive, with its slash; torch.save names it after the file. */
function archiveRoot(file: RandomAccessFile, archive: ZipArchive): string {
  const pickles = [...archive.entries.keys()].filter((name) => /^([^/]*\/)?data\.pkl$/.test(name));
  if (pickles.length !== 1) {
    throw new CheckpointError(
      `${file.name}: is a zip archive but not a PyTorch checkpoint (${pickles.length} records named data.pkl instead of one); name the .pth file itself`,
    );
  }
  const root = pickles[0]!.slice(0, -'data.pkl'.length);
  if (archive.entries.has(`${root}constants.pkl`)) {
    throw new CheckpointError(
      `${file.name}: is a TorchScript program, not a checkpoint; save model.state_dict() with torch.save`,
    );
  }
  return root;
}

async function checkByteOrder(file: RandomAccessFile, archive: ZipArchive, root: string): Promise<void> {
  const entry = archive.entries.get(`${root}byteorder`);
  if (entry === undefined) return;
  const order = new TextDecoder().decode(await readWhole(file, archive, entry, 64));
  if (order !== 'little') throw wrongByteOrder(file, order);
}

async function readWhole(file: RandomAccessFile, archive: ZipArchive, entry: ZipEntry, limit: number) {
  if (entry.size > limit) {
    throw new CheckpointError(
      `${file.name}: refused: ${printable(entry.name)} has ${entry.size} bytes, more than the ${limit} that any checkpoint needs`,
    );
  }
  return archive.read(entry, 0, entry.size);
}

function zipStorages(file: RandomAccessFile, archive: ZipArchive, root: string): Storages {
  const entryOf = (storage: StorageReference) => archive.entries.get(`${root}data/${storage.key}`);
  return {
    check(storage, bytes) {
      const entry = entryOf(storage);
      if (entry === undefined) throw damaged(file, `storage ${printable(storage.key)} is missing`);
      if (entry.size !== bytes)
        throw damaged(file, `storage ${printable(storage.key)} has ${entry.size} bytes instead of ${bytes}`);
    },
    read: (storage, offset, length) => archive.read(entryOf(storage)!, offset, length),
  };
}

function makeCheckpoint(
  file: RandomAccessFile,
  format: 'pth-zip' | 'pth-legacy',
  value: PickleValue,
  storages: Storages,
): Checkpoint {
  const sets = findSets(file, value, storages);
  const hint = moduleNote(value);
  let tensors: ReadonlyMap<string, CheckpointTensor> | undefined;
  return {
    name: file.name,
    format,
    sets,
    get tensors() {
      tensors ??= tensorsOf(file.name, sets[0]!);
      return tensors;
    },
    metadata: scalarsOf(value),
    ...(hint === undefined ? {} : { hint }),
    close: () => file.close(),
  };
}

const MOST_SCALARS = 64;
/** Our own description of a model names every class. */
const LONGEST_TEXT = 100_000;

/** Numbers, texts and truth values at the top level: `epoch`, the best accuracy, and the like. */
function scalarsOf(value: PickleValue): Record<string, string> {
  const entries = value instanceof PickleDict ? [...value.entries] : [];
  const scalars = entries.filter(([key, entry]) => typeof key === 'string' && isScalar(entry)).slice(0, MOST_SCALARS);
  return Object.fromEntries(scalars.map(([key, entry]) => [String(key), String(entry)]));
}

function isScalar(value: PickleValue): value is string | number | boolean {
  return (
    typeof value === 'number' ||
    typeof value === 'boolean' ||
    (typeof value === 'string' && value.length <= LONGEST_TEXT)
  );
}
