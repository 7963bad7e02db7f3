/** A small network for retrieval as a file: recognised by its parameters, run on every engine, the same in onnxruntime. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ort from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModel, openCheckpointFile, writeOnnx, writeSafetensors } from '../../src/index.js';
import type { TensorData } from '../../src/interop/tensorData.js';
import { descriptorsOutput } from '../../src/models/descriptorHead.js';
import { SeededNumbers } from '../engines/support.js';
import { writeRetrievalNetwork } from './retrievalFixture.js';

const folder = mkdtempSync(join(tmpdir(), 'retrieval-'));
const file = join(folder, 'net.safetensors');
const shape = [2, 3, 32, 32] as const;
const data = new SeededNumbers(4).reals(2 * 3 * 32 * 32, 2);

beforeAll(() => writeRetrievalNetwork(file, 3));
afterAll(() => rmSync(folder, { recursive: true }));

async function described(source: { checkpoint: string }, options: object) {
  const model = await loadModel(source, { threads: 1, ...options });
  const { outputs } = await model.run({ shape, data });
  const { task, configuration } = model;
  await model.dispose();
  return { task, classes: configuration.classes, ...outputs.get(descriptorsOutput)! };
}

describe('a network for retrieval', () => {
  it('answers with descriptors of length 1, the same on every engine', async () => {
    const reference = await described({ checkpoint: file }, { engine: 'reference' });
    expect(reference).toMatchObject({ task: 'retrieval', classes: 3, shape: [2, 3] });
    for (const row of [0, 1]) expect(Math.hypot(...reference.data.slice(3 * row, 3 * row + 3))).toBeCloseTo(1, 6);
    expect([...reference.data.slice(0, 3)]).not.toEqual([...reference.data.slice(3)]);
    const wasm = await described({ checkpoint: file }, { engine: 'wasm' });
    for (const [i, value] of reference.data.entries()) expect(wasm.data[i]).toBeCloseTo(value, 5);
  });

  it('is recognised by its parameters where a file says nothing', async () => {
    const checkpoint = await openCheckpointFile(file);
    const tensors = new Map<string, TensorData>();
    for (const [name, tensor] of checkpoint.tensors)
      tensors.set(name, { dtype: 'float32', shape: tensor.shape, data: await tensor.readFloat32() });
    await checkpoint.close();
    const bare = join(folder, 'bare.safetensors');
    await writeSafetensors(bare, tensors, {});
    const found = await described({ checkpoint: bare }, { imageSize: 32 });
    expect(found).toMatchObject({ task: 'retrieval', classes: 3 });
  });

  it('is exported, and onnxruntime gives the same descriptors', async () => {
    const model = await loadModel({ checkpoint: file }, { threads: 1 });
    const exported = join(folder, 'net.onnx');
    await writeOnnx(exported, model);
    const { outputs } = await model.run({ shape, data });
    await model.dispose();
    const session = await ort.InferenceSession.create(exported);
    const found = await session.run({ [session.inputNames[0]!]: new ort.Tensor('float32', data, shape) });
    const expected = outputs.get(descriptorsOutput)!.data;
    for (const [i, value] of (found[descriptorsOutput]!.data as Float32Array).entries())
      expect(value).toBeCloseTo(expected[i]!, 5);
    await session.release();
  });
});
