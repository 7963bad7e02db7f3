/** `predict` of segmentation and detection: what the documents say, and what is drawn. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { denseClasses, writeDenseNetwork } from './denseNetworks.js';
import { checkpoint, fixture, json, spikeformer, temporaryFolder } from './support.js';

const photograph = fixture('preprocess', 'images', 'jpeg_420.jpg');
const quick = ['--threads', '1', '--no-details'];

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const at = (...parts: string[]) => join(folder.path, ...parts);
let size: { readonly width: number; readonly height: number };
beforeAll(async () => {
  folder = await temporaryFolder();
  const { width, height } = await sharp(photograph).metadata();
  size = { width, height };
  await writeDenseNetwork(at('segments.safetensors'), 'segmentation', { resize: null, crop: [32, 48] });
  await writeDenseNetwork(at('boxes.safetensors'), 'detection', { resize: 'fit', crop: [48, 48] });
});
afterAll(() => folder.remove());

const answered = async (file: string, ...more: string[]) => {
  const document = await json(['predict', photograph, '--checkpoint', at(file), ...quick, ...more]);
  return (document as { images: Record<string, unknown>[] }).images[0]!;
};

interface Segment {
  readonly label: string;
  readonly share: number;
  readonly segmentation: { readonly size: readonly number[]; readonly counts: readonly number[] };
}

describe('predict of a segmentation', () => {
  it('says which pixels of the image each class has, of those that the network saw', async () => {
    const segments = (await answered('segments.safetensors')).segments as Segment[];
    let [pixels, shares] = [0, 0];
    for (const { label, share, segmentation } of segments) {
      expect(denseClasses).toContain(label);
      expect(segmentation.size).toEqual([size.height, size.width]);
      expect(segmentation.counts.reduce((a, b) => a + b)).toBe(size.width * size.height);
      pixels += segmentation.counts.filter((_, run) => run % 2 === 1).reduce((a, b) => a + b, 0);
      shares += share;
    }
    expect(pixels).toBe(32 * 48);
    expect(shares).toBeCloseTo(1, 12);
  });

  it('is drawn over the image’s own pixels, and as shapes when that is asked for', async () => {
    await answered('segments.safetensors', '--draw', at('pixels'));
    const { data, info } = await sharp(at('pixels', 'jpeg_420.png')).removeAlpha().raw().toBuffer({
      resolveWithObject: true,
    });
    const photographed = await sharp(photograph).raw().toBuffer();
    expect(info).toMatchObject({ ...size, channels: 3 });
    const pixel = (x: number, y: number) => 3 * (y * size.width + x);
    const [corner, centre] = [pixel(size.width - 1, size.height - 1), pixel(size.width >> 1, size.height >> 1)];
    // The corner was not seen, the centre has the colour of its class over it.
    expect(data.subarray(corner, corner + 3)).toEqual(photographed.subarray(corner, corner + 3));
    expect(data.subarray(centre, centre + 3)).not.toEqual(photographed.subarray(centre, centre + 3));
    await answered('segments.safetensors', '--draw', at('shapes'), '--vector');
    expect(await readFile(at('shapes', 'jpeg_420.svg'), 'utf8')).toContain('<path fill=');
  });
});

describe('predict of a whole image', () => {
  it.each([
    ['whole', ['--whole']],
    ['in windows', ['--window', 'crop:20x40']],
  ])('%s says what every pixel shows', async (name, more) => {
    const segments = (await answered('segments.safetensors', ...more, '--draw', at(name))).segments as Segment[];
    const pixels = segments.map(({ segmentation }) =>
      segmentation.counts.filter((_, run) => run % 2 === 1).reduce((a, b) => a + b, 0),
    );
    expect(pixels.reduce((a, b) => a + b)).toBe(size.width * size.height);
    expect(segments.map(({ share }) => share)).toEqual(pixels.map((count) => count / (size.width * size.height)));
    const drawn = await sharp(at(name, 'jpeg_420.png')).metadata();
    expect([drawn.width, drawn.height]).toEqual([size.width, size.height]);
  });

  it('says what the network was shown, of windows the first', async () => {
    const details = async (...more: string[]) => {
      const settings = ['--checkpoint', at('segments.safetensors'), '--threads', '1'];
      const document = await json(['predict', photograph, ...settings, ...more]);
      return document.details as { readonly input: number[]; readonly milliseconds: { readonly compile: number } };
    };
    const whole = await details('--whole');
    expect(whole.input).toEqual([1, 3, size.height, size.width]);
    expect(whole.milliseconds.compile).toBeGreaterThan(0);
    expect((await details('--window', '16x24')).input).toEqual([1, 3, 16, 24]);
  });

  it('is nothing to ask of a detector', async () => {
    const { code, stderr } = await spikeformer([
      'predict',
      photograph,
      '--checkpoint',
      at('boxes.safetensors'),
      '--window',
      'crop',
    ]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('--window: says nothing to a model for detection')]);
  });
});

interface Found {
  readonly category: string;
  readonly score: number;
  readonly bbox: readonly [number, number, number, number];
}

describe('predict of a detection', () => {
  it('has the names of COCO’s results, from the surest on, in pixels of the image', async () => {
    const all = (await answered('boxes.safetensors', '--threshold', '0.01', '--draw', at('boxes'))).detections;
    const found = all as Found[];
    expect(found.length).toBeGreaterThan(3);
    expect(Object.keys(found[0]!)).toEqual(['category', 'index', 'score', 'bbox']);
    for (const { category, bbox } of found) {
      const [x, y, width, height] = bbox;
      expect(denseClasses).toContain(category);
      expect(Math.min(x, y, width, height)).toBeGreaterThanOrEqual(0);
      expect(x + width).toBeLessThanOrEqual(size.width + 1e-6);
      expect(y + height).toBeLessThanOrEqual(size.height + 1e-6);
    }
    const scores = found.map(({ score }) => score);
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
    expect((await sharp(at('boxes', 'jpeg_420.png')).metadata()).width).toBe(size.width);
    expect((await answered('boxes.safetensors', '--threshold', '0.01', '--top', '2')).detections).toEqual(
      found.slice(0, 2),
    );
  });
});

describe('options', () => {
  it.each([
    ['--vector', ['--vector'], 'spikeformer: --vector: says how --draw draws; give both'],
    ['--top', ['--top', '101'], 'spikeformer: --top: found "101", but an image has at most 100 answers'],
  ])('%s that cannot be are refused', async (_, args, message) => {
    const asked = ['predict', photograph, '--checkpoint', at('boxes.safetensors'), ...args];
    const { code, stderr } = await spikeformer(asked);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });

  it('--vector says nothing to a classifier', async () => {
    const { code, stderr } = await spikeformer([
      ...['predict', photograph, '--checkpoint', checkpoint, '--image-size', '32', '--draw', at('none'), '--vector'],
    ]);
    expect(code).toBe(2);
    expect(stderr).toContain('--vector: says nothing to a model for classification');
  });
});
