/**
 * Finds the dictionaries of tensors in what a PyTorch pickle holds, under whatever keys and however deep, and makes their tensors readable.
 * Which of them are the weights is not decided here. Platform-neutral.
 */
import { elementCount, type Shape } from '../graph/shape.js';
import { type CheckpointTensor, MAXIMUM_TENSORS, type TensorSet } from './checkpoint.js';
import { DTYPE_BYTES, type DType, toFloat32 } from './dtype.js';
import { CheckpointError, printable } from './errors.js';
import { PickleDict, PickleGlobal, PickleList, PickleObject, PickleTuple, type PickleValue } from './pickleValues.js';
import { notSupported, type Storages } from './pthStorages.js';
import type { RandomAccessFile } from './randomAccessFile.js';
import { gather, isContiguous, spanOf } from './stridedView.js';
import { dtypeOfStorage, familiarType, TensorReference } from './torchPickle.js';

/** Where the weights are looked for first in a training checkpoint. */
const STATE_DICT_KEYS = ['model', 'state_dict', 'model_state_dict', 'model_ema', 'state_dict_ema'];

/** Dictionaries inside one another. The deepest known are `{'state': {'net': …}}` and those of optimizers. */
const DEEPEST = 8;

/** Views may overlap (tied weights), but a file whose tensors are this many times its size is made to exhaust memory. */
const LARGEST_EXPANSION = 4;

/** The sets of tensors in a pickle's value, the most likely weights first. @throws CheckpointError when there are none. */
export function findSets(file: RandomAccessFile, value: PickleValue, storages: Storages): readonly TensorSet[] {
  const sets: PthSet[] = [];
  for (const { path, dictionary } of dictionariesIn(value)) {
    const set = new PthSet(file, path, dictionary, storages);
    if (set.size > 0) sets.push(set);
  }
  const likely = STATE_DICT_KEYS.map((key) => sets.find(({ path }) => path === key)).find((set) => set !== undefined);
  const own = sets.find(({ path }) => path === '');
  const first = likely ?? own ?? largest(sets.filter(({ path }) => !path.startsWith('optim')));
  if (first === undefined) throw notAStateDict(file, value);
  return [first, ...sets.filter((set) => set !== first)];
}

function largest(sets: readonly PthSet[]): PthSet | undefined {
  return sets.reduce<PthSet | undefined>((best, set) => (best && best.size >= set.size ? best : set), undefined);
}

interface Found {
  readonly path: string;
  readonly dictionary: PickleDict;
}

/** Breadth first; a dictionary that is there twice counts where it is met first, so that time is linear. */
function* dictionariesIn(value: PickleValue): Generator<Found> {
  const met = new Set<PickleValue>();
  let level: readonly (readonly [string, PickleValue])[] = [['', value]];
  for (let depth = 0; depth < DEEPEST && level.length > 0; depth++) {
    const next: (readonly [string, PickleValue])[] = [];
    for (const [path, candidate] of level) {
      const container = containerOf(candidate);
      if (container === undefined || met.has(container)) continue;
      met.add(container);
      if (container instanceof PickleDict) yield { path, dictionary: container };
      for (const [key, inner] of childrenOf(container))
        if (containerOf(inner)) next.push([path === '' ? key : `${path}.${key}`, inner]);
    }
    level = next;
  }
}

type Container = PickleDict | PickleList | PickleTuple;

function containerOf(value: PickleValue): Container | undefined {
  if (value instanceof PickleObject) return value.items;
  return value instanceof PickleDict || value instanceof PickleList || value instanceof PickleTuple ? value : undefined;
}

function* childrenOf(container: Container): Generator<readonly [string, PickleValue]> {
  if (container instanceof PickleDict) yield* container.entries;
  const items = container instanceof PickleDict ? container.others : container.items;
  for (const [index, item] of items.entries()) yield [String(index), item];
}

class PthSet implements TensorSet {
  readonly shapes = new Map<string, Shape>();
  readonly unreadable = new Map<string, string>();
  readonly #references = new Map<string, TensorReference>();
  #bytes = 0;

  constructor(
    private readonly file: RandomAccessFile,
    readonly path: string,
    dictionary: PickleDict,
    private readonly storages: Storages,
  ) {
    for (const [name, value] of dictionary.entries) this.#add(name, value);
    if (this.size > MAXIMUM_TENSORS)
      throw new CheckpointError(`${file.name}: refused: it holds ${this.size} tensors, more than ${MAXIMUM_TENSORS}`);
  }

