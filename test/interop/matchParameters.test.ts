import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type CheckpointTensor, type ExpectedParameter, matchParameters } from '../../src/interop/checkpoint.js';
import { openCheckpointFile } from '../../src/interop/checkpointFiles.js';
import { CheckpointError } from '../../src/interop/errors.js';
import { sharedPath } from '../shared.js';
import { formatFixture } from './support.js';

async function expectedParameters(): Promise<ExpectedParameter[]> {
  const checkpoint = await openCheckpointFile(formatFixture('expected.safetensors'));
  await checkpoint.close();
  return [...checkpoint.tensors.values()].map(({ name, shape }) => ({ name, shape }));
}

function checkpointOf(shapes: Record<string, number[]>) {
  const tensor = (name: string, shape: number[]): CheckpointTensor => ({
    name,
    shape,
    dtype: 'float32',
    readFloat32: async () => new Float32Array(),
    readBytes: async () => new Uint8Array(),
  });
  return {
    name: 'x.pth',
    tensors: new Map(Object.entries(shapes).map(([name, shape]) => [name, tensor(name, shape)])),
  };
}

function complaint(shapes: Record<string, number[]>, expected: ExpectedParameter[]): string {
  try {
    matchParameters(checkpointOf(shapes), expected);
  } catch (error) {
    expect(error).toBeInstanceOf(CheckpointError);
    return z.instanceof(CheckpointError).parse(error).message;
  }
  return 'fits';
}

describe('matchParameters', () => {
  it('returns the tensors of a checkpoint that fits, in the expected order', async () => {
    const expected = await expectedParameters();
    const checkpoint = await openCheckpointFile(formatFixture('float16.pth'));
    expect([...matchParameters(checkpoint, expected).keys()]).toEqual(expected.map(({ name }) => name));
    await checkpoint.close();
  });

  it('names the missing, the extra and the mis-shaped in one line', () => {
    const expected = [
      { name: 'a', shape: [1] },
      { name: 'b', shape: [10, 8] },
    ];
    expect(complaint({ b: [11, 8], c: [2] }, expected)).toBe(
      'x.pth: does not fit the network: 1 missing: a; 1 extra: c; 1 mis-shaped: b [11, 8] instead of [10, 8]; choose the model that the file was saved from',
    );
  });

  it('names eight and counts the rest', () => {
    const expected = Array.from({ length: 11 }, (_, index) => ({ name: `p${index}`, shape: [1] }));
    expect(complaint({}, expected)).toContain('11 missing: p0, p1, p2, p3, p4, p5, p6, p7 and 3 more;');
  });

  it('does not take a one-dimensional kernel for a two-dimensional one', () => {
    expect(complaint({ w: [4, 3, 1] }, [{ name: 'w', shape: [4, 3, 1, 1] }])).toContain(
      'w [4, 3, 1] instead of [4, 3, 1, 1]',
    );
  });

  it('lets num_batches_tracked be missing or extra', () => {
    expect(
      complaint({ w: [1] }, [
        { name: 'w', shape: [1] },
        { name: 'bn.num_batches_tracked', shape: [] },
      ]),
    ).toBe('fits');
    expect(complaint({ w: [1], 'bn.num_batches_tracked': [] }, [{ name: 'w', shape: [1] }])).toBe('fits');
  });

  it('takes a counter of shape [1] for the scalar that it is, but no other parameter', () => {
    expect(complaint({ 'bn.num_batches_tracked': [1] }, [{ name: 'bn.num_batches_tracked', shape: [] }])).toBe('fits');
    expect(complaint({ 'bn.num_batches_tracked': [2] }, [{ name: 'bn.num_batches_tracked', shape: [] }])).toContain(
      '[2] instead of []',
    );
    expect(complaint({ w: [1] }, [{ name: 'w', shape: [] }])).toContain('w [1] instead of []');
  });

  const golden = sharedPath('golden', 'formats');
  it.skipIf(golden === undefined).each([
    ['missing-key.pth', /1 missing: \S+; choose/],
    ['wrong-shape.pth', /1 mis-shaped: \S+ \[.*\] instead of \[.*\]; choose/],
  ])('refuses the golden file %s (skipped when the shared folder is absent)', async (name, message) => {
    const checkpoint = await openCheckpointFile(`${golden}/${name}`);
    const expected = await expectedParameters();
    expect(() => matchParameters(checkpoint, expected)).toThrow(message);
    await checkpoint.close();
  });
});
