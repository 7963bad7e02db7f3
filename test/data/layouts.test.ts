/**
 * The folders and archives that people have: splits under other names, what systems leave beside them, folders around them, names that
 * are no UTF-8. Expected are the images and classes that a person would count.
 */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openEvaluationData } from '../../src/api/evaluationData.js';
import type { LabelledImages } from '../../src/data/datasets/images.js';
import { openDataset } from '../../src/data/datasets/openDataset.js';
import { decodeName, locate, systemPath } from '../../src/data/fileNames.js';
import { memoryBudget, setMemoryBudget } from '../../src/data/memoryBudget.js';
import { compareCodePoints, splitName } from '../../src/data/names.js';

let root: string;
let number = 0;
let pixels: Buffer;
beforeAll(async () => {
  pixels = await picture(1);
});
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'layouts-'));
});
afterEach(() => rm(root, { recursive: true }));

function picture(red: number): Promise<Buffer> {
  return sharp({ create: { width: 4, height: 4, channels: 3, background: { r: red, g: 9, b: 9 } } })
    .png()
    .toBuffer();
}

/** One small image at each place; places that end with a slash are empty folders, others that are no `.png` hold text. */
async function plant(...places: readonly string[]): Promise<string> {
  const folder = join(root, `${number++}`);
  for (const place of places) {
    const path = join(folder, place);
    await mkdir(place.endsWith('/') ? path : dirname(path), { recursive: true });
    if (!place.endsWith('/')) await writeFile(path, place.endsWith('.png') ? pixels : 'text');
  }
  return folder;
}

/** The names of a split's images below the root of the data. */
function imagesOf(dataset: LabelledImages, path: string): string[] {
  return Array.from({ length: dataset.size }, (_, i) => dataset.imageName(i).slice(path.length + 1));
}

async function opened(path: string, split: 'train' | 'test') {
  const dataset = await openDataset(path, { split });
  return { classes: dataset.classes, images: imagesOf(dataset, path), notes: dataset.notes?.join('\n') ?? '' };
}

const both = (train: string, test: string) => [
  `${train}/ant/1.png`,
  `${train}/ant/2.png`,
  `${train}/bee/3.png`,
  `${test}/ant/4.png`,
  `${test}/bee/5.png`,
];

