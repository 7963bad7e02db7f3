/** Recordings that are folders of pictures as batches: against the golden frames of the published loader, and what chance may change. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openPictureFolders } from '../../../src/data/events/datasets/pictureFolders.js';
import { createLoader, type LoaderOptions } from '../../../src/loader/loader.js';
import { workerEntry } from '../../../src/loader/workerPool.js';
import { eventPicturesInput } from '../../../src/modalities/eventPictures/eventPicturesInput.js';
import { middleStart, startAt } from '../../../src/modalities/eventPictures/frames.js';
import { parsePicturePreprocessing } from '../../../src/modalities/eventPictures/settings.js';
import { sharedPath } from '../../shared.js';
import { greyPng } from '../../support/pictures.js';
import { writeTree } from '../../support/recordings.js';
import { readTensors } from '../../support/safetensors.js';
import { expectClose } from '../events/support.js';

const golden = sharedPath('golden', 'events', 'hardvs');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'spikeformer-frames-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function batchesOf(options: Pick<LoaderOptions, 'preprocessing'> & Partial<LoaderOptions>) {
  const data = await openPictureFolders(folder, { split: 'train' });
  const loader = createLoader(data, { batchSize: 2, workers: 0, shuffle: false, ...options });
  const batches = [];
  for await (const batch of loader.epoch(0)) batches.push(batch);
  await loader.close();
  return batches;
}

/** Bits, most significant first. */
function unpacked(bytes: ArrayLike<number>, length: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => (bytes[i >> 3]! >> (7 - (i & 7))) & 1);
}

describe.skipIf(golden === undefined)('frames of the published loader', () => {
  beforeEach(async () => {
    await writeTree(folder, { 'train_label.txt': 'golden 3 0\n' });
    mkdirSync(join(folder, 'golden'));
    for (const name of ['0000.png', '0001.png', '0002.png'])
      copyFileSync(join(golden!, name), join(folder, 'golden', name));
  });

  it('are resized to 256, and cut; a fourth that is not there is zeros', async () => {
    const [batch] = await batchesOf({ preprocessing: parsePicturePreprocessing({ timeSteps: 4 }) });
    const expected = unpacked(
      readTensors(join(golden!, '..', 'hardvs.safetensors'))('frames224').values,
      4 * 2 * 224 ** 2,
    );
    expectClose(batch!.input, expected, 0);
  });

  it('are cut as they are without resizing', async () => {
    const [batch] = await batchesOf({ preprocessing: parsePicturePreprocessing({ timeSteps: 2, resize: null }) });
    const expected = unpacked(
      readTensors(join(golden!, '..', 'hardvs.safetensors'))('crop224').values,
      2 * 2 * 224 ** 2,
    );
    expectClose(batch!.input, expected, 0);
  });
});

// Picture k of a recording is dark in column k and light elsewhere, so that channel 0 says which picture it is.
const [width, count, steps] = [12, 12, 3];
const preprocessing = parsePicturePreprocessing({ timeSteps: steps, resize: null, size: [2, width] });

async function made(recordings: number, pictures = count): Promise<void> {
  const files: Record<string, Uint8Array | string> = {};
  const png = await Promise.all(
    Array.from({ length: pictures }, (_, k) => greyPng(width, 2, (x) => (x === k ? 0 : 255))),
  );
  for (let i = 0; i < recordings; i++) for (const [k, data] of png.entries()) files[`r${i}/${k}.png`] = data;
  files['train_label.txt'] = Array.from({ length: recordings }, (_, i) => `r${i} ${i % 2}\n`).join('');
  await writeTree(folder, files);
}

/** Which column is dark in each frame of sample i of a batch `[T, B, 2, 2, width]`; -1 for none. */
function columnsOf(input: Float32Array, i: number): number[] {
  const frame = 2 * 2 * width;
  const samples = input.length / (steps * frame);
  return Array.from({ length: steps }, (_, t) => {
    const start = (t * samples + i) * frame;
    return input.subarray(start, start + width).indexOf(1);
  });
}

