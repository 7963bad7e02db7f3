/** Weights as whole steps, a byte each: what is read is what was on the grid, and files that cannot be are refused. */
import { describe, expect, it } from 'vitest';
import { fileFromBytes } from '../../src/interop/randomAccessFile.js';
import { encodeSafetensors, openSafetensors } from '../../src/interop/safetensors.js';
import { asSteps, roundToGrid, stepsMetadata } from '../../src/interop/steppedTensors.js';
import type { TensorData } from '../../src/interop/tensorData.js';
import { seededRandom } from '../../src/random.js';

const random = seededRandom(8);
const shape = [5, 3, 3, 3];
const weights = Float32Array.from({ length: 135 }, () => random.normal());
// A channel of zeros has no step.
weights.fill(0, 27, 54);

const open = (tensors: ReadonlyMap<string, TensorData>, metadata: Record<string, string> = { ...stepsMetadata }) =>
  openSafetensors(fileFromBytes(encodeSafetensors(tensors, metadata), 'weights.safetensors'));

describe('weights as steps', () => {
  it('are read as what was on the grid, as one tensor of float32', async () => {
    const onGrid = roundToGrid(weights, 5);
    const stored = asSteps('layer.weight', onGrid, shape)!;
    expect(stored.map(([name, { dtype }]) => [name, dtype])).toEqual([
      ['layer.weight', 'int8'],
      ['layer.weight.steps', 'float32'],
    ]);
    const file = await open(new Map(stored));
    expect([...file.tensors.keys()]).toEqual(['layer.weight']);
    const tensor = file.tensors.get('layer.weight')!;
    expect([tensor.dtype, tensor.shape]).toEqual(['float32', shape]);
    const read = await tensor.readFloat32();
    expect(read.every((value, i) => value === onGrid[i])).toBe(true);
    expect(new Float32Array((await tensor.readBytes()).slice().buffer)).toEqual(read);
  });

  it('are only made of what is on a grid', () => {
    expect(asSteps('layer.weight', weights, shape)).toBeUndefined();
  });

  it('are nothing particular in a file that does not say so', async () => {
    const stored = asSteps('layer.weight', roundToGrid(weights, 5), shape)!;
    const file = await open(new Map(stored), {});
    expect([...file.tensors.keys()].sort()).toEqual(['layer.weight', 'layer.weight.steps']);
    expect(file.tensors.get('layer.weight')!.dtype).toBe('int8');
  });

  const steps = (length: number): TensorData => ({ dtype: 'float32', shape: [length], data: new Float32Array(length) });
  const integers: TensorData = { dtype: 'int8', shape: [2, 2], data: new Int8Array(4) };
  it.each([
    ['without integers', new Map([['a.steps', steps(2)]]), {}, 'a.steps has no 8-bit integers'],
    [
      'of another length',
      new Map([
        ['a', integers],
        ['a.steps', steps(3)],
      ]),
      {},
      'a.steps has no 8-bit integers',
    ],
    [
      'of numbers',
      new Map([
        ['a', { ...steps(2), shape: [2] }],
        ['a.steps', steps(2)],
      ]),
      {},
      'a.steps has no 8-bit integers',
    ],
    ['of another version', new Map([['a', integers]]), { 'meta-spikeformer-steps': '2' }, 'this version knows 1'],
  ] as const)('are refused %s', async (_what, tensors, metadata, message) => {
    await expect(open(tensors as ReadonlyMap<string, TensorData>, { ...stepsMetadata, ...metadata })).rejects.toThrow(
      message,
    );
  });

  it('are refused when a step is no number', async () => {
    const bad: TensorData = { dtype: 'float32', shape: [2], data: Float32Array.of(1, Number.NaN) };
    const file = await open(
      new Map([
        ['a', integers],
        ['a.steps', bad],
      ]),
    );
    await expect(file.tensors.get('a')!.readFloat32()).rejects.toThrow('a has a step that is no finite number');
  });
});
