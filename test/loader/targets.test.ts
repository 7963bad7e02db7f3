/** Targets of other kinds than class numbers: through the same loader, in the same threads, moved as their images are. */
import { describe, expect, it } from 'vitest';
import { holdOut } from '../../src/data/datasets/dataset.js';
import { type ImageDataset, imagesWith } from '../../src/data/datasets/images.js';
import { pixelsOfMask, runsOfColumns } from '../../src/data/masks/runLength.js';
import { plainPreprocessing } from '../../src/data/preprocess.js';
import { type BoxTargets, objectMasks } from '../../src/data/targets/boxes.js';
import type { TargetStore } from '../../src/data/targets/registry.js';
import { UsageError } from '../../src/errors.js';
import { createLoader, type LoadedBatch, type LoaderOptions } from '../../src/loader/loader.js';
import { workerEntry } from '../../src/loader/workerPool.js';
import type { AugmentationInput } from '../../src/modalities/image/settings.js';
import { modalityNamed } from '../../src/modalities/registry.js';
import { objectsOf } from '../../src/tasks/detection/truths.js';

const side = 48;
// Black becomes 0 and white 1.
const preprocessing = plainPreprocessing(32, { mean: [0, 0, 0], std: [1, 1, 1] });

/** Sample i: black, with a white rectangle for each box. */
function rectangles(count: number): ImageDataset<BoxTargets> {
  const pixels = new Uint8Array(new SharedArrayBuffer(count * side * side * 3));
  const boxes: number[] = [];
  for (let i = 0; i < count; i++) {
    const [left, top] = [(i * 7) % 30, (i * 11) % 28];
    const [right, bottom] = [left + 10 + (i % 8), top + 12 + (i % 5)];
    boxes.push(left, top, right, bottom);
    for (let y = top; y < bottom; y++)
      pixels.fill(255, ((i * side + y) * side + left) * 3, ((i * side + y) * side + right) * 3);
  }
  return imagesWith({
    name: 'rectangles',
    store: { kind: 'pixels', height: side, width: side, channels: 3, pixels },
    targets: {
      kind: 'boxes',
      classes: ['even', 'odd'],
      ends: Int32Array.from({ length: count }, (_, i) => i + 1),
      boxes: Float32Array.from(boxes),
      labels: Int32Array.from({ length: count }, (_, i) => i % 2),
      leastVisible: 0.1,
    },
  });
}

function values(count: number) {
  return imagesWith({
    name: 'values',
    store: { kind: 'pixels', height: 8, width: 8, channels: 3, pixels: new Uint8Array(count * 192) },
    targets: {
      kind: 'values',
      names: ['half', 'square'],
      values: Float32Array.from({ length: 2 * count }, (_, k) => (k % 2 === 0 ? k / 4 : ((k - 1) / 2) ** 2)),
    },
  });
}

async function epochOf<Targets extends TargetStore>(
  dataset: ImageDataset<Targets>,
  options: Partial<LoaderOptions> = {},
): Promise<LoadedBatch<Targets>[]> {
  const loader = createLoader(dataset, { batchSize: 8, preprocessing, seed: 3, workers: 0, ...options });
  const batches: LoadedBatch<Targets>[] = [];
  try {
    for await (const batch of loader.epoch(0)) batches.push(batch);
  } finally {
    await loader.close();
  }
  return batches;
}

const augmentation: AugmentationInput = { crop: { kind: 'resized', scale: [0.3, 1] }, horizontalFlip: 0.5 };

