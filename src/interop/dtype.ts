/**
 * The element types that checkpoints hold, their sizes, and their conversion to float32. Conversion is exact where float32
 * can hold the value (float16, bfloat16, small integers) and rounds to nearest where it cannot (float64, large integers).
 * float16 and bfloat16 follow IEEE 754-2008 binary16 and the upper half of a binary32.
 */

export const DTYPE_BYTES = {
  float64: 8,
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  int16: 2,
  int8: 1,
  uint8: 1,
  bool: 1,
} as const;

/** An element type, by PyTorch's name. */
export type DType = keyof typeof DTYPE_BYTES;

export const DTYPES = Object.keys(DTYPE_BYTES) as readonly DType[];

/**
 * Little-endian elements as float32. float32 input is reinterpreted, not copied: the result shares memory with `bytes`.
 * The length of `bytes` must be a multiple of the element's size.
 */
export function toFloat32(bytes: Uint8Array<ArrayBuffer>, dtype: DType): Float32Array<ArrayBuffer> {
  const { buffer, byteOffset, length } = aligned(bytes, DTYPE_BYTES[dtype]);
  const count = length / DTYPE_BYTES[dtype];
  switch (dtype) {
    case 'float32':
      return new Float32Array(buffer, byteOffset, count);
    case 'float64':
      return Float32Array.from(new Float64Array(buffer, byteOffset, count));
    case 'float16':
      return decodeWith(new Uint16Array(buffer, byteOffset, count), float16Bits);
    case 'bfloat16':
      return decodeWith(new Uint16Array(buffer, byteOffset, count), (half) => half << 16);
    case 'int64':
      return float32FromBigInts(new BigInt64Array(buffer, byteOffset, count));
    case 'int32':
      return Float32Array.from(new Int32Array(buffer, byteOffset, count));
    case 'int16':
      return Float32Array.from(new Int16Array(buffer, byteOffset, count));
    case 'int8':
      return Float32Array.from(new Int8Array(buffer, byteOffset, count));
    case 'uint8':
      return Float32Array.from(new Uint8Array(buffer, byteOffset, count));
    case 'bool':
      return Float32Array.from(new Uint8Array(buffer, byteOffset, count), (value) => (value === 0 ? 0 : 1));
  }
}

/** Typed arrays must start at a multiple of their element's size; bytes that do not are copied. */
function aligned(bytes: Uint8Array<ArrayBuffer>, size: number): Uint8Array<ArrayBuffer> {
  return bytes.byteOffset % size === 0 ? bytes : bytes.slice();
}

function decodeWith(halves: Uint16Array, bitsOf: (half: number) => number): Float32Array<ArrayBuffer> {
  const bits = new Int32Array(halves.length);
  for (let index = 0; index < halves.length; index++) bits[index] = bitsOf(halves[index]!);
  return new Float32Array(bits.buffer);
}

/** The binary32 bits of a binary16 value; subnormal halves become normal floats, NaN payloads are kept. */
function float16Bits(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 31) return sign | 0x7f800000 | (fraction << 13);
  if (exponent !== 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  if (fraction === 0) return sign;
  // A subnormal is fraction × 2⁻²⁴: its leading one moves to the implicit place.
  const shift = Math.clz32(fraction) - 21;
  return sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13);
}

/**
 * float16 bits (IEEE 754-2008 binary16), to be written as `float16`; rounds to nearest, ties to even. What is too large becomes infinite.
 */
export function toFloat16Bits(values: Float32Array): Uint16Array<ArrayBuffer> {
  return Uint16Array.from(values, halfOf);
}

/**
 * Rounds each to the nearest float16 in place, ties to even, as `toFloat16Bits` does, zeros positive. What would be infinite stays.
 *
 * @param values Finite.
 */
export function roundToFloat16(values: Float32Array): void {
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    const size = Math.abs(value);
    // Below, float16 has whole multiples of 2⁻²⁴.
    if (size < 2 ** -14) values[index] = (value * 2 ** 24 + 1.5 * 2 ** 52 - 1.5 * 2 ** 52) * 2 ** -24;
    else if (size < 65520) bits[index] = (bits[index]! + 0xfff + ((bits[index]! >> 13) & 1)) & ~0x1fff;
  }
}

function halfOf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  // Half of the last place above the largest float16, 65504.
  if (size >= 65520) return sign | 0x7c00;
  if (size < 2 ** -14) return sign | roundHalfEven(size * 2 ** 24);
  let exponent = Math.floor(Math.log2(size));
  // log2 may round up to the next power of two.
  if (2 ** exponent > size) exponent--;
  // A fraction that rounds up to 2 carries into the exponent, as it should.
  return sign | (((exponent + 15) << 10) + roundHalfEven(size * 2 ** (10 - exponent)) - 1024);
}

/** Sums beyond 2⁵² have no fraction, and adding rounds to even. */
function roundHalfEven(value: number): number {
  return value + 2 ** 52 - 2 ** 52;
}

function float32FromBigInts(values: BigInt64Array): Float32Array<ArrayBuffer> {
  const result = new Float32Array(values.length);
  for (let index = 0; index < values.length; index++) result[index] = Number(values[index]);
  return result;
}
