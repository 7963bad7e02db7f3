/**
 * Reads PyTorch checkpoints: the zip archives of PyTorch 1.6 and later and the legacy stream before them. The pickle inside
 * is read by our own machine and nothing in it is executed. Opening costs the directory and the pickle; weights are read by
 * range when asked for. Layouts are those of `torch.serialization`.
 */
import { elementCount } from '../graph/shape.js';
import { type Checkpoint, type CheckpointTensor, MAXIMUM_TENSORS, withoutWrapperPrefix } from './checkpoint.js';
import { DTYPE_BYTES, type DType, toFloat32 } from './dtype.js';
import { CheckpointError, printable } from './errors.js';
import {
  PickleDict,
  PickleGlobal,
  PickleList,
  PickleObject,
  type PickleResult,
  type PickleValue,
  readPickle,
} from './pickle.js';
import type { RandomAccessFile } from './randomAccessFile.js';
import { gather, isContiguous, spanOf } from './stridedView.js';
import { dtypeOfStorage, type StorageReference, TensorReference, TorchWorld } from './torchPickle.js';
import { openZip, type ZipArchive, type ZipEntry } from './zip.js';

/** Where the weights are looked for in a training checkpoint, first match wins; after these, the dictionary itself. */
const STATE_DICT_KEYS = ['model', 'state_dict', 'model_state_dict', 'model_ema', 'state_dict_ema'];

const LARGEST_PICKLE = 64 * 1024 * 1024;
const FIRST_LEGACY_READ = 1024 * 1024;
const LEGACY_MAGIC = 0x1950a86a20f9469cfc6cn;
const LEGACY_PROTOCOL = 1001;

/** Views may overlap (tied weights), but a file whose tensors are this many times its size is made to exhaust memory. */
const LARGEST_EXPANSION = 16;

/** Bytes of a storage, from `offset` on. */
type StorageReader = (storage: StorageReference, offset: number, length: number) => Promise<Uint8Array<ArrayBuffer>>;

interface Storages {
  /** Checks that the storage is in the file with the size that the pickle claims. */
  check(storage: StorageReference, bytes: number): void;
  readonly read: StorageReader;
}

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

// The legacy stream: magic number, protocol, description of the system, the checkpoint, storage keys, storages.

interface LegacyStream {
  readonly value: PickleValue;
  readonly world: TorchWorld;
  readonly keys: readonly PickleValue[];
  /** Offset of the first storage. */
  readonly end: number;
}

/** A pickle does not say how long it is: reads twice as much until all five are complete. */
async function readLegacyPickles(file: RandomAccessFile): Promise<LegacyStream> {
  for (let length = FIRST_LEGACY_READ; ; length *= 2) {
    const bytes = await file.read(0, Math.min(length, file.size));
    const stream = parseLegacyPickles(file, bytes);
    if (stream !== undefined) return stream;
    if (length >= file.size)
      throw new CheckpointError(`${file.name}: truncated: its pickle ends in the middle; download or copy it again`);
    if (length >= LARGEST_PICKLE)
      throw new CheckpointError(`${file.name}: refused: its pickle is longer than ${LARGEST_PICKLE} bytes`);
  }
}

