/** The front door of the library: models by name and by checkpoint, what they answer, and what they refuse. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  encodeSafetensors,
  fileFromBytes,
  loadModel,
  type Model,
  openCheckpoint,
  UsageError,
} from '../../src/index.js';
import { stageActivity } from '../../src/insight/stageActivity.js';
import { openCheckpointFile } from '../../src/interop/checkpointFiles.js';
import { CheckpointError } from '../../src/interop/errors.js';
import { loadParameters } from '../../src/interop/loadParameters.js';
import type { TensorData } from '../../src/interop/tensorData.js';

const fixture = (path: string) => fileURLToPath(new URL(`../fixtures/${path}`, import.meta.url));
const checkpoint = fixture('golden/infer_T4_kd.pth');

/** A tensor of the authors' module's own run. */
async function goldenTensor(name: string) {
  const file = await openCheckpointFile(fixture('golden/infer_T4_kd.safetensors'));
  const tensor = file.tensors.get(name)!;
  const data = await tensor.readFloat32();
  await file.close();
  return { shape: tensor.shape, data };
}

describe('a model loaded from the authors’ checkpoint', () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel({ checkpoint }, { timeSteps: 4, threads: 2 });
  });
  afterAll(() => model.dispose());

  it('answers what the authors’ module answers', async () => {
    const { logits } = await model.run(await goldenTensor('input'));
    const expected = await goldenTensor('logits');
    expect(logits.shape).toEqual(expected.shape);
    expected.data.forEach((value, index) => {
      expect(Math.abs(logits.data[index]! - value)).toBeLessThan(1e-4);
    });
  });

  it('answers each image of a batch as it answers it alone, and calls made at once one after the other', async () => {
    const input = await goldenTensor('input');
    const data = Float32Array.from({ length: 3 * input.data.length }, (_, i) => input.data[i % input.data.length]!);
    for (let i = 0; i < input.data.length; i++) data[input.data.length + i]! *= 0.5;
    const [batch, alone] = await Promise.all([model.run({ shape: [3, 3, 32, 32], data }), model.run(input)]);
    expect(batch.logits.data.slice(0, 10)).toEqual(alone.logits.data);
    expect(batch.logits.data.slice(20, 30)).toEqual(alone.logits.data);
    expect(batch.logits.data.slice(10, 20)).not.toEqual(alone.logits.data);
  });

  it('measures layers without changing what is recorded', async () => {
    const input = await goldenTensor('input');
    const plain = await model.run(input, { record: { firingRates: true } });
    const timed = await model.run(input, { record: { firingRates: true, timings: true } });
    expect(timed.firingRates).toEqual(plain.firingRates);
    expect(timed.logits).toEqual(plain.logits);
    const total = [...timed.layerMilliseconds!.values()].reduce((sum, time) => sum + time, 0);
    expect(total).toBeGreaterThan(0);
    expect(plain.layerMilliseconds).toBeUndefined();
  });

  it('sums firing rates up by stage as the authors’ module counted spikes', async () => {
    const { firing_rate: rates, spike_shapes: shapes } = JSON.parse(
      await readFile(fixture('golden/infer_T4_kd.json'), 'utf8'),
    ) as { firing_rate: Record<string, number>; spike_shapes: Record<string, number[]> };
    const input = await goldenTensor('input');
    const recorded = await model.run(input, { record: { firingRates: true } });
    for (const stage of stageActivity(model.graph, input.shape, recorded)) {
      const layers = Object.keys(rates).filter((name) => name.startsWith(`${stage.name}.`));
      if (layers.length === 0) continue;
      const size = (name: string) => shapes[name]!.reduce((a, b) => a * b, 1);
      const neurons = layers.reduce((sum, name) => sum + size(name), 0);
      const spikes = layers.reduce((sum, name) => sum + size(name) * rates[name]!, 0);
      expect([stage.name, stage.neurons * 4]).toEqual([stage.name, neurons]);
      expect(stage.firingRate).toBeCloseTo(spikes / neurons, 6);
    }
  });

  it('ranks equal scores in the order of the classes', () => {
    expect(model.rank(Float32Array.of(1, 2, 2, 0), 3).map(({ index }) => index)).toEqual([1, 2, 0]);
    const [first] = model.rank(Float32Array.of(Math.log(3), 0), 1);
    expect(first!.probability).toBeCloseTo(0.75, 6);
  });

  it('numbers its classes when nobody named them', () => {
    expect(model.hasLabels).toBe(false);
    expect(model.labels[9]).toBe('class 9');
  });

  it.each([
    ['of another rank', [3, 32, 32], 3072],
    ['with other channels', [1, 4, 32, 32], 4096],
    ['that its numbers do not fill', [1, 3, 32, 32], 3071],
    ['with no images', [0, 3, 32, 32], 0],
    ['of three frames for four time steps', [3, 1, 3, 32, 32], 9216],
  ])('refuses an input %s', async (_title, shape, length) => {
    await expect(model.run({ shape, data: new Float32Array(length) })).rejects.toThrow(UsageError);
  });

  it('refuses numbers that are not finite', async () => {
    const data = new Float32Array(3072).fill(Number.POSITIVE_INFINITY, 5, 6);
    await expect(model.run({ shape: [1, 3, 32, 32], data })).rejects.toThrow('input: element 5 is Infinity');
  });
});

