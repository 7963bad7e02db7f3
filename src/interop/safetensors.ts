/**
 * The safetensors format, both ways: an 8-byte header length, a JSON header of names, types, shapes and offsets, and the bytes.
 * The rules are those of the format's README and its reference implementation: no holes, no overlaps, no duplicate keys, a
 * header of at most 100 MB. Tensors of types that no spiking network has (8-bit floats, complex, unsigned above 8 bits) cannot be read; they
 * do not stop the reading of others.
 */
import { z } from 'zod';
import { elementCount } from '../graph/shape.js';
import { type Checkpoint, type CheckpointTensor, MAXIMUM_TENSORS, type TensorSet, tensorsOf } from './checkpoint.js';
import { DTYPE_BYTES, type DType, toFloat32 } from './dtype.js';
import { CheckpointError, printable } from './errors.js';
import { duplicateKey } from './jsonKeys.js';
import type { RandomAccessFile } from './randomAccessFile.js';
import { withSteps } from './steppedTensors.js';
import { bytesOf, type TensorData } from './tensorData.js';

export const LARGEST_SAFETENSORS_HEADER = 100_000_000;
const LENGTH_BYTES = 8;
const METADATA_KEY = '__metadata__';
const HEADER_DEPTH = 3;

const DTYPE_OF_CODE: ReadonlyMap<string, DType> = new Map([
  ['F64', 'float64'],
  ['F32', 'float32'],
  ['F16', 'float16'],
  ['BF16', 'bfloat16'],
  ['I64', 'int64'],
  ['I32', 'int32'],
  ['I16', 'int16'],
  ['I8', 'int8'],
  ['U8', 'uint8'],
  ['BOOL', 'bool'],
]);
const CODE_OF_DTYPE: ReadonlyMap<DType, string> = new Map([...DTYPE_OF_CODE].map(([code, dtype]) => [dtype, code]));

/** Bits of an element of types that are known and not read. Of a type that is not known at all any number of bytes is right. */
const BITS_OF_OTHERS: ReadonlyMap<string, number> = new Map([
  ['F4', 4],
  ['F8_E4M3', 8],
  ['F8_E5M2', 8],
  ['F8_E8M0', 8],
  ['U16', 16],
  ['U32', 32],
  ['U64', 64],
  ['C64', 64],
]);

const MOST_DIMENSIONS = 32;
/** Four for a tensor, and as many as that again of metadata. */
const MOST_KEYS = 8 * MAXIMUM_TENSORS;

const metadataSchema = z.record(z.string(), z.string());

interface StoredTensor {
  readonly code: string;
  /** undefined for types that are not read. */
  readonly dtype: DType | undefined;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** Opens a safetensors file; weights are read when asked for. @throws CheckpointError when the file breaks the format. */
export async function openSafetensors(file: RandomAccessFile): Promise<Checkpoint> {
  const headerBytes = await readHeaderLength(file);
  const header = parseHeader(file, await file.read(LENGTH_BYTES, headerBytes));
  const dataOffset = LENGTH_BYTES + headerBytes;
  const metadata = parseMetadata(file, header);
  const stored = setOf(file, parseTensors(file, header, file.size - dataOffset), dataOffset);
  const set = withSteps(file.name, metadata, stored);
  let tensors: ReadonlyMap<string, CheckpointTensor> | undefined;
  return {
    name: file.name,
    format: 'safetensors',
    sets: [set],
    get tensors() {
      tensors ??= tensorsOf(file.name, set);
      return tensors;
    },
    metadata,
    close: () => file.close(),
  };
}

function setOf(file: RandomAccessFile, stored: ReadonlyMap<string, StoredTensor>, dataOffset: number): TensorSet {
  const read = [...stored].filter(([, { dtype }]) => dtype !== undefined);
  const others = [...stored].filter(([, { dtype }]) => dtype === undefined);
  const unreadable = new Map(others.map(([name, { code }]) => [name, notSupported(code)]));
  return {
    path: '',
    shapes: new Map(read.map(([name, { shape }]) => [name, shape])),
    unreadable,
    tensor(name, as = name) {
      const tensor = stored.get(name);
      if (tensor?.dtype === undefined)
        throw new CheckpointError(`${file.name}: ${printable(name)} ${unreadable.get(name) ?? 'is not there'}`);
      const { dtype, shape, begin, end } = tensor;
      const readBytes = () => file.read(dataOffset + begin, end - begin);
      return { name: as, dtype, shape, readBytes, readFloat32: async () => toFloat32(await readBytes(), dtype) };
    },
  };
}

function notSupported(code: string): string {
  return `has the element type ${printable(code)}, which is not supported; convert it to F32 before saving`;
}

async function readHeaderLength(file: RandomAccessFile): Promise<number> {
  if (file.size < LENGTH_BYTES + 2) throw invalid(file, `it has only ${file.size} bytes`);
  const length = new DataView((await file.read(0, LENGTH_BYTES)).buffer).getBigUint64(0, true);
  if (length > BigInt(LARGEST_SAFETENSORS_HEADER))
    throw invalid(file, `its header claims ${length} bytes, more than ${LARGEST_SAFETENSORS_HEADER}`);
  if (length > BigInt(file.size - LENGTH_BYTES))
    throw invalid(file, `its header claims ${length} bytes, but the file has ${file.size}`);
  return Number(length);
}

function parseHeader(file: RandomAccessFile, bytes: Uint8Array): Record<string, unknown> {
  let header: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    const duplicate = duplicateKey(text, HEADER_DEPTH, MOST_KEYS);
    if (duplicate !== undefined) throw invalid(file, `its header has the key ${printable(duplicate)} twice`);
    header = JSON.parse(text);
  } catch (cause) {
    if (cause instanceof CheckpointError) throw cause;
    throw new CheckpointError(
      `${file.name}: damaged safetensors file: its header is not JSON in UTF-8; download or copy it again`,
      { cause },
    );
  }
  if (!isObject(header)) throw invalid(file, 'its header is not an object');
  return header;
}

