/** Exported ONNX files, run by onnxruntime: the spikes and logits of the authors' module, and of our engine on what they did not run. */
import ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { plainPreprocessing } from '../../src/data/preprocess.js';
import {
  type FieldTensor,
  type MetaSpikeformerConfiguration,
  Model,
  metaSpikeformer,
  resolveConfiguration,
} from '../../src/index.js';
import { exportOnnx, type OnnxOptions } from '../../src/interop/onnx/exportOnnx.js';
import { integer, joined } from '../../src/interop/protobufWriter.js';
import { demonstrationParameters } from '../../src/models/initialise.js';
import { seededRandom } from '../../src/random.js';
import { createEngine } from '../../src/runtime/engines.js';
import { goldenPath, loadGolden } from '../golden/support.js';

type Feeds = Record<string, FieldTensor>;
type Level = 'disabled' | 'all';

async function runOnnx(file: Uint8Array, feeds: Feeds, level: Level = 'all'): Promise<Map<string, Float32Array>> {
  const session = await ort.InferenceSession.create(file, { graphOptimizationLevel: level });
  const tensors = Object.entries(feeds).map(([name, { shape, data }]) => [
    name,
    new ort.Tensor('float32', data, shape),
  ]);
  const results = await session.run(Object.fromEntries(tensors));
  await session.release();
  return new Map(Object.entries(results).map(([name, { data }]) => [name, data as Float32Array]));
}

const largestDifference = (a: Float32Array, b: Float32Array) => {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
};

/** Packed bits, most significant first, as the golden files and our records have them. */
function packed(spikes: Float32Array): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(spikes.length / 8));
  for (const [i, spike] of spikes.entries()) if (spike === 1) bytes[i >> 3]! |= 128 >> (i & 7);
  expect(spikes.every((spike) => spike === 0 || spike === 1)).toBe(true);
  return bytes;
}

describe.each(['infer_T4_kd', 'infer_T1', 'infer_T4'])('%s as ONNX', (name) => {
  const present = goldenPath(`${name}.pth`) !== undefined;
  const forms: readonly (readonly [string, Partial<OnnxOptions>, Level])[] = [
    ['folded', {}, 'all'],
    ['folded, as written', {}, 'disabled'],
    ['with batch norms', { fold: false }, 'all'],
    ['RepConv merged', { repConv: 'full' }, 'all'],
    ['for one batch size', { batch: 1 }, 'all'],
  ];
  it.skipIf(!present).each(forms)(
    `has every spike of the authors’ module and its logits: %s${present ? '' : ' (skipped: the shared golden files are absent)'}`,
    async (_title, options, level) => {
      const { loaded, input, logits, spikes } = await loadGolden(name);
      const [batch, , height, width] = input.shape as [number, number, number, number];
      const settings = {
        ...options,
        ...(options.batch ? { batch } : {}),
        imageSize: [height, width],
        spikes: true,
      } as const;
      const file = joined(exportOnnx(loaded.configuration, loaded.parameters, settings));
      const results = await runOnnx(file, { input }, level);
      expect(largestDifference(results.get('logits')!, logits)).toBeLessThan(1e-4);
      expect(spikes.size).toBeGreaterThan(70);
      for (const [layer, bits] of spikes) expect(Buffer.compare(packed(results.get(layer)!), bits), layer).toBe(0);
    },
  );
});

const odd = resolveConfiguration({
  embedDim: [6, 12, 20, 24],
  heads: 4,
  depths: [1, 1, 2, 1, 1],
  strides: [1, 2, 2, 1, 1],
  stemKernel: 5,
  inputChannels: 1,
  classes: 7,
  timeSteps: 3,
  tau: 3,
  threshold: 0.8,
});

function numbers(shape: readonly number[], seed: number): FieldTensor {
  const random = seededRandom(seed);
  return { shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => 2 * random.normal()) };
}

