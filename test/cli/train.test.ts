/** The command `train`: a small run from an archive, stopped and resumed, and refusals. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startingWeights } from '../../src/cli/startingWeights.js';
import { checkRecipe } from '../../src/training/recipe.js';
import { spikeformer, writeDarkAndLight } from './support.js';

let folder: string;
let data: string;
let recipe: string;

const settings = {
  name: 'test',
  model: {
    embedDim: [8, 16, 16, 16],
    heads: 4,
    depths: [1, 0, 0, 1, 0],
    strides: [1, 2, 1, 1, 1],
    stemKernel: 3,
    classes: 2,
  },
  batchNormBias: 1,
  data: {
    preprocessing: {
      resize: null,
      crop: [8, 8],
      interpolation: 'bicubic',
      mean: [0.5, 0.5, 0.5],
      std: [0.25, 0.25, 0.25],
    },
    holdOut: 4,
    workers: 0,
  },
  epochs: 1,
  batchSize: 4,
  optimizer: { name: 'adamw' },
  schedule: { learningRate: 0.003 },
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'spikeformer-train-'));
  data = join(folder, 'images');
  await writeDarkAndLight(data, 8);
  recipe = join(folder, 'recipe.json');
  writeFileSync(recipe, JSON.stringify(settings));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('train', () => {
  it('leaves a model, a state, the recipe and metrics, and refuses to begin again over them', async () => {
    const output = join(folder, 'run');
    const args = ['train', '--recipe', recipe, '--data', data, '--output', output, '--engine', 'reference'];
    const first = await spikeformer([...args, '--json']);
    expect(first.code).toBe(0);
    expect(JSON.parse(first.stdout)).toMatchObject({ output, steps: 3, finished: true });
    expect(readdirSync(output).sort()).toEqual([
      'best.safetensors',
      'curve.svg',
      expect.stringMatching(/^events\.out\.tfevents\./),
      'last.safetensors',
      'metrics.jsonl',
      'recipe.json',
      'state.safetensors',
    ]);
    expect(JSON.parse(readFileSync(join(output, 'recipe.json'), 'utf8'))).toMatchObject({
      name: 'test',
      run: { node: process.version },
    });
    const again = await spikeformer(args);
    expect(again).toMatchObject({ code: 2, stdout: '' });
    expect(again.stderr).toMatch(/there is a run already/);
    // The finished run resumes to nothing left to do, by its own recipe and with the data that it remembers.
    const resumed = await spikeformer(['train', '--output', output, '--resume', '--engine', 'reference', '--json']);
    expect(JSON.parse(resumed.stdout)).toMatchObject({ steps: 3, finished: true });
  });

  it('starts from weights that lack a block or have another head, says so, and refuses those of other widths', async () => {
    const last = join(folder, 'run', 'last.safetensors');
    const args = ['train', '--recipe', recipe, '--data', data, '--engine', 'reference', '--set', `finetune=${last}`];
    const deeper = await spikeformer([...args, 'depths=[1,0,0,1,1]', '--output', join(folder, 'deeper')]);
    expect(deeper.code).toBe(0);
    expect(deeper.stderr).toMatch(
      /note: .*last\.safetensors: the file lacks \d+ parameters of the network; they begin anew \(block4\.0\./,
    );
    const wider = await spikeformer([...args, 'embedDim=[12,16,16,16]', '--output', join(folder, 'wider')]);
    expect(wider.code).toBe(2);
    expect(wider.stderr).toMatch(/does not fit the recipe's model: downsample1_1\.encode_conv\.weight is \[4, /);
    expect(wider.stderr.trimEnd().split('\n')).toHaveLength(1);
    const { recipe: checked } = checkRecipe({ ...settings, model: { ...settings.model, classes: 3 } });
    const { parameters, notes } = await startingWeights(last, checked!);
    expect(notes.join()).toContain('for another number of classes 2 parameters of the network; they begin anew (head');
    expect([...parameters.keys()].filter((name) => name.startsWith('head'))).toEqual([]);
    expect(parameters.has('downsample4.encode_conv.weight')).toBe(true);
  });

  it('takes settings on --resume that cannot change weights, names the others, and notices other data', async () => {
    const output = join(folder, 'resumed');
    const go = (...more: string[]) =>
      spikeformer(['train', '--output', output, '--engine', 'reference', '--json', ...more]);
    const pressed = await spikeformer(
      ['train', '--output', output, '--engine', 'reference', '--recipe', recipe, '--data', data],
      { onListening: (pressControlC) => pressControlC() },
    );
    expect(pressed).toMatchObject({ code: 130, stdout: expect.stringMatching(/continue with --resume/) });
    const other = await go('--resume', '--set', 'timeSteps=2', 'data.workers=2');
    expect(other).toMatchObject({ code: 2, stderr: expect.stringMatching(/model\.timeSteps: 1 → 2; resume with/) });
    const changed = join(folder, 'changed');
    await writeDarkAndLight(changed, 7);
    const refused = await go('--resume', '--data', changed);
    expect(refused).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/2 images gone \(dark\/7\.png, light\/7\.png\).*--data-changed/),
    });
    const copy = join(folder, 'copy');
    await writeDarkAndLight(copy, 8);
    const taken = await go('--resume', '--data', copy, '--set', 'saveEvery=9', 'logEvery=1');
    expect(JSON.parse(taken.stdout)).toMatchObject({ steps: 3, finished: true });
    expect(await go('--resume', '--data', changed, '--data-changed')).toMatchObject({ code: 0 });
  });

  const wrong: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['an unknown recipe', ['--recipe', 'no-such-recipe'], /no-such-recipe.*cifar10/],
    ['a missing recipe option', [], /--recipe/],
    ['a setting without a value', ['--recipe', 'cifar10', '--set', 'epochs'], /epochs.*key=value/],
    ['a setting out of range', ['--recipe', 'cifar10', '--set', 'timeSteps=0'], /timeSteps/],
    ['an unknown setting', ['--recipe', 'cifar10', '--set', 'colour=red'], /colour/],
    ['resuming nothing', ['--recipe', 'cifar10', '--resume'], /--resume.*state/],
    ['resuming nothing by its own recipe', ['--resume'], /--resume.*state/],
    [
      'changed data of a new run',
      ['--recipe', 'cifar10', '--data-changed'],
      /--data-changed: only works with --resume/,
    ],
    [
      'a recipe with all that does not fit the data',
      ['--recipe', 'cifar10', '--set', 'batchSize=4000', 'inputChannels=1'],
      /cifar10\.json: 4 things do not fit: .*classes=2.*--set inputChannels=1: .*hold out 2500.*--set batchSize=4000/,
    ],
    [
      'a recipe that is wrong by itself and for the data',
      ['--recipe', 'cifar10', '--set', 'colour=red'],
      /4 things do not fit: --set colour=red.*classes=2.*hold out 2500.*too few for one batch of 64/,
    ],
  ];
  it.each(wrong)('refuses %s in one line', async (_name, args, message) => {
    const output = join(folder, 'refused');
    const { code, stdout, stderr } = await spikeformer(['train', '--data', data, '--output', output, ...args]);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr.trimEnd()).toMatch(message);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(readdirSync(folder)).not.toContain('refused');
  });

  it('stops at an hour, and lets the rate fall when it is told to', async () => {
    const output = join(folder, 'long');
    const args = ['train', '--output', output, '--engine', 'reference', '--json'];
    const begun = ['--recipe', recipe, '--data', data, '--set', 'schedule.kind=warmUpStableDecay', 'epochs=9999'];
    const soon = new Date(Date.now() + 2000).toISOString().slice(0, 19);
    const first = await spikeformer([...args, ...begun, '--until', `${soon}Z`]);
    expect(first).toMatchObject({ code: 0 });
    const stopped = JSON.parse(first.stdout) as { steps: number; finished: boolean };
    expect(stopped.finished).toBe(false);
    expect(stopped.steps).toBeGreaterThan(0);
    const second = await spikeformer([...args, '--resume', '--decay', '2']);
    expect(second).toMatchObject({ code: 0 });
    // Three steps an epoch: what is left of this one, and two more.
    expect(JSON.parse(second.stdout)).toMatchObject({ finished: true, steps: 3 * (Math.ceil(stopped.steps / 3) + 2) });
    const written = JSON.parse(readFileSync(join(output, 'recipe.json'), 'utf8'));
    expect(written.schedule).toMatchObject({ kind: 'warmUpStableDecay', decayEpochs: 2 });
    // What has fallen does not fall again.
    const third = await spikeformer([...args, '--resume', '--decay', '3']);
    expect(third).toMatchObject({ code: 2, stdout: '' });
    expect(third.stderr).toMatch(/where the rates of the steps so far stay the same/);
  });

  it.each([
    [['--until', 'tomorrow'], /--until tomorrow: expected a time such as 18:30/],
    [['--until', '25:00'], /--until 25:00: expected a time/],
    [['--until', '2020-01-01T00:00'], /--until 2020-01-01T00:00: is past/],
    [['--nice', '20'], /--nice: found "20", expected a whole number from 1 to 19/],
    [['--decay', '2'], /--decay: only works with --resume/],
    [['--set', 'schedule.decayEpochs=2'], /schedule.decayEpochs is of the kind warmUpStableDecay, not cosine/],
  ])('refuses %s', async (options, message) => {
    const args = ['train', '--recipe', recipe, '--data', data, '--output', join(folder, 'none'), ...options];
    const { code, stderr } = await spikeformer(args);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
    expect(readdirSync(folder)).not.toContain('none');
  });

  it('refuses data that is not there', async () => {
    const { code, stderr } = await spikeformer([
      'train',
      '--recipe',
      recipe,
      '--data',
      join(folder, 'none'),
      '--output',
      join(folder, 'x'),
    ]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/none/);
  });
});
