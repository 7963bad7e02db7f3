import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { subset } from '../../src/data/datasets/dataset.js';
import { type LabelledImages, labelledImages } from '../../src/data/datasets/images.js';
import { openDataset } from '../../src/data/datasets/openDataset.js';
import { DataError } from '../../src/data/errors.js';
import { plainPreprocessing, preprocess } from '../../src/data/preprocess.js';
import { MetaSpikeformerError, UsageError } from '../../src/errors.js';
import { createLoader, type LoaderOptions, type TrainingBatch } from '../../src/loader/loader.js';
import { workerEntry } from '../../src/loader/workerPool.js';
import type { AugmentationInput } from '../../src/modalities/image/settings.js';

const preprocessing = plainPreprocessing(8);
const everything: AugmentationInput = {
  crop: { kind: 'padded', padding: 2 },
  horizontalFlip: 0.5,
  randAugment: {},
  randomErasing: { probability: 0.5 },
  mix: { mixup: 0.8, cutmix: 1 },
};

/** Noise, so that no two images and no two augmentations of one are alike. */
function noise(count: number, side = 8, channels: 1 | 3 = 3): LabelledImages {
  const pixels = new Uint8Array(new SharedArrayBuffer(count * side * side * channels));
  let state = 1;
  for (let i = 0; i < pixels.length; i++) {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    pixels[i] = state >>> 24;
  }
  return labelledImages({
    name: 'noise',
    classes: ['a', 'b', 'c'],
    labels: Int32Array.from({ length: count }, (_, i) => i % 3),
    store: { kind: 'pixels', height: side, width: side, channels, pixels },
  });
}

async function epochOf(
  dataset: LabelledImages,
  options: Omit<LoaderOptions, 'preprocessing'> & Partial<LoaderOptions>,
  epoch = 0,
  batch = 0,
): Promise<TrainingBatch[]> {
  const loader = createLoader(dataset, { preprocessing, workers: 0, ...options });
  const batches: TrainingBatch[] = [];
  try {
    for await (const made of loader.epoch(epoch, { batch })) batches.push(made);
  } finally {
    await loader.close();
  }
  return batches;
}

const indicesOf = (batches: readonly TrainingBatch[]) => batches.flatMap(({ indices }) => [...indices]);
const sorted = (values: readonly number[]) => [...values].sort((a, b) => a - b);
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

describe('a loader without augmentation', () => {
  it('gives in order what preprocessing makes of each image', async () => {
    const dataset = noise(10, 11);
    const batches = await epochOf(dataset, { batchSize: 4, shuffle: false });
    expect(batches.map(({ labels }) => [...labels])).toEqual([
      [0, 1, 2, 0],
      [1, 2, 0, 1],
      [2, 0],
    ]);
    expect(batches.every(({ targets }) => targets === undefined)).toBe(true);
    for (const i of upTo(10)) {
      const image = batches[i >> 2]!.input.subarray((i % 4) * 192, (i % 4) * 192 + 192);
      expect(image).toEqual(preprocess(await dataset.image(i), preprocessing));
    }
  });

  it('gives the same numbers channels last', async () => {
    const [first] = await epochOf(noise(3), { batchSize: 3, augmentation: everything });
    const [last] = await epochOf(noise(3), { batchSize: 3, augmentation: everything, layout: 'channelsLast' });
    const moved = upTo(576).map(
      (i) => last!.input[Math.floor(i / 192) * 192 + (i % 64) * 3 + Math.floor((i % 192) / 64)],
    );
    expect(moved).toEqual([...first!.input]);
  });

  it('gives grey images with one channel when asked, and refuses that for colours', async () => {
    const [one] = await epochOf(noise(4, 8, 1), { batchSize: 4, channels: 1, augmentation: { horizontalFlip: 0.5 } });
    const [three] = await epochOf(noise(4, 8, 1), { batchSize: 4, augmentation: { horizontalFlip: 0.5 } });
    expect(one!.input.length).toBe(256);
    expect(one!.input.subarray(64, 128)).toEqual(three!.input.subarray(192, 256));
    await expect(epochOf(noise(4), { batchSize: 4, channels: 1 })).rejects.toThrow(/not stored as grey/);
  });
});

