/**
 * One training step against the authors' module: loss, gradients (float64 autograd), running statistics. A few spikes may flip in these
 * files with another summation order (margins are 2e-6), so gradients are judged by relative error and direction.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/engines/kernels.js';
import { createReferenceEngine } from '../../src/engines/reference/index.js';
import type { TrainingEngine } from '../../src/engines/trainingKernels.js';
import { createWasmEngine } from '../../src/engines/wasm/index.js';
import type { Graph } from '../../src/graph/graph.js';
import { openCheckpointFile } from '../../src/interop/checkpointFiles.js';
import { loadParameters } from '../../src/interop/loadParameters.js';
import { fileFromBytes } from '../../src/interop/randomAccessFile.js';
import { openSafetensors } from '../../src/interop/safetensors.js';
import { toChannelsLast } from '../../src/runtime/layout.js';
import { type ParameterSlot, recordTraining, trainingSegments } from '../../src/training/trainingPlan.js';
import { nativeEngines, nativeIsBuilt, nativeSuffix } from '../engines/nativeSupport.js';
import { goldenPath } from './support.js';

const engines: readonly (readonly [string, () => Promise<Engine & TrainingEngine>])[] = [
  ['reference', createReferenceEngine],
  ['wasm, 1 thread', () => createWasmEngine({ threads: 1 })],
  ['wasm, 2 threads', () => createWasmEngine({ threads: 2 })],
  ['wasm without fused multiply-add', () => createWasmEngine({ threads: 2, fusedMultiplyAdd: false })],
  ...nativeEngines([1, 2]),
];

if (!nativeIsBuilt) it.skip(`takes the step on the native engine${nativeSuffix}`, () => {});

/** Label smoothing of the golden step. */
const smoothing = 0.1;

/** Gradients below this share of the whole gradient's norm count as zero but for rounding. */
const vanishing = 1e-5;

interface GoldenStep {
  readonly timeSteps: number;
  readonly inputShape: readonly number[];
  readonly values: ReadonlyMap<string, Float32Array>;
  readonly target: readonly number[];
  readonly parameters: ReadonlyMap<string, Float32Array>;
  readonly graph: Graph;
}

describe.each(['train_T1', 'train_T4'])('%s', (name) => {
  const present = goldenPath(`${name}.pth`) !== undefined;
  const suffix = present ? '' : ' (skipped: the shared golden files are absent)';
  let golden: GoldenStep;

  beforeAll(async () => {
    if (present) golden = await loadStep(name);
  });

  describe.skipIf(!present).each(engines)(`on the %s engine${suffix}`, (_engine, createEngine) => {
    let engine: Engine & TrainingEngine;
    let result: StepResult;

    beforeAll(async () => {
      engine = await createEngine();
      result = await step(engine, golden);
    });
    afterAll(() => engine.dispose());

    it('gives the loss to 1e-5', () => {
      expect(Math.abs(result.loss - golden.values.get('loss')![0]!)).toBeLessThan(1e-5);
    });

    it('gives the gradient of every parameter to 1e-3', () => {
      // Some gradients are zero but for rounding: a bias, or a scale, in front of another batch normalisation has no effect. They are
      // measured against the gradient as a whole.
      const whole = Math.hypot(...[...result.gradients.keys()].map((name) => norm(golden.values.get(`grad.${name}`)!)));
      const errors = [...result.gradients].map(([parameter, values]) => [
        parameter,
        relativeError(values, golden.values.get(`grad.${parameter}`)!, vanishing * whole),
      ]);
      expect(errors.filter(([, error]) => !((error as number) <= 1e-3))).toEqual([]);
    });

    it('moves the running statistics as PyTorch does', () => {
      const errors = [...result.buffers].map(([buffer, values]) => [
        buffer,
        relativeError(values, golden.values.get(`buffer.${buffer}`)!),
      ]);
      expect(errors.filter(([, error]) => !((error as number) <= 1e-4))).toEqual([]);
    });
  });
});