async function withModel<Result>(
  configuration: MetaSpikeformerConfiguration,
  use: (model: Model) => Promise<Result>,
): Promise<Result> {
  const model = new Model({
    configuration,
    parameters: demonstrationParameters(metaSpikeformer(configuration), 5),
    engine: await createEngine({ threads: 1 }),
    provenance: { name: 'odd', randomWeights: true, description: '' },
    preprocessing: plainPreprocessing(16),
  });
  try {
    return await use(model);
  } finally {
    await model.dispose();
  }
}

const record = { record: { spikes: true } };

describe('a network of odd sizes, one input channel, τ = 3, as ONNX', () => {
  it('takes any batch of images and agrees with our engine', async () => {
    await withModel(odd, async (model) => {
      const file = joined(exportOnnx(odd, model.parameters, { imageSize: [13, 18], spikes: true }));
      for (const batch of [1, 3]) {
        const input = numbers([batch, 1, 13, 18], batch);
        const ours = await model.run(input, record);
        const theirs = await runOnnx(file, { input });
        expect(largestDifference(theirs.get('logits')!, ours.logits.data)).toBeLessThan(1e-4);
        for (const [layer, { bits }] of ours.spikes!)
          expect(Buffer.compare(packed(theirs.get(layer)!), bits), layer).toBe(0);
      }
    });
  });

  it('takes frames', async () => {
    await withModel(odd, async (model) => {
      const input = numbers([3, 2, 1, 13, 18], 9);
      const file = joined(exportOnnx(odd, model.parameters, { imageSize: [13, 18], input: 'frames' }));
      const ours = await model.run(input);
      const theirs = await runOnnx(file, { input });
      expect(largestDifference(theirs.get('logits')!, ours.logits.data)).toBeLessThan(1e-4);
    });
  });

  it('runs step by step with membranes in and out, as model.step does', async () => {
    await withModel(odd, async (model) => {
      const options = { imageSize: [13, 18], step: true, spikes: true } as const;
      const session = await ort.InferenceSession.create(joined(exportOnnx(odd, model.parameters, options)));
      const membranes = session.inputNames.filter((name) => name !== 'input');
      expect(membranes.length).toBeGreaterThan(20);
      expect(session.outputNames).toEqual(expect.arrayContaining(membranes.map((name) => `${name}_next`)));
      let state: Record<string, ort.Tensor> | undefined;
      for (let t = 0; t < 4; t++) {
        const frame = numbers([2, 1, 13, 18], 20 + t);
        const ours = await model.step(frame, record);
        // The first step finds the shapes of the membranes from what it records.
        state ??= Object.fromEntries(
          membranes.map((name) => {
            const [, batch, channels, ...map] = ours.spikes!.get(name.replace(/\.membrane$/, ''))!.shape;
            const place = map.length === 1 ? placeOf(map[0]!) : map;
            const shape = [batch!, channels!, ...place];
            return [name, new ort.Tensor('float32', new Float32Array(shape.reduce((a, b) => a * b)), shape)];
          }),
        );
        const input = new ort.Tensor('float32', frame.data, frame.shape);
        const results = await session.run({ input, ...state });
        expect(largestDifference(results.logits!.data as Float32Array, ours.logits.data)).toBeLessThan(1e-4);
        for (const [layer, { bits }] of ours.spikes!)
          expect(Buffer.compare(packed(results[layer]!.data as Float32Array), bits), `${layer} at ${t}`).toBe(0);
        state = Object.fromEntries(membranes.map((name) => [name, results[`${name}_next`]!]));
      }
      await session.release();
    });
  });

  /** 13 × 18 images are 4 × 5 maps behind strides 1, 2, 2. */
  function placeOf(tokens: number): number[] {
    expect(tokens).toBe(20);
    return [4, 5];
  }
});

describe('protobuf', () => {
  it('writes whole numbers as its encoding guide shows', () => {
    expect([...joined(integer(1, 150))]).toEqual([0x08, 0x96, 0x01]);
    expect([...joined(integer(2, -1))]).toEqual([0x10, ...Array(9).fill(0xff), 0x01]);
  });
});
