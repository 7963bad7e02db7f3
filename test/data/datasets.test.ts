import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openArchive } from '../../src/data/datasets/archive.js';
import { holdOut, subset } from '../../src/data/datasets/dataset.js';
import type { LabelledImages } from '../../src/data/datasets/images.js';
import { openDataset } from '../../src/data/datasets/openDataset.js';
import { defaultTarLimits } from '../../src/data/datasets/tar.js';
import { decodeImage } from '../../src/data/decode.js';
import { DataError } from '../../src/data/errors.js';
import { UsageError } from '../../src/errors.js';
import { openImageFolder } from '../../src/loader/imageFolder.js';
import { sharedPath } from '../shared.js';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'datasets-'));
});
afterAll(() => rm(root, { recursive: true }));

async function put(path: string, content: Uint8Array | string): Promise<string> {
  const whole = join(root, path);
  await mkdir(dirname(whole), { recursive: true });
  await writeFile(whole, content);
  return whole;
}

function picture(width: number, height: number, red: number): Promise<Buffer> {
  const background = { r: red, g: 200 - red, b: 77 };
  return sharp({ create: { width, height, channels: 3, background } })
    .png()
    .toBuffer();
}

async function messageOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DataError);
  return (error as DataError).message;
}

async function contentsOf(dataset: LabelledImages) {
  const numbers = Array.from({ length: dataset.size }, (_, i) => i);
  return Promise.all(
    numbers.map(async (i) => ({
      label: dataset.label(i),
      pixels: Buffer.from((await dataset.image(i)).data).toString('hex'),
    })),
  );
}

const labelsOf = (dataset: LabelledImages) => Array.from({ length: dataset.size }, (_, i) => dataset.label(i));

/** Splits whose order and labels are easy to get wrong; the test split lacks the first class. */
const files: Readonly<Record<string, number>> = {
  'train/ant/10.png': 1,
  'train/ant/9.png': 2,
  'train/ant/in/1.png': 3,
  'train/ant/Z.png': 10,
  'train/Zebra/x.png': 4,
  'train/train/engine.png': 5,
  [`train/ant/${'long-'.repeat(19)}name-of-over-a-hundred-characters.png`]: 6,
  [`train/ant/${'a'.repeat(120)}/${'b'.repeat(140)}.png`]: 7,
  'test/ant/1.png': 8,
  'test/train/é.png': 9,
};

async function makeFolder(name: string, size: (red: number) => number): Promise<string> {
  for (const [path, red] of Object.entries(files)) await put(join(name, path), await picture(size(red), 6, red));
  await put(join(name, 'train/ant/notes.txt'), 'no image');
  return join(root, name);
}

function tarVersion(): string {
  try {
    return execFileSync('tar', ['--version'], { encoding: 'utf8' });
  } catch {
    return '';
  }
}
const hasGnuTar = tarVersion().includes('GNU tar');

function pack(folder: string, archive: string, ...options: readonly string[]): string {
  const path = join(root, archive);
  execFileSync('tar', [...options, '-cf', path, '-C', folder, '.']);
  return path;
}