/** undefined when the bytes end too early. */
function parseLegacyPickles(file: RandomAccessFile, bytes: Uint8Array): LegacyStream | undefined {
  const world = new TorchWorld(file.name);
  const next = (start: number) => readPickle(bytes, file.name, world, start);
  const magic = next(0);
  if (magic === undefined) return undefined;
  if (magic.value !== LEGACY_MAGIC) {
    throw new CheckpointError(
      `${file.name}: is a Python pickle but was not written by torch.save; save model.state_dict() with torch.save`,
    );
  }
  const protocol = next(magic.end);
  if (protocol === undefined) return undefined;
  if (protocol.value !== LEGACY_PROTOCOL) throw damaged(file, `its legacy protocol is not ${LEGACY_PROTOCOL}`);
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
async function locateLegacyStorages(file: RandomAccessFile, stream: LegacyStream): Promise<Storages> {
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

function elementBytes(file: RandomAccessFile, storage: StorageReference): number {
  return DTYPE_BYTES[dtypeOf(file, storage, `storage ${storage.key}`)];
}

// From the pickle's value to named tensors.

function makeCheckpoint(
  file: RandomAccessFile,
  format: 'pth-zip' | 'pth-legacy',
  value: PickleValue,
  storages: Storages,
): Checkpoint {
  const references = withoutWrapperPrefix(stateDictOf(file, value));
  const tensors = new Map<string, CheckpointTensor>();
  let bytes = 0;
  for (const [name, reference] of references) {
    const dtype = dtypeOf(file, reference.storage, name);
    checkView(file, name, reference);
    storages.check(reference.storage, reference.storage.elements * DTYPE_BYTES[dtype]);
    bytes += elementCount(reference.shape) * DTYPE_BYTES[dtype];
    tensors.set(name, new PthTensor(name, dtype, reference, storages.read));
  }
  if (bytes > LARGEST_EXPANSION * file.size) {
    throw new CheckpointError(
      `${file.name}: refused: its tensors would take ${bytes} bytes, far more than the file's ${file.size}`,
    );
  }
  return { name: file.name, format, tensors, metadata: scalarsOf(value), close: () => file.close() };
}

class PthTensor implements CheckpointTensor {
  constructor(
    readonly name: string,
    readonly dtype: DType,
    private readonly reference: TensorReference,
    private readonly readStorage: StorageReader,
  ) {}

  get shape() {
    return this.reference.shape;
  }

  async readFloat32() {
    return toFloat32(await this.readBytes(), this.dtype);
  }

  async readBytes() {
    const { storage, offset, shape, strides } = this.reference;
    const size = DTYPE_BYTES[this.dtype];
    const span = await this.readStorage(storage, offset * size, spanOf(shape, strides) * size);
    return isContiguous(shape, strides) ? span : gather(span, size, shape, strides);
  }
}

function dtypeOf(file: RandomAccessFile, storage: StorageReference, what: string): DType {
  const dtype = dtypeOfStorage(storage.typeName);
  if (dtype !== undefined) return dtype;
  throw new CheckpointError(
    `${file.name}: ${printable(what)} is stored as ${printable(storage.typeName)}, which is not supported; convert it to float32 before saving`,
  );
}

function checkView(file: RandomAccessFile, name: string, { shape, storage }: TensorReference): void {
  if (elementCount(shape) <= storage.elements) return;
  throw new CheckpointError(
    `${file.name}: refused: ${printable(name)} repeats a storage of ${storage.elements} elements to shape [${shape.join(', ')}]; save it as a contiguous tensor`,
  );
}

function stateDictOf(file: RandomAccessFile, value: PickleValue): Map<string, TensorReference> {
  if (!(value instanceof PickleDict)) throw notAStateDict(file, value);
  for (const key of STATE_DICT_KEYS) {
    const nested = value.entries.get(key);
    const tensors = nested instanceof PickleDict ? tensorsIn(file, nested) : undefined;
    if (tensors !== undefined && tensors.size > 0) return tensors;
  }
  const bare = tensorsIn(file, value);
  if (bare.size > 0) return bare;
  const object = STATE_DICT_KEYS.map((key) => value.entries.get(key)).find((nested) => nested instanceof PickleObject);
  throw notAStateDict(file, object ?? value);
}

function tensorsIn(file: RandomAccessFile, dictionary: PickleDict): Map<string, TensorReference> {
  const tensors = new Map<string, TensorReference>();
  for (const [key, value] of dictionary.entries) {
    if (!(value instanceof TensorReference) || typeof key !== 'string') continue;
    tensors.set(key, value);
  }
  if (tensors.size > MAXIMUM_TENSORS)
    throw new CheckpointError(`${file.name}: refused: it holds ${tensors.size} tensors, more than ${MAXIMUM_TENSORS}`);
  return tensors;
}

function notAStateDict(file: RandomAccessFile, value: PickleValue): CheckpointError {
  const type = value instanceof PickleObject ? value.type : value instanceof PickleGlobal ? value : undefined;
  const found = type ? `an object of class ${printable(type.path)}` : describe(value);
  return new CheckpointError(
    `${file.name}: holds ${found}, not a state_dict; save model.state_dict() itself or under the key ${STATE_DICT_KEYS[0]}`,
  );
}

function describe(value: PickleValue): string {
  if (!(value instanceof PickleDict)) return value instanceof TensorReference ? 'a single tensor' : 'no dictionary';
  const keys = [...value.entries.keys()]
    .slice(0, 8)
    .map((key) => (typeof key === 'string' ? printable(key) : typeof key));
  return `a dictionary without tensors (keys: ${keys.join(', ') || 'none'})`;
}

const MOST_SCALARS = 64;

/** Numbers, short texts and truth values at the top level: `epoch`, the best accuracy, and the like. */
function scalarsOf(value: PickleValue): Record<string, string> {
  const entries = value instanceof PickleDict ? [...value.entries] : [];
  const scalars = entries.filter(([key, entry]) => typeof key === 'string' && isScalar(entry)).slice(0, MOST_SCALARS);
  return Object.fromEntries(scalars.map(([key, entry]) => [String(key), String(entry)]));
}

function isScalar(value: PickleValue): value is string | number | boolean {
  return typeof value === 'number' || typeof value === 'boolean' || (typeof value === 'string' && value.length <= 1000);
}

function wrongByteOrder(file: RandomAccessFile, order: string): CheckpointError {
  return new CheckpointError(
    `${file.name}: was saved with byte order "${printable(order)}", only "little" is supported; save it again on a little-endian machine`,
  );
}

function damaged(file: RandomAccessFile, what: string): CheckpointError {
  return new CheckpointError(`${file.name}: damaged: ${what}; download or copy it again`);
}
