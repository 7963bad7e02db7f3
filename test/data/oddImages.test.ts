/** Files that decoders disagree on, against what Pillow 9.4 made of them; and the limits of memory and time that decoding keeps to. */
import { pbkdf2 } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { afterEach, describe, expect, it } from 'vitest';
import { decodeImage } from '../../src/data/decode.js';
import { damagedImages, decodesUnderWay, setDecodingRules } from '../../src/data/decodingRules.js';
import { stoppingInTime, withinTime } from '../../src/data/decodingTime.js';
import { DataError, ImageError } from '../../src/data/errors.js';
import { defaultMemoryBytes, MemoryBudget, memoryBudget, setMemoryBudget } from '../../src/data/memoryBudget.js';
import { seededRandom } from '../../src/random.js';
import { inRepository, sha256 } from './expected.js';

interface OddFile {
  readonly name: string;
  readonly file: string;
  /** Null where Pillow raises an error. */
  readonly pillow: { readonly width: number; readonly height: number; readonly sha256: string } | null;
}

const fixture = (name: string) => inRepository(`test/fixtures/preprocess/${name}`);
const read = async (name: string): Promise<OddFile[]> => JSON.parse(await readFile(fixture(name), 'utf8'));
const tiff = await read('tiff.json');
const others = await read('damaged.json');
const transparent = await read('transparent.json');
const bytesOf = ({ file }: OddFile) => new Uint8Array(Buffer.from(file, 'base64'));

afterEach(() => {
  setDecodingRules({});
  setMemoryBudget(defaultMemoryBytes());
});

async function outcome(odd: OddFile): Promise<OddFile['pillow'] | string> {
  try {
    const { width, height, data } = await decodeImage(bytesOf(odd), odd.name);
    return { width, height, sha256: sha256(data) };
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    return error.message;
  }
}

/** Readable by Pillow, but not promised here: each is refused with its reason. */
const refused: Readonly<Record<string, RegExp>> = {
  'LAB-None': /CIELAB, 8\+8\+8 bits/,
  'g16white-II': /grey, white is 0, 16 bits/,
  'g16signed-II': /grey, 16 bits signed/,
  'g32-II': /grey, 32 bits/,
  'pal8small-II': /a palette, 8 bits/,
  'planar16-II': /RGB, 16\+16\+16 bits in planes/,
  'yccdefl-II': /YCbCr, 8\+8\+8 bits, compression Deflate/,
  'base-halfeoi.jpg': /premature end of data segment/,
  'base-md0.jpg': /marker FFD0 is out of turn in a scan/,
};

describe('files that decoders disagree on', () => {
  it.each([...tiff, ...others, ...transparent])(
    'reads $name to Pillow’s pixels, or refuses it in one line',
    async (odd) => {
      const found = await outcome(odd);
      const reason = refused[odd.name];
      if (reason === undefined && odd.pillow !== null) expect(found).toEqual(odd.pillow);
      else expect(found).toMatch(reason ?? new RegExp(`^${odd.name}: this \\w+ file [^\\n]*$`));
    },
  );

  it('takes damaged images as far as they go when told so, and counts each once', async () => {
    const damaged = others.find(({ name }) => name === 'jpg-badmarker.jpg')!;
    const whole = others.find(({ name }) => name === 'jpg-plain.jpg')!;
    setDecodingRules({ tolerateDamaged: true });
    const taken = await decodeImage(bytesOf(damaged), 'a');
    await decodeImage(bytesOf(damaged), 'a');
    const { width, height, data } = await decodeImage(bytesOf(whole), 'b');
    expect([taken.width, taken.height]).toEqual([width, height]);
    // The damage is in the fifteenth row; what is above is as it was.
    expect(taken.data.subarray(0, 8 * width * 3)).toEqual(data.subarray(0, 8 * width * 3));
    expect(taken.data).not.toEqual(data);
    expect(damagedImages()).toEqual(['a']);
  });
});

describe('a PNG cut off in its first chunk of pixels', () => {
  it.each([false, true])(
    'gives the rows that are there when told so, black below (interlaced: %s)',
    async (progressive) => {
      const noise = seededRandom(1);
      const data = Uint8Array.from({ length: 40 * 40 * 3 }, () => 1 + noise.integer(255));
      const whole = await sharp(data, { raw: { width: 40, height: 40, channels: 3 } })
        .png({ progressive })
        .toBuffer();
      const cut = whole.subarray(0, whole.length / 2);
      await expect(decodeImage(cut, 'cut.png')).rejects.toThrow(/truncated or damaged .*--tolerate-damaged/);
      setDecodingRules({ tolerateDamaged: true });
      const taken = await decodeImage(cut, 'cut.png');
      expect([taken.width, taken.height]).toEqual([40, 40]);
      const kept = taken.data.filter((value, i) => value === data[i]).length;
      expect(kept).toBeGreaterThan(0.4 * data.length);
      expect(kept).toBeLessThan(0.6 * data.length);
      expect(taken.data.filter((value) => value === 0).length).toBeGreaterThan(0.4 * data.length);
      expect(damagedImages()).toEqual(['cut.png']);
    },
  );
});

