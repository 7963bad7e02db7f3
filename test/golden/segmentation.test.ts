/**
 * The spiking semantic FPN against the authors' own modules (mmsegmentation, PyTorch on CPU): told from the checkpoint, every spike of backbone, neck and head equal, odd sizes too;
 * one training step against float64 autograd; and both outputs by the command `run`. The files are read where the shared folder is.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/engines/kernels.js';
import { createReferenceEngine } from '../../src/engines/reference/index.js';
import type { TrainingEngine } from '../../src/engines/trainingKernels.js';
import { createWasmEngine } from '../../src/engines/wasm/index.js';
import { fileFromBytes, loadModel } from '../../src/index.js';
import { openCheckpointFile, writeSafetensors } from '../../src/interop/checkpointFiles.js';
import { loadParameters } from '../../src/interop/loadParameters.js';
import { openSafetensors } from '../../src/interop/safetensors.js';
import { toChannelsLast } from '../../src/runtime/layout.js';
import { knownTasks, taskNamed } from '../../src/tasks/registry.js';
import { type ParameterSlot, recordTraining, trainingSegments } from '../../src/training/trainingPlan.js';
import { spikeformer } from '../cli/support.js';
import { nativeEngines, nativeIsBuilt, nativeSuffix } from '../engines/nativeSupport.js';
import { sharedPath } from '../shared.js';

const pathOf = (file: string) => sharedPath('golden', 'dense', file);
const present = pathOf('seg.pth') !== undefined;
const suffix = present ? '' : ' (skipped: the shared golden files are absent)';

interface Golden {
  readonly json: { readonly T: number; readonly forward_order_of_spiking_modules?: readonly string[] };
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly values: ReadonlyMap<string, Float32Array>;
  readonly bytes: ReadonlyMap<string, Uint8Array>;
}

async function load(name: string): Promise<Golden> {
  const json = JSON.parse(readFileSync(pathOf(`${name}.json`)!, 'utf8'));
  const file = await openSafetensors(fileFromBytes(readFileSync(pathOf(`${name}.safetensors`)!), name));
  const [values, bytes, shapes] = [new Map(), new Map(), new Map()];
  for (const [key, tensor] of file.tensors) {
    shapes.set(key, tensor.shape);
    if (tensor.dtype === 'float32') values.set(key, await tensor.readFloat32());
    else bytes.set(key, await tensor.readBytes());
  }
  return { json, shapes, values, bytes };
}

const largestDifference = (found: Float32Array, expected: Float32Array) =>
  found.reduce((largest, value, index) => Math.max(largest, Math.abs(value - expected[index]!)), 0);

/** What the authors' program calls a layer of the backbone. */
const asPublished = (module: string) => (/^(neck|decode_head)\./.test(module) ? module : `backbone.${module}`);

describe.each(['seg_T1', 'seg_T2_odd', 'seg_T4'])('%s', (name) => {
  for (const engine of ['reference', 'wasm', 'native'] as const) {
    const able = engine !== 'native' || nativeIsBuilt;
    it.skipIf(!present || !able)(
      `fires as the authors’ modules do on ${engine}, spike for spike${suffix}${able ? '' : nativeSuffix}`,
      async () => {
        const { json, shapes, values, bytes } = await load(name);
        const model = await loadModel({ checkpoint: pathOf('seg.pth')! }, { timeSteps: json.T, engine, threads: 1 });
        try {
          expect([model.task, model.configuration.classes]).toEqual(['segmentation', 11]);
          const record = { spikes: true, activations: true };
          const input = { shape: shapes.get('input')!, data: values.get('input')! };
          const { outputs, spikes, activations } = await model.run(input, { record });
          const expected = [...bytes.keys()].filter((key) => key.startsWith('spikes.'));
          expect([...spikes!.keys()].map((module) => `spikes.${asPublished(module)}`).sort()).toEqual(expected.sort());
          const different = [...spikes!].filter(
            ([module, { bits }]) => Buffer.compare(bits, bytes.get(`spikes.${asPublished(module)}`)!) !== 0,
          );
          for (const [m] of different.slice(0, 3))
            console.log(
              m,
              spikes!.get(m)!.shape,
              spikes!.get(m)!.bits.length,
              bytes.get(`spikes.${asPublished(m)}`)!.length,
              activations!.get('backbone.0')!.shape,
            );
          expect(different.map(([module]) => module)).toEqual([]);
          for (const level of ['backbone.0', 'backbone.1', 'backbone.2', 'backbone.3', 'neck.0', 'neck.3']) {
            // Behind the mean over time nothing changes with it.
            const found = activations!.get(level)!.data.subarray(0, values.get(level)!.length);
            expect(largestDifference(found, values.get(level)!), level).toBeLessThan(1e-4);
          }
          for (const output of ['logits', 'logits_full']) {
            expect(outputs.get(output)!.shape).toEqual(shapes.get(output));
            expect(largestDifference(outputs.get(output)!.data, values.get(output)!), output).toBeLessThan(1e-5);
          }
        } finally {
          await model.dispose();
        }
      },
    );
  }
});

