import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeImage } from '../../src/data/decode.js';
import { ImageError } from '../../src/data/errors.js';
import { compareCodePoints } from '../../src/data/names.js';
import { plainPreprocessing, preprocess } from '../../src/data/preprocess.js';
import { UsageError } from '../../src/errors.js';
import { type ImageBatch, openImageFolder } from '../../src/loader/imageFolder.js';
import { expected, fixtureImage } from './expected.js';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'images-'));
});
afterEach(() => rm(root, { recursive: true }));

/** Copies fixture images to `class/file` places below the root. */
async function plant(images: Readonly<Record<string, string>>): Promise<void> {
  for (const [place, fixture] of Object.entries(images)) {
    await mkdir(dirname(join(root, place)), { recursive: true });
    await copyFile(fixtureImage(fixture), join(root, place));
  }
}

const sevenImages = {
  'cat/1.png': 'noise_32x32.png',
  'cat/2.jpg': 'jpeg_420.jpg',
  'cat/3.webp': 'webp_lossy.webp',
  'dog/1.png': 'png_rgba.png',
  'dog/2.png': 'png_palette.png',
  'frog/1.jpg': 'jpeg_cmyk.jpg',
  'frog/2.jpg': 'jpeg_grey.jpg',
};
const sevenNames = Object.keys(sevenImages);
const settings = plainPreprocessing(24);
const pixelsPerImage = 3 * 24 * 24;

async function all(batches: AsyncIterable<ImageBatch>): Promise<ImageBatch[]> {
  const drawn: ImageBatch[] = [];
  for await (const batch of batches) drawn.push(batch);
  return drawn;
}

function namesIn(batches: readonly ImageBatch[]): string[] {
  return batches.flatMap(({ paths }) => paths.map((path) => relative(root, path)));
}