describe('GIF', () => {
  const named = (name: string) => bytesOf(transparent.find((odd) => odd.name === name)!);

  it('takes what is left of a damaged one when told so: the rows that are there, the first colour below', async () => {
    const bytes = named('late-clear.gif');
    const cut = bytes.subarray(0, bytes.length / 2);
    const whole = await decodeImage(bytes);
    await expect(decodeImage(cut, 'cut.gif')).rejects.toThrow(/pixels are missing .*--tolerate-damaged/);
    setDecodingRules({ tolerateDamaged: true });
    const { width, height, data } = await decodeImage(cut, 'cut.gif');
    expect([width, height]).toEqual([whole.width, whole.height]);
    const upper = 3 * width * Math.floor(0.4 * height);
    expect(data.subarray(0, upper)).toEqual(whole.data.subarray(0, upper));
    // The table of colours begins at byte 13.
    expect(data.subarray(-3)).toEqual(bytes.subarray(13, 16));
    expect(damagedImages()).toEqual(['cut.gif']);
  });

  it('refuses every cut and every changed byte with an error of its own, or gives all pixels', async () => {
    const bytes = named('interlaced-5-rows.gif');
    for (let place = 6; place < bytes.length; place++) {
      const changed = Uint8Array.from(bytes);
      changed[place] = changed[place]! ^ 0xff;
      for (const attempt of [bytes.subarray(0, place), changed]) {
        const result = await decodeImage(attempt, 'x.gif').catch((error: unknown) => error);
        if (result instanceof ImageError || result instanceof DataError) continue;
        const { width, height, data } = result as Awaited<ReturnType<typeof decodeImage>>;
        expect(data.length).toBe(3 * width * height);
      }
    }
  });
});

describe('the memory budget', () => {
  it('refuses by its header a small file that takes 1.5 GB, naming file, need and option', async () => {
    setMemoryBudget(2 ** 30);
    const error = await decodeImage(fixture('slow.jpg')).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DataError);
    expect(String(error)).toMatch(/slow\.jpg: needs 1451 MiB of memory, and 1024 MiB are allowed .* --memory/);
    expect(memoryBudget().used).toBe(0);
  });

  it('lets those wait for whom there is no room yet, in order, and refuses what will never fit', async () => {
    const budget = new MemoryBudget(100);
    const order: string[] = [];
    const free = await budget.reserve(60, 'first');
    const large = budget.reserve(80, 'large').then((done) => {
      order.push('large');
      done();
    });
    const small = budget.reserve(10, 'small').then(() => order.push('small'));
    expect(() => budget.take(50, 'archive')).toThrow(/^archive: needs 1 MiB/);
    free();
    await Promise.all([large, small]);
    expect(order).toEqual(['large', 'small']);
    const stays = budget.take(50, 'archive');
    await expect(budget.reserve(60, 'late')).rejects.toThrow(/^late: /);
    stays();
    expect(budget.used).toBe(10);
  });

  it('is one for all threads, and a thread that is gone holds nothing', async () => {
    const budget = new MemoryBudget(100);
    const { budget: shared, free } = budget.share();
    const inThread = new MemoryBudget(shared.bytes, structuredClone(shared));
    await inThread.reserve(70, 'in a thread');
    expect(budget.used).toBe(70);
    const waiting = budget.reserve(40, 'here');
    free();
    await waiting;
    expect(budget.used).toBe(40);
  });
});

describe('the time limit', () => {
  it('gives up what does not come back from native code, and knows that it is still under way', async () => {
    setDecodingRules({ timeoutSeconds: 0.05 });
    let ended = false;
    // A thread of libuv's pool, busy where nothing reaches it, as a decoder in a loop is.
    const stuck = promisify(pbkdf2);
    const work = () => stuck('x', 'y', 1_500_000, 64, 'sha512');
    const given = withinTime('stuck.tif', work, () => {
      ended = true;
    });
    await expect(given).rejects.toThrow(/^stuck\.tif: was not decoded within 0\.05 s; .* --decode-timeout$/);
    expect([ended, decodesUnderWay.count, decodesUnderWay.givenUp]).toEqual([false, 1, 1]);
    await expect.poll(() => decodesUnderWay.count).toBe(0);
    expect([ended, decodesUnderWay.givenUp]).toEqual([true, 0]);
  });

  it('stops decoders that look at the clock, so that nothing stays under way', async () => {
    setDecodingRules({ timeoutSeconds: 1 });
    // Many times slower than the limit.
    const endless = sharp({ create: { width: 16_000, height: 16_000, channels: 3, background: 'red' } }).blur(300);
    const work = () => stoppingInTime(endless).raw().toBuffer();
    await expect(withinTime('slow.jpg', work, () => {})).rejects.toThrow(/^slow\.jpg: was not decoded within 1 s; /);
    await expect.poll(() => decodesUnderWay.count, { timeout: 10_000 }).toBe(0);
    expect(decodesUnderWay.givenUp).toBe(0);
  });

  it('says the same when the decoder was the first to notice', async () => {
    const stopped = () => Promise.reject(new Error('VipsJpeg: bad\ntimeout: 12% complete\nVipsImage: killed'));
    await expect(withinTime('a.jpg', stopped, () => {})).rejects.toThrow(/^a\.jpg: was not decoded within 30 s; /);
  });
});