describe('run', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'spikeformer-segmentation-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it.skipIf(!present)(`writes the scores of the authors’ checkpoint${suffix}`, async () => {
    const { shapes, values } = await load('seg_T1');
    const [input, output] = [join(folder, 'input.safetensors'), join(folder, 'output.safetensors')];
    const tensor = { dtype: 'float32', shape: shapes.get('input')!, data: values.get('input')! } as const;
    await writeSafetensors(input, new Map([['input', tensor]]));
    const { code, stderr } = await spikeformer([
      ...['run', '--checkpoint', pathOf('seg.pth')!, '--input', input, '--output', output],
    ]);
    expect([stderr, code]).toEqual(['', 0]);
    const written = await openCheckpointFile(output);
    expect([...written.tensors.keys()].sort()).toEqual(['logits', 'logits_full']);
    const logits = await written.tensors.get('logits')!.readFloat32();
    expect(largestDifference(logits, values.get('logits')!)).toBeLessThan(1e-5);
    await written.close();
  });
});

const engines: readonly (readonly [string, () => Promise<Engine & TrainingEngine>])[] = [
  ['wasm', () => createWasmEngine({ threads: 1 })],
  ...nativeEngines([1]).slice(0, 1),
];

describe.skipIf(!present).each([['reference', createReferenceEngine] as const, ...engines])(
  `one training step on the %s engine${suffix}`,
  (_name, createEngine) => {
    let engine: Engine & TrainingEngine;
    let golden: Golden;
    let result: StepResult;

    beforeAll(async () => {
      engine = await createEngine();
      golden = await load('train_seg_T1');
      result = await step(engine, golden);
    });
    afterAll(() => engine.dispose());

    it('gives the loss over the pixels that count', () => {
      const expected = new Float64Array(Uint8Array.from(golden.bytes.get('loss_mean_over_valid')!).buffer)[0]!;
      expect(Math.abs(result.loss - expected)).toBeLessThan(1e-5);
    });

    it('gives the gradient of every parameter', () => {
      const norm = (values: Float32Array) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
      const wrong = [...result.gradients].filter(([parameter, found]) => {
        const expected = golden.values.get(`grad.${asPublished(parameter)}`)!;
        // The authors divide by all pixels.
        const scaled = expected.map((value) => (value * 8192) / 7006);
        const difference = found.map((value, i) => value - scaled[i]!);
        return !(norm(difference) <= 1e-3 * norm(scaled) + 1e-6);
      });
      expect(wrong.map(([parameter]) => parameter)).toEqual([]);
      expect(result.gradients.size).toBe([...golden.values.keys()].filter((key) => key.startsWith('grad.')).length);
    });
  },
);

interface StepResult {
  readonly loss: number;
  readonly gradients: ReadonlyMap<string, Float32Array>;
}

async function step(engine: TrainingEngine, { shapes, values, bytes }: Golden): Promise<StepResult> {
  const checkpoint = await openCheckpointFile(pathOf('train_seg_T1.pth')!);
  const { graph, parameters, configuration } = await loadParameters(checkpoint, { timeSteps: 1 }, knownTasks);
  await checkpoint.close();
  const objective = taskNamed('segmentation').objective({ labelSmoothing: 0, classWeights: null }, configuration);
  const [batch, channels, height, width] = shapes.get('input') as [number, number, number, number];
  const settings = { surrogate: { kind: 'sigmoid', alpha: 4 }, detachReset: true } as const;
  const plan = recordTraining(engine, objective.prepare(graph), [1, batch, height, width, channels], settings);
  const { program, trainable, buffers } = plan;
  const fill = (slots: readonly ParameterSlot[], view: Float32Array) => {
    for (const { spec, offset } of slots) view.set(parameters.get(spec.name)!, offset);
  };
  fill(trainable.slots, program.view(trainable.values));
  fill(buffers.slots, program.view(buffers.values));
  await program.write(plan.input, toChannelsLast(values.get('input')!, batch, channels, height * width));
  await program.run(trainingSegments.clear);
  await program.run(trainingSegments.forward);
  const labels = Int32Array.from(new BigInt64Array(Uint8Array.from(bytes.get('target')!).buffer), Number);
  const [[name, { value, gradient }]] = [...plan.outputs] as [
    [string, NonNullable<ReturnType<typeof plan.outputs.get>>],
  ];
  const judged = objective.judge(new Map([[name, await program.read(value)]]), { labels }, 1, new Map());
  await program.write(gradient, judged.gradients.get(name)!);
  await program.run(trainingSegments.backward);
  const view = program.view(trainable.gradients);
  const gradients = new Map(
    trainable.slots.map(({ spec, offset, length }) => [spec.name, view.slice(offset, offset + length)]),
  );
  program.dispose();
  return { loss: judged.loss, gradients };
}
