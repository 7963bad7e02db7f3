/** Whole networks: what engines count while they run, against the spikes that the same run recorded, counted image by image. */
import { describe, expect, it } from 'vitest';
import type { SpikeCounts } from '../../src/energy/spikeCounting.js';
import { StepEnergy } from '../../src/energy/stepEnergy.js';
import {
  defaultEnergyConstants,
  EnergyMeter,
  metaSpikeformer,
  resolveConfiguration,
  UsageError,
} from '../../src/index.js';
import { demonstrationParameters } from '../../src/models/initialise.js';
import type { MetaSpikeformerOptions } from '../../src/models/metaSpikeformer.js';
import { seededRandom } from '../../src/random.js';
import { configuration, imagesOf, modelOf } from './support.js';
import { countWords } from './wordCounts.js';

/** `pruned`: of all weights. */
const cases = [
  { engine: 'wasm', threads: 1, timeSteps: 1, batch: 1, frames: false, pruned: 0 },
  { engine: 'wasm', threads: 2, timeSteps: 4, batch: 3, frames: false, pruned: 0.3 },
  { engine: 'wasm', threads: 3, timeSteps: 4, batch: 5, frames: true, pruned: 0.01 },
  { engine: 'wasm', threads: 2, timeSteps: 1, batch: 7, frames: false, pruned: 0.9 },
  { engine: 'reference', threads: 1, timeSteps: 2, batch: 2, frames: true, pruned: 0.3 },
] as const;

const networks = [
  // Odd maps, a 5 × 5 stem, strides, heads across words.
  { name: 'odd maps', ...configuration, size: [19, 22] },
  // A 7 × 7 stem of stride 2, every downsampling with its stride, more than a word of channels.
  {
    name: 'strides',
    ...configuration,
    embedDim: [8, 24, 48, 72],
    strides: [2, 2, 2, 2, 2],
    stemKernel: 7,
    size: [64, 32],
  },
  { name: 'SDSA-1', ...configuration, attention: 'sdsa1', size: [19, 22] },
] satisfies readonly ({ name: string; size: [number, number] } & MetaSpikeformerOptions)[];

describe.each(networks)('counts of a network with $name', ({ name, size, ...network }) => {
  it.each(name === 'odd maps' ? cases : cases.slice(2, name === 'strides' ? 4 : 5))(
    '$engine, $threads threads, T = $timeSteps, $batch images, frames: $frames, $pruned of the weights zero',
    async ({ engine, threads, timeSteps, batch, frames, pruned }) => {
      const own = resolveConfiguration({ ...network, timeSteps });
      const random = seededRandom(6);
      const parameters = new Map(
        [...demonstrationParameters(metaSpikeformer(own), 3)].map(([name, values]) => [
          name,
          name.endsWith('.weight') && random.uniform() < 0.8
            ? values.map((value) => (random.uniform() < pruned ? 0 : value))
            : values,
        ]),
      );
      const model = await modelOf(own, parameters, engine === 'reference' ? { engine } : { threads });
      const input = imagesOf(frames ? [timeSteps, batch] : [batch], size, 4);
      // Pixels of zero multiply nothing.
      for (let i = 0; i < input.data.length; i += 3) input.data[i] = 0;
      const { counts, spikeWords, logits } = await model.run(input, { record: { counts: true, spikeWords: true } });
      const { spikes, additions, effectiveAcs, effectiveMacs } = countWords(model, input, spikeWords!);
      expect(Object.fromEntries(counts!.neurons.map((layer) => [layer.name, layer.spikes]))).toEqual(spikes);
      expect(Object.fromEntries(counts!.additions)).toEqual(additions);
      expect([counts!.effectiveAcs, counts!.effectiveMacs]).toEqual([effectiveAcs, effectiveMacs]);
      expect(counts!.images).toBe(batch);
      expect(effectiveAcs).toBeGreaterThan(0);
      // Without recorded spikes memory is laid out otherwise, and neurons' words are overwritten soon after they are counted.
      const alone = await model.run(input, { record: { counts: true } });
      expect(alone.counts).toEqual(counts);
      expect(alone.logits).toEqual(logits);
      await model.dispose();
    },
  );
});

describe('counting', () => {
  it('adds up to the same whatever the batches, and refuses images of another size', async () => {
    const model = await modelOf(configuration, demonstrationParameters(metaSpikeformer(configuration), 3), {
      threads: 2,
    });
    const input = imagesOf([7], [19, 22], 4);
    const length = input.data.length / 7;
    const measured = [];
    for (const batch of [1, 3, 7]) {
      const meter = new EnergyMeter(model, defaultEnergyConstants);
      for (let first = 0; first < 7; first += batch) {
        const data = input.data.subarray(first * length, (first + batch) * length);
        await meter.run({ shape: [data.length / length, 3, 19, 22], data });
      }
      measured.push(meter.result());
      await expect(meter.run(imagesOf([1], [32, 32], 1))).rejects.toThrow(UsageError);
    }
    expect(measured[0]!.images).toBe(7);
    expect(measured[1]).toEqual(measured[0]);
    expect(measured[2]).toEqual(measured[0]);
    await model.dispose();
  });

  it('counts frame by frame what the frames cause at once', async () => {
    const own = resolveConfiguration({ ...configuration, timeSteps: 3 });
    const model = await modelOf(own, demonstrationParameters(metaSpikeformer(own), 3), { threads: 2 });
    const input = imagesOf([3, 2], [19, 22], 4);
    const { counts } = await model.run(input, { record: { counts: true } });
    const length = input.data.length / 3;
    const steps: SpikeCounts[] = [];
    for (let t = 0; t < 3; t++) {
      const frame = { shape: [2, 3, 19, 22], data: input.data.subarray(t * length, (t + 1) * length) };
      steps.push((await model.step(frame, { record: { counts: true } })).counts!);
    }
    const joined = (of: (step: (typeof steps)[number]) => readonly number[]) => steps.flatMap(of);
    for (const [index, { name, spikes }] of counts!.neurons.entries()) {
      expect(
        joined(({ neurons }) => neurons[index]!.spikes),
        name,
      ).toEqual(spikes);
    }
    for (const [layer, additions] of counts!.additions) {
      expect(
        joined((step) => step.additions.get(layer)!),
        layer,
      ).toEqual(additions);
    }
    const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
    expect(sum(joined(({ effectiveAcs }) => [effectiveAcs]))).toBe(counts!.effectiveAcs);
    expect(sum(joined(({ effectiveMacs }) => [effectiveMacs]))).toBe(counts!.effectiveMacs);
    expect(steps.map(({ images }) => images)).toEqual([2, 2, 2]);
    const one = model.reconfigured({ timeSteps: 1 }, model.engine);
    for (const step of steps) {
      const meter = new EnergyMeter(one, defaultEnergyConstants);
      meter.count(step);
      const energy = new StepEnergy(one.graph, step.size, defaultEnergyConstants).of(step);
      expect(energy).toBeCloseTo(meter.result().exactMillijoules, 12);
      expect(energy).toBeGreaterThan(0);
    }
    await model.dispose();
  });
});
