/** A whole network of integrate-and-fire neurons: both engines, ONNX in onnxruntime and traces of single membranes agree on every spike. */
import ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { plainPreprocessing } from '../../src/data/preprocess.js';
import { Model, membraneTrace, metaSpikeformer, neuronLayers, resolveConfiguration } from '../../src/index.js';
import { exportOnnx } from '../../src/interop/onnx/exportOnnx.js';
import { joined } from '../../src/interop/protobufWriter.js';
import { demonstrationParameters } from '../../src/models/initialise.js';
import { seededRandom } from '../../src/random.js';
import { createEngine } from '../../src/runtime/engines.js';

const timeSteps = 4;
const configuration = resolveConfiguration({
  embedDim: [8, 16, 24, 32],
  heads: 2,
  depths: [1, 1, 1, 1, 1],
  strides: [1, 2, 2, 2, 1],
  stemKernel: 3,
  classes: 5,
  timeSteps,
  neuron: 'integrateAndFire',
});
const parameters = demonstrationParameters(metaSpikeformer(configuration), 3);
const random = seededRandom(9);
const input = { shape: [2, 3, 16, 16], data: Float32Array.from({ length: 2 * 3 * 256 }, () => random.normal()) };
const layers = neuronLayers(configuration, [16, 16]).map(({ name }) => name);

async function withModel<T>(engine: 'reference' | 'wasm', use: (model: Model) => Promise<T>): Promise<T> {
  const model = new Model({
    configuration,
    parameters,
    preprocessing: plainPreprocessing(16),
    engine: await createEngine({ engine, threads: 2 }),
    provenance: { name: 'if', description: '', randomWeights: true },
    prepare: { repConv: 'none' },
  });
  try {
    return await use(model);
  } finally {
    await model.dispose();
  }
}

const record = { spikes: true, spikeWords: true, inputCurrents: layers } as const;

describe('a network of integrate-and-fire neurons', () => {
  it('fires alike in both engines, all at once and frame by frame', async () => {
    const expected = await withModel('reference', (model) => model.run(input, { record }));
    expect(expected.spikes!.size).toBe(layers.length);
    await withModel('wasm', async (model) => {
      const found = await model.run(input, { record });
      for (const [name, { bits }] of expected.spikes!)
        expect([name, found.spikes!.get(name)!.bits]).toEqual([name, bits]);
      const sum = new Float32Array(2 * 5);
      for (let t = 0; t < timeSteps; t++) {
        const { logits } = await model.step(input);
        logits.data.forEach((value, i) => {
          sum[i]! += value / timeSteps;
        });
      }
      sum.forEach((value, i) => {
        expect(Math.abs(value - expected.logits.data[i]!)).toBeLessThan(1e-5);
      });
    });
  });

  it('has its spikes in the traces of membranes', async () => {
    const { spikeWords, inputCurrents } = await withModel('wasm', (model) => model.run(input, { record }));
    let fired = 0;
    for (const name of layers) {
      const { shape, words } = spikeWords!.get(name)!;
      const current = inputCurrents!.get(name)!;
      expect([current.neuron, current.tau]).toEqual(['integrateAndFire', Number.POSITIVE_INFINITY]);
      const channels = shape.at(-1)!;
      const positions = shape.slice(2, -1).reduce((a, b) => a * b, 1);
      for (let channel = 0; channel < channels; channel += 5) {
        const { steps } = membraneTrace(current, { image: 1, channel, position: positions - 1 });
        steps.forEach(({ spike }, t) => {
          const place = ((t * 2 + 1) * positions + positions - 1) * Math.ceil(channels / 32) + (channel >> 5);
          expect(spike).toBe(((words[place]! >>> (channel & 31)) & 1) === 1);
          fired += Number(spike);
        });
      }
    }
    expect(fired).toBeGreaterThan(100);
  });

  it.each([false, true])('has them in onnxruntime, with all batch norms: %s', async (fold) => {
    const expected = await withModel('reference', (model) => model.run(input, { record }));
    const file = joined(
      exportOnnx({ graph: metaSpikeformer(configuration), parameters }, { imageSize: [16, 16], spikes: true, fold }),
    );
    const session = await ort.InferenceSession.create(file, { graphOptimizationLevel: 'disabled' });
    const results = await session.run({ input: new ort.Tensor('float32', input.data, input.shape) });
    const [different, all] = [...expected.spikes!].reduce(
      ([off, total], [name, { bits }]) => {
        const values = results[name]!.data as Float32Array;
        const differing = values.filter((value, i) => value !== ((bits[i >> 3]! >> (7 - (i & 7))) & 1)).length;
        return [off + differing, total + values.length] as const;
      },
      [0, 0] as readonly [number, number],
    );
    // A membrane within rounding of the threshold may fall on the other side where sums are made in another order.
    expect(different / all).toBeLessThan(1e-4);
    await session.release();
  });
});
