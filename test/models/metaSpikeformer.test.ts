/** Names, shapes and counts of parameters against the authors' `state_dict`s, and configurations of every kind. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/errors.js';
import { outputOf } from '../../src/graph/outputs.js';
import { elementCount } from '../../src/graph/shape.js';
import { metaSpikeformerSizes, recogniseConfiguration, resolveConfiguration } from '../../src/models/configurations.js';
import { type MetaSpikeformerOptions, metaSpikeformer } from '../../src/models/metaSpikeformer.js';
import { inferKinds, inferShapes, parametersOf } from '../../src/operators/registry.js';
import { goldenPath } from '../golden/support.js';

interface AuthorsNetwork {
  readonly parameters: number;
  readonly state_dict: Readonly<Record<string, readonly number[]>>;
}

const authors: Readonly<Record<string, AuthorsNetwork>> = JSON.parse(
  readFileSync(goldenPath('state_dict_keys.json')!, 'utf8'),
);
const sizes = Object.entries(metaSpikeformerSizes);

function graphOf(options: MetaSpikeformerOptions) {
  return metaSpikeformer(resolveConfiguration(options));
}

describe.each(sizes)('the %s network', (size, options) => {
  const specs = parametersOf(graphOf(options as unknown as MetaSpikeformerOptions));

  it('has the parameters of the authors’ state_dict, in their order, of their shapes', () => {
    expect(specs.map((spec) => [spec.name, spec.shape])).toEqual(Object.entries(authors[size]!.state_dict));
  });

  it('has as many trained numbers as the authors count', () => {
    const trained = specs.filter((spec) => spec.role === 'weight' || spec.role === 'bias');
    expect(trained.reduce((sum, spec) => sum + elementCount(spec.shape), 0)).toBe(authors[size]!.parameters);
  });

  it('is recognised from the shapes alone', () => {
    const shapes = new Map(Object.entries(authors[size]!.state_dict));
    expect(recogniseConfiguration(shapes)).toEqual(resolveConfiguration(options as unknown as MetaSpikeformerOptions));
  });
});

const small = { embedDim: [16, 32, 64, 80], classes: 10 } satisfies MetaSpikeformerOptions;

describe('configurations', () => {
  const variants: readonly (readonly [string, MetaSpikeformerOptions, readonly [number, number], readonly number[]])[] =
    [
      ['a square image', small, [64, 64], [1, 2, 4, 4, 80]],
      ['an image that is not square', small, [96, 64], [1, 2, 6, 4, 80]],
      ['an odd image size', small, [75, 57], [1, 2, 5, 4, 80]],
      ['strides for small images', { ...small, strides: [1, 2, 2, 1, 1] }, [32, 32], [1, 2, 8, 8, 80]],
      ['a 3×3 stem', { ...small, stemKernel: 3 }, [64, 64], [1, 2, 4, 4, 80]],
      ['sixteen time steps', { ...small, timeSteps: 16 }, [32, 32], [16, 2, 2, 2, 80]],
      [
        'other depths, heads and MLP ratio',
        { ...small, depths: [2, 1, 3, 1, 1], heads: 4, mlpRatio: 2 },
        [32, 32],
        [1, 2, 2, 2, 80],
      ],
    ];

  it.each(variants)('give maps of the expected size: %s', (_name, options, [height, width], expected) => {
    const graph = graphOf(options);
    const shapes = inferShapes(graph, [1, 2, height, width, 3]);
    const last = [...graph.stages.values()].at(-1)!;
    expect(shapes.get(last)).toEqual(expected);
    expect(shapes.get(outputOf(graph, 'logits').value)).toEqual([2, 10]);
  });

  it.each(variants)('are recognised from their shapes: %s', (_name, options) => {
    const configuration = resolveConfiguration(options);
    const shapes = new Map(parametersOf(metaSpikeformer(configuration)).map((spec) => [spec.name, spec.shape]));
    const { heads, strides, timeSteps } = configuration;
    expect(recogniseConfiguration(shapes, { heads, strides, timeSteps })).toEqual(configuration);
  });

  it('take event frames of two channels as a sequence', () => {
    const graph = graphOf({ ...small, inputChannels: 2, timeSteps: 4 });
    expect(inferShapes(graph, [4, 1, 64, 64, 2]).get('head')).toEqual([4, 1, 10]);
  });

  it('add a second head for distillation', () => {
    const graph = graphOf({ ...small, distillation: true });
    expect([...graph.outputs].map(([name, { meaning }]) => [name, meaning])).toEqual([
      ['logits', 'logits'],
      ['head', 'logits'],
      ['head_kd', 'distilledLogits'],
    ]);
    expect(parametersOf(graph).map((spec) => spec.name)).toContain('head_kd.weight');
  });

  it('let every convolution but the stem and the authors’ real-fed layers receive spikes', () => {
    const graph = graphOf(small);
    const kinds = inferKinds(graph);
    const layers = graph.nodes.filter((node) => node.operator === 'conv2d' || node.operator === 'linear');
    const real = layers.filter((node) => kinds.get(node.inputs[0]!) !== 'binary').map((node) => node.name);
    const known = [/^downsample1_1\./, /\.Conv\.pwconv2$/, /_conv\.0\.body\.2\.[01]$/];
    expect(real.filter((name) => !known.some((pattern) => pattern.test(name)))).toEqual([]);
    expect(real).toContain('downsample1_1.encode_conv');
  });

  const wrong: readonly (readonly [string, unknown, RegExp])[] = [
    ['T = 0', { ...small, timeSteps: 0 }, /timeSteps/],
    ['T = 17', { ...small, timeSteps: 17 }, /timeSteps/],
    ['heads that do not divide the channels', { ...small, heads: 7 }, /heads/],
    ['an even stem kernel', { ...small, stemKernel: 4 }, /stemKernel/],
    ['an odd first embedDim', { ...small, embedDim: [15, 32, 64, 80] }, /embedDim/],
    ['an unknown option', { ...small, colour: 'red' }, /colour/],
  ];
  it.each(wrong)('refuse %s', (_name, options, message) => {
    expect(() => resolveConfiguration(options as MetaSpikeformerOptions)).toThrow(UsageError);
    expect(() => resolveConfiguration(options as MetaSpikeformerOptions)).toThrow(message);
  });

  it('are not invented for other networks', () => {
    expect(recogniseConfiguration(new Map([['conv1.weight', [64, 3, 7, 7]]]))).toBeUndefined();
  });
});
