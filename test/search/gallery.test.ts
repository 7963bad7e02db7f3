/** Files of galleries: there and back, and everything that a file can claim wrongly. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fileFromBytes } from '../../src/interop/randomAccessFile.js';
import { encodeSafetensors } from '../../src/interop/safetensors.js';
import type { TensorData } from '../../src/interop/tensorData.js';
import { SearchError } from '../../src/search/errors.js';
import {
  binaryGallery,
  type FloatGallery,
  galleryParts,
  joinGalleries,
  openGallery,
  packSigns,
} from '../../src/search/gallery.js';
import { readGalleryFile, writeGalleryFile } from '../../src/search/galleryFile.js';

const model = `sha256:${'ab'.repeat(32)}`;
const gallery: FloatGallery = {
  kind: 'float',
  dimensions: 8,
  descriptors: Float32Array.from({ length: 24 }, (_, i) => (i % 5) - 2),
  names: ['drone/1.jpg', 'Münster 🛰.png', 'c'],
  model,
  metadata: { note: 'three' },
};

function bytesOf(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

describe('a gallery', () => {
  it('is the same after it was written and read, in both kinds', async () => {
    for (const given of [gallery, binaryGallery(gallery)]) {
      expect(await openGallery(fileFromBytes(bytesOf(galleryParts(given))))).toEqual(given);
      const folder = mkdtempSync(join(tmpdir(), 'gallery-'));
      try {
        await writeGalleryFile(join(folder, 'g.safetensors'), given);
        expect(await readGalleryFile(join(folder, 'g.safetensors'))).toEqual(given);
      } finally {
        rmSync(folder, { recursive: true });
      }
    }
  });

  it('packs signs, the first dimension in the lowest bit', () => {
    expect([...packSigns(Float32Array.of(1, -1, 2, 0, 0, 0, 0, 3), 8)]).toEqual([0b10000101]);
    expect(() => packSigns(new Float32Array(7), 7)).toThrow(/multiple of 8/);
  });

  it('takes more images of the same model, and no others', () => {
    const more = { ...gallery, names: ['d', 'e', 'f'] };
    const joined = joinGalleries(gallery, more);
    expect(joined.names).toEqual([...gallery.names, 'd', 'e', 'f']);
    expect([...joined.descriptors]).toEqual([...gallery.descriptors, ...gallery.descriptors]);
    expect(() => joinGalleries(gallery, gallery)).toThrow(/two images are called drone\/1.jpg/);
    expect(() => joinGalleries(gallery, { ...more, model: `sha256:${'0'.repeat(64)}` })).toThrow(
      /its model is sha256:ab/,
    );
    expect(() => joinGalleries(gallery, binaryGallery(more))).toThrow(/its kind is float/);
  });
});

const u8 = (values: readonly number[], shape = [values.length]): TensorData => ({
  dtype: 'uint8',
  shape,
  data: Uint8Array.from(values),
});
const f32 = (values: readonly number[], shape: readonly number[]): TensorData => ({
  dtype: 'float32',
  shape,
  data: Float32Array.from(values),
});
const i32 = (values: readonly number[]): TensorData => ({
  dtype: 'int32',
  shape: [values.length],
  data: Int32Array.from(values),
});

const good: Readonly<Record<string, TensorData>> = {
  descriptors: f32([1, 0, 0, 1], [2, 2]),
  names: u8([97, 98]),
  'names.ends': i32([1, 2]),
};
const metadata = { 'meta-spikeformer-gallery': '1', 'meta-spikeformer-gallery-model': model };

interface Wrong {
  readonly changes: Readonly<Record<string, TensorData | undefined>>;
  readonly message: RegExp;
  readonly said: Readonly<Record<string, string>>;
}

const wrongly = (changes: Wrong['changes'], message: RegExp, said: Wrong['said'] = metadata): Wrong => ({
  changes,
  message,
  said,
});

const wrong: Readonly<Record<string, Wrong>> = {
  'no gallery': wrongly({}, /is no gallery/, {}),
  'another version': wrongly({}, /version 2/, { ...metadata, 'meta-spikeformer-gallery': '2' }),
  'a strange fingerprint': wrongly({}, /fingerprint is x/, { ...metadata, 'meta-spikeformer-gallery-model': 'x' }),
  'more tensors': wrongly({ more: u8([1]) }, /it holds descriptors, more, names/),
  'no names': wrongly({ names: undefined }, /it holds descriptors, names.ends instead of/),
  'descriptors of another type': wrongly({ descriptors: i32([1, 2]) }, /descriptors are int32 \[2\]/),
  'no dimensions': wrongly({ descriptors: f32([], [2, 0]) }, /0 dimensions/),
  'too many dimensions': wrongly({ descriptors: u8(Array(2050).fill(0), [2, 1025]) }, /8200 dimensions/),
  'too many images': wrongly({ descriptors: f32([], [2 ** 24 + 1, 0]) }, /16777217 images/),
  'names of another type': wrongly({ names: i32([1]) }, /names are int32/),
  'another number of names': wrongly({ 'names.ends': i32([1]) }, /names.ends are int32 \[1\] for 2 images/),
  'names that go back': wrongly({ 'names.ends': i32([2, 1]) }, /name 1 goes from byte 2 to 1/),
  'names beyond the end': wrongly({ 'names.ends': i32([1, 3]) }, /name 1 goes from byte 1 to 3 of 2/),
  'names before the end': wrongly({ 'names.ends': i32([0, 1]) }, /the names end at byte 1 of 2/),
  'an empty name': wrongly({ 'names.ends': i32([0, 2]) }, /name 0 has 0 characters/),
  'a name twice': wrongly({ names: u8([97, 97]) }, /two images are called a/),
  'names that are no UTF-8': wrongly({ names: u8([97, 255]) }, /name 1 is no UTF-8/),
  'what is no number': wrongly({ descriptors: f32([1, Number.NaN, 0, 1], [2, 2]) }, /descriptor of a holds NaN/),
  'numbers that are too large': wrongly({ descriptors: f32([1, 0, 0, 1e7], [2, 2]) }, /descriptor of b holds 10000000/),
};

describe('a file of a gallery', () => {
  it('is read as it stands', async () => {
    const read = await openGallery(fileFromBytes(encodeSafetensors(new Map(Object.entries(good)), metadata)));
    expect(read.names).toEqual(['a', 'b']);
  });

  it.each(Object.keys(wrong))('is refused with %s', async (title) => {
    const { changes, message, said } = wrong[title]!;
    const tensors = Object.entries({ ...good, ...changes }).flatMap(([name, tensor]) =>
      tensor ? [[name, tensor] as const] : [],
    );
    const file = fileFromBytes(encodeSafetensors(new Map(tensors), said), 'g.safetensors');
    const opening = openGallery(file);
    await expect(opening).rejects.toThrow(SearchError);
    await expect(opening).rejects.toThrow(message);
    await expect(opening).rejects.toThrow(/^g\.safetensors: /);
  });
});
