/** Integers of pickles, as bytes and as the text of protocol 1: a number where that is exact, else a bigint; too long a one is an object nobody reads. */
import { PickleGlobal, PickleObject, type PickleValue } from './pickleValues.js';

/** Bytes. To convert longer integers would take the square of their length. */
const LONGEST_INTEGER = 64;
const LONGEST_TEXT = 150;

/** @param bytes A two's complement integer, the lowest byte first. */
export function integerOfBytes(bytes: Uint8Array): PickleValue {
  if (bytes.length > LONGEST_INTEGER) return tooLong();
  let value = 0n;
  for (const byte of bytes.toReversed()) value = (value << 8n) | BigInt(byte);
  return exact(BigInt.asIntN(8 * bytes.length, value));
}

/** Protocol 1 writes truth values as `01` and `00`. @returns undefined when the text is no integer. */
export function integerOfText(text: string): PickleValue | undefined {
  if (text === '01' || text === '00') return text === '01';
  if (!/^-?\d+L?$/.test(text)) return undefined;
  return text.length > LONGEST_TEXT ? tooLong() : exact(BigInt(text.replace('L', '')));
}

function exact(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

function tooLong(): PickleObject {
  return new PickleObject(new PickleGlobal('builtins', 'int'));
}
