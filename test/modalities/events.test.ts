/** Batches of recordings against frames that are counted by hand here, in one thread and in several; and how a recording looks. */
import { describe, expect, it } from 'vitest';
import type { RecordingStore } from '../../src/data/events/recordingStore.js';
import { recordingsWith } from '../../src/data/events/recordings.js';
import { createLoader, type LoaderOptions } from '../../src/loader/loader.js';
import { workerEntry } from '../../src/loader/workerPool.js';
import { eventPicture } from '../../src/modalities/events/picture.js';
import { parseEventPreprocessing } from '../../src/modalities/events/settings.js';
import { batchShape, engineShape, firstOf, frameLength, sampleLength } from '../../src/modalities/input.js';
import { nmnistBytes, type Row, walk } from '../support/recordings.js';

const [steps, channels, side] = [3, 2, 12];
const preprocessing = parseEventPreprocessing({
  sensor: [34, 34],
  window: { by: 'time', microseconds: 15_000 },
  timeSteps: steps,
  size: [side, side],
  fit: 'crop',
});

function dataset(recordings: readonly (readonly Row[])[], clips?: RecordingStore['clips']) {
  const encoded = recordings.map(nmnistBytes);
  let end = 0;
  const files = {
    kind: 'encoded',
    bytes: new Uint8Array(Buffer.concat(encoded)),
    ends: Float64Array.from(encoded, ({ length }) => (end += length)),
    names: recordings.map((_, i) => `${i}.bin`),
  } as const;
  const store: RecordingStore = { kind: 'recordings', files, ...(clips ? { clips } : {}) };
  const count = clips?.file.length ?? recordings.length;
  const labels = Int32Array.from({ length: count }, (_, i) => i % 2);
  return recordingsWith({ name: 'walks', store, targets: { kind: 'classes', classes: ['right', 'down'], labels } });
}

const recordings = Array.from({ length: 5 }, (_, i) => walk(i % 2, i));

async function batchesOf(options: Partial<LoaderOptions>, data = dataset(recordings)) {
  const loader = createLoader(data, { batchSize: 2, preprocessing, workers: 0, shuffle: false, ...options });
  const batches = [];
  for await (const batch of loader.epoch(0)) batches.push(batch);
  await loader.close();
  return batches;
}

/** Counts of `[T, C, H, W]`: windows of 15 ms from the first event on, the centre of 34 × 34. */
function countedByHand(rows: readonly Row[]): number[] {
  const counts = new Array<number>(steps * channels * side * side).fill(0);
  for (const [t, x, y, p] of rows) {
    const step = Math.floor((t - rows[0]![0]) / 15_000);
    const [column, row] = [x - 11, y - 11];
    if (step < steps && column >= 0 && row >= 0 && column < side && row < side)
      counts[((step * channels + p) * side + row) * side + column]! += 1;
  }
  return counts;
}

