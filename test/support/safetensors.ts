/**
 * A safetensors reader for fixtures: 8 bytes of header length, a JSON header, raw little-endian tensors. Not the
 * library's reader: tests of other parts must not depend on it, and fixtures need no validation.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface FixtureTensor {
  readonly shape: readonly number[];
  /** Numbers of floats and whole numbers, all exact in float64 (of I64, those below 2^53). */
  readonly values: Float64Array;
}

interface HeaderEntry {
  readonly dtype: string;
  readonly shape: number[];
  readonly data_offsets: [number, number];
}

const readers: Readonly<Record<string, (bytes: ArrayBuffer) => Float64Array>> = {
  F32: (bytes) => Float64Array.from(new Float32Array(bytes)),
  F64: (bytes) => new Float64Array(bytes),
  I8: (bytes) => Float64Array.from(new Int8Array(bytes)),
  U8: (bytes) => Float64Array.from(new Uint8Array(bytes)),
  I16: (bytes) => Float64Array.from(new Int16Array(bytes)),
  I32: (bytes) => Float64Array.from(new Int32Array(bytes)),
  I64: (bytes) => Float64Array.from(new BigInt64Array(bytes), Number),
};

/** All tensors of a file in test/fixtures; asking for one that is not there throws. */
export function readFixtureTensors(file: string): (name: string) => FixtureTensor {
  return readTensors(fileURLToPath(new URL(`../fixtures/${file}`, import.meta.url)));
}

/** All tensors of a file; asking for one that is not there throws. */
export function readTensors(file: string): (name: string) => FixtureTensor {
  const bytes = readFileSync(file);
  const bodyStart = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, bodyStart)) as Record<string, HeaderEntry>;
  return (name) => {
    const entry = header[name];
    const read = entry && readers[entry.dtype];
    if (!entry || !read) throw new Error(`${file} has no readable tensor ${name}`);
    const [start, end] = entry.data_offsets;
    const copy = new Uint8Array(bytes.subarray(bodyStart + start, bodyStart + end));
    return { shape: entry.shape, values: read(copy.buffer) };
  };
}

/** The names of all tensors of a file in test/fixtures. */
export function readFixtureTensorNames(file: string): readonly string[] {
  const bytes = readFileSync(new URL(`../fixtures/${file}`, import.meta.url));
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + Number(bytes.readBigUInt64LE(0)))) as object;
  return Object.keys(header).filter((name) => name !== '__metadata__');
}

export function readFixtureJson(file: string): unknown {
  return JSON.parse(readFileSync(new URL(`../fixtures/${file}`, import.meta.url), 'utf8'));
}