describe('loadModel', () => {
  it('admits that a model has random weights, the same at every time', async () => {
    const models = await Promise.all(
      [1, 2].map(() => loadModel({ model: '15M-random' }, { imageSize: 32, threads: 1 })),
    );
    expect(models.map(({ provenance }) => provenance.randomWeights)).toEqual([true, true]);
    const input = { shape: [1, 3, 32, 32], data: new Float32Array(3072).fill(0.5) };
    const [a, b] = await Promise.all(models.map((model) => model.run(input)));
    expect(a!.logits).toEqual(b!.logits);
    expect(new Set(a!.logits.data).size).toBeGreaterThan(900);
    await Promise.all(models.map((model) => model.dispose()));
  });

  it('changes the size of images, but not their normalisation', async () => {
    const model = await loadModel({ checkpoint }, { imageSize: 64, threads: 1 });
    expect(model.preprocessing).toMatchObject({ resize: 64, crop: [64, 64], mean: [0.485, 0.456, 0.406] });
    await model.dispose();
  });

  it('refuses a model and a checkpoint together, unknown names, and threads that cannot be', async () => {
    await expect(loadModel({ model: '15M-random', checkpoint })).rejects.toThrow(UsageError);
    await expect(loadModel({ model: 'resnet' })).rejects.toThrow(
      'expected one of photographs, photographs-t4, cifar10, cifar10-wide, fashion-mnist, fashion-mnist-t4, nmnist, nw-ucla, camvid, bccd, 15M-random',
    );
    await expect(loadModel({ checkpoint }, { threads: 0 })).rejects.toThrow(UsageError);
  });
});

describe('the parameters of a checkpoint', () => {
  async function changed(change: (tensors: Map<string, TensorData>) => void, description: object = {}) {
    const file = await openCheckpointFile(checkpoint);
    const tensors = new Map<string, TensorData>();
    for (const [name, tensor] of file.tensors) {
      tensors.set(name, { dtype: tensor.dtype, shape: tensor.shape, data: await tensor.readBytes() });
    }
    await file.close();
    change(tensors);
    const metadata = { 'meta-spikeformer': JSON.stringify(description) };
    return openCheckpoint(fileFromBytes(encodeSafetensors(tensors, metadata), 'changed.safetensors'));
  }

  it('are refused when one is not finite, missing or of another shape', async () => {
    const nan = await changed((tensors) => {
      const { dtype, shape, data } = tensors.get('head.bias')!;
      const copy = new Float32Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength));
      copy[3] = Number.NaN;
      tensors.set('head.bias', { dtype, shape, data: copy });
    });
    await expect(loadParameters(nan)).rejects.toThrow('changed.safetensors: head.bias holds NaN at element 3');
    const missing = await changed((tensors) => tensors.delete('block3.2.attn.q_conv.1.bias'));
    await expect(loadParameters(missing)).rejects.toThrow('1 missing: block3.2.attn.q_conv.1.bias');
    const short = await changed((tensors) => {
      tensors.set('head.bias', { dtype: 'float32', shape: [9], data: new Float32Array(9) });
    });
    await expect(loadParameters(short)).rejects.toThrow('head.bias [9] instead of [10]');
  });

  it('are refused when the file’s own description does not fit them', async () => {
    const labels = await changed(() => undefined, { labels: ['one', 'two'] });
    await expect(loadParameters(labels)).rejects.toThrow('it names 2 classes, but its network has 10');
    const heads = await changed(() => undefined, { configuration: { embedDim: [16, 32, 64, 80], heads: 7 } });
    await expect(loadParameters(heads)).rejects.toThrow(CheckpointError);
    await expect(loadParameters(heads)).rejects.toThrow('changed.safetensors: configuration: heads');
  });
});
