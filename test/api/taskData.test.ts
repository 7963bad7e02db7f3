/** The data of a task whose answers are masks, and what is refused of other data. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTaskEvaluationData } from '../../src/api/evaluationData.js';
import { openTaskDataset } from '../../src/api/taskData.js';
import type { TargetStore } from '../../src/data/targets/stores.js';
import { openSegmentation } from '../../src/index.js';
import { type AnyTask, taskNamed } from '../../src/tasks/registry.js';
import { changesBetween, fingerprintOf } from '../../src/training/dataFingerprint.js';
import { spikeformer } from '../cli/support.js';
import { pngOf } from '../support/png.js';

const root = mkdtempSync(join(tmpdir(), 'task-data-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const size = { width: 8, height: 6 };
const palette = Uint8Array.from({ length: 768 }, (_, i) => i % 256);
const values = (i: number) => Array.from({ length: 48 }, (_, pixel) => (pixel + i) % 7);

/** As the task of somebody who learns masks. */
const masks: AnyTask = {
  ...taskNamed('classification'),
  name: 'masks',
  targets: {
    reading: { from: 'masks' },
    names: (store: TargetStore) => (store.kind === 'masks' ? store.classes : []),
    called: 'classes',
  },
};

beforeAll(() => {
  for (const split of ['train', 'test']) {
    mkdirSync(join(root, split));
    mkdirSync(join(root, `${split}annot`));
    for (let i = 0; i < 3; i++) {
      writeFileSync(join(root, split, `${i}.png`), pngOf({ ...size, data: values(i), palette }));
      writeFileSync(join(root, `${split}annot`, `${i}.png`), pngOf({ ...size, data: values(i) }));
    }
  }
  rmSync(join(root, 'testannot', '1.png'));
});

describe('a task that learns masks', () => {
  it('is given the images of the split with their masks', async () => {
    const data = await openTaskDataset(masks, root, 'train');
    expect(data.size).toBe(3);
    expect(data.target(2)).toEqual({ ...size, data: Uint8Array.from(values(2)) });
  });

  it('is evaluated on those of test, and without the bad ones where that is asked for', async () => {
    await expect(openTaskEvaluationData(masks, root)).rejects.toThrow(/1 of 3 images cannot be used: .*--skip-bad/);
    const { names, notes, batches, ...data } = await openTaskEvaluationData(masks, root, { skipBad: true });
    expect([data.size, data.noun, names.length]).toEqual([2, 'image', 11]);
    expect(notes).toEqual([`${root} (test): 1 of 3 images are left out: 1 without a mask`]);
    const preprocess = {
      resize: null,
      crop: [6, 8],
      interpolation: 'bicubic',
      mean: [0, 0, 0],
      std: [1, 1, 1],
    } as const;
    for await (const batch of batches({ batch: 2, preprocess }))
      expect(batch).toMatchObject({ labels: Int32Array.from([...values(0), ...values(2)]) });
  });

  it('notices masks that have changed since a run began, and by their files alone', async () => {
    const before = await fingerprintOf(await openSegmentation(root, { split: 'train' }));
    expect(
      changesBetween(before, await fingerprintOf(await openSegmentation(root, { split: 'train' }))),
    ).toBeUndefined();
    const told = await openTaskEvaluationData(masks, root, { skipBad: true });
    for (const split of ['train', 'test'])
      writeFileSync(join(root, `${split}annot`, '2.png'), pngOf({ ...size, data: values(3) }));
    const now = await fingerprintOf(await openSegmentation(root, { split: 'train' }));
    expect(changesBetween(before, now)).toBe('1 image replaced by others (2.png)');
    const changed = await openTaskEvaluationData(masks, root, { skipBad: true });
    expect(changed.fingerprint).not.toBe(told.fingerprint);
  });
});

describe('--skip-bad', () => {
  it.each([
    ['train', '--recipe', 'cifar10', '--output', join(root, 'run')],
    ['eval', '--model', 'cifar10'],
  ])('of %s is refused in one line for data that has no masks', async (command, ...others) => {
    const { code, stderr } = await spikeformer([command, ...others, '--data', root, '--skip-bad']);
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /--skip-bad: leaves out masks, boxes and places that are wrong; the task classification has none/,
    );
    expect(stderr.trim().split('\n').length).toBe(1);
  });
});

describe('--views and --altitude', () => {
  it.each([
    ['--views', 'drone,satellite'],
    ['--altitude', '150'],
  ])('%s is refused for data without places', async (...said) => {
    const { code, stderr } = await spikeformer(['eval', '--model', 'cifar10', '--data', root, ...said]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/are said of places; the task classification has none, leave them out/);
  });
});
