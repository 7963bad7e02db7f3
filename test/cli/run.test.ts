/** `run` against what the authors' own module gave (PyTorch 1.13.1), and the files it leaves. */
import { copyFile, link, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpointFile } from '../../src/interop/checkpointFiles.js';
import { checkpoint, everythingIn, golden, spikeformer, temporaryFolder, writeTensors, zeros } from './support.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

const run = (output: string, ...more: string[]) =>
  spikeformer(['run', '--checkpoint', checkpoint, '--input', golden, '--output', output, '--time-steps', '4', ...more]);

describe.each(['wasm', 'reference'])('run --record spikes,activations on the %s engine', (engine) => {
  it('writes what the golden file holds: every name and shape, every spike, logits within 1e-4', async () => {
    const output = join(folder.path, `${engine}.safetensors`);
    const { code, stderr } = await run(output, '--record', 'spikes,activations', '--engine', engine);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const expected = await openCheckpointFile(golden);
    const written = await openCheckpointFile(output);
    const names = [...expected.tensors.keys()].filter((name) => name !== 'input');
    const heads = ['head', 'head_kd'];
    expect(names.filter((name) => name.startsWith('spikes.')).length).toBeGreaterThan(70);
    expect([...written.tensors.keys()].sort()).toEqual([...names, ...heads].sort());
    for (const name of names) {
      const a = written.tensors.get(name)!;
      const b = expected.tensors.get(name)!;
      expect([name, a.dtype, a.shape]).toEqual([name, b.dtype, b.shape]);
      if (name.startsWith('spikes.')) expect(Buffer.compare(await a.readBytes(), await b.readBytes()), name).toBe(0);
      else expect(largestDifference(await a.readFloat32(), await b.readFloat32()), name).toBeLessThan(1e-4);
    }
    const json = JSON.parse(await readFile(golden.replace('.safetensors', '.json'), 'utf8'));
    expect(JSON.parse(written.metadata.spike_shapes!)).toEqual(json.spike_shapes);
    await Promise.all([expected.close(), written.close()]);
  });
});

describe('run', () => {
  it('writes the outputs alone unless asked for more: both heads, and logits, which are their mean', async () => {
    const output = join(folder.path, 'logits.safetensors');
    expect((await run(output)).code).toBe(0);
    expect((await run(output, '--record', 'activations')).code).toBe(0);
    expect((await run(output)).code).toBe(0);
    const written = await openCheckpointFile(output);
    expect([...written.tensors.keys()]).toEqual(['logits', 'head', 'head_kd']);
    const [logits, head, second] = await Promise.all(
      [...written.tensors.values()].map((tensor) => tensor.readFloat32()),
    );
    expect(logits).toEqual(head!.map((value, i) => Math.fround(value + second![i]!) / 2));
    expect(head).not.toEqual(second);
    await written.close();
  });

  it('takes frames as time steps', async () => {
    const source = await openCheckpointFile(golden);
    const tensor = source.tensors.get('input')!;
    const image = await tensor.readFloat32();
    const data = new Float32Array(4 * image.length);
    for (let t = 0; t < 4; t++) data.set(image, t * image.length);
    const input = await writeTensors(join(folder.path, 'frames.safetensors'), {
      input: { dtype: 'float32', shape: [4, ...tensor.shape], data },
    });
    const output = join(folder.path, 'from-frames.safetensors');
    const { code } = await spikeformer(['run', '--checkpoint', checkpoint, '--input', input, '--output', output]);
    expect(code).toBe(0);
    const written = await openCheckpointFile(output);
    const logits = await written.tensors.get('logits')!.readFloat32();
    expect(largestDifference(logits, await source.tensors.get('logits')!.readFloat32())).toBeLessThan(1e-4);
    await Promise.all([source.close(), written.close()]);
  });

  it('does not write over its input, by whatever name', async () => {
    const place = await temporaryFolder();
    const input = join(place.path, 'input.safetensors');
    const other = join(place.path, 'other.safetensors');
    await copyFile(golden, input);
    await link(input, join(place.path, 'hard.safetensors'));
    await symlink(input, join(place.path, 'soft.safetensors'));
    await symlink(other, join(place.path, 'input.pth'));
    await copyFile(checkpoint, other);
    const before = await readFile(input);
    for (const [name, role] of [
      ['input.safetensors', 'input'],
      ['hard.safetensors', 'input'],
      ['soft.safetensors', 'input'],
      ['input.pth', 'checkpoint'],
      ['other.safetensors', 'checkpoint'],
    ] as const) {
      const output = join(place.path, '.', name);
      const { code, stderr } = await spikeformer([
        'run',
        '--checkpoint',
        other,
        '--input',
        input,
        '--output',
        output,
        '--time-steps',
        '4',
      ]);
      expect(code).toBe(2);
      expect(stderr).toContain(`is the ${role} itself, which would be overwritten`);
    }
    expect(Buffer.compare(before, await readFile(input))).toBe(0);
    expect(await everythingIn(place.path)).toHaveLength(5);
    await place.remove();
  });

  it('rounds weights to 16 bits when asked to: the first spikes are nearly all the same', async () => {
    const output = join(folder.path, 'i16.safetensors');
    expect((await run(output, '--precision', 'i16', '--record', 'spikes')).code).toBe(0);
    const [expected, written] = [await openCheckpointFile(golden), await openCheckpointFile(output)];
    const share = async (layer: string) => {
      const found = await written.tensors.get(`spikes.${layer}`)!.readBytes();
      const right = await expected.tensors.get(`spikes.${layer}`)!.readBytes();
      let different = 0;
      for (const [i, byte] of found.entries()) different += (byte ^ right[i]!).toString(2).replaceAll('0', '').length;
      return different / (8 * found.length);
    };
    // Behind the first real-fed layer all are; behind each rounded one a few differ, and deep in a random network these few have flipped many.
    expect(await share('ConvBlock1_1.0.Conv.lif1')).toBe(0);
    expect(await share('ConvBlock1_1.0.Conv.lif2')).toBeLessThan(0.001);
    expect(await share('ConvBlock1_1.0.lif2')).toBeLessThan(0.01);
    expect(await share('lif')).toBeGreaterThan(0);
    await Promise.all([expected.close(), written.close()]);
  });

  it('refuses 16-bit weights on the reference engine', async () => {
    const output = join(folder.path, 'none.safetensors');
    const { code, stderr } = await run(output, '--precision', 'i16', '--engine', 'reference');
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/^spikeformer: precision: i16, but the reference[^\n]+\n$/),
    ]);
  });

  it('does several images of several sizes', async () => {
    const input = await writeTensors(join(folder.path, 'zeros.safetensors'), { input: zeros(3, 3, 48, 40) });
    const output = join(folder.path, 'three.safetensors');
    const args = ['run', '--checkpoint', checkpoint, '--input', input, '--output', output, '--threads', '1'];
    expect((await spikeformer(args)).stdout).toContain('logits [3, 10]');
  });
});

function largestDifference(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  return a.reduce((largest, value, i) => Math.max(largest, Math.abs(value - b[i]!)), 0);
}
