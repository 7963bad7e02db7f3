import { mkdtemp, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeImage, maximumImageBytes } from '../../src/data/decode.js';
import { ImageError } from '../../src/data/errors.js';
import { rgbFromRgba } from '../../src/data/image.js';
import { expected, fixtureImage, inRepository, sha256, summarise } from './expected.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'decode-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function messageOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ImageError);
  return (error as ImageError).message;
}

/** A JPEG whose frame header claims another size. */
async function jpegClaiming(width: number, height: number): Promise<Uint8Array> {
  const bytes = await readFile(fixtureImage('jpeg_420.jpg'));
  const frame = bytes.indexOf(Buffer.from([0xff, 0xc0]));
  bytes.writeUInt16BE(height, frame + 5);
  bytes.writeUInt16BE(width, frame + 7);
  return bytes;
}

describe('decoding', () => {
  it.each(expected.images)('reads $file to the bytes that Pillow reads', async ({ file, cases: _, ...pixels }) => {
    const image = await decodeImage(inRepository(file));
    expect(summarise(image.width, image.height, image.data)).toEqual(pixels);
  });

  it.each(['jpeg_icc.jpg', 'png_icc.png', 'webp_icc.webp'])(
    'has a reason to ignore the colour profile of %s: applying it changes pixels',
    async (name) => {
      const converted = await sharp(fixtureImage(name)).raw().toBuffer();
      const plain = expected.images.find(({ file }) => file.endsWith(name));
      expect(sha256(converted)).not.toBe(plain?.sha256);
    },
  );

  it('reads bytes in memory, also memory shared between threads', async () => {
    const path = fixtureImage('jpeg_420.jpg');
    const bytes = await readFile(path);
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
    shared.set(bytes);
    expect(await decodeImage(new Uint8Array(bytes))).toEqual(await decodeImage(path));
    expect(await decodeImage(shared)).toEqual(await decodeImage(path));
  });

  it('drops the alpha of RGBA bytes such as a canvas gives', () => {
    expect(rgbFromRgba(2, 1, [1, 2, 3, 0, 4, 5, 6, 128]).data).toEqual(Uint8Array.of(1, 2, 3, 4, 5, 6));
    expect(() => rgbFromRgba(2, 1, [1, 2, 3])).toThrow(ImageError);
  });
});

describe('files that are no images', () => {
  it('names a missing file, a folder, an empty file and a dangling link', async () => {
    const empty = join(folder, 'empty.jpg');
    const dangling = join(folder, 'dangling.jpg');
    await writeFile(empty, '');
    await symlink(join(folder, 'nowhere'), dangling);
    expect(await messageOf(decodeImage(join(folder, 'missing.jpg')))).toMatch(
      /missing\.jpg: cannot be read \(ENOENT: no such file or directory\); check/,
    );
    expect(await messageOf(decodeImage(folder))).toBe(`${folder}: is a folder; pass the path of one image file`);
    expect(await messageOf(decodeImage(empty))).toMatch(/empty\.jpg: is empty/);
    expect(await messageOf(decodeImage(dangling))).toMatch(/dangling\.jpg: cannot be read/);
    expect(await messageOf(decodeImage(new Uint8Array(0), 'upload'))).toMatch(/^upload: is empty/);
  });

  it('shows how a file of another kind begins', async () => {
    const page = new TextEncoder().encode('<html>\n<body>Not found</body></html>');
    const drawing = new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
    expect(await messageOf(decodeImage(page, 'cat.jpg'))).toMatch(
      /^cat\.jpg: begins with "<html>\.<", unlike any known/,
    );
    expect(await messageOf(decodeImage(drawing, 'cat.png'))).toMatch(/^cat\.png: begins with "<svg xml"/);
  });

  it.each([
    'jpeg_420.jpg',
    'jpeg_progressive.jpg',
    'jpeg_cmyk.jpg',
    'png_rgba.png',
    'png_palette.png',
    'png_grey16.png',
    'webp_lossy.webp',
    'webp_lossless_alpha.webp',
  ])('refuses %s when it is cut off, wherever that is', async (name) => {
    const bytes = await readFile(fixtureImage(name));
    for (const part of [0.02, 0.3, 0.6, 0.9]) {
      const cut = bytes.subarray(0, Math.max(Math.floor(bytes.length * part), 12));
      expect(await messageOf(decodeImage(cut, 'cut'))).toMatch(
        /^cut: this \w+ file is truncated or damaged \([^\n]+\)/,
      );
    }
  });

  it('refuses a PNG whose data fail their checksum', async () => {
    const bytes = await readFile(fixtureImage('png_rgba.png'));
    const place = bytes.indexOf('IDAT') + 40;
    bytes[place] = bytes[place]! ^ 0x55;
    expect(await messageOf(decodeImage(bytes, 'flipped.png'))).toMatch(/^flipped\.png: this PNG file is truncated or/);
  });
});

describe('limits', () => {
  it('refuses by the header alone what has more pixels than Pillow would open', async () => {
    const huge = await jpegClaiming(65_000, 65_000);
    expect(await messageOf(decodeImage(huge, 'huge.jpg'))).toMatch(
      /^huge\.jpg: its header says 65000 x 65000 pixels, more than the 178956970 allowed/,
    );
  });

  it('refuses an image without pixels', async () => {
    expect(await messageOf(decodeImage(await jpegClaiming(0, 20), 'thin.jpg'))).toMatch(/^thin\.jpg: /);
    expect(await messageOf(decodeImage(await jpegClaiming(20, 0), 'flat.jpg'))).toMatch(/^flat\.jpg: /);
  });

  it('refuses a file larger than 256 MiB without reading it', async () => {
    const path = join(folder, 'large.jpg');
    await writeFile(path, '\xff\xd8\xff');
    await truncate(path, maximumImageBytes + 1);
    expect(await messageOf(decodeImage(path))).toMatch(/large\.jpg: has 268435457 bytes, more than the 268435456/);
  });
});
