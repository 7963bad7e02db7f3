/** `index` and `search`: a gallery that grows, what is nearest in it, and what is refused. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModel } from '../../src/index.js';
import { descriptorsOutput } from '../../src/models/descriptorHead.js';
import { SeededNumbers } from '../engines/support.js';
import { writeRetrievalNetwork } from '../tasks/retrievalFixture.js';
import { json, spikeformer } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'search-'));
const at = (...parts: string[]) => join(folder, ...parts);
const checkpoint = at('net.safetensors');
const settings = ['--checkpoint', checkpoint, '--threads', '1'];
const gallery = at('gallery.safetensors');
const indexed = (...more: string[]) => ['index', '--images', at('images'), '--output', gallery, ...settings, ...more];

/** A picture of its own for each number. */
async function picture(path: string, number: number): Promise<void> {
  const pixels = new SeededNumbers(number).reals(8 * 8 * 3, 1).map((value) => 127 * (1 + value));
  const raw = { raw: { width: 8, height: 8, channels: 3 } } as const;
  await sharp(Uint8Array.from(pixels), raw).resize(40, 40, { kernel: 'nearest' }).png().toFile(path);
}

beforeAll(async () => {
  await writeRetrievalNetwork(checkpoint, 24);
  await writeRetrievalNetwork(at('other.safetensors'), 24, 6);
  for (const place of ['a', 'b']) mkdirSync(at('images', place), { recursive: true });
  for (let i = 0; i < 6; i++) await picture(at('images', i < 3 ? 'a' : 'b', `${i}.png`), i);
  mkdirSync(at('asked'));
  await picture(at('asked', 'known.png'), 4);
  await picture(at('asked', 'new.png'), 40);
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Answer {
  readonly gallery: { readonly images: number; readonly kind: string };
  readonly images: readonly {
    readonly image: string;
    readonly hits: readonly { readonly name: string; readonly score: number }[];
  }[];
}

const ask = async (...more: string[]) =>
  (await json(['search', '--gallery', gallery, ...settings, ...more])) as unknown as Answer;

describe('index', () => {
  it('describes all images below a folder, and goes on where it was interrupted', async () => {
    let seen = 0;
    const { code, stdout } = await spikeformer(indexed('--json', '--batch', '2'), {
      onListening: (pressControlC) => {
        if (seen++ === 0) pressControlC();
      },
    });
    expect(code).toBe(130);
    const first = JSON.parse(stdout);
    expect(first).toMatchObject({ command: 'index', before: 0, partial: true });
    expect(first.added).toBeLessThan(6);
    expect(existsSync(gallery)).toBe(true);
    const second = await json(indexed('--json'));
    expect(second).toMatchObject({ before: first.added, added: 6 - first.added, images: 6, partial: false });
  });

  it('adds what is new, and names what cannot be read', async () => {
    await picture(at('images', '6.png'), 6);
    writeFileSync(at('images', 'broken.png'), 'no picture');
    const { code, stdout, stderr } = await spikeformer(indexed('--json'));
    rmSync(at('images', 'broken.png'));
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ before: 6, added: 1, failed: [{ name: 'broken.png' }] });
    expect(stderr).toContain('broken.png: left out: ');
  });

  it.each([
    [
      'another model',
      ['index', '--images', at('images'), '--output', gallery, '--checkpoint', at('other.safetensors')],
      'was made by another model',
    ],
    ['another kind', indexed('--binary'), 'is a float gallery'],
    [
      'a classifier',
      ['index', '--images', at('images'), '--output', at('x'), '--model', 'cifar10'],
      'gives no descriptors',
    ],
    ['a folder without images', ['index', '--images', at('none'), '--output', at('x'), ...settings], 'none'],
  ])('refuses %s', async (_, argv, message) => {
    mkdirSync(at('none'), { recursive: true });
    const { code, stderr } = await spikeformer(argv);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });
});