describe('the order of an epoch', () => {
  it('is a permutation, another in each epoch and for each seed', async () => {
    const dataset = noise(50);
    const orders = [
      indicesOf(await epochOf(dataset, { batchSize: 8, seed: 1 }, 0)),
      indicesOf(await epochOf(dataset, { batchSize: 8, seed: 1 }, 1)),
      indicesOf(await epochOf(dataset, { batchSize: 8, seed: 2 }, 0)),
    ];
    for (const order of orders) expect(sorted(order)).toEqual(upTo(50));
    expect(new Set(orders.map(String)).size).toBe(3);
    expect(indicesOf(await epochOf(dataset, { batchSize: 8, seed: 1 }, 1))).toEqual(orders[1]);
  });

  it('puts every image first about equally often', async () => {
    const loader = createLoader(noise(8), { batchSize: 1, preprocessing, workers: 0 });
    const counts = new Int32Array(8);
    for (let epoch = 0; epoch < 800; epoch++) {
      const { value } = await loader.epoch(epoch).next();
      counts[value!.indices[0]!]! += 1;
    }
    // 100 are expected of each; five standard deviations are 47.
    expect(Math.min(...counts)).toBeGreaterThan(53);
    expect(Math.max(...counts)).toBeLessThan(147);
  });

  it('leaves the last batch out when it is not full and that is asked for', async () => {
    const batches = await epochOf(noise(10), { batchSize: 4, dropLast: true });
    expect(batches.map(({ labels }) => labels.length)).toEqual([4, 4]);
    expect(() => createLoader(noise(3), { batchSize: 4, preprocessing, dropLast: true })).toThrow(
      /too few for one batch/,
    );
  });

  it('repeats each image in succession, differently augmented, in an epoch of unchanged length', async () => {
    const [batch] = await epochOf(noise(10), {
      batchSize: 10,
      repeated: 3,
      augmentation: { ...everything, mix: null },
    });
    const indices = [...batch!.indices];
    expect(indices.map((_, i) => indices[i - (i % 3)])).toEqual(indices);
    expect(new Set(indices).size).toBe(4);
    const images = upTo(10).map((i) => String(batch!.input.subarray(i * 192, i * 192 + 192)));
    expect(new Set(images).size).toBe(10);
  });

  it('belongs to the part of the data set that is asked for', async () => {
    const part = subset(noise(20), [19, 4, 7], 'part');
    const [batch] = await epochOf(part, { batchSize: 3, shuffle: false });
    const [whole] = await epochOf(noise(20), { batchSize: 20, shuffle: false });
    expect([...batch!.labels]).toEqual([1, 1, 1]);
    expect(batch!.input.subarray(192, 384)).toEqual(whole!.input.subarray(4 * 192, 5 * 192));
  });
});

describe('augmentation in a loader', () => {
  it('is new in each epoch', async () => {
    const options = { batchSize: 10, shuffle: false, augmentation: { ...everything, mix: null } };
    const [first] = await epochOf(noise(10), options, 0);
    const [second] = await epochOf(noise(10), options, 1);
    expect(first!.input).not.toEqual(second!.input);
    expect((await epochOf(noise(10), options, 1))[0]).toEqual(second);
  });

  it('comes with soft targets that add up to 1 when batches are mixed', async () => {
    for (const { targets, labels } of await epochOf(noise(10), { batchSize: 4, augmentation: everything })) {
      for (const i of labels.keys()) {
        const row = [...targets!.subarray(i * 3, i * 3 + 3)];
        expect(row.reduce((sum, value) => sum + value)).toBeCloseTo(1, 5);
      }
    }
  });

  it('resumes in the middle of an epoch as if it had not been interrupted', async () => {
    const options = { batchSize: 4, seed: 3, augmentation: everything };
    const whole = await epochOf(noise(30), options, 2);
    expect(await epochOf(noise(30), options, 2, 5)).toEqual(whole.slice(5));
    expect(await epochOf(noise(30), options, 2, 8)).toEqual([]);
  });
});

