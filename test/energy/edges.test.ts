/** The proof: what edges carry, against what really flows through them, and against the authors' description of which layers multiply. */
import { describe, expect, it } from 'vitest';
import { proveSpikeDriven } from '../../src/energy/edges.js';
import { GraphBuilder } from '../../src/graph/graph.js';
import { metaSpikeformer, metaSpikeformerSizes, resolveConfiguration } from '../../src/index.js';
import { initialiseParameters } from '../../src/models/initialise.js';
import { batchNorm } from '../../src/operators/batchNorm.js';
import { conv2d } from '../../src/operators/conv2d.js';
import { lif } from '../../src/operators/lif.js';
import { spatialMean } from '../../src/operators/means.js';
import { prepareGraph, prepareNetwork } from '../../src/runtime/prepare.js';
import { configuration, smallModel } from './support.js';

const proof = proveSpikeDriven(resolveConfiguration(metaSpikeformerSizes['31M']));
const formOf = (name: string) => proof.find(({ form }) => form === name)!;
const multiplying = (name: string) => formOf(name).layers.filter(({ fedBy }) => fedBy !== 'binary');

describe('the proof for 31M', () => {
  it('finds five multiplying layers once RepConv is merged: the stem and four SepConv pointwise convolutions', () => {
    const names = multiplying('merged').map(({ name }) => name);
    const pointwise = ['1_1', '1_2', '2_1', '2_2'].map((block) => `ConvBlock${block}.0.Conv.pwconv2`);
    expect(names).toEqual(['downsample1_1.encode_conv', ...pointwise]);
  });

  it.each(['trained', 'folded'])('finds two more in each of the 32 RepConvs when they are not merged (%s)', (form) => {
    expect(multiplying(form)).toHaveLength(5 + 2 * 4 * 8);
  });

  it('has a reason for each of them', () => {
    for (const form of ['trained', 'folded', 'merged'])
      expect(multiplying(form).filter(({ why, remedy }) => why === null || remedy === null)).toEqual([]);
  });

  it('knows that SDSA hands integers on, and takes spikes', () => {
    for (const { edges } of proof) {
      const integers = edges.filter(({ carries }) => carries === 'integer');
      expect(new Set(integers.map(({ to }) => to.split('.').at(-1)))).toEqual(new Set(['attn_lif']));
      const products = edges.filter(({ operator }) => operator === 'spikeAttention');
      expect(products).toHaveLength(3 * 8);
      expect(products.every(({ carries }) => carries === 'binary')).toBe(true);
    }
  });

  it('finds the layers of SDSA-1 fed by spikes too: it hands counts on, and its gate spikes', () => {
    const own = resolveConfiguration({ ...metaSpikeformerSizes['31M'], attention: 'sdsa1' });
    const merged = proveSpikeDriven(own).find(({ form }) => form === 'merged')!;
    expect(merged.layers.filter(({ fedBy }) => fedBy !== 'binary')).toHaveLength(5);
    const integers = merged.edges.filter(({ carries }) => carries === 'integer');
    expect(integers.map(({ from }) => from.split('.').at(-1))).toEqual(new Array(8).fill('coincidences'));
    const gated = merged.edges.filter(({ from }) => from.endsWith('.gate'));
    expect(gated.map(({ carries }) => carries)).toEqual(new Array(8).fill('binary'));
  });

  it('calls every stage’s output what flowed there in a run: spikes, or other numbers', async () => {
    const { model, input } = await smallModel();
    const { activations } = await model.run(input, { record: { activations: true } });
    await model.dispose();
    const carried = new Map(proveSpikeDriven(configuration)[0]!.edges.map(({ from, carries }) => [from, carries]));
    const { stages } = metaSpikeformer(configuration);
    expect(activations!.size).toBe(stages.size);
    for (const [stage, { data }] of activations!) {
      const spikes = data.every((value) => value === 0 || value === 1);
      expect([stage, carried.get(stages.get(stage)!)]).toEqual([stage, spikes ? 'binary' : 'real']);
    }
  });
});

describe('the proof for any graph', () => {
  it('needs no architecture: of two convolutions in a row the second multiplies, and merging is for the network to do', () => {
    const graph = new GraphBuilder('plain', 3);
    let x = batchNorm(
      graph,
      'bn1',
      conv2d(graph, 'stem', graph.input, { inputChannels: 3, outputChannels: 4, kernel: 3 }),
      4,
    );
    x = lif(graph, 'spikes', x, { tau: 2, threshold: 1 });
    x = conv2d(graph, 'depthwise', x, { inputChannels: 4, outputChannels: 4, kernel: 5, groups: 4 });
    x = conv2d(graph, 'pointwise', x, { inputChannels: 4, outputChannels: 2, kernel: 1 });
    graph.output('values', spatialMean(graph, 'pool', x));
    for (const { layers } of proveSpikeDriven(graph.build())) {
      expect(layers.map(({ name, fedBy }) => [name, fedBy])).toEqual([
        ['stem', 'real'],
        ['depthwise', 'binary'],
        ['pointwise', 'real'],
      ]);
      expect(layers[0]!.why).toContain('pixels');
      expect(layers[2]!.remedy).toContain('5×5');
    }
  });

  it.each(['none', 'first', 'full'] as const)(
    'sees the graph that runs, RepConv %s, without its weights',
    (repConv) => {
      const graph = metaSpikeformer(configuration);
      const parameters = initialiseParameters(graph, 1);
      expect(prepareGraph(graph, { repConv })).toEqual(prepareNetwork({ graph, parameters }, { repConv }).graph);
    },
  );
});
