/** The recipe for HARDVS on a tiny made-up copy of its layout: trained, evaluated and asked on the command line. */
import { mkdtempSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { spikeformer } from '../cli/support.js';
import { greyPng } from '../support/pictures.js';
import { writeTree } from '../support/recordings.js';

let folder: string;
const at = (...parts: string[]) => join(folder, ...parts);

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'spikeformer-hardvs-'));
  const files: Record<string, Uint8Array | string> = { 'data/train_label.txt': '', 'data/test_label.txt': '' };
  for (let i = 0; i < 6; i++) {
    const name = `action_00${(i % 2) + 1}/dvSave-${i}`;
    for (let k = 0; k < 4; k++)
      files[`data/rawframes/${name}/${k}.png`] = await greyPng(24, 20, (x, y) =>
        (i % 2 === 0 ? x : y) === 4 + k + (i >> 1) ? 29 : 255,
      );
    files[i < 4 ? 'data/train_label.txt' : 'data/test_label.txt'] += `${name} 4 ${i % 2}\n`;
  }
  await writeTree(folder, files);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const small = [
  ...['model.embedDim=[4,8,8,8]', 'model.heads=1', 'model.depths=[0,1,0,1,0]', 'model.classes=2'],
  ...['data.preprocessing.timeSteps=2', 'data.preprocessing.resize=18', 'data.preprocessing.size=[16,16]'],
  ...['data.holdOut=2', 'data.workers=0', 'epochs=1', 'batchSize=2', 'accumulate=1', 'schedule.warmUpEpochs=0'],
];
const train = () =>
  spikeformer([
    ...['train', '--recipe', 'hardvs', '--data', at('data'), '--output', at('run'), '--threads', '1'],
    ...['--set', ...small],
  ]);

describe('the recipe hardvs', () => {
  it('is trained, evaluated and asked about a folder', async () => {
    const trained = await train();
    expect(trained.stderr).toContain('epoch 1');
    expect(trained.code).toBe(0);
    const asked = ['--checkpoint', at('run', 'best.safetensors'), '--engine', 'reference'];
    const evaluated = await spikeformer(['eval', ...asked, '--data', at('data'), '--json']);
    expect(evaluated.stderr).toBe('');
    expect(JSON.parse(evaluated.stdout)).toMatchObject({
      images: 2,
      data: { noun: 'recording', classes: ['action 0', 'action 1'] },
    });
    const recording = at('data', 'rawframes', 'action_001', 'dvSave-4');
    const predicted = await spikeformer(['predict', ...asked, recording, '--json']);
    expect(predicted.stderr).toBe('');
    const { recordings } = JSON.parse(predicted.stdout);
    expect(recordings).toHaveLength(1);
    expect(recordings[0]).toMatchObject({ recording, pictures: 4, width: 24, height: 20 });
    expect(recordings[0].steps).toHaveLength(2);
    const several = await spikeformer(['predict', ...asked, at('data', 'rawframes', 'action_001')]);
    expect(several.stdout).toContain('dvSave-2');
    expect(several.stdout).toContain('4 pictures of 24×20 pixels');
    const none = await spikeformer(['predict', ...asked, at('data')]);
    expect(none.code).toBe(2);
    expect(none.stderr).toContain('holds no pictures, nor does a folder in it');
    const file = await spikeformer(['predict', ...asked, join(recording, '0.png')]);
    expect(file.code).toBe(2);
    expect(file.stderr).toContain('this model looks at recordings that are folders of pictures');
    const stream = await spikeformer(['stream', recording, ...asked.slice(0, 2)]);
    expect(stream.code).toBe(2);
  }, 60_000);

  it('names what is missing before it trains', async () => {
    await rm(at('data', 'rawframes', 'action_002'), { recursive: true });
    const { code, stderr } = await train();
    expect(code).toBe(2);
    expect(stderr).toContain('of its 4 folders are 2 not there: action_002/dvSave-1 4, action_002/dvSave-3 4');
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});

describe('init for pictures', () => {
  it('points to the recipe', async () => {
    const { code, stderr } = await spikeformer([
      'init',
      at('data'),
      '--modality',
      'eventPictures',
      '--output',
      at('r.json'),
    ]);
    expect(code).toBe(2);
    expect(stderr).toContain('train --recipe hardvs');
  });
});
