/**
 * Every case of cases.json, its command as it stands: IMG is a bundled photograph, "…" repeats the network's options, and two
 * checkpoints that a script of the reporter's made stand beside the others. What is right is what the case says and
 * how it was known (torch, Pillow, torchvision, GNU tar); digests of pixels are those of Pillow 9.4.0.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeImage } from '../../src/data/decode.js';
import { loadModel, openDataset, openRecipe, train } from '../../src/index.js';
import { checkpoint, fixture, json, type Outcome, repository, spikeformer } from '../cli/support.js';
import { type FaultInputs, unpackFaultInputs } from './support.js';

interface Case {
  readonly id: string;
  readonly command: string;
  readonly expected: string;
}

const cases: readonly Case[] = JSON.parse(readFileSync(fixture('faults', 'cases.json'), 'utf8'));
const photograph = join(repository, 'assets', 'photographs', 'cat.jpg');
const built = join(repository, 'dist', 'cli', 'main.js');
const network = ['--strides', '1,2,2,1,1', '--heads', '4', '--image-size', '16'];

let inputs: FaultInputs;
let control: unknown;
beforeAll(async () => {
  inputs = await unpackFaultInputs();
  control = await answers(inputs.file('ckpt', '00-control.pth'));
});
afterAll(() => inputs.remove());

/** What a checkpoint answers for the photograph: every probability of every class. */
async function answers(checkpoint: string, more: readonly string[] = []): Promise<unknown> {
  const document = await json(['predict', photograph, '--checkpoint', checkpoint, ...network, ...more]);
  return (document.images as { predictions: unknown }[])[0]!.predictions;
}

/** The words of a case's command, its paths inside the inputs. */
function wordsOf(command: string): string[] {
  const words = command
    .replace(/^spikeformer /, '')
    .replace('…', network.join(' '))
    .split(/\s+/);
  return words.map((word) => {
    if (word === 'IMG') return photograph;
    return /^(ckpt|st|img|ds|tars)\//.test(word) || /^(model\.safetensors|(tiny|long)\.json)$/.test(word)
      ? inputs.file(word)
      : word;
  });
}

const run = (command: string): Promise<Outcome> => spikeformer(wordsOf(command.trim()));

/** The command with `--json` added, which fails as the command does and says what it answers. */
async function loadsLikeTheControl({ command }: Case): Promise<void> {
  const { images } = (await json(wordsOf(command))) as { images: { predictions: unknown }[] };
  expect(images[0]!.predictions).toEqual(control);
}

/** One of two sets of weights is taken, it is said which, and the other can be chosen. */
async function saysWhichWeights(): Promise<void> {
  const averaged = await answers(inputs.file('ckpt', '60-averaged-alone.pth'));
  expect(averaged).not.toEqual(control);
  for (const [file, raw, other] of [
    ['60-timm-ema.pth', 'state_dict', 'state_dict_ema'],
    ['61-deit-ema.pth', 'model', 'model_ema'],
  ] as const) {
    const path = inputs.file('ckpt', file);
    const { code, stderr } = await spikeformer([
      'predict',
      photograph,
      '--checkpoint',
      path,
      ...network,
      '--no-details',
    ]);
    expect({ file, code }).toEqual({ file, code: 0 });
    expect(stderr).toContain(raw);
    expect(stderr).toContain(other);
    expect(await answers(path)).toEqual(control);
    expect(await answers(path, ['--weights', other])).toEqual(averaged);
  }
}

/** SHA-256 of `Image.open(file).convert('RGB').tobytes()`, Pillow 9.4.0. */
const pillow: Readonly<Record<string, string>> = {
  'tif-orient6.tif': '5b582fff966db6b67b0b3ba49bbb9afa42ee6e49e338dc01f265d208502aef9e',
  'tif-orient3.tif': '928f3b38a0fb0bff0baacd807bb33bf1e58881796c4ac18542d4ba781fedae1c',
  'tif-16grey.tif': 'a292bc4a1d8d3caa7dd32d1858f7d642a27373526b84cde7df8634faad708d2a',
};

