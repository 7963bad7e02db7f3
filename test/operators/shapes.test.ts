/** Shape rules: what PyTorch's documentation gives, and errors that name the node and the shapes. */
import { describe, expect, it } from 'vitest';
import { GraphError } from '../../src/graph/errors.js';
import { type Graph, GraphBuilder } from '../../src/graph/graph.js';
import { outputOf } from '../../src/graph/outputs.js';
import type { Shape } from '../../src/graph/shape.js';
import { add } from '../../src/operators/add.js';
import { batchNorm } from '../../src/operators/batchNorm.js';
import { conv2d } from '../../src/operators/conv2d.js';
import { lif } from '../../src/operators/lif.js';
import { linear } from '../../src/operators/linear.js';
import { spatialMean } from '../../src/operators/means.js';
import { inferKinds, inferShapes } from '../../src/operators/registry.js';
import { repeatTime } from '../../src/operators/repeatTime.js';
import { mapToTokens, tokensToMap } from '../../src/operators/reshape.js';
import { spikeAttention } from '../../src/operators/spikeAttention.js';

function graphWith(channels: number, build: (graph: GraphBuilder) => string): Graph {
  const graph = new GraphBuilder('test', channels);
  graph.output('result', build(graph));
  return graph.build();
}

function shapeOf(graph: Graph, input: Shape): Shape {
  return inferShapes(graph, input).get(outputOf(graph, 'result').value)!;
}

describe('conv2d', () => {
  // Sizes from PyTorch's formula, computed by hand.
  it.each([
    [7, 2, 3, 224, 112],
    [3, 2, 1, 57, 29],
    [3, 1, 0, 16, 14],
    [1, 1, 0, 5, 5],
  ])('with kernel %i, stride %i, padding %i makes %i → %i', (kernel, stride, padding, size, expected) => {
    const graph = graphWith(3, (g) =>
      conv2d(g, 'layer', g.input, { inputChannels: 3, outputChannels: 8, kernel, stride, padding }),
    );
    expect(shapeOf(graph, [2, 3, size, size, 3])).toEqual([2, 3, expected, expected, 8]);
  });
});

describe('shape errors name the node and the shapes', () => {
  const cases: readonly (readonly [string, Graph, Shape, readonly (string | RegExp)[]])[] = [
    [
      'wrong channels into a convolution',
      graphWith(4, (g) => conv2d(g, 'stem.conv', g.input, { inputChannels: 3, outputChannels: 8, kernel: 3 })),
      [1, 1, 8, 8, 4],
      ['stem.conv', '[1, 1, 8, 8, 4]', 'W, 3]'],
    ],
    [
      'maps smaller than the kernel',
      graphWith(3, (g) =>
        conv2d(g, 'stem.conv', g.input, { inputChannels: 3, outputChannels: 8, kernel: 7, padding: 0 }),
      ),
      [1, 1, 5, 5, 3],
      ['stem.conv', '[1, 1, 5, 5, 3]', '7×7'],
    ],
    [
      'a sum of different shapes',
      graphWith(3, (g) =>
        add(g, 'residual', conv2d(g, 'c', g.input, { inputChannels: 3, outputChannels: 4, kernel: 1 }), g.input),
      ),
      [1, 1, 4, 4, 3],
      ['residual', '[1, 1, 4, 4, 4]', '[1, 1, 4, 4, 3]'],
    ],
    [
      'wrong channels into batch norm',
      graphWith(3, (g) => batchNorm(g, 'bn', g.input, 5)),
      [1, 1, 4, 4, 3],
      ['bn', '[1, 1, 4, 4, 3]', '5'],
    ],
    [
      'maps into a linear layer of other width',
      graphWith(3, (g) =>
        linear(g, 'head', spatialMean(g, 'pool', g.input), {
          inputChannels: 7,
          outputChannels: 2,
          bias: true,
          layout: 'linear',
        }),
      ),
      [1, 1, 4, 4, 3],
      ['head', '[1, 1, 3]', '7'],
    ],
    [
      'tokens that are not a map',
      graphWith(3, (g) =>
        tokensToMap(
          g,
          'back',
          mapToTokens(g, 'tokens', g.input),
          conv2d(g, 'c', g.input, { inputChannels: 3, outputChannels: 3, kernel: 3, stride: 2 }),
        ),
      ),
      [1, 1, 4, 4, 3],
      ['back', '[1, 1, 16, 3]', '[1, 1, 2, 2, 3]'],
    ],
    [
      'frames of another number',
      graphWith(3, (g) => repeatTime(g, 'frames', g.input, 4)),
      [3, 1, 4, 4, 3],
      ['frames', '[3, 1, 4, 4, 3]', '4'],
    ],
  ];

  it.each(cases)('%s', (_name, graph, input, parts) => {
    expect(() => inferShapes(graph, input)).toThrow(GraphError);
    for (const part of parts) expect(() => inferShapes(graph, input)).toThrow(part);
  });
});

describe('kinds of values', () => {
  const spikes = (g: GraphBuilder, name: string) => lif(g, name, g.input, { tau: 2, threshold: 1 });

  it('only neurons make binary values', () => {
    const graph = graphWith(8, (g) => add(g, 'sum', spikes(g, 'a'), spikes(g, 'b')));
    const kinds = inferKinds(graph);
    expect([kinds.get('input'), kinds.get('a'), kinds.get('sum')]).toEqual(['real', 'binary', 'integer']);
  });

  it('attention over spikes counts, over membranes it does not', () => {
    const attend = (query: (g: GraphBuilder) => string) =>
      inferKinds(
        graphWith(8, (g) =>
          spikeAttention(
            g,
            'product',
            { query: query(g), key: spikes(g, 'k'), value: spikes(g, 'v') },
            { channels: 8, heads: 2, scale: 0.125 },
          ),
        ),
      ).get('product');
    expect(attend((g) => spikes(g, 'q'))).toBe('integer');
    expect(attend((g) => g.input)).toBe('real');
  });
});

describe('GraphBuilder', () => {
  it('refuses two nodes of one name', () => {
    const g = new GraphBuilder('test', 3);
    batchNorm(g, 'bn', g.input, 3);
    expect(() => batchNorm(g, 'bn', g.input, 3)).toThrow(/bn/);
  });

  it('refuses an input that is not defined yet', () => {
    const g = new GraphBuilder('test', 3);
    expect(() => add(g, 'sum', g.input, 'later')).toThrow(/later/);
  });

  it('refuses heads that cannot share the channels', () => {
    const g = new GraphBuilder('test', 10);
    const inputs = { query: g.input, key: g.input, value: g.input };
    expect(() => spikeAttention(g, 'product', inputs, { channels: 10, heads: 3, scale: 1 })).toThrow(
      /10 channels.*3 heads/,
    );
  });
});
