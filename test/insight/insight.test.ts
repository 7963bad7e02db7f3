/**
 * What a person looks at inside a network: membranes against spikingjelly's and against every golden spike, attention against the current that the
 * engines computed from the same three layers.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Model, type RunResult } from '../../src/api/model.js';
import { imagenetPreprocessing } from '../../src/data/preprocess.js';
import { UsageError } from '../../src/errors.js';
import { attentionHeads, membraneTrace, neuronLayers } from '../../src/index.js';
import { createEngine } from '../../src/runtime/engines.js';
import { type GoldenCase, loadGolden } from '../golden/support.js';
import { readFixtureJson, readFixtureTensors } from '../support/safetensors.js';

interface NeuronCase {
  readonly id: string;
  readonly T: number;
  readonly node: string;
  readonly tau: number;
  readonly threshold: number;
  readonly reset: string;
  readonly v_reset?: number;
  readonly decay_input: boolean;
}

describe('the membrane of a neuron', () => {
  const values = readFixtureTensors('lif.safetensors');
  const cases = (readFixtureJson('lif.json') as { cases: NeuronCase[] }).cases.filter(
    ({ node, decay_input, reset, v_reset }) =>
      node === 'LIF' && decay_input && reset === 'hard' && v_reset === undefined,
  );

  it.each(cases.map((one) => [one.id, one] as const))('moves as spikingjelly says: %s', (id, { T, tau, threshold }) => {
    const { values: x, shape } = values(`x.T${T}`);
    const [, images, channels] = shape as [number, number, number];
    const input = { shape, data: Float32Array.from(x), tau, threshold };
    const [spikes, charged, membrane] = ['s', 'h', 'v'].map((what) => values(`${id}.${what}`).values);
    for (let neuron = 0; neuron < images * channels; neuron++) {
      const place = { image: Math.floor(neuron / channels), channel: neuron % channels, position: 0 };
      for (const [t, step] of membraneTrace(input, place).steps.entries()) {
        const at = t * images * channels + neuron;
        expect(Number(step.spike)).toBe(spikes![at]);
        expect(step.charged).toBe(charged![at]);
        expect(step.membrane).toBe(membrane![at]);
      }
    }
  });

  it('is of a neuron that exists', () => {
    const input = { shape: [2, 1, 3, 2, 2], data: new Float32Array(24), tau: 2, threshold: 1 };
    for (const place of [
      { channel: 3, position: 0 },
      { channel: 0, position: 4 },
      { image: 1, channel: 0, position: 0 },
    ])
      expect(() => membraneTrace(input, place)).toThrow(/neuron: .*\[2, 1, 3, 2, 2\]/);
  });
});

describe.each(['reference', 'wasm'] as const)('a run that is looked into, on the %s engine', (engineName) => {
  let golden: GoldenCase;
  let model: Model;
  let result: RunResult;
  let layers: readonly string[];

  beforeAll(async () => {
    golden = await loadGolden('infer_T4_kd');
    const { configuration, parameters } = golden.loaded;
    const provenance = { name: 'golden', randomWeights: true, description: '' };
    const engine = await createEngine({ engine: engineName });
    model = new Model({ configuration, parameters, engine, provenance, preprocessing: imagenetPreprocessing });
    layers = [...golden.spikes.keys()];
    result = await model.run(golden.input, { record: { spikeWords: true, inputCurrents: layers } });
  });
  afterAll(() => model.dispose());

  it('has the current of every neuron, from which its spikes follow', () => {
    let fired = 0;
    for (const layer of layers) {
      const input = result.inputCurrents!.get(layer)!;
      const bits = golden.spikes.get(layer)!;
      const [timeSteps, images, channels, ...space] = input.shape as [number, number, number, ...number[]];
      const positions = space.reduce((a, b) => a * b, 1);
      expect(timeSteps * images * channels * positions, layer).toBeLessThanOrEqual(8 * bits.length);
      for (let neuron = 0; neuron < images * channels * positions; neuron++) {
        const image = Math.floor(neuron / channels / positions);
        const channel = Math.floor(neuron / positions) % channels;
        const { steps } = membraneTrace(input, { image, channel, position: neuron % positions });
        const found = steps.map(({ spike }) => Number(spike));
        const expected = found.map((_, t) => {
          const at = t * images * channels * positions + neuron;
          return (bits[at >> 3]! >> (7 - (at & 7))) & 1;
        });
        if (String(found) !== String(expected)) expect(found, `${layer}, neuron ${neuron}`).toEqual(expected);
        fired += expected.reduce((a, b) => a + b);
      }
    }
    expect(fired).toBeGreaterThan(1000);
  });

  it('has attention whose parts make the current of the neurons behind it', () => {
    const heads = model.configuration.heads!;
    let coincidences = 0;
    for (const layer of layers.filter((name) => name.endsWith('.attn_lif'))) {
      const spikes = (letter: string) => result.spikeWords!.get(layer.replace('attn_lif', `${letter}_lif`))!;
      const current = result.inputCurrents!.get(layer)!;
      const [timeSteps, images, channels, tokens] = current.shape as [number, number, number, number];
      for (let t = 0; t < timeSteps; t++)
        for (let image = 0; image < images; image++) {
          const place = { timeStep: t, image };
          const found = attentionHeads({ query: spikes('q'), key: spikes('k'), value: spikes('v') }, heads, place);
          expect(found).toHaveLength(heads);
          for (const [head, { channels: own, ...parts }] of found.entries()) {
            const sum = (counts: Uint32Array) => counts.reduce((a, b) => a + b, 0);
            expect(sum(parts.contributed)).toBe(sum(parts.coincidences));
            coincidences += sum(parts.coincidences);
            for (let token = 0; token < tokens; token++) {
              let expected = 0;
              for (let channel = head * own; channel < (head + 1) * own; channel++)
                expected += current.data[((t * images + image) * channels + channel) * tokens + token]!;
              // The authors' scale.
              expect(0.125 * parts.result[token]!).toBeCloseTo(expected, 4);
            }
          }
        }
    }
    expect(coincidences).toBeGreaterThan(0);
  });

  it('knows its layers, with the shapes that runs record', () => {
    const places = neuronLayers(model.configuration, golden.input.shape.slice(-2) as [number, number]);
    expect(places.map(({ name }) => name)).toEqual([...result.spikeWords!.keys()]);
    for (const { name, channels, size } of places) {
      const { shape } = result.spikeWords!.get(name)!;
      const positions = shape.slice(2, -1).reduce((a, b) => a * b, 1);
      expect([channels, size[0] * size[1]], name).toEqual([shape.at(-1), positions]);
      if (shape.length === 5) expect(size).toEqual(shape.slice(2, 4));
    }
    expect(places.filter(({ attention }) => attention === 'block3.0.attn').map(({ name }) => name)).toEqual(
      ['head', 'q', 'k', 'v', 'attn'].map((letter) => `block3.0.attn.${letter}_lif`),
    );
  });

  it('refuses layers that are none, and currents frame by frame', async () => {
    const record = { inputCurrents: ['block3.0.nothing'] };
    await expect(model.run(golden.input, { record })).rejects.toThrow(/block3\.0\.nothing/);
    await expect(model.step(golden.input, { record: { inputCurrents: ['lif'] } })).rejects.toThrow(UsageError);
    const spikes = result.spikeWords!.get('block3.0.attn.q_lif')!;
    const three = { query: spikes, key: spikes, value: spikes };
    expect(() => attentionHeads(three, model.configuration.heads!, { timeStep: 9 })).toThrow(/step 9/);
    expect(() => attentionHeads(three, 7, { timeStep: 0 })).toThrow(/7 heads/);
  });
});
