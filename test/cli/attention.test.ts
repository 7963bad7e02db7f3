/** `--attention`: from a recipe over a checkpoint's header to every command that reads it. */
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

interface Counted {
  readonly exact: {
    readonly layers: readonly {
      readonly name: string;
      readonly additions: readonly number[];
      readonly multiplications: readonly number[];
    }[];
  };
}

describe('a network with SDSA-1', () => {
  it('is trained from the recipe that init writes, and its checkpoint says so to every command', async () => {
    const recipe = at('recipe.json');
    await spikeformer(['init', at('images'), '--output', recipe, '--attention', 'sdsa1']);
    expect(readFileSync(recipe, 'utf8')).toContain('"attention": "sdsa1",');
    const small = ['model.embedDim=[8,8,8,8]', 'model.heads=2', 'epochs=0.1', 'data.workers=0', 'movingAverage=null'];
    const train = ['train', '--recipe', recipe, '--data', at('images'), '--threads', '1', '--set', ...small];
    expect(await json([...train, '--output', at('run')])).toMatchObject({ steps: 1, finished: true });
    const checkpoint = at('run', 'last.safetensors');
    expect(await json(['info', '--checkpoint', checkpoint])).toMatchObject({ configuration: { attention: 'sdsa1' } });
    expect((await spikeformer(['info', '--checkpoint', checkpoint])).stdout).toContain('attention: sdsa1');
    const energy = ['energy', '--checkpoint', checkpoint];
    const { exact } = (await json([...energy, '--data', at('images'), '--images', '2'])) as unknown as Counted;
    const counts = exact.layers.find(({ name }) => name === 'block3.0.attn.coincidences')!;
    expect(counts.multiplications).toEqual(counts.additions.map(() => 0));
    expect((await spikeformer([...energy, '--proof'])).stdout).toContain('coincidences of K and V are counted');
    const output = at('network.onnx');
    const exported = await spikeformer(['export', '--checkpoint', checkpoint, '--format', 'onnx', '--output', output]);
    expect(exported.code).toBe(0);
    expect(readFileSync(output).includes('"attention":"sdsa1"')).toBe(true);
    expect((await spikeformer(['eval', '--checkpoint', checkpoint, '--data', at('images')])).code).toBe(0);
  });

  it('is asked for beside weights that do not say; what is no attention, or cannot be one, is refused', async () => {
    const sdsa1 = ['--attention', 'sdsa1'];
    expect(await json(['info', '--size', '15M', ...sdsa1])).toMatchObject({ configuration: { attention: 'sdsa1' } });
    const other = await spikeformer(['info', '--attention', 'softmax']);
    expect([other.code, other.stderr]).toEqual([
      2,
      expect.stringContaining('--attention: found "softmax", expected sdsa3 or sdsa1'),
    ]);
    const numbers = await spikeformer(['info', '--size', '15M', ...sdsa1, '--neuron', 'relu']);
    expect([numbers.code, numbers.stderr]).toEqual([2, expect.stringContaining('sdsa1 counts spikes')]);
    const resNet = await spikeformer(['info', '--size', 'ms-resnet-18', ...sdsa1]);
    expect([resNet.code, resNet.stderr]).toEqual([2, expect.stringContaining('attention')]);
  });
});
