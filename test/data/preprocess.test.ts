import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeImage } from '../../src/data/decode.js';
import { ImageError } from '../../src/data/errors.js';
import {
  cropPixels,
  imagenetPreprocessing,
  type PreprocessSettings,
  parsePreprocessSettings,
  plainPreprocessing,
  preprocess,
  preprocessInto,
} from '../../src/data/preprocess.js';
import { sharedPath } from '../shared.js';
import { type ExpectedCase, expected, inRepository, summarise } from './expected.js';

function settingsOf({ resize, crop }: ExpectedCase): PreprocessSettings {
  return { ...imagenetPreprocessing, resize, crop };
}

describe('resizing and cropping', () => {
  it.each(expected.images)('makes of $file what torchvision makes of it', async ({ file, cases }) => {
    const image = await decodeImage(inRepository(file));
    for (const { resize, crop, ...pixels } of cases) {
      const made = cropPixels(image, settingsOf({ resize, crop, ...pixels }));
      expect(summarise(crop[1], crop[0], made)).toEqual(pixels);
    }
  });

  it('leaves an image alone that already has the plain size', async () => {
    const image = await decodeImage(inRepository('test/fixtures/preprocess/images/noise_32x32.png'));
    expect(cropPixels(image, plainPreprocessing(32))).toEqual(image.data);
  });

  it('is quick for an image one pixel wide and very long', () => {
    const image = { width: 1, height: 65_000, data: new Uint8Array(195_000).fill(77) };
    expect(new Set(cropPixels(image, imagenetPreprocessing))).toEqual(new Set([77]));
  });
});

describe('normalising', () => {
  it('gives torchvision’s float32 bits for every byte', () => {
    const bits = Buffer.from(expected.normalisedBytes, 'base64');
    const wanted = new Float32Array(new Uint8Array(bits).buffer);
    const ramp = Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3));
    const settings: PreprocessSettings = { ...imagenetPreprocessing, resize: null, crop: [1, 256] };
    expect(preprocess({ width: 256, height: 1, data: ramp }, settings)).toEqual(wanted);
  });

  it('fills a place in a batch and nothing beside it', () => {
    const image = { width: 1, height: 1, data: Uint8Array.of(255, 0, 51) };
    const settings = plainPreprocessing(1, { mean: [0, 0, 0], std: [1, 1, 0.5] });
    const batch = new Float32Array(9).fill(-7);
    preprocessInto(image, settings, batch, 3);
    expect(batch).toEqual(Float32Array.of(-7, -7, -7, 1, 0, 0.4, -7, -7, -7));
  });

  it('refuses an image whose bytes do not fit its size', () => {
    expect(() => preprocess({ width: 2, height: 2, data: new Uint8Array(11) }, imagenetPreprocessing)).toThrow(
      ImageError,
    );
  });
});

describe('settings', () => {
  it('survive a journey through JSON', () => {
    const text = JSON.stringify(imagenetPreprocessing);
    expect(parsePreprocessSettings(JSON.parse(text), 'model.json')).toEqual(imagenetPreprocessing);
  });

  it.each([
    ['crop.0', { crop: [0, 224] }],
    ['resize', { resize: 1.5 }],
    ['mean', { mean: [0, 0] }],
    ['std.2', { std: [1, 1, 0] }],
    ['interpolation', { interpolation: 'nearest' }],
  ])('are refused with the name of the file and of the field %s', (field, change) => {
    const parse = () => parsePreprocessSettings({ ...imagenetPreprocessing, ...change }, 'model.json');
    expect(parse).toThrow(ImageError);
    expect(parse).toThrow(`model.json: preprocessing settings are wrong at ${field}: `);
  });

  it('are refused when they are no settings at all or have unknown fields', () => {
    expect(() => parsePreprocessSettings('bicubic', 'model.json')).toThrow(ImageError);
    expect(() => parsePreprocessSettings({ ...imagenetPreprocessing, antialias: true }, 'model.json')).toThrow(
      ImageError,
    );
    expect(() => plainPreprocessing(0)).toThrow(ImageError);
  });
});

const golden = sharedPath('golden', 'preprocess');

/** The float32 tensors of a safetensors file, by name. */
function tensorsOf(path: string): Map<string, Float32Array> {
  const bytes = readFileSync(path);
  const headerLength = Number(bytes.readBigUInt64LE(0));
  const header: Record<string, { dtype: string; data_offsets: [number, number] }> = JSON.parse(
    bytes.toString('utf8', 8, 8 + headerLength),
  );
  const tensors = new Map<string, Float32Array>();
  for (const [name, { dtype, data_offsets }] of Object.entries(header)) {
    if (dtype !== 'F32') continue;
    const data = new Uint8Array(bytes.subarray(8 + headerLength + data_offsets[0], 8 + headerLength + data_offsets[1]));
    tensors.set(name, new Float32Array(data.buffer));
  }
  return tensors;
}

describe.skipIf(golden === undefined)('the golden photographs (skipped when the shared folder is absent)', () => {
  const folder = golden ?? '';
  // Listed here, so that each shows as skipped when the folder is absent.
  const files = [
    'n01440764_tench.JPEG',
    'n01494475_hammerhead.JPEG',
    'n01630670_common_newt.JPEG',
    'n01748264_Indian_cobra.JPEG',
    'n02096051_Airedale.JPEG',
  ];

  it.each(files)('become torchvision’s tensor to the last bit: %s', async (file) => {
    const tensors = tensorsOf(join(folder, 'expected.safetensors'));
    const wanted = tensors.get(file);
    expect(wanted, `one of ${[...tensors.keys()].join(', ')}`).toBeDefined();
    const made = preprocess(await decodeImage(join(folder, file)), imagenetPreprocessing);
    expect(made.length).toBe(wanted!.length);
    let largest = 0;
    for (let i = 0; i < made.length; i++) largest = Math.max(largest, Math.abs(made[i]! - wanted![i]!));
    expect(largest).toBe(0);
  });
});
