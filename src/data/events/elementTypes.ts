/**
 * Numbers as tables store them: integers of one to eight bytes, floats of two to eight, booleans, of either byte order, one after the other or as a field of a record.
 * Read into float64, which holds times in microseconds for 285 years. NumPy's array files and HDF5 say the same things about their numbers in different words; those
 * words are read by `numpyHeader.ts` and `hdf5Columns.ts`.
 */

/** `boolean` is a byte that counts as 1 whatever it holds beside 0. */
export type ElementKind = 'signed' | 'unsigned' | 'float' | 'boolean';

export interface ElementType {
  readonly kind: ElementKind;
  /** Bytes. */
  readonly size: number;
  readonly littleEndian: boolean;
}

/** Where the values of a column stand in a run of bytes. */
export interface ColumnPlace {
  readonly type: ElementType;
  /** Bytes from the start of a record to the value. */
  readonly offset: number;
  /** Bytes from a record to the next. */
  readonly stride: number;
}

/** Whether numbers of this type can be read. */
export function isReadable({ kind, size }: ElementType): boolean {
  const sizes = { signed: [1, 2, 4, 8], unsigned: [1, 2, 4, 8], float: [2, 4, 8], boolean: [1] };
  return sizes[kind].includes(size);
}

/** Reads `count` values of a column into `target`, from its start on. `bytes` begins at a record. */
export function readColumn(
  bytes: Uint8Array,
  { type, offset, stride }: ColumnPlace,
  target: Float64Array,
  count: number,
) {
  const values = valuesSideBySide(bytes, { type, offset, stride }, count);
  if (values) {
    target.set(values);
    return;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { littleEndian: little } = type;
  // A loop for each type: a function called for each value costs five times as much.
  switch (`${type.kind} ${type.size}`) {
    case 'boolean 1':
      for (let i = 0, at = offset; i < count; i++, at += stride) target[i] = view.getUint8(at) === 0 ? 0 : 1;
      return;
    case 'unsigned 1':
      for (let i = 0, at = offset; i < count; i++, at += stride) target[i] = view.getUint8(at);
      return;
    case 'signed 1':
      for (let i = 0, at = offset; i < count; i++, at += stride) target[i] = view.getInt8(at);
      return;
    case 'unsigned 2':
      for (let i = 0, at = offset; i < count; i++, at += stride) target[i] = view.getUint16(at, little);
      return;
    case 'signed 2':
      for (let i = 0, at = offset; i < count; i++, at += stride) target[i] = view.getInt16(at, little);
      return;
    case 'unsigned 4':
      for (let i = 0, at = offset; i < count; i++, at += stride) target[i] = view.getUint32(at, little);
      return;
    case 'signed 4':
      for (let i = 0, at = offset; i < count; i++, at += stride) target[i] = view.getInt32(at, little);
      return;
    case 'float 4':
      for (let i = 0, at = offset; i < count; i++, at += stride) target[i] = view.getFloat32(at, little);
      return;
    case 'float 8':
      for (let i = 0, at = offset; i < count; i++, at += stride) target[i] = view.getFloat64(at, little);
      return;
    case 'float 2':
      for (let i = 0, at = offset; i < count; i++, at += stride) target[i] = half(view.getUint16(at, little));
      return;
    default:
      readLong(view, { type, offset, stride }, target, count);
  }
}

const arrays = {
  'unsigned 1': Uint8Array,
  'signed 1': Int8Array,
  'unsigned 2': Uint16Array,
  'signed 2': Int16Array,
  'unsigned 4': Uint32Array,
  'signed 4': Int32Array,
  'float 4': Float32Array,
  'float 8': Float64Array,
} as const;

const isLittleEndianMachine = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Numbers that stand one after the other as this machine has them: copied at once, twenty times as fast for two bytes each. */
function valuesSideBySide(bytes: Uint8Array, { type, offset, stride }: ColumnPlace, count: number) {
  const { kind, size, littleEndian } = type;
  const start = bytes.byteOffset + offset;
  if (stride !== size || start % size !== 0 || (size > 1 && littleEndian !== isLittleEndianMachine)) return undefined;
  const array = arrays[`${kind} ${size}` as keyof typeof arrays];
  return array && new array(bytes.buffer as ArrayBuffer, start, count);
}

/** Two halves and a sum, which is exact up to 2^53: a BigInt for each value costs ten times as much. */
function readLong(view: DataView, { type, offset, stride }: ColumnPlace, target: Float64Array, count: number): void {
  const { littleEndian: little } = type;
  const [low, high] = little ? [0, 4] : [4, 0];
  const isSigned = type.kind === 'signed';
  for (let i = 0, at = offset; i < count; i++, at += stride) {
    const upper = isSigned ? view.getInt32(at + high, little) : view.getUint32(at + high, little);
    target[i] = upper * 0x1_0000_0000 + view.getUint32(at + low, little);
  }
}

/** IEEE 754 binary16. */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