describe('search', () => {
  it('finds the same picture first, and the others in the order of their products', async () => {
    const { gallery: about, images } = await ask('--top', '7', at('asked', 'known.png'), at('asked', 'new.png'));
    expect(about).toMatchObject({ images: 7, kind: 'float' });
    expect(images[0]!.hits[0]).toMatchObject({ name: 'b/4.png' });
    expect(images[0]!.hits[0]!.score).toBeCloseTo(1, 5);
    const model = await loadModel({ checkpoint }, { threads: 1 });
    const described = async (path: string) =>
      (await model.run(await model.inputOf([path]))).outputs.get(descriptorsOutput)!.data;
    const query = await described(at('asked', 'new.png'));
    const names = ['6.png', 'a/0.png', 'a/1.png', 'a/2.png', 'b/3.png', 'b/4.png', 'b/5.png'];
    const scores: { readonly name: string; readonly score: number }[] = [];
    for (const name of names) {
      const own = await described(at('images', name));
      scores.push({ name, score: query.reduce((sum, value, d) => sum + value * own[d]!, 0) });
    }
    await model.dispose();
    scores.sort((a, b) => b.score - a.score);
    expect(images[1]!.hits.map(({ name }) => name)).toEqual(scores.map(({ name }) => name));
    for (const [i, { score }] of images[1]!.hits.entries()) expect(score).toBeCloseTo(scores[i]!.score, 5);
  });

  it('averages the descriptors of several looks, which a gallery remembers', async () => {
    const looked = at('looked.safetensors');
    const index = ['index', '--images', at('images'), '--output', looked, '--json', ...settings];
    await json([...index, '--looks', '2']);
    const search = ['search', '--gallery', looked, ...settings, at('asked', 'new.png'), '--json'];
    const { images } = (await json([...search, '--looks', '2', '--top', '1'])) as unknown as Answer;
    const { name, score } = images[0]!.hits[0]!;
    // The mean of the picture's descriptor and that of its mirror image, which sharp makes.
    const model = await loadModel({ checkpoint }, { threads: 1 });
    const mean = async (path: string) => {
      await sharp(path).flop().png().toFile(at('mirrored.png'));
      const [own, other] = [path, at('mirrored.png')].map((one) => model.inputOf([one]));
      const parts = [await model.run(await own!), await model.run(await other!)].map(
        ({ outputs }) => outputs.get(descriptorsOutput)!.data,
      );
      const sum = parts[0]!.map((value, d) => value + parts[1]![d]!);
      const length = Math.hypot(...sum);
      return sum.map((value) => value / length);
    };
    const [query, found] = [await mean(at('asked', 'new.png')), await mean(at('images', name))];
    await model.dispose();
    expect(score).toBeCloseTo(
      query.reduce((sum, value, d) => sum + value * found[d]!, 0),
      5,
    );
    for (const argv of [search, index]) {
      const { code, stderr } = await spikeformer(argv);
      expect(code).toBe(2);
      expect(stderr).toMatch(/another model/);
    }
    const { stderr } = await spikeformer([...search, '--looks', '3']);
    expect(stderr).toMatch(/--looks: found "3", expected 1 or 2 or 4/);
  });

  it('looks among the bits of descriptors', async () => {
    const bits = at('bits.safetensors');
    await json(['index', '--images', at('images'), '--output', bits, '--binary', '--json', ...settings]);
    const found = (await json([
      'search',
      '--gallery',
      bits,
      ...settings,
      at('asked', 'known.png'),
      '--json',
    ])) as unknown as Answer;
    expect(found.gallery.kind).toBe('binary');
    expect(found.images[0]!.hits[0]).toMatchObject({ name: 'b/4.png', score: 1 });
  });

  it('writes sheets of what it found', async () => {
    const shown = ['--images', at('images'), '--top', '2', at('asked', 'known.png'), at('asked', 'new.png')];
    await ask('--sheet', at('sheet.png'), ...shown);
    const { width, height } = await sharp(at('sheet.png')).metadata();
    // Two rows of three pictures.
    expect([width, height]).toEqual([3 * (144 + 8) + 16, 2 * (144 + 30 + 8) + 8]);
    await ask('--sheet', at('sheet.html'), ...shown);
    const page = readFileSync(at('sheet.html'), 'utf8');
    expect(page.match(/<img /g)).toHaveLength(6);
    expect(page).toContain('b/4.png');
    expect(page).not.toMatch(/<script|https?:/);
  });

  it('goes on after a file that cannot be used, and ends with 2', async () => {
    const { code, stdout, stderr } = await spikeformer([
      ...['search', '--gallery', gallery, ...settings, at('gone.png'), at('asked', 'known.png'), '--json'],
    ]);
    expect(code).toBe(2);
    expect(stderr).toContain('gone.png');
    expect(JSON.parse(stdout)).toMatchObject({
      images: [{ image: at('asked', 'known.png') }],
      errors: [{ image: at('gone.png') }],
    });
  });

  it.each([
    ['another model', ['--checkpoint', at('other.safetensors')], 'was made by another model'],
    ['a sheet without pictures', [...settings, '--sheet', at('s.png')], '--sheet: shows the images of the gallery'],
    [
      'a sheet of another kind',
      [...settings, '--sheet', at('s.gif'), '--images', at('images')],
      'ends in .html or .png',
    ],
    ['too many', [...settings, '--top', '1001'], '--top'],
  ])('refuses %s', async (_, more, message) => {
    const { code, stderr } = await spikeformer(['search', '--gallery', gallery, at('asked', 'known.png'), ...more]);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });

  it('refuses what is no gallery', async () => {
    const { code, stderr } = await spikeformer([
      'search',
      '--gallery',
      checkpoint,
      ...settings,
      at('asked', 'known.png'),
    ]);
    expect(code).toBe(2);
    expect(stderr).toContain(checkpoint);
  });
});

it('eval takes an image and its mirror image for one, when it looks at both', async () => {
  for (const view of ['drone', 'satellite']) mkdirSync(at('pairs', 'test', view), { recursive: true });
  for (let i = 0; i < 5; i++) {
    await picture(at('pairs', 'test', 'drone', `${i}.png`), 60 + i);
    await sharp(at('pairs', 'test', 'drone', `${i}.png`))
      .flop()
      .png()
      .toFile(at('pairs', 'test', 'satellite', `${i}.png`));
  }
  const document = await json(['eval', '--data', at('pairs'), '--looks', '2', '--rerank', '--json', ...settings]);
  expect(document).toMatchObject({ task: 'retrieval', looks: 2, images: 10 });
  const directions = document.directions as { floats: object; reranked: object }[];
  expect(directions).toHaveLength(2);
  for (const { floats, reranked } of directions) {
    expect(floats).toMatchObject({ recallAt1: 1, averagePrecision: 1 });
    expect(Object.keys(reranked)).toEqual(Object.keys(floats));
  }
  const once = await json(['eval', '--data', at('pairs'), '--json', ...settings]);
  expect(once).not.toHaveProperty('looks');
});
