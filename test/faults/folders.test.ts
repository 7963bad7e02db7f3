/** Data folders and archives of real life, by the commands that once failed on them; test/fixtures/faults/cases.json says what is right. */
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { spikeformer } from '../cli/support.js';
import { type FaultInputs, unpackFaultInputs } from './support.js';

let inputs: FaultInputs;
beforeAll(async () => {
  inputs = await unpackFaultInputs();
});
afterAll(() => inputs.remove());

const network = ['--strides', '1,2,2,1,1', '--heads', '4', '--image-size', '16', '--threads', '1'];

async function evaluated(data: string, ...more: readonly string[]) {
  const weights = ['--checkpoint', inputs.file('ckpt', '00-control.pth'), ...network];
  const { code, stdout, stderr } = await spikeformer([
    'eval',
    '--data',
    inputs.file(data),
    '--json',
    ...(more.length > 0 ? more : weights),
  ]);
  expect(stderr).not.toMatch(/spikeformer:/);
  expect(code).toBe(0);
  const { images, data: found } = JSON.parse(stdout);
  return { images, classes: found.classes, stderr };
}

describe('data of real life', () => {
  it.each([
    ['ds/kaggle', 16, ''],
    ['ds/extra', 16, 'unlabeled'],
    ['ds/git', 16, '.git'],
    ['ds/macosx', 16, '__MACOSX'],
    ['ds/nonutf', 4, ''],
    ['tars/deep-prefix-classes.tar', 16, ''],
    ['tars/deep-prefix-splits.tar.gz', 16, ''],
    ['tars/appended-duplicate.tar', 16, ''],
  ])('is evaluated as a person would: %s has %i images in four classes', async (data, count, ignored) => {
    const { images, classes, stderr } = await evaluated(data);
    expect([images, classes]).toEqual([count, ['ant', 'bee', 'cat', 'dog']]);
    if (ignored !== '') expect(stderr).toMatch(new RegExp(`note: .*ignored .*${ignored.replace('.', '\\.')}`));
  });

  it('is trained on as a person would, and the accents of its classes may be written in two ways', async () => {
    const run = (data: string, ...more: readonly string[]) =>
      spikeformer([
        ...[
          'train',
          '--recipe',
          inputs.file('tiny.json'),
          '--data',
          inputs.file(data),
          '--output',
          inputs.file('run', data),
        ],
        ...['--threads', '1', '--set', 'epochs=0.2', 'data.workers=0', ...more],
      ]);
    expect((await run('ds/kaggle')).code).toBe(0);
    expect((await run('ds/macosx')).code).toBe(0);
    expect((await run('ds/nfc', 'model.classes=2')).code).toBe(0);
    const weights = inputs.file('run', 'ds/nfc', 'best.safetensors');
    expect((await evaluated('ds/nfd', '--checkpoint', weights)).classes).toEqual(['bee', 'caf\u00e9']);
  });

  it('has images whose names Node cannot pass on', async () => {
    // What Node makes of the names that a shell's *.png gives it.
    const names = readdirSync(inputs.file('ds', 'nonutf', 'ant')).map((name) =>
      inputs.file('ds', 'nonutf', 'ant', name),
    );
    expect(names.join()).toContain('\ufffd');
    const { code, stdout } = await spikeformer(['predict', ...names, '--no-details', '--json', '--threads', '1']);
    expect([code, JSON.parse(stdout).images.length]).toEqual([0, 1]);
  });
});
