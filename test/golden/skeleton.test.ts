/**
 * Meta-SpikeFormer over joints against the authors' own module (PAS-Net, `SpikeDrivenTransformerV2`, PyTorch on CPU): the network is told from the checkpoint's shapes,
 * every spike is equal, scores to rounding; and one training step, whose numbers are float64 autograd's. The files are read where the shared folder is.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/engines/kernels.js';
import { createReferenceEngine } from '../../src/engines/reference/index.js';
import type { TrainingEngine } from '../../src/engines/trainingKernels.js';
import { createWasmEngine } from '../../src/engines/wasm/index.js';
import { fileFromBytes, loadModel } from '../../src/index.js';
import { openCheckpointFile } from '../../src/interop/checkpointFiles.js';
import { loadParameters } from '../../src/interop/loadParameters.js';
import { openSafetensors } from '../../src/interop/safetensors.js';
import { spikesToBits, toChannelsLast } from '../../src/runtime/layout.js';
import { type ParameterSlot, recordTraining, trainingSegments } from '../../src/training/trainingPlan.js';
import { nativeEngines, nativeIsBuilt, nativeSuffix } from '../engines/nativeSupport.js';
import { sharedPath } from '../shared.js';

const pathOf = (file: string) => sharedPath('golden', 'skeleton', file);
const present = pathOf('sdt2joint_T4.pth') !== undefined;
const suffix = present ? '' : ' (skipped: the shared golden files are absent)';

interface Golden {
  readonly json: {
    readonly config: { readonly T: number; readonly num_heads: number; readonly embed_dims: number };
    readonly act_shapes: Readonly<Record<string, readonly number[]>>;
    readonly spike_shapes: Readonly<Record<string, readonly number[]>>;
    readonly forward_order_of_spiking_modules: readonly string[];
    readonly [key: string]: unknown;
  };
  readonly shape: readonly number[];
  readonly values: ReadonlyMap<string, Float32Array>;
  readonly spikes: ReadonlyMap<string, Uint8Array>;
}

async function load(name: string): Promise<Golden> {
  const json = JSON.parse(readFileSync(pathOf(`${name}.json`)!, 'utf8'));
  const file = await openSafetensors(fileFromBytes(readFileSync(pathOf(`${name}.safetensors`)!), name));
  const values = new Map<string, Float32Array>();
  const spikes = new Map<string, Uint8Array>();
  for (const [key, tensor] of file.tensors) {
    if (key.startsWith('spikes.')) spikes.set(key.slice('spikes.'.length), await tensor.readBytes());
    else values.set(key, await tensor.readFloat32());
  }
  return { json, shape: file.tensors.get('input')!.shape, values, spikes };
}

const largestDifference = (found: Float32Array, expected: Float32Array) =>
  found.reduce((largest, value, index) => Math.max(largest, Math.abs(value - expected[index]!)), 0);

describe.each(['sdt2joint_T4', 'sdt2joint_T8', 'sdt2joint_T4_kd'])('%s', (name) => {
  for (const engine of ['reference', 'wasm', 'native'] as const) {
    const able = engine !== 'native' || nativeIsBuilt;
    it.skipIf(!present || !able)(
      `fires as the authors’ module does on ${engine}, spike for spike${suffix}${able ? '' : nativeSuffix}`,
      async () => {
        const { json, shape, values, spikes: expected } = await load(name);
        const { T: timeSteps, num_heads: heads, embed_dims: embedDim } = json.config;
        const model = await loadModel({ checkpoint: pathOf(`${name}.pth`)! }, { timeSteps, heads, engine, threads: 1 });
        try {
          expect(model.architecture).toBe('meta-spikeformer-joints');
          expect(model.configuration).toMatchObject({ embedDim, depth: 2, distillation: name.endsWith('_kd') });
          const record = { spikes: true, activations: true };
          const { outputs, logits, spikes, activations } = await model.run(
            { shape, data: values.get('input')! },
            { record },
          );
          expect([...spikes!.keys()]).toEqual(json.forward_order_of_spiking_modules);
          for (const [module, found] of spikes!) {
            expect(found.shape, module).toEqual(json.spike_shapes[module]);
            expect(Buffer.compare(found.bits, expected.get(module)!), module).toBe(0);
          }
          expect([...activations!.keys()].sort()).toEqual(Object.keys(json.act_shapes).sort());
          for (const [module, found] of activations!) {
            expect(found.shape, module).toEqual(json.act_shapes[module]);
            expect(largestDifference(found.data, values.get(`act.${module}`)!), module).toBeLessThan(1e-5);
          }
          expect(largestDifference(logits.data, values.get('logits')!)).toBeLessThan(1e-5);
          const answers = name.endsWith('_kd') ? ['logits', 'head', 'head_kd'] : ['logits'];
          expect([...outputs.keys()]).toEqual(answers);
        } finally {
          await model.dispose();
        }
      },
    );
  }
});

const engines: readonly (readonly [string, () => Promise<Engine & TrainingEngine>])[] = [
  ['reference', createReferenceEngine],
  ['wasm', () => createWasmEngine({ threads: 1 })],
  ...nativeEngines([1]).slice(0, 1),
];

describe.skipIf(!present).each(engines)(`one training step on the %s engine${suffix}`, (_name, createEngine) => {
  let engine: Engine & TrainingEngine;
  let golden: Golden;
  let result: StepResult;

  beforeAll(async () => {
    engine = await createEngine();
    golden = await load('sdt2joint_T4_train');
    result = await step(engine, golden);
  });
  afterAll(() => engine.dispose());

  it('fires as the authors’ module does, spike for spike', () => {
    expect(result.spikes.size).toBe(golden.spikes.size);
    for (const [module, bits] of result.spikes)
      expect(Buffer.compare(bits, golden.spikes.get(module)!), module).toBe(0);
  });

  it('gives the loss to 1e-5', () => {
    expect(Math.abs(result.loss - golden.values.get('loss')![0]!)).toBeLessThan(1e-5);
  });

  // Absolutely: biases in front of a batch norm have a true gradient of 0.
  it('gives the gradient of every parameter to 1e-5, the reset not detached', () => {
    const errors = [...result.gradients].map(([parameter, found]) => [
      parameter,
      largestDifference(found, golden.values.get(`grad.${parameter}`)!),
    ]);
    expect(errors).toHaveLength([...golden.values.keys()].filter((key) => key.startsWith('grad.')).length);
    expect(errors.filter(([, error]) => !((error as number) <= 1e-5))).toEqual([]);
  });

  it('moves the running statistics as PyTorch does', () => {
    const errors = [...result.statistics].map(([statistic, found]) => [
      statistic,
      largestDifference(found, golden.values.get(`after.${statistic}`)!),
    ]);
    expect(errors).toHaveLength([...golden.values.keys()].filter((key) => /^after\..*running_/.test(key)).length);
    expect(errors.filter(([, error]) => !((error as number) <= 1e-5))).toEqual([]);
  });
});

interface StepResult {
  readonly loss: number;
  readonly gradients: ReadonlyMap<string, Float32Array>;
  readonly statistics: ReadonlyMap<string, Float32Array>;
  readonly spikes: ReadonlyMap<string, Uint8Array>;
}

async function step(engine: TrainingEngine, { json, shape, values }: Golden): Promise<StepResult> {
  const { T: timeSteps, num_heads: heads } = json.config;
  const checkpoint = await openCheckpointFile(pathOf('sdt2joint_T4.pth')!);
  const { graph, parameters } = await loadParameters(checkpoint, { timeSteps, heads });
  await checkpoint.close();
  const [, batch, channels, joints] = shape as [number, number, number, number];
  const settings = { surrogate: { kind: 'sigmoid', alpha: 4 }, detachReset: false } as const;
  const plan = recordTraining(engine, graph, [timeSteps, batch, 1, joints, channels], settings);
  const { program, trainable, buffers } = plan;
  const fill = (slots: readonly ParameterSlot[], view: Float32Array) => {
    for (const { spec, offset } of slots) view.set(parameters.get(spec.name)!, offset);
  };
  fill(trainable.slots, program.view(trainable.values));
  fill(buffers.slots, program.view(buffers.values));
  await program.write(plan.input, toChannelsLast(values.get('input')!, timeSteps * batch, channels, joints));
  await program.run(trainingSegments.clear);
  await program.run(trainingSegments.forward);
  const spikes = new Map<string, Uint8Array>();
  for (const [name, tensor] of plan.spikes)
    spikes.set(name, spikesToBits(await program.readSpikes(tensor), tensor.shape).bits);
  const { value, gradient } = plan.outputs.get('logits')!;
  const { loss, logitsGradient } = crossEntropy(await program.read(value), values.get('label')!);
  await program.write(gradient, logitsGradient);
  await program.run(trainingSegments.backward);
  const collect = (slots: readonly ParameterSlot[], view: Float32Array) =>
    new Map(slots.map(({ spec, offset, length }) => [spec.name, view.slice(offset, offset + length)]));
  const result = {
    loss,
    gradients: collect(trainable.slots, program.view(trainable.gradients)),
    statistics: collect(buffers.slots, program.view(buffers.values)),
    spikes,
  };
  program.dispose();
  return result;
}

/** Written from PyTorch's definition: the mean over the batch of −log softmax at the label. */
function crossEntropy(logits: Float32Array, labels: Float32Array) {
  const classes = logits.length / labels.length;
  const logitsGradient = new Float32Array(logits.length);
  let loss = 0;
  for (const [sample, label] of labels.entries()) {
    const row = logits.subarray(sample * classes, (sample + 1) * classes);
    const largest = Math.max(...row);
    const exponentials = Array.from(row, (logit) => Math.exp(logit - largest));
    const sum = exponentials.reduce((a, b) => a + b, 0);
    loss -= Math.log(exponentials[label]! / sum) / labels.length;
    for (const [index, exponential] of exponentials.entries())
      logitsGradient[sample * classes + index] = (exponential / sum - (index === label ? 1 : 0)) / labels.length;
  }
  return { loss, logitsGradient };
}
