/** Training at rounded weights, against a network that was given rounded weights, and against a definition of what lies on a grid. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createReferenceEngine } from '../../src/engines/reference/index.js';
import { openCheckpointFile } from '../../src/interop/checkpointFiles.js';
import { toFloat16Bits, toFloat32 } from '../../src/interop/dtype.js';
import { roundToGrid } from '../../src/interop/steppedTensors.js';
import { train } from '../../src/training/trainingRun.js';
import { TrainedNetwork } from '../../src/training/trainingStep.js';
import { smallest, smallRun } from './runSupport.js';

/** Of the network of `smallest`: what spikes feed. The first layer sees pixels, a RepConv's other convolutions see sums, the head is one position. */
const fedBySpikes = [
  'downsample1_2.encode_conv',
  'downsample2.encode_conv',
  'downsample3.encode_conv',
  'downsample4.encode_conv',
  'block3.0.attn.q_conv.0.body.0',
  'block3.0.attn.k_conv.0.body.0',
  'block3.0.attn.v_conv.0.body.0',
  'block3.0.attn.proj_conv.0.body.0',
  'block3.0.mlp.fc1_conv',
  'block3.0.mlp.fc2_conv',
].map((layer) => `${layer}.weight`);

/** Whether all are multiples of the largest magnitude's k-th part, for a whole k of at most 127. */
function liesOnGrid(channel: Float32Array): boolean {
  const largest = Math.max(...channel.map(Math.abs));
  if (largest === 0) return true;
  return Array.from({ length: 127 }, (_, i) => (i + 1) / largest).some((perStep) =>
    channel.every((value) => Math.abs(value * perStep - Math.round(value * perStep)) < 1e-4),
  );
}

const asFloat16 = (values: Float32Array) => toFloat32(new Uint8Array(toFloat16Bits(values).buffer), 'float16');

/** Weights on a grid, and whether float16 holds all weights. */
async function roundedIn(file: string): Promise<{ onGrid: string[]; isFloat16: boolean }> {
  const checkpoint = await openCheckpointFile(file);
  const names: string[] = [];
  let isFloat16 = true;
  for (const [name, tensor] of checkpoint.tensors) {
    if (tensor.shape.length < 2) continue;
    const values = await tensor.readFloat32();
    const halves = asFloat16(values);
    isFloat16 &&= values.every((value, i) => value === halves[i]);
    // A channel of one weight lies on every grid.
    if (tensor.shape.slice(1).every((size) => size === 1)) continue;
    const length = values.length / tensor.shape[0]!;
    const channels = Array.from({ length: tensor.shape[0]! }, (_, i) => values.subarray(i * length, (i + 1) * length));
    if (channels.every(liesOnGrid)) names.push(name);
  }
  await checkpoint.close();
  return { onGrid: names.sort(), isFloat16 };
}

describe('rounded weights', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'spikeformer-rounded-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it.each([['movingAverage=0.9'], ['movingAverage=null'], ['measuredStatistics=2']])(
    'are what is kept: whole steps in exactly the layers that spikes feed, else float16 (%s)',
    async (setting) => {
      for (const [run, ...more] of [['plain'], ['rounded', 'roundedWeights=true']] as const)
        await train(smallRun(join(folder, run), { recipe: smallest(setting, ...more) }));
      for (const file of ['best', 'last']) {
        expect(await roundedIn(join(folder, 'plain', `${file}.safetensors`))).toEqual({ onGrid: [], isFloat16: false });
        expect(await roundedIn(join(folder, 'rounded', `${file}.safetensors`))).toEqual({
          onGrid: [...fedBySpikes].sort(),
          isFloat16: true,
        });
      }
    },
  );

  it('give each step loss and gradients, and stay behind it what they were', async () => {
    const batch = {
      input: Float32Array.from({ length: 2 * 3 * 10 * 10 }, (_, i) => Math.sin(i * 1.7) * 1.5),
      labels: Int32Array.of(0, 1),
    };
    const engines = await Promise.all([createReferenceEngine(), createReferenceEngine()]);
    const [seen, plain] = [
      new TrainedNetwork(engines[0]!, smallest('roundedWeights=true')),
      new TrainedNetwork(engines[1]!, smallest()),
    ];
    const exact = seen.parameters();
    const rounded = new Map(
      [...exact].map(([name, values]) => {
        const [channels, ...others] =
          plain.plan.trainable.slots.find(({ spec }) => spec.name === name)?.spec.shape ?? [];
        if (fedBySpikes.includes(name)) return [name, roundToGrid(values, channels!)] as const;
        return [name, others.length > 0 ? asFloat16(values) : values] as const;
      }),
    );
    expect(rounded).not.toEqual(exact);
    plain.load(rounded);
    const gradients = async (network: TrainedNetwork) => {
      await network.clear();
      const { loss } = await network.accumulate(batch, 1);
      const { program, trainable } = network.plan;
      return { loss, gradients: program.view(trainable.gradients).slice() };
    };
    expect(await gradients(seen)).toEqual(await gradients(plain));
    for (const { spec } of seen.plan.trainable.slots)
      expect(seen.parameters().get(spec.name), spec.name).toEqual(exact.get(spec.name));
    for (const engine of engines) await engine.dispose();
  });

  it('are refused where no layer is fed by spikes', () => {
    expect(() => smallest('roundedWeights=true', 'neuron=relu')).toThrow(
      /rounds weights that spikes feed; .* leave it out/,
    );
  });
});
