/** The registry of architectures: names, graphs, published sizes, recognition, and that nobody builds a network around it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { describe, expect, it } from 'vitest';
import { resolveConfiguration } from '../../src/models/configurations.js';
import type { Head, StageMap } from '../../src/models/head.js';
import { metaSpikeformer } from '../../src/models/metaSpikeformer.js';
import {
  architectureNames,
  architectureOf,
  describeNetwork,
  graphOf,
  publishedAs,
  publishedNames,
  publishedNetwork,
  recogniseNetwork,
} from '../../src/models/registry.js';
import { conv2d } from '../../src/operators/conv2d.js';
import { inferShapes, parametersOf } from '../../src/operators/registry.js';

const configuration = resolveConfiguration({ embedDim: [8, 16, 24, 32], heads: 4, classes: 5, distillation: true });

const shapesOf = (graph: Parameters<typeof parametersOf>[0]) =>
  new Map(parametersOf(graph).map(({ name, shape }) => [name, shape]));

describe('the registry of architectures', () => {
  it('builds what a description names, and Meta-SpikeFormer for one from before the names', () => {
    const expected = metaSpikeformer(configuration);
    expect(graphOf({ configuration })).toEqual(expected);
    expect(graphOf({ architecture: 'meta-spikeformer', configuration })).toEqual(expected);
  });

  it('says which architectures there are when one is unknown', () => {
    expect(() => graphOf({ architecture: 'resnet', configuration })).toThrow(
      'architecture: found resnet, expected meta-spikeformer',
    );
  });

  it.each(architectureNames())(
    'recognises every published size of %s by its shapes, and nothing else',
    (architecture) => {
      const { schema, sizes, build, recognise } = architectureOf({ architecture });
      for (const variant of Object.values(sizes)) {
        const published = schema.parse(variant.configuration);
        const shapes = new Map(parametersOf(build(published)).map(({ name, shape }) => [name, shape]));
        expect(recognise(shapes)).toEqual(published);
      }
      expect(recognise(new Map([['conv1.weight', [64, 3, 7, 7]]]))).toBeUndefined();
    },
  );

  it('tells a published network from its shapes alone, whichever architecture it is of', () => {
    for (const name of publishedNames()) {
      const { architecture, configuration: own } = publishedNetwork(name);
      const shapes = shapesOf(graphOf(describeNetwork(architecture, own)));
      const recognised = recogniseNetwork(shapes)!;
      expect(recognised.architecture).toBe(architecture);
      expect(publishedAs(recognised)?.name).toBe(name);
    }
    expect(publishedAs({ configuration })).toBeUndefined();
    expect(() => publishedNetwork('99M')).toThrow('size: found 99M, expected 15M, 31M, 55M, ms-resnet-18');
  });

  it('knows no parameter of one architecture for another’s', () => {
    for (const name of publishedNames()) {
      const { architecture, configuration: own } = publishedNetwork(name);
      const parameters = [...shapesOf(graphOf(describeNetwork(architecture, own))).keys()];
      for (const other of architectureNames()) {
        const { anchor, modules, frame } = architectureOf({ architecture: other }).parameterNames;
        const mine = other === architecture;
        expect(parameters.some((parameter) => anchor.test(parameter))).toBe(mine);
        expect(frame.every((parameter) => parameters.includes(parameter))).toBe(mine);
        const whole = new RegExp(`^(?:${modules.source})\\.`);
        if (mine) expect(parameters.filter((parameter) => !whole.test(parameter))).toEqual([]);
      }
    }
  });

  it.each(publishedNames())('puts any head behind the backbone of %s, with the strides that its maps have', (name) => {
    const { architecture, configuration: own, inputSize } = publishedNetwork(name);
    const network = describeNetwork(architecture, own);
    let maps: readonly StageMap[] = [];
    const head: Head = (graph, backbone) => {
      maps = backbone.maps;
      const { value, channels } = maps[1]!;
      const spikes = backbone.neurons('decoder.lif', value);
      const options = { inputChannels: channels, outputChannels: 3, kernel: 1 };
      graph.output('map', conv2d(graph, 'decoder.conv', spikes, options));
    };
    const graph = graphOf(network, head);
    const [height, width] = inputSize;
    const shapes = inferShapes(graph, [1, 1, height, width, 3]);
    for (const { value, channels, stride } of maps)
      expect(shapes.get(value)).toEqual([
        network.configuration.timeSteps,
        1,
        height / stride,
        width / stride,
        channels,
      ]);
    expect([...graph.outputs.keys()]).toEqual(['map']);
    const names = [...shapesOf(graph).keys()];
    const { head: ownHead } = architectureOf(network).parameterNames;
    expect(names.filter((each) => ownHead.test(each))).toEqual([]);
    expect(names).toContain('decoder.conv.weight');
  });

  it('is the only way to a graph: outside models nobody calls an architecture', () => {
    const sources = new URL('../../src/', import.meta.url).pathname;
    const files = readdirSync(sources, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
    const callers = files
      .filter((file) => !file.startsWith(`models${sep}`))
      .filter((file) => /\b(?:metaSpikeformer|msResNet)\(/.test(readFileSync(join(sources, file), 'utf8')));
    expect(files.length).toBeGreaterThan(100);
    expect(callers).toEqual([]);
  });
});
