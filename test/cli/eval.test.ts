/** `eval`: what it counts, in one piece, in shards, and when it is interrupted. */
import { spawnSync } from 'node:child_process';
import { copyFile, cp, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  checkpoint,
  fixture,
  json,
  spikeformer,
  temporaryFolder,
  writeLabelled,
  writeSmallNetwork,
} from './support.js';

const classes = ['ant', 'bee', 'cat'];
const labels = ['cat', 'zebu', 'ant', 'yak', 'bee', 'fox', 'gnu', 'hen', 'ibis', 'jay'];

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let data: string;
let settings: string[];
let paths: string[];
const at = (...parts: string[]) => join(folder.path, ...parts);

/** The fixture images dealt out to three classes: 30-odd, of many kinds, unevenly divided by any small number. */
beforeAll(async () => {
  folder = await temporaryFolder();
  data = at('data');
  await writeSmallNetwork(at('small.safetensors'));
  settings = ['--checkpoint', at('small.safetensors'), '--image-size', '32', '--threads', '1'];
  const source = fixture('preprocess', 'images');
  const names = (await readdir(source)).filter((name) => /\.(png|jpg|webp)$/.test(name)).sort();
  paths = [];
  for (const [index, name] of names.entries()) {
    const place = join(data, classes[index % 3]!);
    await mkdir(place, { recursive: true });
    await copyFile(join(source, name), join(place, name));
    paths.push(join(place, name));
  }
});
afterAll(() => folder.remove());

const evaluate = (...more: string[]) => json(['eval', '--data', data, ...settings, ...more]);

interface Counts {
  readonly images: number;
  readonly top1: { readonly correct: number };
  readonly top5: { readonly correct: number; readonly k: number };
}

/** What `predict` answers image by image, counted by hand. */
async function countedByHand(numberOf: (path: string) => number, args: readonly string[]) {
  const predicted = (await json(['predict', ...paths, ...args, '--top', '5', '--no-details'])) as {
    images: { image: string; predictions: { index: number }[] }[];
  };
  const right = (best: number) =>
    predicted.images.filter(({ image, predictions }) =>
      predictions.slice(0, best).some(({ index }) => index === numberOf(image)),
    ).length;
  return { images: paths.length, top1: { correct: right(1) }, top5: { correct: right(5) } };
}

const classOf = (path: string) => path.split('/').at(-2)!;

