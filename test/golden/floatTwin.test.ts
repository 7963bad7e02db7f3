/**
 * The float twin of a network, ReLU where neurons are, against the same network in plain PyTorch in float64 (`relu.py`): a training step's loss, gradients and running
 * statistics, and the logits in evaluation, folded and merged, in both engines and as ONNX.
 */
import ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { plainPreprocessing } from '../../src/data/preprocess.js';
import { proveSpikeDriven } from '../../src/energy/edges.js';
import type { Engine } from '../../src/engines/kernels.js';
import { createReferenceEngine } from '../../src/engines/reference/index.js';
import type { TrainingEngine } from '../../src/engines/trainingKernels.js';
import { createWasmEngine } from '../../src/engines/wasm/index.js';
import {
  defaultEnergyConstants,
  EnergyMeter,
  Model,
  metaSpikeformer,
  resolveConfiguration,
  summarise,
} from '../../src/index.js';
import { exportOnnx } from '../../src/interop/onnx/exportOnnx.js';
import { joined } from '../../src/interop/protobufWriter.js';
import { createEngine } from '../../src/runtime/engines.js';
import { toChannelsLast } from '../../src/runtime/layout.js';
import { type ParameterSlot, recordTraining, trainingSegments } from '../../src/training/trainingPlan.js';
import { readFixtureTensorNames, readFixtureTensors } from '../support/safetensors.js';

const golden = readFixtureTensors('golden/relu.safetensors');
const names = readFixtureTensorNames('golden/relu.safetensors');
const valuesOf = (name: string) => Float32Array.from(golden(name).values);
const below = (prefix: string) =>
  new Map(names.filter((name) => name.startsWith(prefix)).map((name) => [name.slice(prefix.length), valuesOf(name)]));
const input = { shape: [4, 3, 16, 16], data: valuesOf('input') };
const target = [...valuesOf('target')];
const configuration = resolveConfiguration({
  embedDim: [4, 6, 8, 12],
  heads: 2,
  mlpRatio: 2,
  depths: [1, 1, 1, 1, 1],
  strides: [1, 2, 2, 2, 1],
  stemKernel: 3,
  classes: 3,
  neuron: 'relu',
});

const norm = (values: ArrayLike<number>) => Math.hypot(...Array.from(values));
const relativeError = (found: Float32Array, expected: Float32Array, floor = 0) =>
  norm(found.map((value, i) => value - expected[i]!)) / Math.max(norm(expected), floor);

const engines: readonly (readonly [string, () => Promise<Engine & TrainingEngine>])[] = [
  ['reference', createReferenceEngine],
  ['wasm, 1 thread', () => createWasmEngine({ threads: 1 })],
  ['wasm, 2 threads', () => createWasmEngine({ threads: 2 })],
];

describe.each(engines)('a training step of the float twin on the %s engine', (_name, create) => {
  it('has PyTorch’s loss, gradients and running statistics', async () => {
    const engine = await create();
    const settings = { surrogate: { kind: 'sigmoid', alpha: 4 }, detachReset: true } as const;
    const plan = recordTraining(engine, metaSpikeformer(configuration), [1, 4, 16, 16, 3], settings);
    const { program, trainable, buffers } = plan;
    const start = below('parameter.');
    const fill = (slots: readonly ParameterSlot[], view: Float32Array) => {
      for (const { spec, offset, length } of slots) {
        const initial = spec.role === 'runningVariance' ? 1 : 0;
        view.set(start.get(spec.name) ?? new Float32Array(length).fill(initial), offset);
      }
    };
    fill(trainable.slots, program.view(trainable.values));
    fill(buffers.slots, program.view(buffers.values));
    await program.write(plan.input, toChannelsLast(input.data, 4, 3, 16 * 16));
    await program.run(trainingSegments.clear);
    await program.run(trainingSegments.forward);
    const { value, gradient } = plan.outputs.get('logits')!;
    const { loss, slopes } = crossEntropy(await program.read(value), target);
    await program.write(gradient, slopes);
    await program.run(trainingSegments.backward);
    expect(plan.spikes.size).toBe(0);
    expect(Math.abs(loss - valuesOf('loss')[0]!)).toBeLessThan(1e-5);
    const gradients = below('grad.');
    expect(trainable.slots.map(({ spec }) => spec.name).sort()).toEqual([...gradients.keys()].sort());
    const whole = Math.hypot(...[...gradients.values()].map(norm));
    // A bias in front of a normalisation has no effect: its gradient is rounding.
    const view = program.view(trainable.gradients);
    const errors = trainable.slots.map(({ spec, offset, length }) => [
      spec.name,
      relativeError(view.slice(offset, offset + length), gradients.get(spec.name)!, 1e-4 * whole),
    ]);
    expect(errors.filter(([, error]) => !((error as number) < 1e-3))).toEqual([]);
    const statistics = below('buffer.');
    const moved = program.view(buffers.values);
    const off = buffers.slots.map(({ spec, offset, length }) => [
      spec.name,
      relativeError(moved.slice(offset, offset + length), statistics.get(spec.name)!),
    ]);
    expect(off.filter(([, error]) => !((error as number) < 1e-4))).toEqual([]);
    program.dispose();
    await engine.dispose();
  });
});