describe('boxes in a loader', () => {
  it('are where the images of the batch show them, and absent where those show nothing', async () => {
    let seen = 0;
    let dropped = 0;
    for (const { input, boxes, labels, ends, indices, visible } of await epochOf(rectangles(64), { augmentation })) {
      for (const [i, index] of indices.entries()) {
        const red = input.subarray(i * 3 * 32 * 32, i * 3 * 32 * 32 + 32 * 32);
        const white = Array.from(red.keys()).filter((pixel) => red[pixel]! > 0.5);
        const first = i === 0 ? 0 : ends[i - 1]!;
        if (ends[i] === first) {
          dropped++;
          expect(white.length).toBeLessThan(80);
          continue;
        }
        expect(ends[i]).toBe(first + 1);
        seen++;
        expect(labels[first]).toBe(index % 2);
        expect(visible[first]).toBeGreaterThanOrEqual(0.1);
        const [columns, rows] = [white.map((pixel) => pixel % 32), white.map((pixel) => Math.floor(pixel / 32))];
        const shown = [Math.min(...columns), Math.min(...rows), Math.max(...columns) + 1, Math.max(...rows) + 1];
        for (const [side, value] of shown.entries())
          expect(Math.abs(value - boxes[4 * first + side]!)).toBeLessThan(1.1);
      }
    }
    expect(seen).toBeGreaterThan(40);
    expect(dropped).toBeGreaterThan(0);
  });

  it.skipIf(workerEntry() === undefined)('are the same from worker threads (skipped without dist)', async () => {
    const alone = await epochOf(rectangles(40), { augmentation });
    expect(await epochOf(rectangles(40), { augmentation, workers: 2 })).toEqual(alone);
  });

  it('take their masks along, which lie over each other and may be crowds', async () => {
    const plain = rectangles(20);
    const { boxes, ends } = plain.targets;
    const whole = { width: side, height: side };
    const masks = Array.from({ length: 20 }, (_, i) => {
      const [left, top, right, bottom] = boxes.subarray(4 * i, 4 * i + 4) as unknown as [
        number,
        number,
        number,
        number,
      ];
      return runsOfColumns(whole, (x, y) => x >= left && x < right && y >= top && y < bottom);
    });
    // Two objects in every image: the rectangle, and a crowd that is everywhere.
    const twice = <T>(own: readonly T[], other: T) => own.flatMap((each) => [each, other]);
    const everywhere = runsOfColumns(whole, () => true);
    const targets: BoxTargets = {
      ...plain.targets,
      ends: ends.map((end) => 2 * end),
      boxes: Float32Array.from(
        Array.from(ends, (_, i) => [...boxes.subarray(4 * i, 4 * i + 4), 0, 0, side, side]).flat(),
      ),
      labels: Int32Array.from(twice([...plain.targets.labels], 0)),
      crowds: Uint8Array.from(
        twice(
          masks.map(() => 0),
          1,
        ),
      ),
      masks: objectMasks(masks.map((mask) => ({ ...whole, masks: [mask, everywhere] })))!,
      leastVisible: 0,
    };
    const dataset = imagesWith({ name: 'rectangles', store: plain.store, targets });
    let seen = 0;
    for (const { input, ...batch } of await epochOf(dataset, { augmentation })) {
      expect([...batch.maskSize!]).toEqual([32, 32]);
      for (let image = 0; image < 8 && image < batch.ends.length; image++) {
        const own = objectsOf(batch, image);
        const single = own.find(({ crowd }) => !crowd);
        if (single === undefined) continue;
        const pixels = pixelsOfMask(single.mask!);
        // Where the mask is, the image is white, and black elsewhere; pixels at the border are between.
        const sure = (wanted: number) =>
          Array.from({ length: 1024 }, (_, p) => p).filter((p) => input[3072 * image + p] === wanted);
        expect(sure(1).every((p) => pixels[p] === 1)).toBe(true);
        expect(sure(0).every((p) => pixels[p] === 0)).toBe(true);
        expect(pixelsOfMask(own.find(({ crowd }) => crowd)!.mask!).some((pixel) => pixel === 1)).toBe(true);
        seen++;
      }
    }
    expect(seen).toBeGreaterThan(10);
    const wrong = (more: Partial<BoxTargets>) => () =>
      imagesWith({ name: 'boxes.json', store: plain.store, targets: { ...targets, ...more } });
    expect(wrong({ crowds: new Uint8Array(3) })).toThrow('boxes.json: has 3 masks or marks of crowds for 40 boxes');
    expect(wrong({ masks: { ...targets.masks!, runs: new Uint32Array(1) } })).toThrow(/masks of 20 samples and 1 runs/);
  });

  it('cannot be mixed, and are refused where they are impossible', async () => {
    const mixing = epochOf(rectangles(8), { augmentation: { mix: { mixup: 1 } } });
    await expect(mixing).rejects.toThrow(/rectangles: mixup and cutmix need class numbers as targets, these are boxes/);
    const { targets, store } = rectangles(8);
    const wrong = (more: Partial<BoxTargets>) => () =>
      imagesWith({ name: 'boxes.json', store, targets: { ...targets, ...more } });
    expect(wrong({ labels: new Int32Array(8).fill(2) })).toThrow(
      /^boxes\.json: box 0 has the label 2; expected 0 to 1/,
    );
    expect(wrong({ boxes: new Float32Array(32).fill(Number.NaN) })).toThrow(/box 0 goes from \(NaN, NaN\)/);
    expect(wrong({ ends: Int32Array.of(1, 2, 3) })).toThrow(/boxes.json: /);
  });
});

describe('values in a loader', () => {
  it('belong to the samples of the batch', async () => {
    for (const { indices, values: given } of await epochOf(values(20), { preprocessing: plainPreprocessing(8) }))
      expect([...given]).toEqual([...indices].flatMap((i) => [i / 2, i * i]));
  });

  it('are refused when they are no numbers', () => {
    const { store } = values(2);
    const targets = { kind: 'values', names: ['age'], values: Float32Array.of(1, Number.NaN) } as const;
    expect(() => imagesWith({ name: 'ages.csv', store, targets })).toThrow(
      'ages.csv: age of sample 1 is NaN; expected a finite number',
    );
  });
});

describe('parts of a data set without classes', () => {
  it('are held out at random, without overlap, and keep their targets', () => {
    const whole = values(50);
    const { training, validation } = holdOut(whole, 0.2, 1);
    const numbers = [training, validation].map((part) =>
      Array.from({ length: part.size }, (_, i) => 2 * part.target(i)[0]!),
    );
    expect(numbers.map(({ length }) => length)).toEqual([40, 10]);
    expect(numbers.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect(numbers[1]).not.toEqual(Array.from({ length: 10 }, (_, i) => numbers[1]![0]! + i));
    expect(() => validation.target(10)).toThrow(/has no image 10; the number must be from 0 to 9/);
  });
});

describe('a modality', () => {
  it('that there is not is refused by name', () => {
    expect(() => modalityNamed('smell')).toThrow(UsageError);
    expect(() => modalityNamed('smell')).toThrow('there is no modality "smell"; there is image');
    expect(() => modalityNamed('toString')).toThrow(UsageError);
  });

  it('refuses options that it does not know', async () => {
    const options = { augmentations: {} } as Partial<LoaderOptions>;
    await expect(epochOf(values(8), options)).rejects.toThrow(
      /there is no option augmentations; did you mean augmentation\?/,
    );
  });
});