async function decodesLikePillow({ id }: Case): Promise<void> {
  const file = id.slice('E-'.length);
  const { data } = await decodeImage(inputs.file('img', file));
  expect(createHash('sha256').update(data).digest('hex')).toBe(pillow[file]);
}

async function refusesDamage({ command }: Case): Promise<void> {
  const { code, stdout, stderr } = await run(command);
  expect(code).toBe(2);
  expect(stdout).not.toContain('%');
  expect(stderr).toMatch(/^spikeformer: .*\.jpg: .*damaged.*\n$/);
}

/** Evaluates the 16 images of the test split, trains on the other 48 without them, and never takes a split for a class. */
async function knowsSplitsFromClasses({ command }: Case): Promise<void> {
  const [evaluation, training] = command.split(' ; ').map(wordsOf);
  expect(await json(evaluation!)).toMatchObject({ images: 16 });
  const data = evaluation![2]!;
  expect((await openDataset(data, { split: 'train' })).size).toBe(48);
  const output = `${data}-trained`;
  const { code, stderr } = await spikeformer([...training!, '--output', output, '--set', 'epochs=1']);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  const model = await loadModel({ checkpoint: join(output, 'last.safetensors') });
  expect(model.labels).toEqual(['ant', 'bee', 'cat', 'dog']);
  await model.dispose();
}

async function evaluatesSixteen({ command }: Case): Promise<void> {
  const words = wordsOf(command.replace(' …', ` ${network.join(' ')}`));
  const checkpoint = words.includes('--checkpoint') ? [] : ['--checkpoint', inputs.file('ckpt', '00-control.pth')];
  const { images, data } = await json([...words, ...checkpoint]);
  expect({ images, data }).toMatchObject({ images: 16, data: { classes: ['ant', 'bee', 'cat', 'dog'] } });
}

