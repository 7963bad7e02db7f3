/**
 * The stream that `torch.save` wrote before PyTorch 1.6: magic number, protocol, description of the system, the checkpoint, storage keys,
 * storages. Layout from `torch.serialization._legacy_save`.
 */
import { CheckpointError, printable } from './errors.js';
import { readPickle } from './pickle.js';
import type { PickleResult } from './pickleMachine.js';
import { PickleDict, PickleList, type PickleValue } from './pickleValues.js';
import { damaged, LARGEST_PICKLE, notSupported, type Storages, wrongByteOrder } from './pthStorages.js';
import type { RandomAccessFile } from './randomAccessFile.js';
import { bytesOfStorageElement, type StorageReference, TorchWorld } from './torchPickle.js';

const FIRST_READ = 1024 * 1024;
const MAGIC = 0x1950a86a20f9469cfc6cn;
const PROTOCOL = 1001;

export interface LegacyStream {
  readonly value: PickleValue;
  readonly world: TorchWorld;
  readonly keys: readonly PickleValue[];
  /** Offset of the first storage. */
  readonly end: number;
}

/** A pickle does not say how long it is: reads twice as much until all five are complete. */
export async function readLegacyPickles(file: RandomAccessFile): Promise<LegacyStream> {
  for (let length = FIRST_READ; ; length *= 2) {
    const bytes = await file.read(0, Math.min(length, file.size));
    const stream = parsePickles(file, bytes);
    if (stream !== undefined) return stream;
    if (length >= file.size)
      throw new CheckpointError(`${file.name}: truncated: its pickle ends in the middle; download or copy it again`);
    if (length >= LARGEST_PICKLE)
      throw new CheckpointError(`${file.name}: refused: its pickle is longer than ${LARGEST_PICKLE} bytes`);
  }
}

/** undefined when the bytes end too early. */
function parsePickles(file: RandomAccessFile, bytes: Uint8Array): LegacyStream | undefined {
  const world = new TorchWorld(file.name);
  const next = (start: number) => readPickle(bytes, file.name, world, start);
  const magic = next(0);
  if (magic === undefined) return undefined;
  if (magic.value !== MAGIC) {
    throw new CheckpointError(
      `${file.name}: is a Python pickle but was not written by torch.save; save model.state_dict() with torch.save`,
    );
  }
  const protocol = next(magic.end);
  if (protocol === undefined) return undefined;
  if (protocol.value !== PROTOCOL) throw damaged(file, `its legacy protocol is not ${PROTOCOL}`);
  const system = next(protocol.end);
  if (system === undefined) return undefined;
  if (lookUp(system, 'little_endian') !== true) throw wrongByteOrder(file, 'big');
  const checkpoint = next(system.end);
  const keys = checkpoint && next(checkpoint.end);
  if (checkpoint === undefined || keys === undefined) return undefined;
  if (!(keys.value instanceof PickleList)) throw damaged(file, 'its list of storages is missing');
  return { value: checkpoint.value, world, keys: keys.value.items, end: keys.end };
}

function lookUp(result: PickleResult, key: string): PickleValue | undefined {
  return result.value instanceof PickleDict ? result.value.entries.get(key) : undefined;
}

/** Each storage is an 8-byte count of elements and the elements; where one ends is known only from its count. */
export async function locateLegacyStorages(file: RandomAccessFile, stream: LegacyStream): Promise<Storages> {
  const offsets = new Map<StorageReference, number>();
  let at = stream.end;
  for (const key of stream.keys) {
    const storage = typeof key === 'string' ? stream.world.storages.get(key) : undefined;
    if (storage === undefined) throw damaged(file, 'it lists a storage that no tensor uses');
    if (offsets.has(storage)) throw damaged(file, `storage ${printable(storage.key)} is listed twice`);
    const count = new DataView((await file.read(at, 8)).buffer).getBigInt64(0, true);
    if (count !== BigInt(storage.elements))
      throw damaged(file, `storage ${printable(storage.key)} has ${count} elements instead of ${storage.elements}`);
    offsets.set(storage, at + 8);
    at += 8 + storage.elements * elementBytes(file, storage);
    if (at > file.size)
      throw new CheckpointError(
        `${file.name}: truncated: storage ${printable(storage.key)} is cut off; download or copy it again`,
      );
  }
  return {
    check(storage) {
      if (!offsets.has(storage)) throw damaged(file, `storage ${printable(storage.key)} is missing`);
    },
    read: (storage, offset, length) => file.read(offsets.get(storage)! + offset, length),
  };
}

function elementBytes(file: RandomAccessFile, { key, typeName }: StorageReference): number {
  const bytes = bytesOfStorageElement(typeName);
  if (bytes !== undefined) return bytes;
  throw new CheckpointError(`${file.name}: ${notSupported(`storage ${printable(key)}`, typeName)}`);
}
