/** A detector with regions: what its heads do is counted for as many regions as there were, against the spikes that the same run recorded, counted region by region. */
import { describe, expect, it } from 'vitest';
import type { FieldTensor, Model, PackedSpikes } from '../../src/api/model.js';
import { plainPreprocessing } from '../../src/data/preprocess.js';
import type { SpikeCounts } from '../../src/energy/spikeCounting.js';
import type { Graph } from '../../src/graph/graph.js';
import { defaultEnergyConstants, EnergyMeter, Model as ModelClass, resolveConfiguration } from '../../src/index.js';
import { demonstrationParameters } from '../../src/models/initialise.js';
import { createEngine } from '../../src/runtime/engines.js';
import { spikeValues } from '../../src/runtime/spikeValues.js';
import { askedGraph } from '../../src/tasks/registry.js';
import { imagesOf } from './support.js';
import { countWords } from './wordCounts.js';

const [timeSteps, batch] = [2, 2];
const configuration = resolveConfiguration({
  ...{ embedDim: [8, 8, 16, 16], depths: [1, 1, 1, 1, 1], strides: [2, 2, 2, 2, 1], stemKernel: 3, heads: 2 },
  ...{ pyramidChannels: 8, regionChannels: 12, classes: 3, timeSteps },
});
const graph = askedGraph({ task: 'detection', configuration });
// Neurons in front of the heads' layers fire rarely on small numbers.
const parameters = new Map(
  [...demonstrationParameters(graph, 3)].map(([name, values]) => [
    name,
    /neck|rpn_head|roi_head/.test(name) ? values.map((value) => 4 * value) : values,
  ]),
);

async function model(): Promise<Model> {
  return new ModelClass({
    ...{ configuration, parameters, task: 'detection' },
    engine: await createEngine({ threads: 1 }),
    provenance: { name: 'counted', randomWeights: true, description: '' },
    preprocessing: plainPreprocessing(64),
  });
}

/** The counts of one of the graphs, from recorded words. */
function wordsOf(part: Graph, input: FieldTensor, spikes: ReadonlyMap<string, PackedSpikes>) {
  const own = new Set(spikeValues(part));
  const alone = { configuration, parameters, graph: { ...part, later: undefined } } as unknown as Model;
  return countWords(alone, input, new Map([...spikes].filter(([name]) => own.has(name))));
}

const found = ({ neurons, additions, effectiveAcs, effectiveMacs }: SpikeCounts) => ({
  // ReLUs are neurons that give out numbers, of which no words are recorded.
  spikes: Object.fromEntries(
    neurons.filter(({ name }) => !name.endsWith('.activate')).map(({ name, spikes }) => [name, [...spikes]]),
  ),
  additions: Object.fromEntries([...additions].map(([name, counts]) => [name, [...counts]])),
  ...{ effectiveAcs, effectiveMacs },
});

describe('counts of a detector with regions', () => {
  it('are those of its spikes, in the heads region by region', async () => {
    const asked = await model();
    const input = imagesOf([batch], [64, 64], 4);
    const record = { counts: true, spikeWords: true, activations: true } as const;
    const regions = {
      proposals: 7,
      maskRegions: { shape: [3, 5], data: Float32Array.of(0, 2, 2, 40, 50, 1, 0, 0, 64, 64, 1, 5, 9, 20, 30) },
    };
    const { counts, spikeWords, activations, outputs } = await asked.run(input, { record, regions });
    expect(found(counts!)).toEqual(wordsOf(graph, input, spikeWords!));
    const count = outputs.get('rois')!.shape[0]!;
    expect(counts!.later!.map((one) => [one.graph, one.counts.images])).toEqual([
      ['roi_head.bbox_head', count],
      ['roi_head.mask_head', 3],
    ]);
    const [boxes, masks] = counts!.later!.map((one) => found(one.counts));
    const features = activations!.get('bbox_feats')!;
    const flat = { shape: [timeSteps, count, 8 * 49, 1, 1], data: features.data };
    expect(boxes).toEqual(wordsOf(graph.later!.get('roi_head.bbox_head')!.graph, flat, spikeWords!));
    const cut = activations!.get('mask_feats')!;
    expect(masks).toEqual(wordsOf(graph.later!.get('roi_head.mask_head')!.graph, cut, spikeWords!));
    expect(
      Object.values(boxes!.additions)
        .flat()
        .reduce((a, b) => a + b),
    ).toBeGreaterThan(0);
    await asked.dispose();
  }, 60_000);

  it('become joules of an image, of twice as many regions twice those of the heads', async () => {
    const asked = await model();
    const input = imagesOf([1], [64, 64], 4);
    const box = [0, 2, 2, 40, 50];
    const measured = async (times: number) => {
      const meter = new EnergyMeter(asked, defaultEnergyConstants);
      const data = Float32Array.from(Array.from({ length: times }, () => box).flat());
      const given = { shape: [times, 5], data };
      const { counts } = await asked.run(input, {
        record: { counts: true },
        regions: { regions: given, maskRegions: given },
      });
      meter.count(counts!);
      return meter.result();
    };
    const [one, two] = [await measured(1), await measured(2)];
    expect([one.regions, two.regions]).toEqual([
      { 'roi_head.bbox_head': 1, 'roi_head.mask_head': 1 },
      { 'roi_head.bbox_head': 2, 'roi_head.mask_head': 2 },
    ]);
    for (const [i, layer] of one.paper.layers.entries()) {
      const times = layer.name.startsWith('roi_head') ? 2 : 1;
      expect(two.paper.layers[i]!.millijoules, layer.name).toBeCloseTo(times * layer.millijoules, 12);
      expect(two.layers[i]!.additions.map((sum) => sum / times)).toEqual(one.layers[i]!.additions);
      expect(two.layers[i]!.multiplications.map((sum) => sum / times)).toEqual(one.layers[i]!.multiplications);
    }
    // Of the heads these two read membranes.
    const multiplying = one.layers.filter(
      (layer) => layer.name.startsWith('roi_head') && layer.multiplications.some((sum) => sum > 0),
    );
    expect(multiplying.map(({ name }) => name)).toEqual(['roi_head.bbox_head.fc_cls', 'roi_head.bbox_head.fc_reg']);
    expect(two.exactMillijoules).toBeGreaterThan(one.exactMillijoules);
    expect(two.memory.millijoules).toBeGreaterThan(one.memory.millijoules);
    expect(two.neuroBench.synapticOperations.dense).toBeGreaterThan(one.neuroBench.synapticOperations.dense);
    await asked.dispose();
  });

  it('are there where no region was found', async () => {
    const asked = await model();
    const none = { shape: [0, 5], data: new Float32Array(0) };
    const meter = new EnergyMeter(asked, defaultEnergyConstants);
    const regions = { regions: none, maskRegions: none };
    const { counts } = await asked.run(imagesOf([1], [64, 64], 4), { record: { counts: true }, regions });
    meter.count(counts!);
    const { regions: found, layers, exactMillijoules } = meter.result();
    expect(found).toEqual({ 'roi_head.bbox_head': 0, 'roi_head.mask_head': 0 });
    expect(layers.find(({ name }) => name === 'roi_head.bbox_head.fc_cls')!.multiplications).toEqual([0, 0]);
    expect(exactMillijoules).toBeGreaterThan(0);
    await asked.dispose();
  });
});
