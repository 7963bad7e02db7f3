/**
 * Makes `toEqual` quick on long arrays of numbers, for all tests (vitest.config.ts names this file's caller). vitest compares them element by element through its
 * general comparison, at a microsecond each, and the arrays of a network have a hundred thousand. What is not the same to the bit, vitest judges as ever.
 */
import { expect } from 'vitest';

/** Shorter ones cost nothing. */
const long = 16;

type NumberArray = Float32Array;

const isNumberArray = (value: unknown): value is NumberArray =>
  ArrayBuffer.isView(value) && !(value instanceof DataView);

function sameBytes(a: NumberArray, b: NumberArray): boolean {
  const bytesOf = ({ buffer, byteOffset, byteLength }: NumberArray) => Buffer.from(buffer, byteOffset, byteLength);
  return bytesOf(a).equals(bytesOf(b));
}

/** Only numbers and strings: what is undefined or a hole, matchers tell apart. */
function samePlainElements(a: readonly unknown[], b: readonly unknown[]): boolean {
  for (let i = 0; i < a.length; i++) {
    const value = a[i];
    if ((typeof value !== 'number' && typeof value !== 'string') || !Object.is(value, b[i])) return false;
  }
  return true;
}

/** True when equal; undefined, which hands over to vitest, when there is more to look at. */
function equalAtOnce(a: unknown, b: unknown): true | undefined {
  if (Array.isArray(a) && Array.isArray(b))
    return a.length >= long && a.length === b.length && samePlainElements(a, b) ? true : undefined;
  if (!isNumberArray(a) || !isNumberArray(b) || a.length < long) return undefined;
  return a.constructor === b.constructor && sameBytes(a, b) ? true : undefined;
}

expect.addEqualityTesters([equalAtOnce]);
