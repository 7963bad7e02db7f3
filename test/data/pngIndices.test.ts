/** Numbers of PNG files. What is right is said by sharp, which decodes the same files to colours. */
import sharp from 'sharp';
import { afterEach, describe, expect, it } from 'vitest';
import { defaultMemoryBytes, memoryBudget, setMemoryBudget } from '../../src/data/memoryBudget.js';
import { pixelNumbersSize, readPixelNumbers, readPixelNumbersAhead } from '../../src/data/pngIndices.js';
import { randomFor } from '../../src/data/seed.js';
import { chunk, type PngMaking, pngOf } from '../support/png.js';

function numbers(count: number, below: number): Uint8Array {
  const random = randomFor('sample', count, below);
  let value = 0;
  // Runs, as masks have them, and noise.
  return Uint8Array.from({ length: count }, () => {
    if (random.uniform() > 0.6) value = random.integer(below);
    return value;
  });
}

function colours(count: number): Uint8Array {
  return Uint8Array.from({ length: 3 * count }, (_, i) => (i * 83 + (i % 3) * 40) % 256);
}

/** As sharp decodes it: RGB of every pixel. */
async function decoded(file: Buffer): Promise<Uint8Array> {
  return sharp(file).toColourspace('srgb').removeAlpha().raw().toBuffer();
}

const bits = [1, 2, 4, 8];
const sizes = [
  [1, 1],
  [7, 5],
  [16, 3],
  [33, 18],
] as const;

describe.each(bits)('a PNG of %i bits', (depth) => {
  it.each(sizes)('of grey values gives those, at %i x %i pixels', async (width, height) => {
    const data = numbers(width * height, 2 ** depth);
    const file = pngOf({ width, height, data, bits: depth, filter: (y) => y % 5 });
    const { data: found, ...size } = readPixelNumbers(file, 'x.png');
    expect(size).toEqual({ width, height });
    const scale = 255 / (2 ** depth - 1);
    expect([...found].flatMap((value) => [value * scale, value * scale, value * scale])).toEqual([
      ...(await decoded(file)),
    ]);
  });

  it.each(sizes)(
    'of palette indices gives the indices of the colours that sharp sees, at %i x %i pixels',
    async (width, height) => {
      const data = numbers(width * height, 2 ** depth);
      const palette = colours(2 ** depth);
      const file = pngOf({ width, height, data, bits: depth, palette, filter: (y) => (y + 2) % 5 });
      const found = readPixelNumbers(file, 'x.png').data;
      expect([...found].flatMap((index) => [...palette.subarray(3 * index, 3 * index + 3)])).toEqual([
        ...(await decoded(file)),
      ]);
      expect(found).toEqual(data);
    },
  );
});

describe('a PNG that sharp wrote', () => {
  it.each([
    [false, 256],
    [true, 256],
    [true, 13],
    [true, 4],
    [true, 2],
  ])('interlaced %s, of %i colours, is read', async (progressive, count) => {
    for (const [width, height] of [...sizes, [2, 9] as const]) {
      const shown = numbers(width * height, count).map((value) => Math.round((value * 255) / (count - 1)));
      const raw = { raw: { width, height, channels: 1 as const } };
      const grey = await sharp(shown, raw).toColourspace('b-w').png({ progressive }).toBuffer();
      expect(readPixelNumbers(grey, 'x.png').data).toEqual(shown);
      expect((await readPixelNumbersAhead(grey, 'x.png')).data).toEqual(shown);
      const indexed = await sharp(shown, raw).png({ palette: true, colours: count, progressive, dither: 0 }).toBuffer();
      const { data } = readPixelNumbers(indexed, 'x.png');
      const at = indexed.indexOf('PLTE') + 4;
      const rgb = [...data].flatMap((index) => [...indexed.subarray(at + 3 * index, at + 3 * index + 3)]);
      expect(rgb).toEqual([...(await decoded(indexed))]);
    }
  });
});