describe('wrong requests', () => {
  it('are refused with the name of what is wrong', () => {
    const loaderWith = (options: object) => () =>
      createLoader(noise(4), { batchSize: 2, preprocessing, ...options } as LoaderOptions);
    expect(loaderWith({ batchSize: 0 })).toThrow(/loader's option batchSize is wrong/);
    expect(loaderWith({ workers: -1 })).toThrow(UsageError);
    expect(loaderWith({ seed: 0.5 })).toThrow(/option seed/);
    expect(loaderWith({ augmentation: { horizontalFlip: 'yes' } })).toThrow(/wrong at horizontalFlip/);
    expect(loaderWith({ preprocessing: { ...preprocessing, std: [0, 1, 1] } })).toThrow(
      /loader: preprocessing settings/,
    );
    expect(() => loaderWith({})().epoch(-1)).toThrow(/there is no epoch -1/);
    expect(() => loaderWith({})().epoch(0, { batch: 3 })).toThrow(/cannot start at batch 3; it has 2/);
  });

  it('include crops larger than the images', async () => {
    const augmentation = { crop: { kind: 'padded', padding: 1 } } as const;
    await expect(epochOf(noise(4, 4), { batchSize: 2, augmentation })).rejects.toThrow(DataError);
  });
});

describe('images that are decoded when their turn comes', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'loader-'));
    for (const [i, name] of ['a/1.png', 'a/2.png', 'b/1.png', 'b/2.png', 'c/1.png'].entries()) {
      await mkdir(join(folder, name, '..'), { recursive: true });
      const background = { r: 40 * i, g: 10, b: 250 };
      await sharp({ create: { width: 20 + i, height: 16, channels: 3, background } }).toFile(join(folder, name));
    }
  });
  afterAll(() => rm(folder, { recursive: true }));

  const workerCounts = workerEntry() === undefined ? [0] : [0, 2];

  it.each(workerCounts)('are those of the folder, with %i workers', async (workers) => {
    const dataset = await openDataset(folder);
    const batches = await epochOf(dataset, { batchSize: 2, shuffle: false, workers });
    expect(dataset.store.kind).toBe('files');
    for (const i of upTo(5)) {
      const image = batches[i >> 1]!.input.subarray((i % 2) * 192, (i % 2) * 192 + 192);
      expect(image).toEqual(preprocess(await dataset.image(i), preprocessing));
    }
  });

  it.each(workerCounts)('surface as an error that names the broken file, with %i workers', async (workers) => {
    const dataset = await openDataset(folder);
    const broken = join(folder, 'b/1.png');
    await writeFile(broken, 'no longer an image');
    const loader = createLoader(dataset, { batchSize: 2, shuffle: false, preprocessing, workers });
    const epoch = loader.epoch(0);
    expect([...(await epoch.next()).value!.labels]).toEqual([0, 0]);
    const error = await epoch.next().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(MetaSpikeformerError);
    expect(String(error)).toContain(`${broken}: begins with "no longe"`);
    await loader.close();
    const background = { r: 80, g: 10, b: 250 };
    await sharp({ create: { width: 22, height: 16, channels: 3, background } }).toFile(broken);
  });
});

describe.skipIf(workerEntry() === undefined)('worker threads (skipped until npm run build has made dist)', () => {
  it.each([
    ['everything', everything],
    ['a resized crop', { crop: { kind: 'resized' } } as const],
    ['nothing', {}],
  ])('give the same batches as the calling thread, with %s switched on', async (_, augmentation) => {
    const dataset = noise(64);
    const options = { batchSize: 6, seed: 11, augmentation };
    const alone = await epochOf(dataset, options, 1, 2);
    expect(alone.length).toBe(9);
    expect(await epochOf(dataset, { ...options, workers: 1 }, 1, 2)).toEqual(alone);
    expect(await epochOf(dataset, { ...options, workers: 3, batchesAhead: 7 }, 1, 2)).toEqual(alone);
  });

  it('serve several epochs, also after one was left early', async () => {
    const loader = createLoader(noise(40), { batchSize: 4, preprocessing, workers: 2, augmentation: everything });
    for await (const batch of loader.epoch(0)) if (batch.labels.length > 0) break;
    const batches: TrainingBatch[] = [];
    for await (const batch of loader.epoch(1)) batches.push(batch);
    expect(batches).toEqual(await epochOf(noise(40), { batchSize: 4, augmentation: everything }, 1));
    await loader.close();
  });

  it('leave an error behind and not silence when the loader is closed under an epoch', async () => {
    const loader = createLoader(noise(40), { batchSize: 4, preprocessing, workers: 1 });
    const epoch = loader.epoch(0);
    const waiting = epoch.next().catch((reason: unknown) => reason);
    await loader.close();
    expect(String(await waiting)).toMatch(/DataError: the loader was closed before the batch was made/);
  });
});