describe('a batch of recordings', () => {
  it('is [T, B, C, H, W]: the frames of one time step lie together', async () => {
    const rows: Row[][] = [0, 1].map((sample) =>
      Array.from({ length: 40 }, (_, i) => [1000 * i, 11 + ((i + sample) % 12), 12 + sample, i % 2]),
    );
    const [batch] = await batchesOf({}, dataset(rows));
    const expected = rows.map(countedByHand);
    expect(expected[0]!.reduce((sum, count) => sum + count)).toBe(40);
    const frame = channels * side * side;
    for (const [i, counts] of expected.entries())
      for (let t = 0; t < steps; t++)
        expect([...batch!.input.subarray((t * 2 + i) * frame, (t * 2 + i + 1) * frame)]).toEqual(
          counts.slice(t * frame, (t + 1) * frame),
        );
    expect([...batch!.labels]).toEqual([0, 1]);
  });

  it('has a last one of its own size, laid out by it', async () => {
    const batches = await batchesOf({});
    expect(batches.map(({ input }) => input.length / (steps * channels * side * side))).toEqual([2, 2, 1]);
    const [alone] = await batchesOf({ batchSize: 1 }, dataset(recordings.slice(4)));
    expect(batches[2]!.input).toEqual(alone!.input);
  });

  it('is the same from worker threads, with everything switched on (skipped without dist)', async (context) => {
    if (workerEntry() === undefined) return context.skip();
    const augmentation = {
      affine: { shift: 0.1, rotation: 20, zoom: [0.8, 1.2] as [number, number] },
      drop: { probability: 1, events: 0.5 },
      jitter: { space: 1, time: 100 },
      noise: 0.3,
      mix: { probability: 1 },
      polarityFlip: 0.5,
    };
    const here = await batchesOf({ augmentation, shuffle: true, seed: 3 });
    const there = await batchesOf({ augmentation, shuffle: true, seed: 3, workers: 2 });
    expect(there).toEqual(here);
    expect(here[0]!.targets).toBeDefined();
    const other = await batchesOf({ augmentation, shuffle: true, seed: 4 });
    expect(other[0]!.input).not.toEqual(here[0]!.input);
  });

  it('of clips has the events of their time, whichever clock says it', async () => {
    const rows = recordings[3]!;
    const clip = (from: number, clock: 'stamps' | 'firstEvent') =>
      dataset([rows], {
        file: Int32Array.of(0),
        from: Float64Array.of(from),
        to: Float64Array.of(from + 10_000),
        clock,
      }).sample(0);
    const first = rows[0]![0];
    const expected = rows.filter(([t]) => t >= first + 5000 && t < first + 15_000).map(([t]) => t);
    expect([...(await clip(first + 5000, 'stamps')).t]).toEqual(expected);
    expect([...(await clip(5000, 'firstEvent')).t]).toEqual(expected);
  });

  it('refuses a recording of a larger sensor, and says what to set', async () => {
    const large = dataset([[[0, 200, 170, 1]]]);
    await expect(batchesOf({}, large)).rejects.toThrow(
      '0.bin: was recorded at 240 × 180 pixels, the preprocessing is for a sensor of 34 × 34; set data.preprocessing.sensor=[180,240]',
    );
  });
});

describe('the shape of a sample', () => {
  const frames = { frames: 3, channels: 2, places: [4, 5] };
  const image = { channels: 3, places: [4, 5] };

  it('says how batches lie, outside and in engines', () => {
    expect(batchShape(frames, 7)).toEqual([3, 7, 2, 4, 5]);
    expect(batchShape(image, 7)).toEqual([7, 3, 4, 5]);
    expect(engineShape(frames, 7)).toEqual([3, 7, 4, 5, 2]);
    expect(engineShape(image, 7)).toEqual([1, 7, 4, 5, 3]);
    expect([frameLength(frames), sampleLength(frames), sampleLength(image)]).toEqual([40, 120, 60]);
  });

  it('gives the first samples of a batch', () => {
    const batch = Float32Array.from({ length: 3 * 2 * 40 }, (_, i) => i);
    const { shape, data } = firstOf(batch, frames, 1);
    expect(shape).toEqual([3, 1, 2, 4, 5]);
    expect([data[0], data[39], data[40], data[119]]).toEqual([0, 39, 80, 199]);
  });
});

describe('the picture of a recording', () => {
  it('is lighter where polarity 1 prevails, darker where 0 does, grey elsewhere', async () => {
    const sample = await dataset([
      [
        [0, 1, 0, 1],
        [1, 1, 0, 1],
        [2, 0, 1, 0],
      ],
    ]).sample(0);
    const { width, height, data } = eventPicture(sample);
    expect([width, height]).toEqual([34, 34]);
    expect(data[0]).toBe(128);
    expect(data[3]).toBe(255);
    expect(data[34 * 3]).toBeLessThan(128);
  });
});
