/**
 * What the names in a PyTorch pickle mean: tensors become references into storages, dictionaries stay dictionaries, and everything else
 * becomes an inert object that nobody reads. Nothing is executed in any case; names that only an attack mentions make the file refused.
 * The argument lists are those of `torch._utils` and `torch.serialization`, PyTorch 1.0 to 2.x.
 */
import type { Shape } from '../graph/shape.js';
import { DTYPE_BYTES, type DType } from './dtype.js';
import { CheckpointError, printable } from './errors.js';
import { familiarPath, isHostile } from './hostileNames.js';
import {
  PickleDict,
  PickleForeign,
  PickleGlobal,
  PickleList,
  PickleObject,
  PickleTuple,
  type PickleValue,
  type PickleWorld,
} from './pickleValues.js';
import { spanOf } from './stridedView.js';

/** A flat piece of data outside the pickle, shared by any number of tensors. */
export class StorageReference extends PickleForeign {
  constructor(
    readonly key: string,
    /** `FloatStorage`, `HalfStorage`, … */
    readonly typeName: string,
    readonly elements: number,
  ) {
    super();
  }
}

/** A strided view of a storage; offset and strides count elements. Lies inside its storage. */
export class TensorReference extends PickleForeign {
  constructor(
    readonly storage: StorageReference,
    readonly offset: number,
    readonly shape: Shape,
    readonly strides: readonly number[],
  ) {
    super();
  }
}

const STORAGE_DTYPES: ReadonlyMap<string, DType> = new Map([
  ['DoubleStorage', 'float64'],
  ['FloatStorage', 'float32'],
  ['HalfStorage', 'float16'],
  ['BFloat16Storage', 'bfloat16'],
  ['LongStorage', 'int64'],
  ['IntStorage', 'int32'],
  ['ShortStorage', 'int16'],
  ['CharStorage', 'int8'],
  ['ByteStorage', 'uint8'],
  ['BoolStorage', 'bool'],
]);

/** The storage class's name for a dtype, as the writer needs it. */
export function storageTypeOf(dtype: DType): string {
  for (const [name, candidate] of STORAGE_DTYPES) if (candidate === dtype) return name;
  throw new TypeError(`no storage type holds ${dtype}`);
}

/** undefined for complex, quantised and 8-bit float storages, which no spiking network has. */
export function dtypeOfStorage(typeName: string): DType | undefined {
  return STORAGE_DTYPES.get(typeName);
}

/** Bytes of an element of storages whose tensors are not read; where the next storage begins depends on them. */
const OTHER_STORAGE_BYTES: ReadonlyMap<string, number> = new Map([
  ['ComplexFloatStorage', 8],
  ['ComplexDoubleStorage', 16],
  ['QInt8Storage', 1],
  ['QUInt8Storage', 1],
  ['QInt32Storage', 4],
  ['QUInt4x2Storage', 1],
  ['QUInt2x4Storage', 1],
  ['UntypedStorage', 1],
]);

/** undefined for storages of a kind that is not known at all. */
export function bytesOfStorageElement(typeName: string): number | undefined {
  const dtype = dtypeOfStorage(typeName);
  return dtype === undefined ? OTHER_STORAGE_BYTES.get(typeName) : DTYPE_BYTES[dtype];
}

const MAXIMUM_DIMENSIONS = 32;

/** What people know the maker of an object as. */
export function familiarType({ type }: PickleObject): string {
  return familiarPath(type);
}

/** Calls that build a dictionary from nothing, a default factory, or a list of pairs. */
const DICTIONARIES = new Set([
  'collections.OrderedDict',
  'collections.defaultdict',
  'collections.Counter',
  'builtins.dict',
]);

/** Pairs that such calls may take out of lists, which can be named again and again without taking bytes of the file. */
const MOST_COPIED_PAIRS = 1_000_000;

/** The meaning of names in the pickle of one file. */
export class TorchWorld implements PickleWorld {
  /** Every storage that was referred to, by key. */
  readonly storages = new Map<string, StorageReference>();

  private copiedPairs = 0;

  constructor(private readonly fileName: string) {}

  call(callable: PickleGlobal, args: readonly PickleValue[]): PickleValue {
    const path = familiarPath(callable);
    if (DICTIONARIES.has(path)) return this.dictionary(args);
    switch (path) {
      case 'torch._utils._rebuild_tensor':
      case 'torch._utils._rebuild_tensor_v2':
        return this.tensor(args);
      case 'torch._utils._rebuild_parameter':
      case 'torch._utils._rebuild_parameter_with_state':
      // Of a device without storages of its own, such as a TPU: the tensor follows as one of the processor.
      case 'torch._utils._rebuild_device_tensor_from_cpu_tensor':
        return args[0] instanceof TensorReference || args[0] instanceof PickleObject ? args[0] : this.misuse(path);
      case 'torch._tensor._rebuild_from_type_v2':
        return this.tensorOfType(path, args);
      case 'torch.Size':
        return args[0] instanceof PickleTuple ? args[0] : this.misuse(path);
      case 'builtins.getattr':
        return this.attribute(callable, args);
      default:
        return this.unknown('calls', callable, args);
    }
  }

  create(type: PickleGlobal, args: readonly PickleValue[]): PickleValue {
    return DICTIONARIES.has(familiarPath(type)) ? this.dictionary(args) : this.unknown('creates', type, args);
  }

