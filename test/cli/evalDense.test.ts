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
    ['of none', ['--save-worst', '0'], '--save-worst: found "0"'],
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

/** Odd sizes, larger and smaller than the network's input of 48 x 32. */
const odd = [
  [67, 51],
  [31, 45],
  [70, 29],
] as const;

describe('eval of whole images', () => {
  const wide = () => ['--data', at('odd'), '--checkpoint', at('net.safetensors'), '--threads', '1'];
  const judged = (...more: string[]) => json(['eval', ...wide(), ...more]);
  const ofClasses = (document: object) =>
    (document as Figures).perClass.map(({ calledAs, unnamed }) => calledAs.reduce((a, b) => a + b) + unnamed);
  /** Pixels of each class in the masks. */
  const there = [0, 0, 0];

  beforeAll(async () => {
    for (const part of ['test', 'testannot']) await mkdir(at('odd', part), { recursive: true });
    await writeFile(at('odd', 'classes.json'), JSON.stringify({ classes: denseClasses, void_id: 3 }));
    for (const [i, [columns, rows]] of odd.entries()) {
      const pixels = Uint8Array.from({ length: 3 * columns * rows }, (_, p) => (p * (7 + i)) % 256);
      const mask = Uint8Array.from({ length: columns * rows }, (_, p) => (p % columns < 20 ? 0 : p % 4));
      for (const number of mask) if (number < 3) there[number]!++;
      const raw = { width: columns, height: rows };
      await sharp(pixels, { raw: { ...raw, channels: 3 } })
        .png()
        .toFile(at('odd', 'test', `${i}.png`));
      await sharp(mask, { raw: { ...raw, channels: 1 } })
        .toColourspace('b-w')
        .png()
        .toFile(at('odd', 'testannot', `${i}.png`));
    }
  });

  it('judges every pixel of every image, and only those of the crop without it', async () => {
    const cropped = await judged();
    expect(ofClasses(cropped).reduce((a, b) => a + b)).toBeLessThan(3 * width * height);
    expect(cropped).not.toHaveProperty('view');
    for (const [seen, more] of [
      ['whole', ['--whole']],
      ['window 32x48:21x32', ['--window', 'crop']],
      ['window 32x48:7x7', ['--window', 'crop:7']],
      ['window 24x16:24x16', ['--window', '24x16:24x16']],
    ] as const) {
      const document = await judged(...more);
      expect(ofClasses(document)).toEqual(there);
      expect(document).toMatchObject({ view: seen, images: 3 });
    }
  });

  it('counts the same in one window with room for all as in what it fills', async () => {
    const { view: _, timing: _whole, ...whole } = await judged('--whole', '--shard', '1/3');
    const { view: _window, timing: _windows, ...window } = await judged('--window', '45x31', '--shard', '1/3');
    expect(window).toEqual(whole);
  });

  it('adds up over shards of one view, and not over those of different ones', async () => {
    const parts = await Promise.all(
      [0, 1].map(async (i) => {
        const file = at(`part${i}.json`);
        await writeFile(file, JSON.stringify(await judged('--window', 'crop', '--shard', `${i}/2`)));
        return file;
      }),
    );
    const { timing: _merged, ...merged } = await json(['eval', '--merge', ...parts]);
    const { timing: _one, ...one } = await judged('--window', 'crop');
    expect(merged).toEqual(one);
    await writeFile(parts[1]!, JSON.stringify(await judged('--whole', '--shard', '1/2')));
    const { code, stderr } = await spikeformer(['eval', '--merge', ...parts]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('is a result of images seen otherwise than')]);
  });

  it('draws the worst at their own size', async () => {
    await judged('--whole', '--draw', at('oddWorst'));
    const files = (await readdir(at('oddWorst'))).sort();
    expect(files.map((name) => name.slice(2)).sort()).toEqual(['0.png', '1.png', '2.png']);
    const large = await sharp(at('oddWorst', files.find((name) => name.endsWith(' 0.png'))!)).metadata();
    expect([large.width, large.height]).toEqual([2 * 3 * 67 + 4, 3 * 51 + 20]);
  });

  it.each([
    [['--whole', '--window', 'crop'], 'give either --whole or --window, not both'],
    [['--window', '64'], '--window: found "64", expected HEIGHTxWIDTH of 8 to 2048 pixels each'],
    [['--window', '4096x64'], '--window: found "4096x64", expected HEIGHTxWIDTH of 8 to 2048 pixels each'],
    [['--window', '64x64:0'], '--window: found "64x64:0", expected'],
    [['--window', '64x32:33'], '--window: found "64x32:33", expected'],
    [['--window', 'crop:40'], 'stride: found 40x40, expected height and width of 1 to 32 and 1 to 48 pixels'],
  ])('%j is refused in one line', async (more, message) => {
    const { code, stdout, stderr } = await spikeformer(['eval', ...wide(), ...more]);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(message);
  });

  it('says nothing to a classifier', async () => {
    const { code, stderr } = await spikeformer(['eval', '--data', at('classes'), '--whole']);
    expect(code).toBe(2);
    expect(stderr).toContain('--whole: says nothing to a model for classification; leave it out');
  });
});