  get size(): number {
    return this.shapes.size + this.unreadable.size;
  }

  #add(name: string, value: PickleValue): void {
    if (value instanceof TensorReference) {
      const { typeName } = value.storage;
      const dtype = dtypeOfStorage(typeName);
      if (dtype === undefined) {
        this.unreadable.set(name, notSupported('', typeName).trim());
        return;
      }
      this.shapes.set(name, value.shape);
      this.#references.set(name, value);
      this.#bytes += elementCount(value.shape) * DTYPE_BYTES[dtype];
    } else if (value instanceof PickleObject && mayBeTensor(value)) {
      this.unreadable.set(
        name,
        `is made by ${printable(familiarType(value))}, which is not supported; save it as a plain tensor of float32`,
      );
    }
  }

  tensor(name: string, as = name): CheckpointTensor {
    const reference = this.#references.get(name);
    if (reference === undefined)
      throw new CheckpointError(`${this.file.name}: ${printable(name)} ${this.unreadable.get(name) ?? 'is not there'}`);
    const { storage, shape } = reference;
    const dtype = dtypeOfStorage(storage.typeName)!;
    if (elementCount(shape) > storage.elements) {
      throw new CheckpointError(
        `${this.file.name}: refused: ${printable(name)} repeats a storage of ${storage.elements} elements to shape [${shape.join(', ')}]; save it as a contiguous tensor`,
      );
    }
    this.storages.check(storage, storage.elements * DTYPE_BYTES[dtype]);
    if (this.#bytes > LARGEST_EXPANSION * this.file.size) {
      throw new CheckpointError(
        `${this.file.name}: refused: its tensors would take ${this.#bytes} bytes, far more than the file's ${this.file.size}`,
      );
    }
    return new PthTensor(as, dtype, reference, this.storages);
  }
}

/** Quantised, sparse and distributed tensors, arrays, and tensors of classes that are not known. */
function mayBeTensor({ type }: PickleObject): boolean {
  return (
    type.module.split('.', 1)[0] === 'torch' || /(^|\.)numpy$/.test(type.module) || /tensor|ndarray/i.test(type.name)
  );
}

class PthTensor implements CheckpointTensor {
  constructor(
    readonly name: string,
    readonly dtype: DType,
    private readonly reference: TensorReference,
    private readonly storages: Storages,
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
    const span = await this.storages.read(storage, offset * size, spanOf(shape, strides) * size);
    return isContiguous(shape, strides) ? span : gather(span, size, shape, strides);
  }
}

/** That a whole module stands where a state_dict should, as of programs that save `model` itself; undefined where none does. */
export function moduleNote(value: PickleValue): string | undefined {
  const entries = value instanceof PickleDict ? value.entries : new Map<string, PickleValue>();
  for (const key of [...STATE_DICT_KEYS, 'net', 'ema']) {
    const candidate = entries.get(key);
    if (candidate instanceof PickleObject && candidate.items === undefined)
      return `${key} is an object of class ${printable(candidate.type.path)}; save its state_dict() instead`;
  }
  return undefined;
}

function notAStateDict(file: RandomAccessFile, value: PickleValue): CheckpointError {
  const entries = value instanceof PickleDict ? value.entries : new Map<string, PickleValue>();
  const nested = STATE_DICT_KEYS.map((key) => entries.get(key)).find((candidate) => candidate instanceof PickleObject);
  const subject = nested ?? value;
  const type = subject instanceof PickleObject ? subject.type : subject instanceof PickleGlobal ? subject : undefined;
  const found = type ? `an object of class ${printable(type.path)}` : describe(value);
  return new CheckpointError(
    `${file.name}: holds ${found}, not a state_dict; save model.state_dict() itself or under the key ${STATE_DICT_KEYS[0]}`,
  );
}

function describe(value: PickleValue): string {
  if (!(value instanceof PickleDict)) return value instanceof TensorReference ? 'a single tensor' : 'no dictionary';
  const keys = [...value.entries.keys()].slice(0, 8).map(printable);
  return `a dictionary without tensors (keys: ${keys.join(', ') || 'none'})`;
}