  persistent(id: PickleValue): PickleValue {
    const [kind, type, key, , elements, view] = id instanceof PickleTuple ? id.items : [];
    // Whole modules saved by old versions bring their source text along; what follows is the module object.
    if (kind === 'module' && type instanceof PickleGlobal) return type;
    const valid = kind === 'storage' && type instanceof PickleGlobal && typeof key === 'string' && isCount(elements);
    if (!valid) return this.misuse('a reference to a storage');
    if (view !== undefined && view !== null) {
      throw new CheckpointError(
        `${this.fileName}: its storages are views of one another, as PyTorch before 0.4 saved them; load and save it again with a newer PyTorch`,
      );
    }
    return this.storage(key, type.name, elements);
  }

  private storage(key: string, typeName: string, elements: number): StorageReference {
    const known = this.storages.get(key);
    if (known === undefined) {
      const made = new StorageReference(key, typeName, elements);
      this.storages.set(key, made);
      return made;
    }
    if (known.typeName !== typeName || known.elements !== elements) return this.misuse('a reference to a storage');
    return known;
  }

  private dictionary(args: readonly PickleValue[]): PickleDict {
    const dictionary = new PickleDict();
    const pairs = args[0] instanceof PickleList ? args[0].items : [];
    this.copiedPairs += pairs.length;
    if (this.copiedPairs > MOST_COPIED_PAIRS) {
      throw new CheckpointError(
        `${this.fileName}: refused: its pickle copies more than ${MOST_COPIED_PAIRS} entries between dictionaries; no checkpoint of weights does`,
      );
    }
    for (const pair of pairs) {
      const items = pair instanceof PickleTuple || pair instanceof PickleList ? pair.items : [];
      if (items.length !== 2) return this.misuse('collections.OrderedDict');
      dictionary.set(items[0]!, items[1]!);
    }
    return dictionary;
  }

  /** What the named function or class would have made, as something that nobody reads. */
  private unknown(verb: string, callable: PickleGlobal, args: readonly PickleValue[]): PickleObject {
    // These make an object of the class that is their first argument.
    const makesAnother = callable.name === '_reconstructor' || callable.name === '_reconstruct';
    const type = makesAnother && args[0] instanceof PickleGlobal ? args[0] : callable;
    const path = familiarPath(type);
    if (isHostile(path)) throw this.refusal(type === callable ? verb : 'creates', path);
    return new PickleObject(type);
  }

  /** A method of an object, as schedulers keep theirs, a member of an enumeration, or a class inside another. */
  private attribute(callable: PickleGlobal, args: readonly PickleValue[]): PickleObject {
    const [owner, name, ...rest] = args;
    if (owner === undefined || typeof name !== 'string' || rest.length > 1)
      throw this.refusal('calls', familiarPath(callable));
    if (!(owner instanceof PickleGlobal)) return new PickleObject(callable);
    const member = new PickleGlobal(owner.module, `${owner.name}.${name}`);
    if (isHostile(familiarPath(member))) throw this.refusal('reaches for', familiarPath(member));
    return new PickleObject(member);
  }

  /** A tensor with attributes: the function that rebuilds the plain tensor, its type, the arguments, the attributes. */
  private tensorOfType(path: string, args: readonly PickleValue[]): PickleValue {
    const [rebuild, , inner] = args;
    if (!(rebuild instanceof PickleGlobal) || !(inner instanceof PickleTuple)) return this.misuse(path);
    // Not itself again: a chain of them would be as deep as the file likes.
    if (rebuild.module !== 'torch._utils') return this.unknown('calls', rebuild, inner.items);
    return this.call(rebuild, inner.items);
  }

  private tensor(args: readonly PickleValue[]): TensorReference {
    const [storage, offset, size, stride] = args;
    const shape = countsOf(size);
    const strides = countsOf(stride);
    const valid =
      storage instanceof StorageReference && isCount(offset) && shape && strides && shape.length === strides.length;
    if (!valid) return this.misuse('torch._utils._rebuild_tensor_v2');
    // Sums too large to be exact, infinite ones too, are larger than any storage.
    if (offset + spanOf(shape, strides) > storage.elements) {
      throw new CheckpointError(
        `${this.fileName}: damaged: a tensor of shape [${shape.join(', ')}] reaches beyond its storage of ${storage.elements} elements; download or copy it again`,
      );
    }
    return new TensorReference(storage, offset, shape, strides);
  }

  private misuse(what: string): never {
    throw new CheckpointError(
      `${this.fileName}: damaged: its pickle uses ${what} with arguments that torch.save never writes; download or copy it again`,
    );
  }

  private refusal(verb: string, path: string): CheckpointError {
    return new CheckpointError(
      `${this.fileName}: refused: its pickle ${verb} ${printable(path)}, which a checkpoint of weights never needs; ` +
        'nothing was executed. If you trust its origin, save only the state_dict where it was made; if not, delete it',
    );
  }
}

function isCount(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function countsOf(value: PickleValue | undefined): readonly number[] | undefined {
  if (!(value instanceof PickleTuple) || value.items.length > MAXIMUM_DIMENSIONS) return undefined;
  return value.items.every(isCount) ? value.items : undefined;
}
