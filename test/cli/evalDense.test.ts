/** `eval --draw`: the images that a segmentation does worst on, truth and answer beside each other. */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { denseClasses, writeDenseNetwork } from './denseNetworks.js';
import { checkpoint, json, spikeformer, temporaryFolder } from './support.js';

const [width, height] = [48, 32];
const images = 3;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let settings: string[];
const at = (...parts: string[]) => join(folder.path, ...parts);

/** Images in the layout of CamVid; the share of the first class falls from image to image. */
beforeAll(async () => {
  folder = await temporaryFolder();
  const network = await writeDenseNetwork(at('net.safetensors'), 'segmentation', {
    resize: null,
    crop: [height, width],
  });
  settings = ['--data', at('data'), '--checkpoint', network, '--threads', '1'];
  for (const part of ['test', 'testannot']) await mkdir(at('data', part), { recursive: true });
  await writeFile(at('data', 'classes.json'), JSON.stringify({ classes: denseClasses, void_id: 3 }));
  for (let i = 0; i < images; i++) {
    const pixels = Uint8Array.from({ length: 3 * width * height }, (_, p) => (p * (7 + i)) % 256);
    const mask = Uint8Array.from({ length: width * height }, (_, p) => (p % width < 12 * (i + 1) ? 0 : p % 4));
    await sharp(pixels, { raw: { width, height, channels: 3 } })
      .png()
      .toFile(at('data', 'test', `${i}.png`));
    await sharp(mask, { raw: { width, height, channels: 1 } })
      .toColourspace('b-w')
      .png()
      .toFile(at('data', 'testannot', `${i}.png`));
  }
});
afterAll(() => folder.remove());

const evaluate = (...more: string[]) => json(['eval', ...settings, ...more]);

interface Figures {
  readonly perClass: readonly { readonly calledAs: readonly number[]; readonly unnamed: number }[];
}

/** The mean over the classes that are there, of one image, from what `eval` counts of it. */
function agreementOf({ perClass }: Figures): number {
  const shares = perClass.flatMap(({ calledAs, unnamed }, k) => {
    const there = calledAs.reduce((a, b) => a + b) + unnamed;
    const called = perClass.reduce((sum, other) => sum + other.calledAs[k]!, 0);
    return there === 0 ? [] : [calledAs[k]! / (there + called - calledAs[k]!)];
  });
  return shares.reduce((a, b) => a + b) / shares.length;
}

describe('eval --draw', () => {
  it('writes as many as are asked for, from the worst on, and counts the same', async () => {
    const { timing: _plain, ...plain } = await evaluate();
    const { timing: _drawn, ...drawn } = await evaluate('--draw', at('worst'), '--save-worst', '2', '--batch', '2');
    expect(drawn).toEqual(plain);
    const agreements: { readonly i: number; readonly agreement: number }[] = [];
    for (let i = 0; i < images; i++) {
      const one = (await evaluate('--shard', `${i}/${images}`)) as unknown as Figures;
      agreements.push({ i, agreement: agreementOf(one) });
    }
    const worst = agreements.sort((a, b) => a.agreement - b.agreement).map(({ i }, rank) => `${rank + 1} ${i}.png`);
    expect((await readdir(at('worst'))).sort()).toEqual(worst.slice(0, 2));
    // Two of 48 pixels, five times as large, with a space between and a line of text above.
    const { data, info } = await sharp(at('worst', worst[0]!)).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([2 * 5 * width + 4, 5 * height + 20]);
    const row = 3 * info.width * 100;
    const [left, right] = [
      data.subarray(row, row + 15 * width),
      data.subarray(row + 15 * width + 12, row + 3 * info.width),
    ];
    expect(left).not.toEqual(right);
  }, 120_000);

  it('calls the sample of a shard by its name', async () => {
    await evaluate('--draw', at('shard'), '--shard', '1/2');
    expect((await readdir(at('shard'))).map((file) => file.slice(2)).sort()).toEqual(['1.png']);
  });

  it.each([
    ['without a folder', ['--save-worst', '2'], '--save-worst: says how many pictures --draw writes; give both'],
    ['of too many', ['--draw', 'x', '--save-worst', '201'], '--save-worst: found "201"'],
  ])('%s is refused', async (_, more, message) => {
    const { code, stderr } = await spikeformer(['eval', ...settings, ...more]);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });

  it('says nothing to a classifier', async () => {
    await mkdir(at('classes', 'a'), { recursive: true });
    await sharp({ create: { width: 32, height: 32, channels: 3, background: 'red' } })
      .png()
      .toFile(at('classes', 'a', '0.png'));
    const classifier = ['--data', at('classes'), '--checkpoint', checkpoint, '--image-size', '32'];
    const { code, stderr } = await spikeformer(['eval', ...classifier, '--draw', at('none')]);
    expect(code).toBe(2);
    expect(stderr).toContain('--draw: says nothing to an evaluation of classification');
  });
});