describe('splits in folders and archives', () => {
  it.each([
    ['train', 'test'],
    ['Train', 'TEST'],
    ['training', 'valid'],
    ['trn', 'dev'],
    ['Training', 'Validation'],
    ['train_set', 'test_set'],
    ['trainset', 'testset'],
    ['train2017', 'val2017'],
    ['trainImages', 'testImages'],
    ['train', 'eval'],
    ['seg_train/seg_train', 'seg_test/seg_test'],
    ['dogs_train', 'dogs_val'],
    ['train/images', 'testing/images'],
    ['data/train', 'data/val'],
    ['images/train', 'images/val'],
  ])('may be called %s and %s, and are never classes', async (train, test) => {
    const folder = await plant(...both(train, test), 'labels/x.txt', '.git/objects/', 'README.md');
    const archive = pack(folder, 'tar');
    for (const path of [folder, archive]) {
      const training = await opened(path, 'train');
      expect(training.classes).toEqual(['ant', 'bee']);
      expect(training.images.map((name) => name.replace('./', ''))).toEqual(both(train, test).slice(0, 3));
      const evaluated = await openEvaluationData(path);
      expect([evaluated.classes, evaluated.size]).toEqual([['ant', 'bee'], 2]);
    }
  });

  it('are drawn in batches whose options are known by name', async () => {
    for (const path of [await plant('ant/1.png', 'bee/2.png'), await plant(...both('train', 'test'))]) {
      const data = await openEvaluationData(path);
      expect(() => data.batches({ batchSize: 1 } as never)).toThrow(/no option batchSize; did you mean batch\?/);
    }
    await expect(openEvaluationData(undefined as never)).rejects.toThrow(/openEvaluationData: found undefined/);
  });

  it('are evaluated on test before validation, unless test has no classes', async () => {
    const three = await plant(...both('train', 'test'), 'valid/ant/6.png');
    expect((await opened(three, 'test')).images).toEqual(['test/ant/4.png', 'test/bee/5.png']);
    const unlabelled = await plant(...both('train', 'valid'), 'test/6.png', 'test/7.png');
    const found = await opened(unlabelled, 'test');
    expect(found.images).toEqual(['valid/ant/4.png', 'valid/bee/5.png']);
    expect(found.notes).toMatch(/ignored test: neither/);
  });

  it('are told from what lies beside them and in them, which is named', async () => {
    const strays = [
      '__MACOSX/train/ant/._1.png',
      '.git/HEAD',
      'venv/lib/1.png',
      'unlabeled/1.png',
      'annotations/a.png',
    ];
    const inside = [
      'train/.ipynb_checkpoints/1.png',
      'train/ant/@eaDir/1.png',
      'train/ant/._1.png',
      'train/docs/x.txt',
    ];
    const folder = await plant(...both('train', 'test'), ...strays, ...inside);
    const archive = pack(folder, 'tar');
    for (const path of [folder, archive]) {
      const { images, notes } = await opened(path, 'train');
      expect(images.map((name) => name.replace('./', ''))).toEqual(both('train', 'test').slice(0, 3));
      for (const name of ['__MACOSX', '.ipynb_checkpoints', 'unlabeled', 'annotations']) {
        if (path === folder || name !== '__MACOSX') expect(notes).toContain(name);
      }
      expect(notes).not.toContain('\n');
    }
  });

  it('are none of the folders that package managers fill, whatever these hold', async () => {
    const folder = await plant('ant/1.png', 'bee/1.png', 'venv/lib/logo.png', 'node_modules/icons/1.png');
    for (const path of [folder, pack(folder, 'tar')]) {
      expect((await opened(path, 'train')).classes).toEqual(['ant', 'bee']);
    }
  });

  it('are refused where they hold no class folders, or stand among folders that may be classes', async () => {
    const loose = await plant('train/1.png', 'test/2.png');
    await expect(openDataset(loose)).rejects.toThrow(/train: holds no class folders/);
    const mixed = await plant('plane/1.png', 'boat/1.png', 'train/ant/1.png');
    await expect(openEvaluationData(mixed)).rejects.toThrow(
      /train may be a split or a class: .* beside it hold images; give/,
    );
  });

  it('are not found among classes: a train among vehicles, whatever is valid', async () => {
    const vehicles = await openEvaluationData(await plant('boat/1.png', 'steam_train/1.png', 'train/1.png'));
    expect(vehicles.classes).toEqual(['boat', 'steam_train', 'train']);
    expect((await openEvaluationData(await plant('invalid/1.png', 'valid/1.png'))).classes).toEqual([
      'invalid',
      'valid',
    ]);
    const flat = await openEvaluationData(await plant('ant/1.png', 'bee/1.png', 'test/1.png', '.git/x', 'docs/x.txt'));
    expect(flat.classes).toEqual(['ant', 'bee']);
    expect(flat.notes.join()).toMatch(/ignored .*test/);
  });

  it.each<[string, object | undefined]>([
    ['validation', { kind: 'validation', exact: true }],
    ['test-images_1', { kind: 'test', exact: true }],
    ['ILSVRC2012_img_val', { kind: 'validation', exact: false }],
    ['trainval', { kind: 'train', exact: true }],
    ['train_test_split', undefined],
    ['trainer', undefined],
    ['contest', undefined],
    ['latest', undefined],
    ['devil', undefined],
  ])('are named by words, not by letters: %s', (name, expected) => {
    expect(splitName(name)).toEqual(expected);
  });
});

function pack(folder: string, ending: 'tar' | 'tgz', ...more: readonly string[]): string {
  const path = `${folder}.${ending}`;
  execFileSync('tar', [...(ending === 'tgz' ? ['-z'] : []), '-cf', path, '-C', folder, ...more, '.']);
  return path;
}