function parseMetadata(file: RandomAccessFile, header: Record<string, unknown>): Record<string, string> {
  const parsed = metadataSchema.safeParse(header[METADATA_KEY] ?? {});
  if (!parsed.success) throw invalid(file, `${METADATA_KEY} is not an object of texts`);
  return parsed.data;
}

function parseTensors(
  file: RandomAccessFile,
  header: Record<string, unknown>,
  dataBytes: number,
): Map<string, StoredTensor> {
  const names = Object.keys(header).filter((name) => name !== METADATA_KEY);
  if (names.length > MAXIMUM_TENSORS)
    throw invalid(file, `it holds ${names.length} tensors, more than ${MAXIMUM_TENSORS}`);
  const tensors = new Map(names.map((name) => [name, parseTensor(file, name, header[name])]));
  let end = 0;
  for (const [name, tensor] of [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end)) {
    if (tensor.begin !== end)
      throw invalid(file, `before ${printable(name)} there is ${tensor.begin > end ? 'a hole' : 'an overlap'}`);
    end = tensor.end;
  }
  if (end !== dataBytes) throw invalid(file, `its tensors need ${end} bytes, but ${dataBytes} follow the header`);
  return tensors;
}

/** By hand and not by a schema: a schema looks at a million sizes, and remembers what is wrong with each, before it counts them. */
function parseTensor(file: RandomAccessFile, name: string, value: unknown): StoredTensor {
  const malformed = () => invalid(file, `the header entry of ${printable(name)} is malformed`);
  if (!isObject(value) || Object.keys(value).length !== 3) throw malformed();
  const { dtype: code, shape, data_offsets: offsets } = value;
  if (typeof code !== 'string' || !isListOfCounts(shape, MOST_DIMENSIONS) || !isListOfCounts(offsets, 2))
    throw malformed();
  const [begin, end] = offsets;
  if (begin === undefined || end === undefined) throw malformed();
  const dtype = DTYPE_OF_CODE.get(code);
  const bits = dtype === undefined ? BITS_OF_OTHERS.get(code) : 8 * DTYPE_BYTES[dtype];
  if (end < begin || (bits !== undefined && 8 * (end - begin) !== elementCount(shape) * bits)) {
    throw invalid(
      file,
      `${printable(name)} of type ${printable(code)} and shape [${shape.join(', ')}] has ${end - begin} bytes`,
    );
  }
  return { code, dtype, shape, begin, end };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isListOfCounts(value: unknown, longest: number): value is readonly number[] {
  return (
    Array.isArray(value) && value.length <= longest && value.every((size) => Number.isSafeInteger(size) && size >= 0)
  );
}

function invalid(file: RandomAccessFile, what: string): CheckpointError {
  return new CheckpointError(`${file.name}: damaged safetensors file: ${what}; download or copy it again`);
}

// Writing.

/**
 * The file's parts in order: the header, then the tensors' own bytes, which are not copied. Wide element types come first, so
 * every tensor is aligned; tensors of one width keep the map's order.
 */
export function safetensorsParts(
  tensors: ReadonlyMap<string, TensorData>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] {
  const ordered = [...tensors].sort(([, a], [, b]) => DTYPE_BYTES[b.dtype] - DTYPE_BYTES[a.dtype]);
  const parts = ordered.map(([name, tensor]) => bytesOf(name, tensor));
  const header: [string, unknown][] = Object.keys(metadata).length > 0 ? [[METADATA_KEY, metadata]] : [];
  let offset = 0;
  for (const [index, [name, { dtype, shape }]] of ordered.entries()) {
    if (name === METADATA_KEY) throw new CheckpointError(`a tensor must not be named ${METADATA_KEY}; rename it`);
    const end = offset + parts[index]!.byteLength;
    header.push([name, { dtype: CODE_OF_DTYPE.get(dtype), shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  return [encodeHeader(Object.fromEntries(header)), ...parts];
}

/** A whole safetensors file in memory. @throws CheckpointError when data and shape of a tensor disagree. */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, TensorData>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const parts = safetensorsParts(tensors, metadata);
  const file = new Uint8Array(parts.reduce((bytes, part) => bytes + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    file.set(part, at);
    at += part.byteLength;
  }
  return file;
}

/** The length and the JSON, padded with spaces so that the data begins at a multiple of 8. */
function encodeHeader(header: object): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(header));
  const length = Math.ceil(json.byteLength / 8) * 8;
  const bytes = new Uint8Array(LENGTH_BYTES + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, LENGTH_BYTES);
  return bytes;
}