describe('eval', () => {
  it('counts what predict answers, class folders in sorted order when the model does not name its classes', async () => {
    const document = await evaluate();
    const byHand = await countedByHand((path) => classes.indexOf(classOf(path)), settings);
    expect(document).toMatchObject(byHand);
    const { top5, images } = document as unknown as Counts;
    expect(images).toBeGreaterThan(30);
    expect(top5.correct).toBeGreaterThan(0);
    expect(top5.correct).toBeLessThan(images);
  });

  it('matches class folders to the model’s labels by name', async () => {
    const labelled = await writeLabelled(at('labelled.safetensors'), labels);
    const args = ['--checkpoint', labelled, '--image-size', '32'];
    const document = await json(['eval', '--data', data, ...args]);
    expect((document.perClass as { class: number }[]).map((entry) => entry.class)).toEqual([2, 4, 0]);
    expect(document).toMatchObject(await countedByHand((path) => labels.indexOf(classOf(path)), args));
  });

  it('matches class folders by the names of a file, in every shard', async () => {
    await writeFile(at('names.txt'), labels.join('\n'));
    const part = await evaluate('--labels', at('names.txt'), '--shard', '0/5');
    expect((part.perClass as { class: number }[]).map((entry) => entry.class)).toEqual([2, 4, 0]);
    await writeFile(at('names.txt'), labels.with(0, 'cow').join('\n'));
    const { code, stderr } = await spikeformer(['eval', '--data', data, ...settings, '--labels', at('names.txt')]);
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/1 of 3 class folders are not classes of the model: cat;/),
    ]);
  });

  it('counts the same in the test split of a folder or an archive, whole and in shards, as in the folder itself', async () => {
    const { top1, top5, perClass } = await evaluate();
    const split = at('split');
    await cp(data, join(split, 'test'), { recursive: true });
    // A training split with the same classes, whose images must not be counted.
    for (const name of classes) {
      await mkdir(join(split, 'train', name), { recursive: true });
      await copyFile(paths[0]!, join(split, 'train', name, 'one.png'));
    }
    const archive = at('split.tar.gz');
    expect(spawnSync('tar', ['-czf', archive, '-C', split, 'train', 'test']).status).toBe(0);
    for (const source of [split, archive]) {
      const document = await json(['eval', '--data', source, ...settings]);
      expect(document).toMatchObject({ images: paths.length, top1, top5, perClass });
      const parts = [];
      for (const index of [0, 1]) {
        const part = await json(['eval', '--data', source, ...settings, '--shard', `${index}/2`]);
        parts.push(at(`split${index}.json`));
        await writeFile(parts[index]!, JSON.stringify(part));
      }
      const { timing: _a, ...merged } = await json(['eval', '--merge', ...parts]);
      const { timing: _b, ...whole } = document;
      expect(merged).toEqual(whole);
    }
  });

  it('takes an archive of class folders alone as a whole', async () => {
    const archive = at('plain.tar');
    expect(spawnSync('tar', ['-cf', archive, '-C', data, ...classes]).status).toBe(0);
    const { top1 } = await evaluate();
    expect(await json(['eval', '--data', archive, ...settings])).toMatchObject({ images: paths.length, top1 });
  });

  it.each([
    ['1', 'f32'],
    ['5', 'i16'],
    ['64', 'i16'],
  ])('counts the same in batches of %s, in %s', async (batch, precision) => {
    const { timing: _a, ...inBatches } = await evaluate('--batch', batch, '--precision', precision);
    const { timing: _b, ...byDefault } = await evaluate('--precision', precision);
    expect(inBatches).toEqual(byDefault);
  });

  it('tells people what it found', async () => {
    const whole = ['--checkpoint', checkpoint, '--image-size', '32'];
    const { stdout, stderr, code } = await spikeformer(['eval', '--data', data, ...whole]);
    expect(stdout).toMatch(/top-1 {2}\d+\.\d\d %/);
    expect(stdout).toMatch(/top-5 {2}\d+\.\d\d %/);
    expect(stdout).toMatch(/images\/s/);
    expect(stderr).toMatch(
      /^note: the model does not name its 10 classes; folder i of 3 class folders, sorted by name/,
    );
    expect(code).toBe(0);
  });

  it('looks once where answers are classes', async () => {
    const { code, stderr } = await spikeformer(['eval', '--data', data, '--checkpoint', checkpoint, '--looks', '2']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/--looks: for classification there is one look/);
  });

  it('has nothing to rank again where answers are classes', async () => {
    const { code, stderr } = await spikeformer(['eval', '--data', data, '--checkpoint', checkpoint, '--rerank']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/--rerank: looks at rankings, classification gives none/);
  });

  it('says that weights are random before anything else', async () => {
    const random = ['eval', '--data', data, '--model', '15M-random', '--image-size', '32', '--batch', '64'];
    const { stdout } = await spikeformer(random);
    expect(stdout.split('\n')[0]).toBe('weights are random: the answers mean nothing');
  });
});

