/**
 * MS-ResNet against the authors' own module (BICLab/MS-ResNet, `models/MS_ResNet.py`, PyTorch on CPU): the network is told from the checkpoint's shapes alone,
 * every spike is equal, scores to rounding. A small network travels with the repository; others are read where the shared folder is.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { createReferenceEngine } from '../../src/engines/reference/index.js';
import { defaultEnergyConstants, EnergyMeter, fileFromBytes, loadModel, onnxParts } from '../../src/index.js';
import { openSafetensors } from '../../src/interop/safetensors.js';
import { seededRandom } from '../../src/random.js';
import { parseRecipe, withSettings } from '../../src/training/recipe.js';
import { startingParameters } from '../../src/training/startingParameters.js';
import { train } from '../../src/training/trainingRun.js';
import { checkpoint as metaSpikeformerCheckpoint, spikeformer } from '../cli/support.js';
import { sharedPath } from '../shared.js';
import { shades, smallest } from '../training/runSupport.js';

const fixtures = join(fileURLToPath(new URL('.', import.meta.url)), '..', 'fixtures', 'golden');
const names = ['msresnet18_T6', 'msresnet18_T4', 'msresnet34_T4'];

function pathOf(file: string): string | undefined {
  const bundled = join(fixtures, file);
  return existsSync(bundled) ? bundled : sharedPath('golden', 'rivals', file);
}

const authors: Readonly<Record<string, { readonly parameters: number }>> = {
  'ms-resnet-18': { parameters: 11_693_736 },
  'ms-resnet-34': { parameters: 21_801_896 },
};

describe.each(names)('%s', (name) => {
  const path = pathOf(`${name}.pth`);

  const suffix = path === undefined ? ' (skipped: the shared golden files are absent)' : '';

  it.skipIf(path === undefined)(`fires as the authors’ module does, spike for spike${suffix}`, async () => {
    const json = JSON.parse(readFileSync(pathOf(`${name}.json`)!, 'utf8'));
    const file = await openSafetensors(fileFromBytes(readFileSync(pathOf(`${name}.safetensors`)!), name));
    const read = (tensor: string) => file.tensors.get(tensor)!.readFloat32();
    const model = await loadModel({ checkpoint: path! }, { timeSteps: json.config.T, threads: 1 });
    try {
      expect(model.architecture).toBe('ms-resnet');
      expect(model.configuration).toMatchObject({ blocks: json.config.blocks, classes: json.config.num_classes });
      const input = { shape: file.tensors.get('input')!.shape, data: await read('input') };
      const { logits, spikes, activations, firingRates } = await model.run(input, {
        record: { spikes: true, activations: true, firingRates: true },
      });
      const modules: readonly string[] = json.forward_order_of_spiking_modules;
      expect([...spikes!.keys()]).toEqual(modules);
      for (const module of modules) {
        const expected = await file.tensors.get(`spikes.${module}`)!.readBytes();
        expect(spikes!.get(module)!.shape, module).toEqual(json.spike_shapes[module]);
        expect(Buffer.compare(spikes!.get(module)!.bits, expected), module).toBe(0);
        expect(firingRates!.get(module)).toBeCloseTo(json.firing_rate[module], 6);
      }
      const scores = await read('logits');
      for (const [index, score] of scores.entries()) expect(logits.data[index]).toBeCloseTo(score, 5);
      const stem = await read('act.conv1');
      for (const [index, value] of activations!.get('conv1')!.data.entries())
        expect(Math.abs(value - stem[index]!)).toBeLessThan(1e-4);
    } finally {
      await model.dispose();
    }
  });
});

describe('ms-resnet on the command line', () => {
  const path = pathOf('msresnet18_T6.pth')!;

  it.each(Object.keys(authors))('info --size %s counts the parameters of the authors’ module', async (size) => {
    const { stdout } = await spikeformer(['info', '--size', size, '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      architecture: 'ms-resnet',
      task: 'classification',
      modality: 'image',
      size,
      parameters: authors[size]!.parameters,
    });
  });

  it('says what a checkpoint holds, and proves what is fed by spikes', async () => {
    const { stdout } = await spikeformer(['info', '--checkpoint', path, '--image-size', '64']);
    expect(stdout).toContain('MS-ResNet, classification, input: image');
    expect(stdout).toContain('widths 4,8,16,32, blocks 2,2,2,2');
    const proof = await spikeformer(['energy', '--checkpoint', path, '--image-size', '64', '--proof', '--json']);
    const { spikeFed } = JSON.parse(proof.stdout).proof;
    expect(spikeFed).toContain('conv5_x.1.residual_function.4');
  });

  it('refuses settings of another architecture, and another architecture than was asked for', async () => {
    const heads = await spikeformer(['info', '--checkpoint', path, '--heads', '4']);
    expect([heads.code, heads.stderr]).toEqual([2, expect.stringContaining('there is no option heads')]);
    const other = await spikeformer(['info', '--checkpoint', path, '--size', '15M']);
    expect([other.code, other.stderr]).toEqual([
      2,
      expect.stringContaining('these are not the weights of a Meta-SpikeFormer: '),
    ]);
    const reverse = await spikeformer(['info', '--checkpoint', metaSpikeformerCheckpoint, '--size', 'ms-resnet-18']);
    expect([reverse.code, reverse.stderr]).toEqual([
      2,
      expect.stringContaining('these are not the weights of a MS-ResNet: '),
    ]);
  });
});

describe('training ms-resnet', () => {
  it('learns by a recipe, and its checkpoint is loaded, exported and counted as what it is', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'spikeformer-ms-resnet-'));
    const recipe = parseRecipe(
      withSettings(JSON.parse(JSON.stringify(smallest())), [
        'model={"architecture":"ms-resnet","widths":[4,4,8,8],"blocks":[1,1,1,1],"classes":2,"timeSteps":2}',
        'smallerFirst=[]',
        'data.preprocessing.resize=32',
        'data.preprocessing.crop=[32,32]',
      ]),
      'small',
    );
    const start = startingParameters(recipe);
    expect(new Set(start.get('conv3_x.0.residual_function.2.bn.weight'))).toEqual(new Set([0.5]));
    expect(new Set(start.get('conv3_x.0.residual_function.5.bn.weight'))).toEqual(new Set([0]));
    await train({ recipe, dataset: shades(6), output: folder, createEngine: createReferenceEngine, resume: false });
    const checkpoint = join(folder, 'last.safetensors');
    const model = await loadModel({ checkpoint }, { threads: 1 });
    expect(model).toMatchObject({ architecture: 'ms-resnet', configuration: { timeSteps: 2, widths: [4, 4, 8, 8] } });
    expect(model.parameters.get('conv3_x.0.residual_function.5.bn.weight')!.some((scale) => scale !== 0)).toBe(true);
    const random = seededRandom(3);
    const input = { shape: [2, 3, 32, 32], data: Float32Array.from({ length: 6144 }, () => random.normal()) };
    const { logits } = await model.run(input);
    const session = await ort.InferenceSession.create(Buffer.concat(onnxParts(model)));
    const results = await session.run({ input: new ort.Tensor('float32', input.data, input.shape) });
    await session.release();
    for (const [index, score] of (results.logits!.data as Float32Array).entries())
      expect(logits.data[index]).toBeCloseTo(score, 4);
    const meter = new EnergyMeter(model, defaultEnergyConstants);
    await meter.run(input);
    expect(meter.result().layers.map(({ name }) => name)).toContain('conv4_x.0.shortcut.0');
    await model.dispose();
    await rm(folder, { recursive: true });
  });
});
