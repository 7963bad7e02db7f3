/** Merging by an engine against merging by plain loops in float64, and the choice that follows from measured times. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Model } from '../../src/api/model.js';
import { imagenetPreprocessing } from '../../src/data/preprocess.js';
import type { Engine, Program } from '../../src/engines/kernels.js';
import { createWasmEngine, type InstructionTiming } from '../../src/engines/wasm/index.js';
import { networkOf } from '../../src/inference/network.js';
import { tuneRepConvs } from '../../src/inference/tune.js';
import { resolveConfiguration } from '../../src/models/configurations.js';
import { demonstrationParameters } from '../../src/models/initialise.js';
import { metaSpikeformer } from '../../src/models/metaSpikeformer.js';
import { mergeByEngine } from '../../src/runtime/mergeByEngine.js';
import { foldBatchNorm } from '../../src/runtime/passes/foldBatchNorm.js';
import { prepareNetwork } from '../../src/runtime/prepare.js';

const configuration = resolveConfiguration({
  embedDim: [16, 24, 40, 72],
  depths: [1, 1, 1, 1, 1],
  strides: [1, 2, 2, 1, 1],
  stemKernel: 3,
  classes: 4,
});
const graph = metaSpikeformer(configuration);
const network = networkOf({ configuration }, demonstrationParameters(graph, 3));
const input = { shape: [1, 1, 16, 16, 3], data: Float32Array.from({ length: 768 }, (_, i) => Math.sin(i * 1.7)) };

describe('merging by an engine', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createWasmEngine({ threads: 2 });
  });
  afterAll(() => engine.dispose());

  it('makes the kernels and biases that plain loops in float64 make', async () => {
    const names = new Set(['block3.0.attn.q_conv', 'block4.0.attn.proj_conv', 'no such layer']);
    const merged = await mergeByEngine(engine, foldBatchNorm(network), names);
    expect([...merged.keys()]).toEqual(['block3.0.attn.q_conv', 'block4.0.attn.proj_conv']);
    const { parameters } = prepareNetwork(network, { repConv: 'full' });
    for (const [name, { weight, bias }] of merged) {
      const expected = parameters.get(`${name}.0.body.2.1.weight`)!;
      const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      expect(weight).toHaveLength(expected.length);
      expect(weight.every((value, i) => Math.abs(value - expected[i]!) < 1e-6 * largest)).toBe(true);
      expect([...bias]).toEqual([...parameters.get(`${name}.0.body.2.1.bias`)!].map((b) => expect.closeTo(b, 5)));
    }
  });

  it('chooses the form whose calls took less time, by the median', async () => {
    // Times as an engine would report them: merged layers of block 3 take longer from the second measurement on, those of block 4 less.
    const timed = pretending(engine, (name, merged, round) => {
      if (!merged) return 1;
      if (round === 0) return 0.1;
      return name.startsWith('block3') ? 5 : 0.5;
    });
    const { repConvs: choices, firingRates, kernels } = await tuneRepConvs(timed, network, [input], { rounds: 5 });
    const rates = await ratesOf(engine);
    expect([...firingRates.keys()]).toEqual([...rates.keys()]);
    // Merged is what block 4 has; the rest is as it was.
    const spikeFed = [...kernels.keys()];
    expect(spikeFed).toContain('block3.0.attn.q_conv.0.body.0');
    expect(spikeFed).toContain('block4.0.attn.q_conv.0.body.2.1');
    expect(spikeFed).not.toContain('block4.0.attn.q_conv.0.body.0');
    expect(spikeFed).toContain('block3.0.mlp.fc1_conv');
    for (const [layer, rate] of firingRates) expect(rate).toBeCloseTo(rates.get(layer)!, 12);
    expect(Math.max(...rates.values())).toBeGreaterThan(0);
    expect(choices).toHaveLength(8);
    for (const { layer, form, milliseconds, firingRate } of choices) {
      // 1×1, depthwise (with its border) and 1×1: one each.
      expect(milliseconds.none).toBe(3);
      expect(milliseconds.full).toBe(layer.startsWith('block3') ? 5 : 0.5);
      expect(form).toBe(layer.startsWith('block3') ? 'none' : 'full');
      const neurons = layer.endsWith('proj_conv') ? 'attn_lif' : 'head_lif';
      expect(firingRate).toBeCloseTo(rates.get(layer.replace(/[^.]+$/, neurons))!, 12);
    }
  });
});

describe('firing rates', () => {
  it('reach the kernels of a run and of a stream alike, and only those of neurons that fire often matter', async () => {
    const model = modelOn(await createWasmEngine({ threads: 1, precision: 'i16' }));
    const image = { shape: [1, 3, 16, 16], data: input.data };
    const { logits, firingRates } = await model.run(image, { record: { firingRates: true } });
    const all = (rate: number) => new Map([...firingRates!.keys()].map((layer) => [layer, rate]));
    await model.chooseForms(new Map(), all(0.2));
    expect((await model.run(image)).logits).toEqual(logits);
    await model.chooseForms(new Map(), all(0.9));
    const often = await model.run(image);
    // Rows of sums round weights more coarsely.
    expect(often.logits).not.toEqual(logits);
    expect((await model.step(image)).logits).toEqual(often.logits);
    await model.chooseForms(new Map());
    expect((await model.run(image)).logits).toEqual(logits);
    await model.dispose();
  });
});

describe('what cannot be tuned or chosen', () => {
  it('is refused by name, and the model answers as before', async () => {
    const engine = await createWasmEngine({ threads: 1 });
    const model = modelOn(engine);
    const image = { shape: [1, 3, 16, 16], data: new Float32Array(768) };
    const larger = { shape: [1, 3, 24, 24], data: new Float32Array(1728) };
    await expect(model.tune([], engine)).rejects.toThrow(/no inputs/);
    await expect(model.tune([image, larger], engine)).rejects.toThrow(/give inputs of one shape/);
    await expect(model.tune([image], engine, { rounds: 0 })).rejects.toThrow(/0 rounds, expected a whole number/);
    const before = await model.run(image);
    await expect(model.chooseForms(new Map([['block9.attn.q_conv', 'full']]))).rejects.toThrow(
      /block9.attn.q_conv: this network has no RepConv/,
    );
    const wrong = new Map([['block3.0.attn.q_conv', 'whole' as 'full']]);
    await expect(model.chooseForms(wrong)).rejects.toThrow(/found whole, expected none or first or full/);
    for (const [layer, rate, message] of [
      ['block9.lif', 0.5, /block9.lif: this network has no neuron layer/],
      ['block3.0.attn.head_lif', 1.5, /head_lif: found 1.5, expected a share from 0 to 1/],
      ['block3.0.attn.head_lif', Number.NaN, /head_lif: found NaN/],
    ] as const)
      await expect(model.chooseForms(new Map(), new Map([[layer, rate]]))).rejects.toThrow(message);
    expect((await model.run(image)).logits.data).toEqual(before.logits.data);
    await model.dispose();
  });
});

function modelOn(engine: Engine): Model {
  const provenance = { name: 'test', randomWeights: true, description: '' };
  const parts = { configuration, parameters: network.parameters, engine, provenance };
  return new Model({ ...parts, preprocessing: imagenetPreprocessing, prepare: { repConv: 'none' } });
}

/** What the library records of the same input. */
async function ratesOf(engine: Engine): Promise<ReadonlyMap<string, number>> {
  const model = modelOn(engine);
  const data = Float32Array.from({ length: 768 }, (_, i) => input.data[(i % 256) * 3 + Math.floor(i / 256)]!);
  const { firingRates } = await model.run({ shape: [1, 3, 16, 16], data }, { record: { firingRates: true } });
  return firingRates!;
}

/** The engine, but its programs say what `time` says of their calls. */
function pretending(engine: Engine, time: (name: string, merged: boolean, round: number) => number): Engine {
  return {
    name: engine.name,
    threads: engine.threads,
    dispose: () => engine.dispose(),
    record() {
      const kernels = engine.record();
      const finish = kernels.finish.bind(kernels);
      kernels.finish = () => {
        const program = finish() as Program & {
          profile(): Promise<InstructionTiming[]>;
        };
        const profile = program.profile.bind(program);
        let round = -1;
        program.profile = async () => {
          const calls = await profile();
          const merged = !calls.some(({ name }) => name.endsWith('q_conv.0.body.0'));
          round++;
          return calls.map((call) => ({ ...call, milliseconds: time(call.name, merged, Math.max(0, round - 1)) }));
        };
        return program;
      };
      return kernels;
    },
  };
}