const parameters = new Map([...below('parameter.'), ...below('settled.')]);
const logits = valuesOf('logits');

async function twin(
  engine: 'reference' | 'wasm',
  prepare: ConstructorParameters<typeof Model>[0]['prepare'] = {},
  timeSteps = 1,
) {
  return new Model({
    configuration: { ...configuration, timeSteps },
    parameters,
    preprocessing: plainPreprocessing(16),
    engine: await createEngine({ engine, threads: 2 }),
    provenance: { name: 'twin', description: '', randomWeights: false },
    prepare,
  });
}

const largest = (found: Float32Array) =>
  found.reduce((most, value, i) => Math.max(most, Math.abs(value - logits[i]!)), 0);

describe('the float twin in evaluation', () => {
  const forms = [{}, { fold: false }, { repConv: 'full' }, { repConv: 'none' }] as const;
  it.each(forms)('has PyTorch’s logits in both engines: %j', async (prepare) => {
    for (const engine of ['reference', 'wasm'] as const) {
      const model = await twin(engine, prepare);
      const run = await model.run(input, { record: { spikes: true, firingRates: true, activations: true } });
      expect(largest(run.logits.data)).toBeLessThan(2e-5);
      expect(run.spikes!.size).toBe(0);
      expect(run.firingRates!.size).toBe(0);
      await model.dispose();
    }
  });

  it.each([{}, { fold: false }, { repConv: 'full' as const }, { step: true }])(
    'has them as ONNX: %j',
    async (options) => {
      const file = joined(
        exportOnnx({ graph: metaSpikeformer(configuration), parameters }, { imageSize: [16, 16], ...options }),
      );
      const session = await ort.InferenceSession.create(file);
      expect(session.inputNames).toEqual(['input']);
      const results = await session.run({ input: new ort.Tensor('float32', input.data, input.shape) });
      expect(largest(results.logits!.data as Float32Array)).toBeLessThan(2e-5);
      await session.release();
    },
  );

  it('knows nothing of time: a still image, or the same frame at every step, is answered as in one step', async () => {
    const model = await twin('wasm', {}, 4);
    const frames = { shape: [4, ...input.shape], data: Float32Array.from([0, 1, 2, 3].flatMap(() => [...input.data])) };
    const meters = [];
    for (const each of [input, frames]) {
      const meter = new EnergyMeter(model, defaultEnergyConstants);
      expect(largest((await meter.run(each)).data)).toBeLessThan(2e-5);
      meters.push(meter.result());
    }
    const { logits: step } = await model.step(input);
    expect(largest(step.data)).toBeLessThan(2e-5);
    // Computed once or at every step, it counts at every step.
    const [still, moving] = meters;
    expect(still!.neurons).toEqual(moving!.neurons);
    expect(still!.layers).toEqual(moving!.layers);
    expect(still!.neuroBench).toEqual(moving!.neuroBench);
    await model.dispose();
  });

  it('multiplies in every layer, and the account of energy says so', async () => {
    const model = await twin('wasm');
    const meter = new EnergyMeter(model, defaultEnergyConstants);
    await meter.run(input);
    const energy = meter.result();
    const summary = summarise(model.graph, [16, 16]);
    expect(summary.spikeFedOperations).toBe(0);
    expect(energy.layers.every(({ additions }) => additions.every((count) => count === 0))).toBe(true);
    // Every operation is a multiplication: within the map, as the twin's own account of a network with ReLU has it.
    expect(energy.exactMillijoules).toBeCloseTo(energy.memory.ann.operationMillijoules, 12);
    expect(energy.paper.millijoules).toBeCloseTo(energy.paper.annMillijoules, 12);
    expect(energy.memory.millijoules).toBeCloseTo(energy.memory.ann.millijoules, 12);
    expect(energy.neuroBench.synapticOperations.effectiveAcs).toBe(0);
    const { effectiveMacs, dense } = energy.neuroBench.synapticOperations;
    expect(effectiveMacs).toBeGreaterThan(0.2 * dense);
    expect(effectiveMacs).toBeLessThan(dense);
    const { activations: _none, ...rest } = await model.run(input, {});
    expect(rest.logits.shape).toEqual([4, 3]);
    expect(energy.neuroBench.activationSparsity).toBeGreaterThan(0.2);
    expect(energy.neuroBench.activationSparsity).toBeLessThan(0.8);
    for (const { layers } of proveSpikeDriven(model.graph)) {
      expect(layers.every(({ fedBy, why }) => fedBy === 'real' && why !== null)).toBe(true);
      expect(layers.at(-1)!.remedy).toContain('spikes');
    }
    await model.dispose();
  });
});

/** Mean over the batch, from the definition. */
function crossEntropy(scores: Float32Array, labels: readonly number[]) {
  const classes = scores.length / labels.length;
  const slopes = new Float32Array(scores.length);
  let loss = 0;
  labels.forEach((label, image) => {
    const row = Array.from(scores.subarray(image * classes, (image + 1) * classes), Math.exp);
    const sum = row.reduce((a, b) => a + b, 0);
    row.forEach((power, c) => {
      slopes[image * classes + c] = (power / sum - (c === label ? 1 : 0)) / labels.length;
    });
    loss -= Math.log(row[label]! / sum) / labels.length;
  });
  return { loss, slopes };
}
