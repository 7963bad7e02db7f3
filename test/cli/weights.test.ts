/** `--weights`, `--size` and `--depths`: which weights of a file are taken, and what it must hold. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpointFile } from '../../src/interop/checkpointFiles.js';
import type { TensorData } from '../../src/interop/tensorData.js';
import { pthOf } from '../interop/support.js';
import { checkpoint, fixture, json, spikeformer, temporaryFolder, writeTensors, zeros } from './support.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
/** A file with raw and averaged weights, and one without the last stage. */
let both: string;
let shallow: string;
let input: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  const source = await openCheckpointFile(checkpoint);
  const raw: Record<string, TensorData> = {};
  for (const [name, tensor] of source.tensors)
    if (!name.endsWith('num_batches_tracked'))
      raw[name] = { dtype: 'float32', shape: tensor.shape, data: await tensor.readFloat32() };
  await source.close();
  const averaged = { ...raw, 'head.bias': { ...raw['head.bias']!, data: new Float32Array(10).fill(3) } };
  both = join(folder.path, 'both.pth');
  await writeFile(both, pthOf({ state_dict_ema: averaged, state_dict: raw }));
  shallow = await writeTensors(
    join(folder.path, 'shallow.safetensors'),
    Object.fromEntries(Object.entries(raw).filter(([name]) => !name.startsWith('block4.'))),
  );
  input = await writeTensors(join(folder.path, 'input.safetensors'), { input: zeros(1, 3, 32, 32) });
});
afterAll(() => folder.remove());

const strides = ['--strides', '1,2,2,1,1'];

describe('a file with raw and averaged weights', () => {
  const logits = async (...args: string[]) => {
    const output = join(folder.path, 'logits.safetensors');
    const outcome = await spikeformer(['run', '--input', input, '--output', output, ...strides, ...args]);
    const bytes = outcome.code === 0 ? await readFile(output) : undefined;
    return { ...outcome, bytes };
  };

  it('gives the raw ones and says what there is, or those that --weights names', async () => {
    const taken = await logits('--checkpoint', both);
    expect(taken.stderr).toBe(
      `note: ${both}: the weights state_dict were taken; --weights chooses another: state_dict_ema\n`,
    );
    expect((await logits('--checkpoint', checkpoint)).bytes).toEqual(taken.bytes);
    const averaged = await logits('--checkpoint', both, '--weights', 'state_dict_ema');
    expect(averaged.stderr).toBe('');
    expect(averaged.bytes).not.toEqual(taken.bytes);
  });

  it('refuses a name that it does not have', async () => {
    const { code, stderr } = await logits('--checkpoint', both, '--weights', 'teacher');
    expect(code).toBe(2);
    expect(stderr).toBe(`spikeformer: ${both}: has no weights called teacher; it has state_dict, state_dict_ema\n`);
  });

  it('is described by info', async () => {
    const document = await json(['info', '--checkpoint', both]);
    expect(document.weights).toEqual({ name: 'state_dict', others: ['state_dict_ema'] });
    expect(document.notes).toHaveLength(1);
    expect((await spikeformer(['info', '--checkpoint', both])).stdout).toContain(
      'weights: state_dict, also state_dict_ema',
    );
  });
});

describe('a file that lacks its last stage', () => {
  it('is said to, by every command', async () => {
    const note = /^note: .*shallow\.safetensors: this is no published network: .*block4 has no blocks/;
    expect((await spikeformer(['info', '--checkpoint', shallow, '--json'])).stderr).toMatch(note);
    const photograph = fixture('preprocess', 'images', 'jpeg_420.jpg');
    expect(
      (await spikeformer(['predict', photograph, '--checkpoint', shallow, '--image-size', '32', ...strides])).stderr,
    ).toMatch(note);
  });

  it.each([
    ['--depths', '1,1,2,6,2', /missing: block4\.0\./],
    ['--size', '15M', /missing: block4\.0\..*mis-shaped: /],
  ])('is refused with %s', async (option, value, expected) => {
    const { code, stderr } = await spikeformer(['info', '--checkpoint', shallow, option, value]);
    expect([code, stderr.split('\n').length]).toEqual([2, 2]);
    expect(stderr).toMatch(expected);
  });
});

it('these options are refused where there is no checkpoint, or no sense in what they say', async () => {
  const refusal = async (...args: string[]) => (await spikeformer(args)).stderr;
  expect(await refusal('predict', 'x.png', '--weights', 'ema')).toContain('give --checkpoint FILE with them');
  expect(await refusal('info', '--weights', 'ema')).toContain('give --checkpoint FILE with it');
  expect(await refusal('info', '--checkpoint', shallow, '--depths', '1,2,3')).toContain(
    'expected five numbers of blocks',
  );
  expect(await refusal('info', '--checkpoint', shallow, '--size', '16M')).toContain('expected 15M or 31M or 55M');
});
