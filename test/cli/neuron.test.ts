/** `--neuron`: from a recipe over a checkpoint's header to every command that reads it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { json, spikeformer, temporaryFolder, writeDarkAndLight } from './support.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const at = (...parts: string[]) => join(folder.path, ...parts);
beforeAll(async () => {
  folder = await temporaryFolder();
  await writeDarkAndLight(at('images'), 10);
});
afterAll(() => folder.remove());

describe('a network with other neurons', () => {
  it.each([
    ['relu', 'relu'],
    ['if', 'integrateAndFire'],
  ])('%s is trained from the recipe that init writes, and its checkpoint says so', async (word, neuron) => {
    const recipe = at(`${word}.json`);
    await spikeformer(['init', at('images'), '--output', recipe, '--neuron', word]);
    expect(readFileSync(recipe, 'utf8')).toContain(`"neuron": "${neuron}",`);
    const small = ['model.embedDim=[8,8,8,8]', 'model.heads=2', 'epochs=0.1', 'data.workers=0', 'movingAverage=null'];
    const run = at(`run-${word}`);
    const trained = await json([
      ...['train', '--recipe', recipe, '--data', at('images'), '--output', run, '--threads', '1', '--set', ...small],
    ]);
    expect(trained).toMatchObject({ steps: 1, finished: true });
    const checkpoint = join(run, 'last.safetensors');
    const described = await json(['info', '--checkpoint', checkpoint]);
    expect(described).toMatchObject({ configuration: { neuron } });
    const fed = (described as { operationsPerTimeStep: { spikeFed: number } }).operationsPerTimeStep.spikeFed;
    expect(fed > 0).toBe(word === 'if');
    const energy = await json(['energy', '--checkpoint', checkpoint, '--data', at('images'), '--images', '2']);
    expect(energy).toMatchObject({ model: { configuration: { neuron } } });
    const { code } = await spikeformer([
      ...['export', '--checkpoint', checkpoint, '--format', 'onnx', '--output', at(`${word}.onnx`)],
    ]);
    expect(code).toBe(0);
  });

  it('is asked for beside weights that do not say; a word that is no neuron is refused', async () => {
    expect(await json(['info', '--size', '15M', '--neuron', 'if'])).toMatchObject({
      configuration: { neuron: 'integrateAndFire' },
    });
    const { code, stderr } = await spikeformer(['info', '--neuron', 'tanh']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('--neuron: found "tanh", expected lif or if or relu')]);
  });
});