describe('an image folder', () => {
  it('has the order of openImageFolder, and its small images are in memory that threads share', async () => {
    const folder = await makeFolder('small', () => 7);
    const dataset = await openDataset(folder);
    const plain = await openImageFolder(join(folder, 'train'));
    expect(dataset.classes).toEqual(['Zebra', 'ant', 'train']);
    expect(labelsOf(dataset)).toEqual(plain.samples.map(({ label }) => label));
    expect(plain.samples.map((_, i) => dataset.imageName(i))).toEqual(plain.samples.map(({ path }) => path));
    expect(dataset.imageSize).toEqual([6, 7]);
    expect(dataset.store.kind === 'pixels' && dataset.store.pixels.buffer).toBeInstanceOf(SharedArrayBuffer);
    for (const [i, { path }] of plain.samples.entries())
      expect(await dataset.image(i)).toEqual(await decodeImage(path));
  });

  it('numbers the classes of its test split as the training split does', async () => {
    const dataset = await openDataset(await makeFolder('small', () => 7), { split: 'test' });
    expect(dataset.classes).toEqual(['Zebra', 'ant', 'train']);
    expect(labelsOf(dataset)).toEqual([1, 2]);
  });

  it('leaves images on disk that are large or of different sizes', async () => {
    const mixed = await openDataset(await makeFolder('mixed', (red) => red));
    const large = await openDataset(await makeFolder('large', () => 65));
    for (const dataset of [mixed, large]) {
      expect(dataset.imageSize).toBeNull();
      expect(dataset.store.kind).toBe('files');
    }
    expect((await contentsOf(mixed)).map(({ pixels }) => pixels.length / 36)).toEqual([4, 1, 2, 10, 6, 7, 3, 5]);
  });

  it('may consist of classes alone, even if one is called "train"', async () => {
    const flat = join(await makeFolder('small', () => 7), 'train');
    expect((await openDataset(flat)).classes).toEqual(['Zebra', 'ant', 'train']);
    expect(await messageOf(openDataset(flat, { split: 'test' }))).toMatch(/small\/train: has no test split; expected/);
  });

  it('refuses a class in the test split that training does not know', async () => {
    await put('extra/train/cat/1.png', await picture(2, 2, 1));
    await put('extra/test/dog/1.png', await picture(2, 2, 1));
    const message = await messageOf(openDataset(join(root, 'extra'), { split: 'test' }));
    expect(message).toMatch(/extra: the class "dog" is in the test split but not in the training split/);
  });
});

