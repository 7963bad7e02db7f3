/** The registry of architectures: names, graphs, published sizes, recognition, and that nobody builds a network around it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { describe, expect, it } from 'vitest';
import { resolveConfiguration } from '../../src/models/configurations.js';
import { metaSpikeformer } from '../../src/models/metaSpikeformer.js';
import { architectureNames, architectureOf, graphOf } from '../../src/models/registry.js';
import { parametersOf } from '../../src/operators/registry.js';

const configuration = resolveConfiguration({ embedDim: [8, 16, 24, 32], heads: 4, classes: 5, distillation: true });

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
      expect(Object.keys(sizes).length).toBeGreaterThan(0);
      for (const variant of Object.values(sizes)) {
        const published = schema.parse(variant.configuration);
        const shapes = new Map(parametersOf(build(published)).map(({ name, shape }) => [name, shape]));
        expect(recognise(shapes)).toEqual(published);
      }
      expect(recognise(new Map([['conv1.weight', [64, 3, 7, 7]]]))).toBeUndefined();
    },
  );

  it('is the only way to a graph: outside models nobody calls an architecture', () => {
    const sources = new URL('../../src/', import.meta.url).pathname;
    const files = readdirSync(sources, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
    const callers = files
      .filter((file) => !file.startsWith(`models${sep}`))
      .filter((file) => /\bmetaSpikeformer\(/.test(readFileSync(join(sources, file), 'utf8')));
    expect(files.length).toBeGreaterThan(100);
    expect(callers).toEqual([]);
  });
});
