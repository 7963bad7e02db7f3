/** The summary of a network against operation counts computed elsewhere from the paper's energy convention. */
import { describe, expect, it } from 'vitest';
import { summarise } from '../../src/insight/summary.js';
import { metaSpikeformerSizes, resolveConfiguration } from '../../src/models/configurations.js';
import { metaSpikeformer } from '../../src/models/metaSpikeformer.js';
import { askedGraph } from '../../src/tasks/registry.js';

type Size = keyof typeof metaSpikeformerSizes;

/** At 224 × 224 per time step, in G: RepConv merged into 3×3, SepConv's parts separate, the first convolution apart. */
const published: readonly (readonly [Size, number, number])[] = [
  ['15M', 9.98, 0.059],
  ['31M', 21.29, 0.089],
  ['55M', 37.79, 0.118],
];

describe.each(published)('the summary of %s', (size, operations, firstConvolution) => {
  const summary = summarise(metaSpikeformer(resolveConfiguration(metaSpikeformerSizes[size])), [224, 224]);
  const [stem] = summary.realFedLayers;

  it('has the published operations once its RepConvs are merged', () => {
    const all = summary.spikeFedOperations + summary.realFedOperations - stem!.operations;
    // A merged RepConv has 9 C² per token; its parts have C² + 9 C + C². There are four in each transformer block.
    const merging = summary.stages
      .filter(({ name }) => /^block[34]\./.test(name))
      .reduce((sum, { tokens, channels: c }) => sum + 4 * tokens * (7 * c * c - 9 * c), 0);
    expect(Math.abs((all + merging) / 1e9 - operations)).toBeLessThan(0.006);
  });

  it('has the published operations in the first convolution, which pixels feed', () => {
    expect(stem!.name).toBe('downsample1_1.encode_conv');
    expect(Math.abs(stem!.operations / 1e9 - firstConvolution)).toBeLessThan(0.0005);
  });

  it('finds no other layer fed by real numbers than the last pointwise of SepConv and the inside of RepConv', () => {
    const others = summary.realFedLayers.slice(1).map(({ name }) => name);
    expect(others.filter((name) => !/\.Conv\.pwconv2$|\.body\.2\.[01]$/.test(name))).toEqual([]);
    expect(others).toHaveLength(4 + 8 * 4 * 2);
  });

  it('does not depend on the number of time steps', () => {
    const four = resolveConfiguration({ ...metaSpikeformerSizes[size], timeSteps: 4 });
    expect(summarise(metaSpikeformer(four), [224, 224])).toEqual(summary);
  });
});

describe('the summary of a network for segmentation', () => {
  const configuration = resolveConfiguration({
    embedDim: [8, 8, 16, 16],
    depths: [1, 1, 1, 1, 1],
    strides: [2, 2, 2, 2, 1],
    stemKernel: 3,
    classes: 3,
  });
  const network = { architecture: 'meta-spikeformer', configuration: { ...configuration, pyramidChannels: 8 } };
  const graph = askedGraph({ ...network, task: 'segmentation' });
  const { stages } = summarise(graph, [32, 64]);

  it('tells neck and head from the classifier that it has not', () => {
    const names = stages.map(({ name }) => name);
    expect(names).toContain('neck');
    expect(names).toContain('decode_head');
    expect(names).not.toContain('classifier');
    // Four lateral 1×1 convolutions from the published stages' widths and four of 3×3, each with a bias.
    const widths = [4, 8, 8, 16];
    const lateral = widths.reduce((sum, width) => sum + width * 8 + 8, 0);
    expect(stages.find(({ name }) => name === 'neck')?.parameters).toBe(lateral + 4 * (9 * 8 * 8 + 8));
  });
});
