/** All of an image at once or in windows: against mmsegmentation's slide mode in PyTorch, and against each other on the model that ships. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { viewImage, windowGrid } from '../../src/api/views.js';
import { windowStarts } from '../../src/data/geometry/windows.js';
import type { RgbImage } from '../../src/data/image.js';
import { imagenetPreprocessing } from '../../src/data/preprocess.js';
import { type FieldTensor, loadModel, type Model } from '../../src/index.js';
import { taskNamed } from '../../src/tasks/registry.js';

interface Case {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly resize: number | null;
  readonly window: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly pixels: readonly number[];
  readonly windows: readonly { readonly sum: number; readonly scores: readonly number[] }[];
  readonly stitched: readonly number[];
  readonly seen: readonly [number, number];
  readonly mask: readonly number[];
}

/** `make.py` beside it, with PyTorch 1.13. */
const fixture = join(import.meta.dirname, '..', 'fixtures', 'windows', 'slide.json');
const { classes, mean, std, cases } = JSON.parse(readFileSync(fixture, 'utf8')) as {
  readonly classes: number;
  readonly mean: [number, number, number];
  readonly std: [number, number, number];
  readonly cases: readonly Case[];
};

const scores = taskNamed('segmentation').pixelScores!;
const likeliest = (outputs: ReadonlyMap<string, { readonly data: Float32Array }>) => [
  ...outputs.get('likeliest')!.data,
];

describe('windows over an image', () => {
  it.each(cases)('are those of PyTorch, and so are classes and averaged scores: $name', async (known) => {
    const { width, height, resize, window, stride, windows, mask, stitched, seen } = known;
    const image = { width, height, data: Uint8Array.from(known.pixels) };
    const preprocessing = { ...imagenetPreprocessing, resize, crop: [64, 64] as const, mean, std };
    let run = 0;
    const compared: FieldTensor[] = [];
    const asked = {
      preprocessing,
      classes,
      run: async ({ shape, data }: FieldTensor) => {
        expect(shape).toEqual([1, 3, ...window]);
        const expected = windows[run++]!;
        expect(data.reduce((sum, value) => sum + value, 0)).toBeCloseTo(expected.sum, 3);
        const answer = { shape: [1, classes, ...window], data: Float32Array.from(expected.scores) };
        return { outputs: new Map([[scores.output, answer]]), milliseconds: 1 };
      },
      scores: {
        output: scores.output,
        inOwnPixels: (all: FieldTensor, own: { width: number; height: number }) => {
          compared.push(all);
          return scores.inOwnPixels(all, own);
        },
      },
    };
    const { outputs, original, runs, milliseconds } = await viewImage(image, { size: window, stride }, asked);
    expect([runs, run, milliseconds]).toEqual(Array(3).fill(windows.length));
    expect(original).toEqual({ width, height });
    expect(compared[0]!.shape).toEqual([1, classes, ...seen]);
    const difference = compared[0]!.data.reduce((most, value, i) => Math.max(most, Math.abs(value - stitched[i]!)), 0);
    expect(difference).toBeLessThan(1e-6);
    expect(likeliest(outputs)).toEqual(mask);
  });

  it('begin where mmsegmentation lets them', () => {
    // h_grids = max(h - crop + stride - 1, 0) // stride + 1; the last begins at h - crop.
    expect(windowStarts(683, 512, 341)).toEqual([0, 171]);
    expect(windowStarts(853, 512, 341)).toEqual([0, 341]);
    expect(windowStarts(854, 512, 341)).toEqual([0, 341, 342]);
    expect(windowStarts(512, 512, 341)).toEqual([0]);
    expect(windowStarts(100, 512, 341)).toEqual([0]);
    expect(windowGrid({}, [512, 512]).stride).toEqual({ width: 341, height: 341 });
  });

  it('and scores of an image that is too large are refused before anything runs', async () => {
    const asked = {
      preprocessing: { ...imagenetPreprocessing, resize: 16_384 },
      classes: 150,
      scores,
      run: () => Promise.reject(new Error('it ran')),
    };
    const image = { width: 2, height: 400, data: new Uint8Array(2400) };
    await expect(viewImage(image, 'whole', asked)).rejects.toThrow(
      /^view: the image is 16384 x 3276800 pixels as it is shown, at most 1789569 pixels are, with 150 classes/,
    );
    const many = { ...asked, preprocessing: { ...imagenetPreprocessing, resize: 1000 } };
    await expect(viewImage({ ...image, height: 2 }, { size: [8, 8], stride: [1, 1] }, many)).rejects.toThrow(
      /^window: 986049 windows over 1000 x 1000 pixels, at most 10000 are run/,
    );
  });
});