async function loadStep(name: string): Promise<GoldenStep> {
  const json = JSON.parse(readFileSync(goldenPath(`${name}.json`)!, 'utf8'));
  const checkpoint = await openCheckpointFile(goldenPath(`${name}.pth`)!);
  const { graph, parameters } = await loadParameters(checkpoint, { timeSteps: json.T });
  await checkpoint.close();
  const file = await openSafetensors(fileFromBytes(readFileSync(goldenPath(`${name}.safetensors`)!), name));
  const values = new Map<string, Float32Array>();
  for (const [key, tensor] of file.tensors) values.set(key, await tensor.readFloat32());
  const target = [...values.get('target')!];
  return { timeSteps: json.T, inputShape: file.tensors.get('input')!.shape, values, target, parameters, graph };
}

interface StepResult {
  readonly loss: number;
  readonly gradients: ReadonlyMap<string, Float32Array>;
  readonly buffers: ReadonlyMap<string, Float32Array>;
}

async function step(engine: TrainingEngine, golden: GoldenStep): Promise<StepResult> {
  const [batch, channels, height, width] = golden.inputShape as [number, number, number, number];
  const settings = { surrogate: { kind: 'sigmoid', alpha: 4 }, detachReset: true } as const;
  const plan = recordTraining(engine, golden.graph, [1, batch, height, width, channels], settings);
  const { program, trainable, buffers } = plan;
  const fill = (slots: readonly ParameterSlot[], view: Float32Array) => {
    for (const { spec, offset } of slots) view.set(golden.parameters.get(spec.name)!, offset);
  };
  fill(trainable.slots, program.view(trainable.values));
  fill(buffers.slots, program.view(buffers.values));
  await program.write(plan.input, toChannelsLast(golden.values.get('input')!, batch, channels, height * width));
  await program.run(trainingSegments.clear);
  await program.run(trainingSegments.forward);
  const { value, gradient } = plan.outputs.get('logits')!;
  const { loss, logitsGradient } = smoothedCrossEntropy(await program.read(value), golden.target);
  await program.write(gradient, logitsGradient);
  await program.run(trainingSegments.backward);
  const collect = (slots: readonly ParameterSlot[], view: Float32Array) =>
    new Map(slots.map(({ spec, offset, length }) => [spec.name, view.slice(offset, offset + length)]));
  const result = {
    loss,
    gradients: collect(trainable.slots, program.view(trainable.gradients)),
    buffers: collect(buffers.slots, program.view(buffers.values)),
  };
  program.dispose();
  return result;
}

/** Written from PyTorch's definition: (1 − ε)·CE(target) + ε·mean over classes of CE(class), mean over the batch. */
function smoothedCrossEntropy(logits: Float32Array, target: readonly number[]) {
  const classes = logits.length / target.length;
  const logitsGradient = new Float32Array(logits.length);
  let loss = 0;
  target.forEach((label, image) => {
    const row = logits.subarray(image * classes, (image + 1) * classes);
    const exponentials = Array.from(row, (logit) => Math.exp(logit - Math.max(...row)));
    const sum = exponentials.reduce((a, b) => a + b, 0);
    exponentials.forEach((exponential, c) => {
      const probability = exponential / sum;
      const wanted = (c === label ? 1 - smoothing : 0) + smoothing / classes;
      loss -= (wanted * Math.log(probability)) / target.length;
      logitsGradient[image * classes + c] = (probability - wanted) / target.length;
    });
  });
  return { loss, logitsGradient };
}

function relativeError(found: Float32Array, expected: Float32Array, floor = 0): number {
  const difference = norm(found.map((value, i) => value - expected[i]!));
  const scale = Math.max(norm(expected), floor);
  // Silent layers have a gradient of exactly zero.
  return scale === 0 ? difference : difference / scale;
}

function norm(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return Math.sqrt(sum);
}
