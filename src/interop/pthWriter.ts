/**
 * Writes checkpoints that `torch.load` reads, `weights_only` or not: a zip archive with a protocol 2 pickle of contiguous
 * tensors and one stored record for each. Not a general pickler: it knows dictionaries of tensors and nothing else. The layout
 * is that of `torch.save` (records aligned to 64 bytes by an extra field named FB).
 */
import { elementCount } from '../graph/shape.js';
import { bytesOf, type TensorData } from './tensorData.js';
import { storageTypeOf } from './torchPickle.js';
import { encodeZip, type ZipRecord } from './zipWriter.js';

export interface PthOptions {
  /** The key under which the weights stand, or `bare` for a dictionary of weights; the authors' own files use `model`. */
  readonly wrap?: 'model' | 'state_dict' | 'bare';
  /** Texts that stand beside the weights, by their keys; a bare dictionary has no place for them. */
  readonly metadata?: Readonly<Record<string, string>>;
}

const ROOT = 'archive';

/**
 * The file's parts in order; tensors' own bytes are not copied. Equal tensors give equal bytes.
 *
 * @throws CheckpointError when data and shape of a tensor disagree or the file would pass 4 GB.
 */
export function pthParts(tensors: ReadonlyMap<string, TensorData>, options: PthOptions = {}): Uint8Array[] {
  const text = new TextEncoder();
  const records: ZipRecord[] = [
    { name: `${ROOT}/data.pkl`, content: encodePickle(tensors, options) },
    { name: `${ROOT}/byteorder`, content: text.encode('little') },
  ];
  for (const [name, tensor] of tensors) {
    records.push({ name: `${ROOT}/data/${records.length - 2}`, content: bytesOf(name, tensor) });
  }
  records.push({ name: `${ROOT}/version`, content: text.encode('3\n') });
  return encodeZip(records);
}

// The pickle.

const OPCODE = {
  protocol: [0x80, 2],
  global: 0x63,
  emptyTuple: 0x29,
  emptyDict: 0x7d,
  mark: 0x28,
  tuple: 0x74,
  reduce: 0x52,
  setItem: 0x73,
  setItems: 0x75,
  persistentId: 0x51,
  newFalse: 0x89,
  unicode: 0x58,
  int32: 0x4a,
  long: 0x8a,
  stop: 0x2e,
} as const;

/** No memo: every name is written out, which costs about 200 bytes a tensor and saves a table of references. */
function encodePickle(
  tensors: ReadonlyMap<string, TensorData>,
  { wrap = 'model', metadata = {} }: PthOptions,
): Uint8Array {
  const stateDict = [...emptyOrderedDict(), OPCODE.mark];
  for (const [index, [name, tensor]] of [...tensors].entries())
    append(stateDict, [...unicode(name), ...tensorCall(tensor, index)]);
  stateDict.push(OPCODE.setItems);
  const pickle: number[] = [...OPCODE.protocol];
  if (wrap !== 'bare') append(pickle, [OPCODE.emptyDict, ...unicode(wrap)]);
  append(pickle, stateDict);
  if (wrap !== 'bare') {
    pickle.push(OPCODE.setItem);
    for (const [key, value] of Object.entries(metadata))
      append(pickle, [...unicode(key), ...unicode(value), OPCODE.setItem]);
  }
  pickle.push(OPCODE.stop);
  return Uint8Array.from(pickle);
}

/** `_rebuild_tensor_v2(storage, offset, size, stride, requires_grad, backward_hooks)`. */
function tensorCall({ dtype, shape }: TensorData, index: number): number[] {
  const elements = elementCount(shape);
  const storage = [
    ...tuple([
      unicode('storage'),
      global('torch', storageTypeOf(dtype)),
      unicode(String(index)),
      unicode('cpu'),
      integer(elements),
    ]),
    OPCODE.persistentId,
  ];
  const size = tuple(shape.map(integer));
  const stride = tuple(rowMajorStrides(shape).map(integer));
  const args = tuple([storage, integer(0), size, stride, [OPCODE.newFalse], emptyOrderedDict()]);
  return [...global('torch._utils', '_rebuild_tensor_v2'), ...args, OPCODE.reduce];
}

function emptyOrderedDict(): number[] {
  return [...global('collections', 'OrderedDict'), OPCODE.emptyTuple, OPCODE.reduce];
}

function global(module: string, name: string): number[] {
  return [OPCODE.global, ...new TextEncoder().encode(`${module}\n${name}\n`)];
}

function tuple(items: readonly (readonly number[])[]): number[] {
  return [OPCODE.mark, ...items.flat(), OPCODE.tuple];
}

function unicode(value: string): number[] {
  const bytes = new TextEncoder().encode(value);
  return [OPCODE.unicode, ...littleEndian(bytes.length, 4), ...bytes];
}

function integer(value: number): number[] {
  return value <= 0x7fffffff ? [OPCODE.int32, ...littleEndian(value, 4)] : [OPCODE.long, 8, ...littleEndian(value, 8)];
}

function littleEndian(value: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, byte) => Math.floor(value / 256 ** byte) % 256);
}

function append(target: number[], bytes: readonly number[]): void {
  for (const byte of bytes) target.push(byte);
}

/** Like PyTorch's: an axis of size 0 counts as 1. */
function rowMajorStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= Math.max(shape[axis]!, 1);
  }
  return strides;
}
