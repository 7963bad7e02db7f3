/** `info` against published numbers and the parameter lists of the authors' own modules. */
import { readFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { checkpoint, fixture, json, spikeformer } from './support.js';

interface InfoDocument {
  readonly parameters: number;
  readonly configuration: { readonly embedDim: number[]; readonly classes: number; readonly distillation: boolean };
  readonly imageSize: number[];
  readonly operationsPerTimeStep: { readonly spikeFed: number; readonly realFed: number };
  readonly stages: {
    readonly name: string;
    readonly tokens: number;
    readonly channels: number;
    readonly parameters: number;
  }[];
  readonly realFedLayers: { readonly name: string; readonly operations: number }[];
}
const info = async (...args: string[]) => (await json(['info', ...args])) as unknown as InfoDocument;

/** Names and shapes of the authors' modules, by size. */
const stateDictionaries: Record<string, { readonly state_dict: Record<string, number[]> }> = JSON.parse(
  readFileSync(fixture('golden', 'state_dict_keys.json'), 'utf8'),
);

describe.each([
  ['15M', 15_112_208, 0.059],
  ['31M', 31_333_864, 0.089],
  ['55M', 55_350_248, 0.118],
])('info --size %s', (size, parameters, firstConvolution) => {
  it('counts the published number of parameters, stage by stage', async () => {
    const document = await info('--size', size);
    expect(document.parameters).toBe(parameters);
    expect(document.stages.reduce((sum, stage) => sum + stage.parameters, 0)).toBe(parameters);
    const shapes = Object.entries(stateDictionaries[size]!.state_dict);
    for (const stage of document.stages.filter(({ name }) => name !== 'classifier')) {
      const own = shapes.filter(([name]) => name.startsWith(`${stage.name}.`) && !/running_|num_batches/.test(name));
      expect([stage.name, stage.parameters]).toEqual([
        stage.name,
        own.reduce((sum, [, shape]) => sum + shape.reduce((a, b) => a * b, 1), 0),
      ]);
    }
  });

  it('finds the first convolution fed by pixels, with its published operations', async () => {
    const { realFedLayers } = await info('--size', size);
    expect(realFedLayers[0]!.name).toBe('downsample1_1.encode_conv');
    expect(realFedLayers[0]!.operations / 1e9).toBeCloseTo(firstConvolution, 3);
  });
});

describe('info', () => {
  it('shows the tokens and channels of the paper’s table for 31M at 224 × 224', async () => {
    const { stages } = await info('--size', '31M');
    const rows = stages.map(({ name, tokens, channels }) => [name, tokens, channels]);
    expect(rows).toContainEqual(['downsample1_1', 112 ** 2, 48]);
    expect(rows).toContainEqual(['ConvBlock1_2.0', 56 ** 2, 96]);
    expect(rows).toContainEqual(['ConvBlock2_2.0', 28 ** 2, 192]);
    expect(rows).toContainEqual(['block3.5', 14 ** 2, 384]);
    expect(rows).toContainEqual(['block4.1', 14 ** 2, 480]);
  });

  it('tells a checkpoint’s network from its shapes', async () => {
    const document = await info('--checkpoint', checkpoint, '--image-size', '32', '--strides', '1,2,2,1,1');
    expect(document.configuration).toMatchObject({ embedDim: [16, 32, 64, 80], classes: 10, distillation: true });
    expect(document.imageSize).toEqual([32, 32]);
    expect(document.stages.find(({ name }) => name === 'block4.0')).toMatchObject({ tokens: 64 });
  });

  it('says which engine would run, and why', async () => {
    vi.stubEnv('SPIKEFORMER_ENGINE', 'reference');
    const engine = { name: 'reference', why: 'as SPIKEFORMER_ENGINE says' };
    expect(await info('--size', '15M')).toMatchObject({ engine });
    const { stdout } = await spikeformer(['info', '--size', '15M']);
    expect(stdout).toContain('engine: reference (as SPIKEFORMER_ENGINE says)');
    vi.stubEnv('SPIKEFORMER_ENGINE', 'gpu');
    const refused = await spikeformer(['info', '--size', '15M']);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/SPIKEFORMER_ENGINE: found .*gpu.*, expected native or wasm or reference/);
    vi.unstubAllEnvs();
  });

  it('names the classes that a model knows, and none where no file does', async () => {
    const classes = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];
    const { labels } = (await json(['info', '--model', 'cifar10'])) as { readonly labels: string[] };
    expect([...labels].sort()).toEqual(classes);
    expect((await spikeformer(['info', '--model', 'cifar10'])).stdout).toContain(`names: ${labels.join(', ')}\n`);
    expect(await json(['info', '--size', '15M'])).toMatchObject({ labels: null });
    expect((await spikeformer(['info', '--size', '15M'])).stdout).not.toContain('names:');
  });

  it('prints the same numbers for people', async () => {
    const { stdout, code } = await spikeformer(['info', '--size', '55M']);
    expect(stdout).toContain('55,350,248 parameters');
    expect(stdout).toMatch(/layers are fed by real numbers/);
    expect(code).toBe(0);
  });
});