/** Soft waves with edges, of any size. */
function picture(width: number, height: number): RgbImage {
  const data = new Uint8Array(3 * width * height);
  for (let i = 0; i < data.length; i++) {
    const [x, y, channel] = [Math.floor(i / 3) % width, Math.floor(i / (3 * width)), i % 3];
    data[i] = 120 + 60 * Math.sin(x / (9 + 3 * channel)) + (y > height / 2 ? 50 : -40) * Math.cos(y / 13);
  }
  return { width, height, data };
}

const maskOf = async (model: Model, image: RgbImage, view?: Parameters<Model['view']>[1]) => {
  const { answer } = await model.answer(image, view === undefined ? {} : { view });
  return (answer as { mask: Uint16Array }).mask;
};

describe('the model for street scenes', () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel({ model: 'camvid' }, { threads: 1 });
  });
  afterAll(() => model?.dispose());

  it('says the same of an image of its input’s size, whole, in one window, or as before', async () => {
    const image = picture(240, 180);
    const before = await maskOf(model, image);
    expect(new Set(before).size).toBeGreaterThan(1);
    expect(await maskOf(model, image, 'whole')).toEqual(before);
    expect(await maskOf(model, image, {})).toEqual(before);
  });

  it('answers for every pixel of an image of an odd size, in a window as large as the image as for the whole', async () => {
    const image = picture(131, 77);
    const whole = await maskOf(model, image, 'whole');
    expect(whole.length).toBe(131 * 77);
    expect(whole).not.toContain(255);
    expect(new Set(whole).size).toBeGreaterThan(1);
    expect(await maskOf(model, image, { size: [77, 131] })).toEqual(whole);
    const { runs, input } = await model.view(image, { size: [64, 64], stride: [13, 60] });
    expect([runs, input.shape]).toEqual([2 * 3, [1, 3, 64, 64]]);
  });

  it('holds memory for one size at a time', async () => {
    const { memory } = (model.engine as unknown as { readonly memory: { readonly memory: WebAssembly.Memory } }).memory;
    await model.view(picture(603, 420), 'whole');
    const before = memory.buffer.byteLength;
    for (let width = 590; width < 602; width += 3) await model.view(picture(width, 419), 'whole');
    expect(memory.buffer.byteLength).toBe(before);
  });

  it.each([
    [{ size: [7, 64] }, /^window: found 7x64, expected height and width of 8 to 2048 pixels/],
    [{ size: [64, 4000] }, /^window: found 64x4000, expected height and width of 8 to 2048/],
    [{ size: 64 }, /^window: found 64, expected height and width/],
    [
      { size: [64, 32], stride: [0, 16] },
      /^stride: found 0x16, expected height and width of 1 to 64 and 1 to 32 pixels/,
    ],
    [{ stride: [90, 250] }, /^stride: found 90x250, expected height and width of 1 to 180 and 1 to 240 pixels/],
    [{ sise: [64, 64] }, /^view: there is no option sise; did you mean size\?/],
    ['all', /^view: found the text "all", expected 'whole' or windows \{size, stride\}/],
  ])('refuses %j', async (view, message) => {
    await expect(model.answer(picture(20, 20), { view } as object)).rejects.toThrow(message);
  });
});

it('a classifier refuses views', async () => {
  const model = await loadModel({}, { threads: 1 });
  await expect(model.answer(picture(20, 20), { view: 'whole' })).rejects.toThrow(
    /^view: images of a network for classification are seen as its preprocessing shows them/,
  );
  await model.dispose();
});
