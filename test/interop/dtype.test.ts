import { describe, expect, it } from 'vitest';
import { crc32 } from '../../src/interop/crc32.js';
import { roundToFloat16, toFloat16Bits, toFloat32 } from '../../src/interop/dtype.js';

/** The value of a small float by the definition in IEEE 754. */
function ieeeValue(bits: number, exponentBits: number, fractionBits: number): number {
  const sign = bits >> (exponentBits + fractionBits) ? -1 : 1;
  const exponent = (bits >> fractionBits) & (2 ** exponentBits - 1);
  const fraction = (bits & (2 ** fractionBits - 1)) / 2 ** fractionBits;
  const bias = 2 ** (exponentBits - 1) - 1;
  if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** (1 - bias) : sign * (1 + fraction) * 2 ** (exponent - bias);
}

const everyPattern = Uint16Array.from({ length: 65536 }, (_, bits) => bits);

describe('conversion to float32', () => {
  it('gives every one of the 65,536 float16 patterns its value', () => {
    const expected = Float32Array.from(everyPattern, (bits) => ieeeValue(bits, 5, 10));
    expect(toFloat32(new Uint8Array(everyPattern.buffer), 'float16')).toEqual(expected);
  });

  it('gives every one of the 65,536 bfloat16 patterns its value', () => {
    const expected = Float32Array.from(everyPattern, (bits) => ieeeValue(bits, 8, 7));
    expect(toFloat32(new Uint8Array(everyPattern.buffer), 'bfloat16')).toEqual(expected);
  });

  it('reads bytes that are not aligned', () => {
    const bytes = new Uint8Array(13);
    new DataView(bytes.buffer).setFloat32(5, 1.25, true);
    expect(toFloat32(bytes.subarray(5, 9), 'float32')).toEqual(Float32Array.of(1.25));
  });
});

describe('conversion to float16', () => {
  it('gives back every pattern that is a number', () => {
    const values = toFloat32(new Uint8Array(everyPattern.buffer), 'float16');
    const numbers = everyPattern.filter((_, index) => !Number.isNaN(values[index]!));
    expect(toFloat16Bits(values.filter((value) => !Number.isNaN(value)))).toEqual(numbers);
  });

  it('rounds to the nearer neighbour, and to the even one half-way', () => {
    const finite = everyPattern.subarray(0, 0x7c00);
    const below = toFloat32(new Uint8Array(finite.slice(0, -1).buffer), 'float16');
    const above = toFloat32(new Uint8Array(finite.slice(1).buffer), 'float16');
    const half = below.map((value, index) => (value + above[index]!) / 2);
    const between = (share: number) => below.map((value, index) => value + (above[index]! - value) * share);
    expect(toFloat16Bits(between(0.375))).toEqual(finite.slice(0, -1));
    expect(toFloat16Bits(between(0.625))).toEqual(finite.slice(1));
    expect(toFloat16Bits(half)).toEqual(finite.slice(0, -1).map((bits) => bits + (bits & 1)));
    expect([...toFloat16Bits(Float32Array.of(65519, 65520, -1e9, Number.NaN))]).toEqual([
      0x7bff, 0x7c00, 0xfc00, 0x7e00,
    ]);
  });

  it('rounds in place as the bits do, either sign', () => {
    const finite = everyPattern.subarray(0, 0x7c00);
    const exact = toFloat32(new Uint8Array(finite.slice().buffer), 'float16');
    const between = [0, 0.375, 0.5, 0.625].flatMap((share) =>
      Array.from(exact.subarray(0, -1), (value, index) => value + (exact[index + 1]! - value) * share),
    );
    for (const sign of [1, -1]) {
      const values = Float32Array.from(between, (value) => sign * value);
      // Adding 0 makes zeros positive.
      const expected = Array.from(
        toFloat32(new Uint8Array(toFloat16Bits(values).buffer), 'float16'),
        (value) => value + 0,
      );
      roundToFloat16(values);
      expect([...values]).toEqual(expected);
    }
    const large = Float32Array.of(65519, -65519, 65520, -1e9);
    roundToFloat16(large);
    expect([...large]).toEqual([65504, -65504, 65520, -1e9]);
  });
});

describe('crc32', () => {
  it('has the published check value and that of the empty message', () => {
    expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
    expect(crc32(new Uint8Array())).toBe(0);
  });
});
