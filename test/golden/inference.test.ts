/** Every spike as the authors' module gives it: every engine, every thread count, with and without each rewriting of the network. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Model, type RunResult } from '../../src/api/model.js';
import { imagenetPreprocessing } from '../../src/data/preprocess.js';
import type { Engine } from '../../src/engines/kernels.js';
import { createReferenceEngine } from '../../src/engines/reference/index.js';
import { createWasmEngine } from '../../src/engines/wasm/index.js';
import type { Parameters } from '../../src/graph/graph.js';
import { foldBatchNorm } from '../../src/runtime/passes/foldBatchNorm.js';
import { findRepConvs, type MergedRepConv, mergeRepConv } from '../../src/runtime/passes/mergeRepConv.js';
import type { PrepareOptions } from '../../src/runtime/prepare.js';
import { nativeEngines, nativeIsBuilt, nativeSuffix } from '../engines/nativeSupport.js';
import { type GoldenCase, goldenPath, loadGolden } from './support.js';

const engines: readonly (readonly [string, () => Promise<Engine>])[] = [
  ['reference', createReferenceEngine],
  // The same bits on any number of threads: the contract test shows it for every kernel.
  ...[1, 3].map((threads) => [`wasm, ${threads} threads`, () => createWasmEngine({ threads })] as const),
  ['wasm without shared memory', () => createWasmEngine({ sharedMemory: false })],
  ['wasm without fused multiply-add', () => createWasmEngine({ threads: 2, fusedMultiplyAdd: false })],
  ...nativeEngines([2]),
];

if (!nativeIsBuilt) it.skip(`gives every spike on the native engine${nativeSuffix}`, () => {});

const preparations: readonly (readonly [string, Omit<PrepareOptions, 'input'>])[] = [
  ['as the authors wrote it', { fold: false }],
  ['batch norms folded', { repConv: 'none' }],
  ['RepConv half merged', { repConv: 'first' }],
  ['RepConv merged', { repConv: 'full' }],
  ['as it runs by default', {}],
];

describe.each(['plain_T1', 'infer_T1', 'infer_T4', 'infer_T4_kd'])('%s', (name) => {
  const present = goldenPath(`${name}.json`) !== undefined;
  const suffix = present ? '' : ' (skipped: the shared golden files are absent)';
  let golden: GoldenCase;

  beforeAll(async () => {
    if (present) golden = await loadGolden(name);
  });

  describe.skipIf(!present).each(engines)(`on the %s engine${suffix}`, (_engineName, createEngine) => {
    let engine: Engine;
    beforeAll(async () => {
      engine = await createEngine();
    });
    afterAll(() => engine.dispose());

    it.each(preparations)('gives every spike, stage output and logit, %s', async (_preparation, prepare) => {
      const model = modelOf(golden, engine, prepare);
      const result = await model.run(golden.input, { record: { spikes: true, activations: true, firingRates: true } });
      expectGolden(result, golden);
    });

    it('gives the same for a sequence of T equal frames', async () => {
      const timeSteps = golden.configuration.T;
      const model = modelOf(golden, engine, {});
      const data = new Float32Array(golden.input.data.length * timeSteps);
      for (let t = 0; t < timeSteps; t++) data.set(golden.input.data, t * golden.input.data.length);
      const frames = { shape: [timeSteps, ...golden.input.shape], data };
      expectGolden(await model.run(frames, { record: { spikes: true, activations: true, firingRates: true } }), golden);
    });
  });
});

// Neurons begin with no charge, and nothing looks ahead in time: the first of four steps is the network at T = 1, by the authors' module.
it.each(engines)(
  'gives the first of the authors’ four time steps at T = 1, on the %s engine',
  async (_name, createEngine) => {
    const golden = await loadGolden('infer_T4_kd');
    const configuration = { ...golden.loaded.configuration, timeSteps: 1 };
    const atOneStep = { ...golden, loaded: { ...golden.loaded, configuration } };
    const engine = await createEngine();
    const { spikes, activations } = await modelOf(atOneStep, engine, {}).run(golden.input, {
      record: { spikes: true, activations: true },
    });
    await engine.dispose();
    expect([...spikes!.keys()].sort()).toEqual([...golden.spikes.keys()].sort());
    // Every layer has a multiple of eight neurons here, so a step is a whole number of bytes.
    const wrong = [...golden.spikes].filter(
      ([name, bits]) => !Buffer.from(bits.subarray(0, bits.length / 4)).equals(Buffer.from(spikes!.get(name)!.bits)),
    );
    expect(wrong.map(([name]) => name)).toEqual([]);
    expect(activations!.size).toBe(golden.activations.size);
    for (const [name, values] of golden.activations)
      expect(largestDifference(activations!.get(name)!.data, values.subarray(0, values.length / 4))).toBeLessThan(1e-4);
  },
);

it('gives both heads of a network with a distillation head, as they follow from the authors’ last spikes', async () => {
  const golden = await loadGolden('infer_T4_kd');
  const engine = await createWasmEngine({ threads: 1 });
  const { outputs } = await modelOf(golden, engine, {}).run(golden.input);
  await engine.dispose();
  expect([...outputs.keys()]).toEqual(['logits', 'head', 'head_kd']);
  const { timeSteps, classes } = golden.loaded.configuration;
  const bits = golden.spikes.get('lif')!;
  for (const head of ['head', 'head_kd']) {
    const weight = golden.loaded.parameters.get(`${head}.weight`)!;
    const bias = golden.loaded.parameters.get(`${head}.bias`)!;
    const channels = weight.length / classes;
    const expected = new Float32Array(classes);
    for (let c = 0; c < classes; c++) {
      let sum = bias[c]! * timeSteps;
      // One bit a neuron, most significant first, [T, C] for a batch of one.
      for (let i = 0; i < timeSteps * channels; i++)
        if ((bits[i >> 3]! >> (7 - (i & 7))) & 1) sum += weight[c * channels + (i % channels)]!;
      expected[c] = sum / timeSteps;
    }
    expect(outputs.get(head)!.shape).toEqual([1, classes]);
    expect(largestDifference(outputs.get(head)!.data, expected)).toBeLessThan(1e-5);
  }
});

const mergedOnce = new WeakMap<Parameters, Map<string, MergedRepConv>>();

/** RepConvs of a network, merged by the pass that does it where nobody has: 30 cubes of channels, the same for every engine. */
function mergedOf({ graph, parameters }: GoldenCase['loaded']): Map<string, MergedRepConv> {
  const known = mergedOnce.get(parameters);
  if (known) return known;
  const folded = foldBatchNorm({ graph, parameters });
  const whole = mergeRepConv(() => 'full')(folded).parameters;
  const merged = new Map<string, MergedRepConv>();
  for (const { name, pointwise2 } of findRepConvs(folded.graph)) {
    const [weight, bias] = [
      whole.get(`${pointwise2.parameterPrefix}.weight`),
      whole.get(`${pointwise2.parameterPrefix}.bias`),
    ];
    merged.set(name, { weight: weight!, bias: bias! });
  }
  expect(merged.size).toBeGreaterThan(20);
  mergedOnce.set(parameters, merged);
  return merged;
}

