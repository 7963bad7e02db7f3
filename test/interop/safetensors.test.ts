import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/interop/openCheckpoint.js';
import { fileFromBytes } from '../../src/interop/randomAccessFile.js';
import { encodeSafetensors, openSafetensors } from '../../src/interop/safetensors.js';
import type { TensorData } from '../../src/interop/tensorData.js';
import { processorSeconds } from '../support/processorTime.js';
import { bytes, formatFixture, refusalOf } from './support.js';

/** A file with this header text and so many bytes of data. */
function file(header: string, dataBytes: number, headerLength = BigInt(header.length)): Uint8Array {
  return bytes(new Uint8Array(BigUint64Array.of(headerLength).buffer), header, new Uint8Array(dataBytes));
}

const entry = (dtype: string, shape: string, begin: number, end: number) =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":[${begin},${end}]}`;

describe('openSafetensors', () => {
  it('reads a file written by hand from the description of the format', async () => {
    const content = file(
      `{"__metadata__":{"format":"pt"},"a":${entry('F32', '[2]', 0, 8)},"n":${entry('I64', '[]', 8, 16)}} `,
      16,
    );
    new DataView(content.buffer).setFloat32(content.length - 16, 2.5, true);
    new DataView(content.buffer).setBigInt64(content.length - 8, -3n, true);
    const checkpoint = await openSafetensors(fileFromBytes(content));
    expect(checkpoint.metadata).toEqual({ format: 'pt' });
    expect(await checkpoint.tensors.get('a')!.readFloat32()).toEqual(Float32Array.of(2.5, 0));
    expect(await checkpoint.tensors.get('n')!.readFloat32()).toEqual(Float32Array.of(-3));
    expect(checkpoint.tensors.get('n')!.shape).toEqual([]);
  });

  it.each([
    ['a key twice', file(`{"a":${entry('U8', '[1]', 0, 1)},"a":${entry('U8', '[1]', 0, 1)}}`, 1), 'the key a twice'],
    [
      'a key twice, once escaped',
      file(`{"a":${entry('U8', '[1]', 0, 1)},"\\u0061":${entry('U8', '[1]', 0, 1)}}`, 1),
      'the key a twice',
    ],
    [
      'a field twice',
      file('{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1),
      'the key dtype twice',
    ],
    [
      'a hole',
      file(`{"a":${entry('U8', '[1]', 0, 1)},"b":${entry('U8', '[1]', 2, 3)}}`, 3),
      'before b there is a hole',
    ],
    [
      'an overlap',
      file(`{"a":${entry('U8', '[2]', 0, 2)},"b":${entry('U8', '[2]', 1, 3)}}`, 3),
      'before b there is an overlap',
    ],
    ['too few bytes', file(`{"a":${entry('U8', '[4]', 0, 4)}}`, 3), 'need 4 bytes, but 3 follow'],
    ['too many bytes', file(`{"a":${entry('U8', '[4]', 0, 4)}}`, 5), 'need 4 bytes, but 5 follow'],
    [
      'a shape that does not fit',
      file(`{"a":${entry('F32', '[2]', 0, 4)}}`, 4),
      'of type F32 and shape [2] has 4 bytes',
    ],
    [
      'a shape that overflows',
      file(`{"a":${entry('U8', '[9007199254740991,9007199254740991]', 0, 1)}}`, 1),
      'has 1 bytes',
    ],
    ['a negative size', file(`{"a":${entry('U8', '[-1]', 0, 1)}}`, 1), 'the header entry of a is malformed'],
    ['offsets in the wrong order', file(`{"a":${entry('U8', '[1]', 1, 0)}}`, 1), 'has -1 bytes'],
    [
      'an unknown field',
      file('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":1}}', 1),
      'the header entry of a is malformed',
    ],
    [
      'an element type of eight-bit floats',
      file(`{"a":${entry('F8_E4M3', '[1]', 0, 1)}}`, 1),
      'the element type F8_E4M3, which is not supported',
    ],
    ['metadata of numbers', file('{"__metadata__":{"epoch":3}}', 0), '__metadata__ is not an object of texts'],
    ['a header that is not JSON', file('{"a":', 0), 'its header is not JSON'],
    ['a header that is not UTF-8', file('{"\xff":1}', 0), 'its header is not JSON'],
    ['a header of a thousand nested arrays', file(`{"a":${'['.repeat(1000)}`, 0), 'its header is not JSON'],
    ['a header longer than the file', file('{}', 0, 1000n), 'its header claims 1000 bytes, but the file has 10'],
    ['a header longer than 100 MB', file('{}', 0, 100_000_001n), 'more than 100000000'],
  ])('refuses %s', async (_, content, expected) => {
    expect(await refusalOf(content, 'file.safetensors')).toContain(expected);
  });

  it('takes linear time for a header full of unfinished strings', async () => {
    const content = file(`{"${'\\"'.repeat(2_000_000)}`, 0);
    expect(await processorSeconds(() => refusalOf(content, 'file.safetensors'))).toBeLessThan(5);
  });

  it('strips module. and _orig_mod. only when every name has it', async () => {
    const names = async (...given: string[]) => {
      const tensors = new Map(
        given.map((name) => [name, { dtype: 'uint8', shape: [1], data: new Uint8Array(1) } as const]),
      );
      return [...(await openSafetensors(fileFromBytes(encodeSafetensors(tensors)))).tensors.keys()];
    };
    expect(await names('module.a', 'module.b.module.c')).toEqual(['a', 'b.module.c']);
    expect(await names('_orig_mod.module.a', '_orig_mod.module.b')).toEqual(['a', 'b']);
    expect(await names('module.a', 'b')).toEqual(['module.a', 'b']);
  });
});

describe('encodeSafetensors', () => {
  const tensors = new Map<string, TensorData>([
    ['flags', { dtype: 'bool', shape: [3], data: Uint8Array.of(1, 0, 1) }],
    ['half', { dtype: 'float16', shape: [1], data: Uint16Array.of(0x3c00) }],
    ['weight', { dtype: 'float32', shape: [2, 1], data: Float32Array.of(-1.5, 3) }],
    ['counter', { dtype: 'int64', shape: [], data: BigInt64Array.of(7n) }],
    ['none', { dtype: 'float64', shape: [0, 4], data: new Float64Array(0) }],
  ]);

  it('writes what it reads, with the data aligned to 8 bytes', async () => {
    const content = encodeSafetensors(tensors, { format: 'pt' });
    const checkpoint = await openCheckpoint(fileFromBytes(content));
    expect(Number(new DataView(content.buffer).getBigUint64(0, true)) % 8).toBe(0);
    expect(checkpoint.metadata).toEqual({ format: 'pt' });
    expect(new Set(checkpoint.tensors.keys())).toEqual(new Set(tensors.keys()));
    for (const [name, { dtype, shape, data }] of tensors) {
      const read = checkpoint.tensors.get(name)!;
      expect({ dtype: read.dtype, shape: read.shape }).toEqual({ dtype, shape });
      expect(await read.readBytes()).toEqual(new Uint8Array(data.buffer));
    }
  });

  it('rewrites the golden file with the same tensors, byte for byte', async () => {
    const golden = await openSafetensors(fileFromBytes(readFileSync(formatFixture('expected.safetensors'))));
    const copies = new Map<string, TensorData>();
    for (const [name, { dtype, shape, readBytes }] of golden.tensors)
      copies.set(name, { dtype, shape, data: await readBytes() });
    const again = await openSafetensors(fileFromBytes(encodeSafetensors(copies)));
    for (const [name, { data }] of copies) expect(await again.tensors.get(name)!.readBytes()).toEqual(data);
  });

  it('refuses data that does not fit the shape', () => {
    const wrong = new Map([['weight', { dtype: 'float32', shape: [3], data: Float32Array.of(1) } as const]]);
    expect(() => encodeSafetensors(wrong)).toThrow(
      /cannot write weight: float32 of shape \[3\] takes 12 bytes, but its data has 4/,
    );
  });
});