describe('which pictures are seen', () => {
  it('are those in the middle, in order of their numbers, where nothing is drawn', async () => {
    await made(2);
    const [batch] = await batchesOf({ preprocessing });
    expect([0, 1].map((i) => columnsOf(batch!.input, i))).toEqual([
      [4, 5, 6],
      [4, 5, 6],
    ]);
    const { pictures } = await (await openPictureFolders(folder, { split: 'train' })).sample(0);
    const alone = new Float32Array(steps * 2 * 2 * width);
    eventPicturesInput.write({ pictures }, preprocessing, alone, 0, alone.length / steps);
    expect(columnsOf(alone, 0)).toEqual([4, 5, 6]);
  });

  it('are consecutive from anywhere in training, mirrored all or none', async () => {
    await made(60);
    const augmentation = { randomStart: true, horizontalFlip: 0.5 };
    const batches = await batchesOf({ preprocessing, augmentation, batchSize: 60, seed: 5 });
    const seen = Array.from({ length: 60 }, (_, i) => columnsOf(batches[0]!.input, i));
    for (const [a, b, c] of seen) expect([b! - a!, c! - b!]).toEqual(b! > a! ? [1, 1] : [-1, -1]);
    const mirrored = seen.filter(([a, b]) => b! < a!);
    expect(mirrored.length).toBeGreaterThan(15);
    expect(mirrored.length).toBeLessThan(45);
    const starts = new Set(seen.map(([a, b]) => (b! > a! ? a! : width - 1 - a!)));
    expect([...starts].sort((a, b) => a - b)).toEqual(Array.from({ length: count - steps + 1 }, (_, i) => i));
    expect((await batchesOf({ preprocessing, augmentation, batchSize: 60, seed: 5 }))[0]!.input).toEqual(
      batches[0]!.input,
    );
  });

  it('are all of a short recording, and zeros behind them, wherever it starts', async () => {
    await made(1, 2);
    for (const augmentation of [{}, { randomStart: true }]) {
      const [batch] = await batchesOf({ preprocessing, augmentation });
      expect(columnsOf(batch!.input, 0)).toEqual([0, 1, -1]);
      expect(batch!.input.subarray(2 * 2 * 2 * width).every((value) => value === 0)).toBe(true);
    }
  });

  it('begin at the middle or at any place that leaves enough', () => {
    expect([8, 9, 10, 3].map((pictures) => middleStart(pictures, 8))).toEqual([0, 0, 1, 0]);
    expect([0, 0.34, 0.67, 0.999].map((share) => startAt(share, 10, 8))).toEqual([0, 1, 2, 2]);
    expect(startAt(0.999, 3, 8)).toBe(0);
  });

  it('are the same from worker threads, mixed too (skipped without dist)', async (context) => {
    if (workerEntry() === undefined) return context.skip();
    await made(6);
    const augmentation = { randomStart: true, horizontalFlip: 0.5, mix: { probability: 1 } };
    const here = await batchesOf({ preprocessing, augmentation, shuffle: true, seed: 3 });
    const there = await batchesOf({ preprocessing, augmentation, shuffle: true, seed: 3, workers: 2 });
    expect(there).toEqual(here);
    expect(here[0]!.targets).toBeDefined();
  });

  it('have an empty border where they are smaller than the frame', async () => {
    await made(1, 1);
    const larger = parsePicturePreprocessing({ timeSteps: 1, resize: null, size: [4, 16] });
    const [batch] = await batchesOf({ preprocessing: larger });
    expect([...batch!.input].flatMap((value, i) => (value === 0 ? [] : [i]))).toEqual([16 + 2, 32 + 2]);
  });

  it('that are damaged are named', async () => {
    await made(1, 4);
    await writeTree(folder, { 'r0/1.png': 'no picture' });
    await expect(batchesOf({ preprocessing })).rejects.toThrow(join('r0', '1.png'));
  });
});

describe('the settings', () => {
  it('follow another size of the input, and name what is wrong', () => {
    const smaller = eventPicturesInput.resized(parsePicturePreprocessing({}), 112);
    expect(smaller).toMatchObject({ timeSteps: 8, resize: 128, size: [112, 112] });
    expect(eventPicturesInput.shapeOf(smaller)).toEqual({ frames: 8, channels: 2, places: [112, 112] });
    expect(() => parsePicturePreprocessing({ timeSteps: 60_000 }, 'r.json')).toThrow(
      'r.json: the settings are wrong at timeSteps',
    );
  });
});