function modelOf(golden: GoldenCase, engine: Engine, prepare: Omit<PrepareOptions, 'input'>): Model {
  const { configuration, parameters } = golden.loaded;
  const provenance = { name: 'golden', randomWeights: true, description: '' };
  const withMerged = { ...prepare, merged: mergedOf(golden.loaded) };
  return new Model({
    configuration,
    parameters,
    engine,
    provenance,
    prepare: withMerged,
    preprocessing: imagenetPreprocessing,
  });
}

function expectGolden(result: RunResult, golden: GoldenCase): void {
  expect([...result.spikes!.keys()].sort()).toEqual([...golden.spikes.keys()].sort());
  const wrong = [...golden.spikes].filter(
    ([name, bits]) => !Buffer.from(bits).equals(Buffer.from(result.spikes!.get(name)!.bits)),
  );
  expect(wrong.map(([name]) => name)).toEqual([]);
  for (const [name, rate] of Object.entries(golden.firingRates))
    expect(result.firingRates!.get(name)).toBeCloseTo(rate, 6);
  expect([...result.activations!.keys()].sort()).toEqual([...golden.activations.keys()].sort());
  for (const [name, values] of golden.activations)
    expect(largestDifference(result.activations!.get(name)!.data, values)).toBeLessThan(1e-4);
  expect(largestDifference(result.logits.data, golden.logits)).toBeLessThan(1e-4);
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i]! - b[i]!));
  return largest;
}