/** Headers and contents as GNU tar writes them, the name in bytes. */
function tar(files: readonly (readonly [string | Buffer, Buffer])[]): Buffer {
  const parts = files.map(([name, content]) => {
    const header = Buffer.alloc(512);
    Buffer.from(name).copy(header);
    header.write(content.length.toString(8).padStart(11, '0'), 124);
    header.write('0', 156);
    header.write('ustar  \0', 257, 'latin1');
    header.fill(0x20, 148, 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
  });
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

async function archiveOf(files: readonly (readonly [string | Buffer, Buffer])[]): Promise<string> {
  const path = join(root, `${number++}.tar`);
  await writeFile(path, tar(files));
  return path;
}

describe('an archive', () => {
  it.each(['', './', '/', 'home/user/sets/e/', '/a/b/c/d/e/f/g/h/'])(
    'may have "%s" in front of everything',
    async (prefix) => {
      const flat = await archiveOf([
        [`${prefix}ant/1.png`, pixels],
        [`${prefix}bee/2.png`, pixels],
      ]);
      expect((await opened(flat, 'train')).classes).toEqual(['ant', 'bee']);
      const divided = await archiveOf(both('Train', 'valid').map((name) => [`${prefix}${name}`, pixels] as const));
      expect((await opened(divided, 'test')).images).toHaveLength(2);
    },
  );

  it('holds the last of two files of one name, as unpacking it would leave', async () => {
    const second = await picture(200);
    const path = await archiveOf([
      ['a/ant/1.png', pixels],
      ['a/bee/1.png', pixels],
      ['./a/ant/1.png', second],
    ]);
    const dataset = await openDataset(path);
    expect(dataset.size).toBe(2);
    expect((await dataset.image(0)).data[0]).toBe(200);
  });

  it('holds no more of its images in memory than the budget allows, and asks before', async () => {
    const whole = memoryBudget().bytes;
    try {
      setMemoryBudget(5 * 2 ** 20);
      const large = await archiveOf([['ant/1.png', Buffer.alloc(6 * 2 ** 20)]]);
      await expect(openDataset(large)).rejects.toThrow(/\.tar: its 1 images: needs 6 MiB .* --memory/);
      const files = Array.from({ length: 20_000 }, (_, i) => [`ant/${i}.png`, Buffer.alloc(0)] as const);
      await expect(openDataset(await archiveOf(files))).rejects.toThrow(
        /\.tar: the names of its images: needs .* --memory/,
      );
      expect(memoryBudget().used).toBe(0);
    } finally {
      setMemoryBudget(whole);
    }
  });

  it('names files in bytes that are no UTF-8 so that messages can be printed', async () => {
    const path = await archiveOf([
      [Buffer.from('ant/caf\xe9.png', 'latin1'), pixels],
      [Buffer.from('ant/caf\xe8.png', 'latin1'), pixels],
    ]);
    expect((await opened(path, 'train')).images).toEqual(['ant/caf\udce8.png', 'ant/caf\udce9.png']);
  });
});

describe('names', () => {
  it.each([
    [[0x61]],
    [[0xe9]],
    [[0xff, 0xfe, 0x61]],
    [[0xc3, 0xa9, 0xc3]],
    [[0xf0, 0x9f, 0x90, 0xb1, 0xed, 0xb2, 0x80]],
  ])('of the bytes %s survive being text', (bytes) => {
    expect([...Buffer.from(systemPath(decodeName(Uint8Array.from(bytes))))]).toEqual(bytes);
  });

  it('sort where Python’s os.fsdecode would put them', () => {
    // sorted([os.fsdecode(b) for b in (b'\xe9', 'é'.encode(), '￮'.encode(), '🐱'.encode())])
    expect(['🐱', '￮', '\udce9', 'é'].sort(compareCodePoints)).toEqual(['é', '\udce9', '￮', '🐱']);
  });

  it('that are no UTF-8 are found on disk, also as Node gives them on the command line', async () => {
    const folder = await plant('ant/1.png', 'bee/1.png');
    const name = Buffer.from('caf\xe9.png', 'latin1');
    await writeFile(Buffer.concat([Buffer.from(`${folder}/ant/`), name]), pixels);
    const data = await openEvaluationData(folder);
    expect(data.size).toBe(3);
    const typed = join(folder, 'ant', name.toString('utf8'));
    expect(await readFile(systemPath(await locate(typed)))).toEqual(pixels);
    await writeFile(Buffer.concat([Buffer.from(`${folder}/ant/`), Buffer.from('caf\xe8.png', 'latin1')]), pixels);
    await expect(locate(typed)).rejects.toThrow(/2 names in .*ant read like this one/);
  });

  it('in NFC and NFD are one class', async () => {
    const [composed, decomposed] = ['caf\u00e9', 'cafe\u0301'];
    const folder = await plant(
      `train/${composed}/1.png`,
      `train/bee/1.png`,
      `test/${decomposed}/2.png`,
      'test/bee/2.png',
    );
    const test = await opened(folder, 'test');
    expect(test.classes).toEqual(['bee', composed]);
    expect(test.images).toEqual(['test/bee/2.png', `test/${decomposed}/2.png`]);
    const double = await openEvaluationData(await plant(`${composed}/1.png`, `${decomposed}/2.png`, 'bee/1.png'));
    expect([double.classes, double.size]).toEqual([['bee', composed], 3]);
  });
});

describe('binaries', () => {
  const idx = (magic: number, sizes: readonly number[], content: Uint8Array) => {
    const header = Buffer.alloc(4 + 4 * sizes.length);
    header.writeUInt32BE(magic);
    for (const [axis, size] of sizes.entries()) header.writeUInt32BE(size, 4 + 4 * axis);
    return Buffer.concat([header, content]);
  };

  async function mnist(folder: string): Promise<void> {
    await mkdir(folder, { recursive: true });
    for (const [part, count] of [
      ['train', 2],
      ['t10k', 1],
    ] as const) {
      await writeFile(join(folder, `${part}-images-idx3-ubyte`), idx(0x803, [count, 2, 3], new Uint8Array(count * 6)));
      await writeFile(join(folder, `${part}-labels-idx1-ubyte`), idx(0x801, [count], new Uint8Array(count)));
    }
  }

  it('are found from the folders above them, where there is only one data set', async () => {
    await mnist(join(root, 'data', 'MNIST', 'raw'));
    for (const folder of ['data', 'data/MNIST', 'data/MNIST/raw'])
      expect((await openEvaluationData(join(root, folder))).size).toBe(1);
    await mnist(join(root, 'data', 'FashionMNIST', 'raw'));
    expect((await openDataset(join(root, 'data', 'FashionMNIST'))).classes[9]).toBe('Ankle boot');
    await expect(openDataset(join(root, 'data'))).rejects.toThrow(/holds 2 data sets, .*raw; give the folder of one/);
    await mkdir(join(root, 'set', 'cifar-10-batches-bin'), { recursive: true });
    await writeFile(join(root, 'set', 'cifar-10-batches-bin', 'data_batch_1.bin'), new Uint8Array(3073));
    expect((await openDataset(join(root, 'set'))).size).toBe(1);
  });

  it('of the Python version are refused with the name of the other', async () => {
    const folder = await plant('cifar-10-batches-py/data_batch_1', 'cifar-10-batches-py/batches.meta');
    for (const path of [folder, join(folder, 'cifar-10-batches-py'), pack(folder, 'tgz')])
      await expect(openEvaluationData(path)).rejects.toThrow(/Python version, .* "binary version"/);
  });

  it('are asked of the memory budget before they are read', async () => {
    const whole = memoryBudget().bytes;
    await mnist(join(root, 'raw'));
    await mkdir(join(root, 'bin'));
    await writeFile(join(root, 'bin', 'test_batch.bin'), new Uint8Array(3073));
    try {
      setMemoryBudget(10);
      await expect(openDataset(join(root, 'raw'))).rejects.toThrow(/train-images-idx3-ubyte: needs .* --memory/);
      await expect(openDataset(join(root, 'bin'), { split: 'test' })).rejects.toThrow(
        /bin: its 1 images: needs .* --memory/,
      );
    } finally {
      setMemoryBudget(whole);
    }
  });
});