describe('opening an image folder', () => {
  it('numbers classes and orders samples as torchvision’s ImageFolder does', async () => {
    const { files, classes, samples } = expected.imageFolder;
    for (const file of files) {
      await mkdir(dirname(join(root, file)), { recursive: true });
      await writeFile(join(root, file), '');
    }
    const folder = await openImageFolder(root);
    expect(folder.classes).toEqual(classes);
    expect(folder.samples.map(({ path, label }) => [relative(root, path), label])).toEqual(samples);
  });

  it('follows links, but not in circles', async () => {
    await plant({ 'cat/1.png': 'noise_32x32.png' });
    await symlink(join(root, 'cat'), join(root, 'cat', 'again'));
    await symlink(join(root, 'cat'), join(root, 'tom'));
    const folder = await openImageFolder(root);
    expect(folder.classes).toEqual(['cat', 'tom']);
    expect(folder.samples.map(({ path }) => relative(root, path))).toEqual(['cat/1.png', 'tom/1.png']);
  });

  it('refuses folders without classes, without images, and folders that do not exist', async () => {
    await writeFile(join(root, 'stray.jpg'), '');
    await expect(openImageFolder(root)).rejects.toThrow(ImageError);
    await expect(openImageFolder(root)).rejects.toThrow(`${root}: holds no class folders`);
    await expect(openImageFolder(join(root, 'missing'))).rejects.toThrow(
      /missing: cannot be read as a folder \(ENOENT/,
    );
    await expect(openImageFolder(join(root, 'stray.jpg'))).rejects.toThrow(/stray\.jpg: cannot be read as a folder/);
    await mkdir(join(root, 'cat', 'inner'), { recursive: true });
    await writeFile(join(root, 'cat', 'notes.txt'), '');
    await expect(openImageFolder(root)).rejects.toThrow(`${join(root, 'cat')}: holds no images`);
  });

  it('refuses images that torchvision would read and this library cannot, instead of leaving them out', async () => {
    await plant({ 'cat/1.png': 'noise_32x32.png', 'cat/2.BMP': 'noise_32x32.png' });
    await expect(openImageFolder(root)).rejects.toThrow(`${join(root, 'cat', '2.BMP')}: this format is not supported`);
  });
});

describe('drawing batches', () => {
  it.each([1, 2, 16])('gives every image once, in order, with %i decoded at a time', async (concurrency) => {
    await plant(sevenImages);
    const folder = await openImageFolder(root);
    const batches = await all(folder.batches({ batch: 3, preprocess: settings, concurrency }));
    expect(batches.map(({ paths }) => paths.length)).toEqual([3, 3, 1]);
    expect(namesIn(batches)).toEqual(sevenNames);
    expect(batches.flatMap(({ labels }) => [...labels])).toEqual([0, 0, 0, 1, 1, 2, 2]);
    for (const { input, paths } of batches) {
      expect(input.length).toBe(paths.length * pixelsPerImage);
      for (const [i, path] of paths.entries()) {
        const alone = preprocess(await decodeImage(path), settings);
        expect(input.subarray(i * pixelsPerImage, (i + 1) * pixelsPerImage)).toEqual(alone);
      }
    }
  });

  it('deals the samples out to shards in turn', async () => {
    await plant(sevenImages);
    const folder = await openImageFolder(root);
    const draw = (index: number) => all(folder.batches({ batch: 2, preprocess: settings, shard: { index, count: 3 } }));
    expect(namesIn(await draw(0))).toEqual(['cat/1.png', 'dog/1.png', 'frog/2.jpg']);
    expect(namesIn(await draw(1))).toEqual(['cat/2.jpg', 'dog/2.png']);
    expect(namesIn(await draw(2))).toEqual(['cat/3.webp', 'frog/1.jpg']);
  });

  it('gives nothing for a shard beyond the last sample', async () => {
    await plant({ 'cat/1.png': 'noise_32x32.png' });
    const folder = await openImageFolder(root);
    const drawn = await all(folder.batches({ batch: 2, preprocess: settings, shard: { index: 1, count: 2 } }));
    expect(drawn).toEqual([]);
  });

  it('names a damaged image when its batch is due, after the batches before it', async () => {
    await plant(sevenImages);
    await writeFile(join(root, 'dog', '2.png'), 'not an image');
    await rm(join(root, 'frog', '1.jpg'));
    await symlink(join(root, 'nowhere'), join(root, 'frog', '1.jpg'));
    const drawn = (await openImageFolder(root)).batches({ batch: 2, preprocess: settings, concurrency: 8 });
    expect((await drawn.next()).value?.labels).toEqual(Int32Array.of(0, 0));
    expect((await drawn.next()).value?.labels).toEqual(Int32Array.of(0, 1));
    await expect(drawn.next()).rejects.toThrow(`${join(root, 'dog', '2.png')}: begins with "not an i"`);
  });

  it('can be left early', async () => {
    await plant(sevenImages);
    const folder = await openImageFolder(root);
    for await (const { paths } of folder.batches({ batch: 1, preprocess: settings })) {
      expect(paths).toEqual([join(root, 'cat/1.png')]);
      break;
    }
  });

  it.each([
    ['batch is 0', { batch: 0 }],
    ['batch is 1.5', { batch: 1.5 }],
    ['concurrency is -1', { batch: 1, concurrency: -1 }],
    ['shard 2 of 2 does not exist', { batch: 1, shard: { index: 2, count: 2 } }],
    ['shard 0 of 0 does not exist', { batch: 1, shard: { index: 0, count: 0 } }],
  ])('refuses options: %s', async (message, options) => {
    await plant({ 'cat/1.png': 'noise_32x32.png' });
    const drawn = (await openImageFolder(root)).batches({ preprocess: settings, ...options });
    const first = drawn.next();
    await expect(first).rejects.toThrow(UsageError);
    await expect(first).rejects.toThrow(message);
  });
});

describe('code point order', () => {
  it('puts characters beyond U+FFFF after all others, unlike JavaScript’s own order', () => {
    const names = ['\u{1f431}', '\uffee', 'b', 'a', 'ab', ''];
    expect(names.toSorted(compareCodePoints)).toEqual(['', 'a', 'ab', 'b', '\uffee', '\u{1f431}']);
  });
});