describe('a file that is no mask', () => {
  const good: PngMaking = { width: 6, height: 4, data: numbers(24, 5) };
  const file = pngOf(good);

  it.each([
    ['of colours', pngOf({ ...good, header: { 9: 2 } }), /8-bit colours; a mask has one number/],
    ['with alpha', pngOf({ ...good, header: { 9: 4 } }), /grey with alpha/],
    ['of 16 bits', pngOf({ ...good, header: { 8: 16 } }), /16-bit grey/],
    ['that is a JPEG', Buffer.from('\xff\xd8\xff\xe0 JFIF', 'latin1'), /begins with ".... JFI"; a PNG file/],
    ['that is empty', Buffer.alloc(0), /begins with ""/],
    [
      'without a header',
      Buffer.concat([file.subarray(0, 8), chunk('IDAT', Buffer.alloc(30))]),
      /does not begin with a header/,
    ],
    ['without pixels', pngOf({ ...good, width: 0 }), /0 x 4 pixels/],
    [
      'that says it is huge',
      pngOf({ ...good, header: { 0: 0x7f, 4: 0x7f } }),
      /pixels; sides of at least 1 and at most/,
    ],
    ['with an unknown method', pngOf({ ...good, header: { 12: 2 } }), /unknown methods/],
    ['with a bad row', pngOf({ ...good, rows: Buffer.alloc(28, 9) }), /unknown filter 9/],
    ['with too few rows', pngOf({ ...good, rows: Buffer.alloc(20) }), /20 of 28 bytes/],
    ['that decompresses to more than it says', pngOf({ ...good, rows: Buffer.alloc(200_000) }), /truncated or damaged/],
    ['cut off in its pixels', file.subarray(0, file.length - 20), /ends within its chunk IDAT/],
    ['cut off before its end', file.subarray(0, file.length - 12), /ends before its last chunk/],
    ['with a length beyond its end', changed(file, 33, 0xff), /ends within its chunk IDAT/],
    ['with other bytes', changed(file, 45, file[45]! ^ 1), /checksum of its chunk IDAT/],
  ])('%s is refused in one line', async (_, bytes, message) => {
    expect(() => readPixelNumbers(bytes, 'masks/x.png')).toThrow(message);
    expect(() => readPixelNumbers(bytes, 'masks/x.png')).toThrow(/^masks\/x\.png: .*$/);
    await expect(readPixelNumbersAhead(bytes, 'masks/x.png')).rejects.toThrow(message);
  });

  it('is refused wherever it is cut off, and whichever of its bytes is another', () => {
    for (let end = 0; end < file.length; end++)
      expect(() => readPixelNumbers(file.subarray(0, end), 'x.png')).toThrow(/^x\.png: /);
    for (let place = 0; place < file.length - 12; place++) {
      const bytes = changed(file, place, file[place]! ^ 0x55);
      // The lengths, names and checksums of all chunks that are needed are checked.
      expect(() => readPixelNumbers(bytes, 'x.png'), `${place}`).toThrow(/^x\.png: /);
    }
  });

  it('is not decompressed beyond what its header has pixels for', () => {
    // 128 MiB of zeros in 128 KiB.
    const bomb = pngOf({ ...good, rows: Buffer.alloc(2 ** 27) });
    const before = process.memoryUsage().rss;
    expect(() => readPixelNumbers(bomb, 'x.png')).toThrow(/damaged/);
    expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 26);
  });
});

describe('memory', () => {
  afterEach(() => setMemoryBudget(defaultMemoryBytes()));
  const file = pngOf({ width: 1000, height: 1000, data: new Uint8Array(1_000_000) });

  it('is asked for before anything is decompressed', async () => {
    setMemoryBudget(2 ** 20);
    expect(() => readPixelNumbers(file, 'x.png')).toThrow(/x\.png: needs 2 MiB .* --memory/);
    await expect(readPixelNumbersAhead(file, 'x.png')).rejects.toThrow(/--memory/);
    expect(pixelNumbersSize(file, 'x.png')).toEqual({ width: 1000, height: 1000 });
  });

  it('that others use for a while does not keep a mask from being read, and all is given back', async () => {
    setMemoryBudget(3 * 2 ** 20);
    const free = await memoryBudget().reserve(2 * 2 ** 20, 'another');
    expect(readPixelNumbers(file, 'x.png').data.length).toBe(1_000_000);
    expect(memoryBudget().used).toBe(2 * 2 ** 20);
    free();
    expect(() => readPixelNumbers(changed(file, 60, 1), 'x.png')).toThrow();
    expect(memoryBudget().used).toBe(0);
  });
});

function changed(bytes: Buffer, place: number, value: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[place] = value;
  return copy;
}
