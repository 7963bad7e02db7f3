/**
 * The safetensors format, both ways: an 8-byte header length, a JSON header of names, types, shapes and offsets, and the bytes.
 * The rules are those of the format's README and its reference implementation: no holes, no overlaps, no duplicate keys, a
 * header of at most 100 MB. Element types that no spiking network has (8-bit floats, complex, unsigned above 8 bits) are refused.
 */
import { z } from 'zod';
import { elementCount } from '../graph/shape.js';
import { type Checkpoint, type CheckpointTensor, MAXIMUM_TENSORS, withoutWrapperPrefix } from './checkpoint.js';
import { DTYPE_BYTES, type DType, toFloat32 } from './dtype.js';
import { CheckpointError, printable } from './errors.js';
import { duplicateKey } from './jsonKeys.js';
import type { RandomAccessFile } from './randomAccessFile.js';
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

const count = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
const tensorSchema = z.strictObject({
  dtype: z.string(),
  shape: z.array(count).max(32),
  data_offsets: z.tuple([count, count]),
});
const metadataSchema = z.record(z.string(), z.string());
const headerSchema = z.record(z.string(), z.unknown());

interface StoredTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** Opens a safetensors file; weights are read when asked for. @throws CheckpointError when the file breaks the format. */
export async function openSafetensors(file: RandomAccessFile): Promise<Checkpoint> {
  const headerBytes = await readHeaderLength(file);
  const header = parseHeader(file, await file.read(LENGTH_BYTES, headerBytes));
  const dataOffset = LENGTH_BYTES + headerBytes;
  const stored = parseTensors(file, header, file.size - dataOffset);
  const tensors = new Map<string, CheckpointTensor>();
  for (const [name, tensor] of withoutWrapperPrefix(stored))
    tensors.set(name, readable(file, name, tensor, dataOffset));
  return {
    name: file.name,
    format: 'safetensors',
    tensors,
    metadata: parseMetadata(file, header),
    close: () => file.close(),
  };
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
    const duplicate = duplicateKey(text, HEADER_DEPTH);
    if (duplicate !== undefined) throw invalid(file, `its header has the key ${printable(duplicate)} twice`);
    header = JSON.parse(text);
  } catch (cause) {
    if (cause instanceof CheckpointError) throw cause;
    throw new CheckpointError(
      `${file.name}: damaged safetensors file: its header is not JSON in UTF-8; download or copy it again`,
      { cause },
    );
  }
  const parsed = headerSchema.safeParse(header);
  if (!parsed.success || Array.isArray(header)) throw invalid(file, 'its header is not an object');
  return parsed.data;
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

function parseTensor(file: RandomAccessFile, name: string, value: unknown): StoredTensor {
  const parsed = tensorSchema.safeParse(value);
  if (!parsed.success) throw invalid(file, `the header entry of ${printable(name)} is malformed`);
  const { dtype: code, shape, data_offsets: offsets } = parsed.data;
  const dtype = DTYPE_OF_CODE.get(code);
  if (dtype === undefined) {
    throw new CheckpointError(
      `${file.name}: ${printable(name)} has the element type ${printable(code)}, which is not supported; convert it to F32 before saving`,
    );
  }
  const [begin, end] = offsets;
  if (end - begin !== elementCount(shape) * DTYPE_BYTES[dtype]) {
    throw invalid(file, `${printable(name)} of type ${code} and shape [${shape.join(', ')}] has ${end - begin} bytes`);
  }
  return { dtype, shape, begin, end };
}

function readable(file: RandomAccessFile, name: string, tensor: StoredTensor, dataOffset: number): CheckpointTensor {
  const { dtype, shape, begin, end } = tensor;
  const readBytes = () => file.read(dataOffset + begin, end - begin);
  return { name, dtype, shape, readBytes, readFloat32: async () => toFloat32(await readBytes(), dtype) };
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