describe.skipIf(!hasGnuTar)('a tar archive made by GNU tar (skipped without it)', () => {
  it.each([
    ['gnu', ['--format=gnu']],
    ['pax', ['--format=pax']],
    ['gnu, compressed', ['--format=gnu', '-z']],
    ['pax, compressed', ['--format=posix', '-z']],
  ])('in the format %s holds what the folder holds', async (name, options) => {
    const folder = await makeFolder('small', () => 7);
    const archive = pack(folder, `${name}.tar`, ...options);
    for (const split of ['train', 'test'] as const) {
      const [inside, outside] = [await openDataset(archive, { split }), await openDataset(folder, { split })];
      expect(inside.classes).toEqual(outside.classes);
      expect(inside.imageSize).toEqual([6, 7]);
      expect(await contentsOf(inside)).toEqual(await contentsOf(outside));
    }
  });

  it('may split long names as ustar does, and have a folder around everything', async () => {
    await put(`around/set/train/${'c'.repeat(90)}/${'d'.repeat(60)}.png`, await picture(3, 3, 1));
    await put('around/set/train/b/1.png', await picture(3, 3, 2));
    const dataset = await openDataset(pack(join(root, 'around'), 'ustar.tar', '--format=ustar'));
    expect(dataset.classes).toEqual(['b', 'c'.repeat(90)]);
    expect(dataset.imageName(1)).toContain(`${'c'.repeat(90)}/${'d'.repeat(60)}.png`);
  });

  it('keeps large images encoded in memory that threads share', async () => {
    const folder = await makeFolder('large', () => 65);
    const dataset = await openDataset(pack(folder, 'large.tar.gz', '-z'));
    expect(dataset.store.kind === 'encoded' && dataset.store.bytes.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(await contentsOf(dataset)).toEqual(await contentsOf(await openDataset(folder)));
  });

  it('is refused when an image in it is a link', async () => {
    await put('linked/train/a/1.png', await picture(2, 2, 1));
    await symlink('1.png', join(root, 'linked/train/a/2.png')).catch(() => {});
    const message = await messageOf(openDataset(pack(join(root, 'linked'), 'linked.tar')));
    expect(message).toMatch(/linked\.tar: \.\/train\/a\/2\.png is not a regular file \(tar type "2"\)/);
  });

  it('is refused when it is cut off, wherever that is', async () => {
    const folder = await makeFolder('small', () => 7);
    const plain = await readFile(pack(folder, 'whole.tar'));
    const compressed = await readFile(pack(folder, 'whole.tar.gz', '-z'));
    const end = plain.lastIndexOf('IEND');
    for (const length of [100, 700, Math.floor(end / 2) - 11, end - 20]) {
      const message = await messageOf(openDataset(await put('cut.tar', plain.subarray(0, length))));
      expect(message).toMatch(/cut\.tar: (ends after \d+ bytes|holds no images)/);
    }
    for (const share of [0.1, 0.5, 0.95]) {
      const cut = compressed.subarray(0, Math.floor(compressed.length * share));
      expect(await messageOf(openDataset(await put('cut.tgz', cut)))).toMatch(/cut\.tgz: cannot be read or decomp/);
    }
  });

  it('is refused beyond limits of number and size, before more is read', async () => {
    const archive = pack(await makeFolder('small', () => 7), 'limits.tar');
    const opened = (limits: Partial<typeof defaultTarLimits>) =>
      messageOf(openArchive(archive, 'train', { limits: { ...defaultTarLimits, ...limits } }));
    expect(await opened({ entries: 5 })).toMatch(/limits\.tar: holds more than the 5 files allowed/);
    expect(await opened({ fileBytes: 50 })).toMatch(/\.png has \d+ bytes, more than the 50 allowed for a file/);
    expect(await opened({ nameBytes: 30 })).toMatch(/names of its images have more than the 30 bytes allowed/);
    expect(await opened({ archiveBytes: 2000 })).toMatch(/unpacks to more than the 2000 bytes allowed/);
  });

  it('is refused when bytes of a header are damaged', async () => {
    const bytes = await readFile(pack(await makeFolder('small', () => 7), 'damaged.tar'));
    for (const place of [0, 124, 130, 148, 156, 345]) {
      const damaged = Buffer.from(bytes);
      damaged[place]! ^= 1;
      expect(await messageOf(openDataset(await put('damaged.tar', damaged)))).toMatch(/no tar header at byte 0/);
    }
  });
});

/** A header with a right checksum and whatever else. */
function tarHeader(name: string, size: string | Buffer, type: string): Buffer {
  const block = Buffer.alloc(512);
  block.write(name, 0);
  if (typeof size === 'string') block.write(size, 124);
  else size.copy(block, 124);
  block.write(type, 156);
  block.write('ustar\x0000', 257, 'latin1');
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

describe('a hostile archive', () => {
  const paxHeader = (records: string) =>
    Buffer.concat([
      tarHeader('pax', records.length.toString(8).padStart(11, '0'), 'x'),
      Buffer.from(records.padEnd(512, '\0')),
      tarHeader('train/a/1.png', '00000000001', '0'),
    ]);

  it.each<[string, Buffer, RegExp]>([
    ['is empty', Buffer.alloc(0), /is empty; a tar archive was expected/],
    ['is text', Buffer.from('<html>'.repeat(200)), /no tar header at byte 0/],
    ['is zeros', Buffer.alloc(4096), /holds no images/],
    ['is a zip archive', Buffer.from('PK\x03\x04'.padEnd(600, '\0'), 'latin1'), /a zip archive, .*pack it as \.tar/],
    ['is an xz archive', Buffer.from('\xfd7zXZ\0'.padEnd(600, '\0'), 'latin1'), /an xz archive, .*pack it as \.tar/],
    ['is a bzip2 archive', Buffer.from('BZh91AY'.padEnd(600, '\0'), 'latin1'), /a bzip2 archive, .*pack it as \.tar/],
    ['states 8 GiB for an image', tarHeader('train/a/1.png', '77777777777', '0'), /more than the 268435456 allowed/],
    [
      'states a size of 2^90',
      tarHeader('train/a/1.png', Buffer.from('800000000400000000000000', 'hex'), '0'),
      /no valid size/,
    ],
    ['states a size in letters', tarHeader('train/a/1.png', 'many', '0'), /no valid size/],
    ['has a long name of 1 GiB', tarHeader('x', '10000000000', 'L'), /more than the 65536 allowed/],
    ['has an extended header of 1 GiB', tarHeader('x', '10000000000', 'x'), /more than the 1048576 allowed/],
    ['has an extended header without end', paxHeader('99 path=a\n'), /extended tar header is malformed/],
    ['has an extended header without lengths', paxHeader('path=train'), /extended tar header is malformed/],
    ['has a record of length 0', paxHeader('0 path=a\n'), /extended tar header is malformed/],
    ['has an extended size that is no number', paxHeader('11 size=-1\n'), /gives the size "-1"/],
    ['climbs out of its folder', tarHeader('train/../../1.png', '00000000000', '0'), /is not a name for an image/],
    ['has images in no class', tarHeader('train/1.png', '00000000000', '0'), /is not in a class folder/],
  ])('that %s is refused by name', async (_, bytes, reason) => {
    const message = await messageOf(openDataset(await put('hostile.tar', bytes)));
    expect(message).toMatch(/hostile\.tar: /);
    expect(message).toMatch(reason);
    expect(message).not.toContain('\n');
    expect(await messageOf(openDataset(await put('hostile.tgz', gzipSync(bytes))))).toMatch(reason);
  });

  it('names the image in it that cannot be decoded', async () => {
    const content = Buffer.from('no image at all'.padEnd(512, '\0'));
    const bytes = Buffer.concat([tarHeader('train/a/1.png', '00000000017', '0'), content]);
    await expect(openDataset(await put('bad.tar', bytes))).rejects.toThrow(/bad\.tar\/train\/a\/1\.png: begins with/);
  });

  it('does not exist at all', async () => {
    expect(await messageOf(openDataset(join(root, 'nowhere.tar')))).toMatch(/nowhere\.tar: cannot be opened/);
  });
});

/** Records of the binary version: label bytes, then 1,024 bytes each of red, green and blue. */
function cifarRecords(labelBytes: number, labels: readonly number[]): Buffer {
  return Buffer.concat(
    labels.flatMap((label, i) => [
      Buffer.from(labelBytes === 2 ? [19, label] : [label]),
      ...[0, 1, 2].map((channel) =>
        Buffer.from(Array.from({ length: 1024 }, (_, at) => (at + 50 * channel + i) % 251)),
      ),
    ]),
  );
}

describe('CIFAR in its binary version', () => {
  it('is read batch after batch, with its planes interleaved', async () => {
    await put('cifar10/data_batch_1.bin', cifarRecords(1, [3, 9]));
    await put('cifar10/data_batch_2.bin', cifarRecords(1, [0]));
    await put('cifar10/data_batch_10.bin', cifarRecords(1, [4]));
    await put('cifar10/test_batch.bin', cifarRecords(1, [7]));
    const train = await openDataset(join(root, 'cifar10'));
    expect(labelsOf(train)).toEqual([3, 9, 0, 4]);
    expect(train.classes[3]).toBe('cat');
    expect(train.imageSize).toEqual([32, 32]);
    const { data } = await train.image(1);
    expect([...data.subarray(0, 6), data[32 * 3]]).toEqual([1, 51, 101, 2, 52, 102, 33]);
    expect(labelsOf(await openDataset(join(root, 'cifar10'), { split: 'test' }))).toEqual([7]);
  });

  it('takes CIFAR-100’s fine labels and the names beside them', async () => {
    await put('cifar100/train.bin', cifarRecords(2, [99, 5]));
    const names = Array.from({ length: 100 }, (_, i) => `thing ${i}`);
    await put('cifar100/fine_label_names.txt', `${names.join('\n')}\n`);
    const dataset = await openDataset(join(root, 'cifar100'));
    expect(labelsOf(dataset)).toEqual([99, 5]);
    expect(dataset.classes[99]).toBe('thing 99');
    expect(await messageOf(openDataset(join(root, 'cifar100'), { split: 'test' }))).toMatch(/holds no test images/);
  });

  it.skipIf(!hasGnuTar)('is read inside a compressed archive (skipped without GNU tar)', async () => {
    await put('packed/cifar-10-batches-bin/data_batch_1.bin', cifarRecords(1, [3, 9]));
    const dataset = await openDataset(pack(join(root, 'packed'), 'cifar.tgz', '-z'));
    expect(labelsOf(dataset)).toEqual([3, 9]);
  });

  it('is refused with half a record, a label too large, or a wrong number of names', async () => {
    await put('half/data_batch_1.bin', cifarRecords(1, [1]).subarray(0, 3000));
    await put('label/data_batch_1.bin', cifarRecords(1, [1, 10]));
    await put('names/data_batch_1.bin', cifarRecords(1, [1]));
    await put('names/batches.meta.txt', 'cat\ndog\n');
    expect(await messageOf(openDataset(join(root, 'half')))).toMatch(/half\/data_batch_1\.bin: has 3000 bytes/);
    expect(await messageOf(openDataset(join(root, 'label')))).toMatch(/record 1 has the label 10; expected 0 to 9/);
    expect(await messageOf(openDataset(join(root, 'names')))).toMatch(
      /batches\.meta\.txt: names 2 classes; expected 10/,
    );
  });
});

function idx(magic: number, sizes: readonly number[], content: Uint8Array): Buffer {
  const header = Buffer.alloc(4 + 4 * sizes.length);
  header.writeUInt32BE(magic);
  for (const [axis, size] of sizes.entries()) header.writeUInt32BE(size, 4 + 4 * axis);
  return Buffer.concat([header, content]);
}

describe('idx files', () => {
  const images = idx(0x803, [2, 2, 3], Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
  const labels = idx(0x801, [2], Uint8Array.of(4, 0));

  async function refusal(content: { images?: Buffer; labels?: Buffer }): Promise<string> {
    await put('bad/train-images-idx3-ubyte', content.images ?? images);
    await put('bad/train-labels-idx1-ubyte', content.labels ?? labels);
    return messageOf(openDataset(join(root, 'bad')));
  }

  it('give grey images as three equal channels, plain or compressed', async () => {
    await put('mnist/train-images-idx3-ubyte.gz', gzipSync(images));
    await put('mnist/train-labels-idx1-ubyte', labels);
    const dataset = await openDataset(join(root, 'mnist'));
    expect(labelsOf(dataset)).toEqual([4, 0]);
    expect(dataset.imageSize).toEqual([2, 3]);
    expect([...(await dataset.image(1)).data]).toEqual([7, 7, 7, 8, 8, 8, 9, 9, 9, 10, 10, 10, 11, 11, 11, 12, 12, 12]);
    const named = await openDataset(join(root, 'mnist'), { classes: ['a', 'b', 'c', 'd', 'e'] });
    expect(named.classes[4]).toBe('e');
    expect(await messageOf(openDataset(join(root, 'mnist'), { split: 'test' }))).toMatch(/has no test split/);
  });

  it('are refused when the header lies', async () => {
    const content = new Uint8Array(12);
    expect(await refusal({ images: idx(0x803, [3, 2, 3], content) })).toMatch(
      /train-images-idx3-ubyte: ends after 28 bytes, 6 bytes before the end/,
    );
    expect(await refusal({ images: idx(0x803, [1, 2, 3], content) })).toMatch(/goes on after the 6 bytes/);
    expect(await refusal({ images: idx(0x803, [0xffffffff, 0xffffffff, 0xffffffff], content) })).toMatch(
      /at most 2147/,
    );
    expect(await refusal({ images: idx(0x803, [0, 2, 3], content) })).toMatch(/header says 0 x 2 x 3 bytes/);
    expect(await refusal({ images: idx(0x803, [2_000_000_000, 1, 1], content) })).toMatch(/ends after 28 bytes/);
    expect(await refusal({ images: idx(0xd03, [2, 2, 3], content) })).toMatch(/begins with 0x00000d03/);
    expect(await refusal({ images: images.subarray(0, 7) })).toMatch(/before the end of the idx header/);
    expect(await refusal({ images: gzipSync(images).subarray(0, 25) })).toMatch(/cannot be read or decompressed/);
  });

  it('are refused when labels do not fit', async () => {
    expect(await refusal({ labels: idx(0x801, [1], Uint8Array.of(1)) })).toMatch(/has 1 labels for the 2 images/);
    expect(await refusal({ labels: idx(0x801, [2], Uint8Array.of(1, 10)) })).toMatch(/image 1 has the label 10/);
  });
});

const fashion = '/usr/share/datasets/fashion-mnist';

describe.skipIf(!existsSync(fashion))(
  'Fashion-MNIST (skipped unless the Debian package dataset-fashion-mnist is installed)',
  () => {
    it('has its published sizes, classes, mean and deviation', async () => {
      const train = await openDataset(fashion);
      const test = await openDataset(fashion, { split: 'test' });
      expect([train.size, test.size]).toEqual([60_000, 10_000]);
      const counts = new Int32Array(10);
      for (const label of labelsOf(train)) counts[label]! += 1;
      expect([...counts]).toEqual(Array(10).fill(6000));
      expect([train, test].map((dataset) => dataset.classes[dataset.label(0)])).toEqual(['Ankle boot', 'Ankle boot']);
      const bytes = train.store.kind === 'pixels' ? train.store.pixels : new Uint8Array(1);
      let [sum, squares] = [0, 0];
      for (const byte of bytes) {
        sum += byte / 255;
        squares += (byte / 255) ** 2;
      }
      const mean = sum / bytes.length;
      // The figures that tutorials normalise with.
      expect(mean).toBeCloseTo(0.286, 3);
      expect(Math.sqrt(squares / bytes.length - mean ** 2)).toBeCloseTo(0.353, 3);
    });
  },
);

const cifar = sharedPath('data', 'cifar10-jpeg.tar.gz');

describe.skipIf(cifar === undefined || !hasGnuTar)('CIFAR-10 (JPEG q75) (skipped without the shared folder)', () => {
  it('has 50,000 and 5,000 images of ten classes, and the pixels of the files that GNU tar unpacks', async () => {
    // A memory limit of a byte leaves the images encoded: decoding them all takes half a minute.
    const train = await openDataset(cifar!, { memoryLimit: 1 });
    const test = await openDataset(cifar!, { split: 'test', memoryLimit: 1 });
    expect([train.size, test.size]).toEqual([50_000, 5_000]);
    expect(train.classes.join()).toBe('airplane,automobile,bird,cat,deer,dog,frog,horse,ship,truck');
    const file = 'train/cat/0003.jpg';
    const unpacked = execFileSync('tar', ['-xzOf', cifar!, file], { maxBuffer: 2 ** 20 });
    const i = labelsOf(train).indexOf(3) + 3;
    expect(train.imageName(i)).toBe(`${cifar}/${file}`);
    expect(await train.image(i)).toEqual(await decodeImage(unpacked));
  });
});

describe('holding out', () => {
  const labels = [...Array(50).fill(0), ...Array(30).fill(1), ...Array(20).fill(2)];

  async function unbalanced(): Promise<LabelledImages> {
    const parts = [labels.slice(0, 60), labels.slice(60)];
    for (const [i, part] of parts.entries()) await put(`held/data_batch_${i + 1}.bin`, cifarRecords(1, part));
    return openDataset(join(root, 'held'));
  }
  const members = (dataset: LabelledImages) => Array.from({ length: dataset.size }, (_, i) => dataset.position(i));
  const counts = (dataset: LabelledImages) =>
    [0, 1, 2].map((label) => labelsOf(dataset).filter((own) => own === label).length);

  it('takes every class in proportion and leaves the rest, each image once', async () => {
    const { training, validation } = holdOut(await unbalanced(), 0.1, 5);
    expect(counts(validation)).toEqual([5, 3, 2]);
    expect(counts(training)).toEqual([45, 27, 18]);
    const all = [...members(training), ...members(validation)].sort((a, b) => a - b);
    expect(all).toEqual(labels.map((_, i) => i));
    expect(labelsOf(validation)).toEqual(members(validation).map((i) => labels[i]));
  });

  it('takes the number that is asked for also when it cannot be in exact proportion', async () => {
    const { validation } = holdOut(await unbalanced(), 7, 5);
    expect(counts(validation)).toEqual([4, 2, 1]);
  });

  it('is the same for the same seed and another for another', async () => {
    const dataset = await unbalanced();
    const held = (seed: number) => members(holdOut(dataset, 20, seed).validation);
    expect(held(1)).toEqual(held(1));
    expect(held(1)).not.toEqual(held(2));
  });

  it('refuses to take nothing or everything', async () => {
    const dataset = await unbalanced();
    for (const amount of [0, 0.001, 100, 1.5, -1, Number.NaN])
      expect(() => holdOut(dataset, amount)).toThrow(UsageError);
  });

  it('can be done by hand, and asks for numbers that exist', async () => {
    const part = subset(await unbalanced(), [99, 0], 'two');
    expect(labelsOf(part)).toEqual([2, 0]);
    expect(await part.image(1)).toEqual(await (await unbalanced()).image(0));
    expect(() => part.label(2)).toThrow(/two has no image 2; the number must be from 0 to 1/);
    expect(() => subset(part, [2], 'three')).toThrow(UsageError);
  });
});