describe('shards', () => {
  async function shard(index: number, count: number, prefix: string, ...more: string[]): Promise<string> {
    const file = at(`${prefix}-${index}.json`);
    await writeFile(file, JSON.stringify(await evaluate('--shard', `${index}/${count}`, ...more)));
    return file;
  }
  async function shards(count: number, prefix: string, ...more: string[]): Promise<string[]> {
    const files: string[] = [];
    for (let index = 0; index < count; index++) files.push(await shard(index, count, prefix, ...more));
    return files;
  }
  const merge = (...files: string[]) => spikeformer(['eval', '--json', '--merge', ...files]);

  async function expectRefused(message: RegExp, ...files: string[]): Promise<void> {
    const { code, stdout, stderr } = await merge(...files);
    expect(stderr).toMatch(/^spikeformer: [^\n]+\n$/);
    expect(stderr).toMatch(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  }

  it.each([
    [1, 'f32'],
    [3, 'i16'],
  ])('%i of them merge into what one piece gives, in %s', async (count, precision) => {
    const files = await shards(count, `merged-of-${count}`, '--precision', precision);
    const { code, stdout, stderr } = await merge(...files.reverse());
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { timing, ...merged } = JSON.parse(stdout);
    const { timing: _, ...whole } = await evaluate('--precision', precision);
    expect(merged).toEqual(whole);
    expect(timing.seconds).toBeGreaterThan(0);
  });

  it('are refused when one is missing, doubled, whole, interrupted or edited', async () => {
    const [a, b, c] = (await shards(3, 'three')) as [string, string, string];
    await expectRefused(/2 shards of 3 missing: 0\/3, 2\/3/, b);
    await expectRefused(/three-1\.json: is shard 1\/3, and so is .*three-1\.json/, a, b, b, c);
    await writeFile(at('whole.json'), JSON.stringify(await evaluate()));
    await expectRefused(/whole\.json: is the result of all the data/, at('whole.json'));
    const document = JSON.parse(await readFile(b, 'utf8'));
    const edited = async (change: object) => {
      await writeFile(at('edited.json'), JSON.stringify({ ...document, ...change }));
      return at('edited.json');
    };
    await expectRefused(/edited\.json: was interrupted after/, a, await edited({ partial: true }), c);
    await expectRefused(/perClass does not add up/, a, await edited({ images: document.images + 1 }), c);
    await expectRefused(/top1\.correct/, a, await edited({ top1: { correct: 0.5, accuracy: 0.1 } }), c);
    await expectRefused(/shard 3 of 3 does not exist/, a, await edited({ shard: { index: 3, count: 3 } }), c);
    await expectRefused(/interrupted after \d+ of \d+ images/, await edited({ shard: { index: 0, count: 2 } }));
  });

  it('may be empty, when there are more of them than images', async () => {
    const place = at('two', 'cat');
    await mkdir(place, { recursive: true });
    for (const [index, path] of paths.slice(0, 2).entries()) await copyFile(path, join(place, `${index}.png`));
    const files = await shards(3, 'two', '--data', at('two'));
    expect(JSON.parse(await readFile(files[2]!, 'utf8'))).toMatchObject({ images: 0, top1: { accuracy: null } });
    const { stdout } = await merge(...files);
    expect(JSON.parse(stdout)).toMatchObject({ images: 2, shard: null, partial: false });
  });

  it('may come from machines with and without native kernels', async () => {
    const { stdout } = await merge(await shard(0, 2, 'any'), await shard(1, 2, 'wasm', '--engine', 'wasm'));
    expect(JSON.parse(stdout)).toMatchObject({ images: paths.length, shard: null });
  });

  it('are refused when models, settings, divisions or data differ', async () => {
    const first = await shard(0, 2, 'ours');
    await expectRefused(/is a result of another model/, first, await shard(1, 2, 'steps', '--time-steps', '2'));
    await expectRefused(/is a result of another model/, first, await shard(1, 2, 'heads', '--heads', '4'));
    await expectRefused(/is a result of another engine/, first, await shard(1, 2, 'engine', '--engine', 'reference'));
    await expectRefused(/of another number of shards/, first, await shard(1, 3, 'thirds'));
    await rename(paths[0]!, `${paths[0]!}.png`);
    const other = await shard(1, 2, 'data');
    await rename(`${paths[0]!}.png`, paths[0]!);
    await expectRefused(/is a result of other data/, first, other);
  });

  it('are refused when they are no results at all', async () => {
    await expectRefused(/none\.json: is not a result/, at('none.json'));
    await writeFile(at('text.json'), 'top-1 50 %');
    await expectRefused(/text\.json: is not a result/, at('text.json'));
    await writeFile(at('other.json'), '{"command":"info"}');
    await expectRefused(/other\.json: is not a result/, at('other.json'));
    await expectRefused(/is not a result/, folder.path);
  });

  it('have the fingerprint of the weights, not of the file they lie in', async () => {
    const copy = at('copy.pth');
    await copyFile(checkpoint, copy);
    const fingerprint = async (file: string) =>
      (
        (await json(['eval', '--data', data, '--checkpoint', file, '--image-size', '32'])).model as {
          fingerprint: string;
        }
      ).fingerprint;
    expect(await fingerprint(copy)).toBe(await fingerprint(checkpoint));
  });
});

describe('Ctrl-C', () => {
  it('ends an evaluation with what is done so far, which says that it is partial', async () => {
    const { code, stdout } = await spikeformer(['eval', '--data', data, ...settings, '--batch', '1', '--json'], {
      onListening: (pressControlC) => setTimeout(pressControlC, 10),
    });
    expect(code).toBe(130);
    const document = JSON.parse(stdout);
    expect(document.partial).toBe(true);
    expect(document.images).toBeLessThan(paths.length);
    await writeFile(at('partial.json'), stdout);
  });

  it('says so to people too', async () => {
    const { code, stdout } = await spikeformer(['eval', '--data', data, ...settings], {
      onListening: (pressControlC) => pressControlC(),
    });
    expect(code).toBe(130);
    expect(stdout).toContain('partial result: interrupted after 0 images');
    expect(stdout).toContain('top-1  unknown');
  });
});