/** Cases that are alone in their kind. */
const checks: Readonly<Record<string, (one: Case) => Promise<void>>> = {
  'B-60-both': saysWhichWeights,
  'D-62-no-block4': async ({ command }) => {
    const [prediction] = command.split(' ; ');
    const { stderr } = await run(prediction!);
    expect(stderr).toMatch(/block4|no published/);
    const description = await spikeformer([
      'info',
      '--checkpoint',
      inputs.file('ckpt', '62-no-block4.pth'),
      ...network,
    ]);
    expect(`${description.stdout}${description.stderr}`).toMatch(/block4|no published/);
  },
  'E-lab': async () => {
    const picture = inputs.file('img', 'tif-lab.tif');
    const predicted = await spikeformer(['predict', picture]);
    expect(predicted.code).toBe(2);
    expect(predicted.stderr).toContain('tif-lab.tif');
    const evaluated = await spikeformer(['eval', '--data', inputs.file('ds', 'lab')]);
    expect(evaluated.code).toBe(2);
  },
  'F-deep-classes': evaluatesSixteen,
  'F-deep-splits': evaluatesSixteen,
  'F-dup': async ({ command }) => {
    expect(await json(wordsOf(command))).toMatchObject({ images: 16 });
  },
  'F-nonutf': async ({ command }) => {
    const words = wordsOf(command.replace(' …', ` ${network.join(' ')}`));
    expect(await json(words)).toMatchObject({ images: 4 });
  },
  'F-nonutf-predict': async () => {
    // A shell's pattern gives the bytes of the name to the program; Node makes U+FFFD of what is not UTF-8.
    const shell = spawnSync('sh', ['-c', `"$0" "$1" predict ds/nonutf/ant/*.png --json`, process.execPath, built], {
      cwd: inputs.path,
      encoding: 'utf8',
    });
    expect({ status: shell.status, stderr: shell.stderr }).toMatchObject({ status: 0 });
    expect(JSON.parse(shell.stdout).images).toHaveLength(1);
  },
  'F-nfd': async () => {
    const output = inputs.file('nfc-trained');
    const trained = await spikeformer([
      'train',
      ...['--recipe', inputs.file('tiny.json'), '--data', inputs.file('ds', 'nfc'), '--output', output],
      ...['--set', 'model.classes=2', '--set', 'epochs=1'],
    ]);
    expect({ code: trained.code, stderr: trained.stderr }).toMatchObject({ code: 0 });
    const best = join(output, 'best.safetensors');
    const evaluated = await spikeformer(['eval', '--data', inputs.file('ds', 'nfd'), '--checkpoint', best]);
    expect({ code: evaluated.code, stderr: evaluated.stderr }).toMatchObject({ code: 0 });
  },
  'G-workers': resumesWithOtherWorkers,
  'H-devfull': async () => {
    for (const words of [`predict "${photograph}" --json`, '--help']) {
      const shell = spawnSync('sh', ['-c', `"$0" "$1" ${words} > /dev/full`, process.execPath, built], {
        encoding: 'utf8',
      });
      expect({ words, status: shell.status }).toEqual({ words, status: 2 });
      expect(shell.stderr).toContain('ENOSPC');
      expect(shell.stderr).not.toContain('defect');
    }
  },
  'J-oneout': async () => {
    const recipe = await openRecipe(inputs.file('tiny.json'), []);
    const dataset = await openDataset(inputs.file('ds', 'git'));
    const output = inputs.file('one-output');
    const outcomes = await Promise.allSettled([train({ recipe, dataset, output }), train({ recipe, dataset, output })]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  },
  'J-mutate': async () => {
    const data = Float32Array.from({ length: 3 * 32 * 32 }, (_, i) => 2 * Math.sin(i));
    for (const engine of ['wasm', 'reference'] as const) {
      const model = await loadModel({ checkpoint }, { timeSteps: 1, engine });
      const right = await model.run({ shape: [1, 3, 32, 32], data });
      const changed = data.slice();
      const running = model.run({ shape: [1, 3, 32, 32], data: changed });
      changed.fill(0);
      expect((await running).logits.data).toEqual(right.logits.data);
      const frame = data.slice();
      const stepping = model.step({ shape: [1, 3, 32, 32], data: frame });
      frame.fill(0);
      expect((await stepping).logits.data).toEqual(right.logits.data);
      await model.dispose();
    }
  },
  'K-i16-batch': async ({ command }) => {
    const words = wordsOf(command.split(', and')[0]!);
    const small = await json(words);
    for (const batch of ['1', '64']) {
      const other = await json([...words.slice(0, words.indexOf('--batch')), '--batch', batch]);
      expect({ top1: other.top1, top5: other.top5 }).toEqual({ top1: small.top1, top5: small.top5 });
    }
  },
};

/** Killed as soon as it has a state, and continued with another number of decoding workers. */
async function resumesWithOtherWorkers(): Promise<void> {
  const output = inputs.file('killed');
  const words = ['train', '--recipe', inputs.file('long.json'), '--data', inputs.file('ds', 'git'), '--output', output];
  const killed = spawn(process.execPath, [built, ...words], { stdio: 'ignore' });
  const ended = new Promise((resolve) => killed.once('exit', resolve));
  while (!existsSync(join(output, 'state.safetensors')) && killed.exitCode === null) await sleep(5);
  killed.kill('SIGKILL');
  await ended;
  const { code, stderr } = await spikeformer([...words, '--resume', '--set', 'data.workers=2']);
  expect({ code, stderr }).toMatchObject({ code: 0 });
}

/** Kinds whose members are all checked alike. */
const kinds: readonly (readonly [pattern: RegExp, check: (one: Case) => Promise<void>])[] = [
  [/^[ABC]-/, loadsLikeTheControl],
  [/^E-tif-/, decodesLikePillow],
  [/^E-(jpg|cmyk)-/, refusesDamage],
  [/^F-(kaggle|extra|git|macosx)$/, knowsSplitsFromClasses],
];

const checkOf = ({ id }: Case) => checks[id] ?? kinds.find(([pattern]) => pattern.test(id))?.[1];

describe('cases of real life', () => {
  it('are all checked', () => {
    expect(cases.filter((one) => checkOf(one) === undefined)).toEqual([]);
    expect(cases).toHaveLength(38);
  });

  for (const one of cases) {
    it(`${one.id}: ${one.expected}`, () => checkOf(one)!(one));
  }
});
