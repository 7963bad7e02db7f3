/** Data sets of images with masks, made up in folders and archives: what is recognised, what each value means, and what is refused before any work. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { MissingSplitError } from '../../src/data/errors.js';
import { openSegmentation } from '../../src/data/segmentation/openSegmentation.js';
import { createLoader } from '../../src/loader/loader.js';
import { workerEntry } from '../../src/loader/workerPool.js';
import type { AugmentationInput } from '../../src/modalities/image/settings.js';
import { pngOf } from '../support/png.js';

const root = mkdtempSync(join(tmpdir(), 'segmentation-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

type Files = Readonly<Record<string, Uint8Array | string>>;
let folders = 0;

function folderOf(files: Files): string {
  const folder = join(root, `data${folders++}`);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  return folder;
}

function archiveOf(files: Files, ending: string): string {
  const folder = folderOf(files);
  const path = `${folder}${ending}`;
  execFileSync('tar', [ending === '.tar' ? '-cf' : '-czf', path, '-C', dirname(folder), folder.split('/').at(-1)!]);
  return path;
}

const [width, height] = [12, 9];
const area = width * height;

/** Of class k the colour (20 k, 10, 250 - 20 k). */
const palette = Uint8Array.from({ length: 3 * 256 }, (_, i) => {
  const k = Math.floor(i / 3);
  return [(20 * k) % 256, 10, (250 + 236 * k) % 256][i % 3]!;
});

function picture(values: ArrayLike<number>, size = { width, height }): Buffer {
  return pngOf({ ...size, data: values, palette });
}

function mask(values: ArrayLike<number>, size = { width, height }): Buffer {
  return pngOf({ ...size, data: values });
}

/** Values 0 to `below` in stripes that differ from sample to sample. */
function stripes(sample: number, below: number): number[] {
  return Array.from({ length: area }, (_, i) => (Math.floor(i / 5) + sample) % below);
}

function camVidFiles(count: number, split = 'train'): Record<string, Uint8Array | string> {
  const files: Record<string, Uint8Array | string> = {};
  for (let i = 0; i < count; i++) {
    files[`${split}/${i}.png`] = picture(stripes(i, 12));
    files[`${split}annot/${i}.png`] = mask(stripes(i, 12));
  }
  return files;
}

/** What stripes are once 11 is void. */
const voided = (sample: number) => stripes(sample, 12).map((value) => (value === 11 ? 255 : value));

describe('CamVid', () => {
  it('pairs images and masks by name, and leaves out what is void', async () => {
    const data = await openSegmentation(folderOf({ ...camVidFiles(3), 'README.md': 'x' }), { split: 'train' });
    expect(data.size).toBe(3);
    expect(data.targets.classes).toEqual([
      ...['Sky', 'Building', 'Pole', 'Road', 'Pavement', 'Tree', 'SignSymbol', 'Fence', 'Car', 'Pedestrian'],
      'Bicyclist',
    ]);
    for (let i = 0; i < 3; i++) expect([...data.target(i).data]).toEqual(voided(i));
    const { data: shown } = await data.sample(1);
    expect([...shown]).toEqual(stripes(1, 12).flatMap((k) => [...palette.subarray(3 * k, 3 * k + 3)]));
  });

  it.each(['.tar', '.tar.gz'])('is read from an archive %s with a folder around it', async (ending) => {
    const path = archiveOf(camVidFiles(2, 'test'), ending);
    const data = await openSegmentation(path, { split: ['test', 'train'] });
    expect(data.size).toBe(2);
    expect(data.name).toBe(`${path} (test)`);
    expect([...data.target(1).data]).toEqual(voided(1));
  });

  it('has the classes of its classes.json', async () => {
    const files = { ...camVidFiles(1), 'classes.json': '{"classes": ["a", "b"], "void_id": 9, "size": [1, 2]}' };
    const path = folderOf({ ...files, 'trainannot/0.png': mask(stripes(0, 2)) });
    const { targets } = await openSegmentation(path, { split: 'train' });
    expect(targets.classes).toEqual(['a', 'b']);
    expect([...targets.numbers.subarray(0, 10)]).toEqual([0, 1, ...Array(8).fill(255)]);
  });

  it.each([
    ['[1', /classes\.json: is not JSON; expected/],
    ['{"classes": []}', /classes\.json: is wrong at classes: .*; expected/],
    ['{"classes": ["a", "b"], "void_id": 1}', /void_id is 1, which is the class b/],
  ])('refuses %s as classes', async (text, message) => {
    const path = folderOf({ ...camVidFiles(1), 'classes.json': text });
    await expect(openSegmentation(path, { split: 'train' })).rejects.toThrow(message);
  });

  it('is evaluated on test, or on val where there is none, and says so', async () => {
    const both = folderOf({ ...camVidFiles(1, 'test'), ...camVidFiles(2, 'val') });
    const data = await openSegmentation(both, { split: 'test' });
    expect(data.size).toBe(1);
    expect(data.notes).toEqual([`${both}: evaluated is test; val is not used`]);
    const only = folderOf(camVidFiles(2, 'val'));
    expect((await openSegmentation(only, { split: 'test' })).notes).toEqual([
      `${only}: has no test images; val is evaluated`,
    ]);
    await expect(openSegmentation(only, { split: 'train' })).rejects.toThrow(MissingSplitError);
  });
});

describe('ADE20K', () => {
  const files = {
    'ADE/images/training/a.png': picture(stripes(0, 4)),
    'ADE/annotations/training/a.png': mask(stripes(0, 4)),
    'ADE/images/validation/b.png': picture(stripes(1, 4)),
    'ADE/annotations/validation/b.png': mask(stripes(1, 4)),
  };

  it('stores 0 for no class, and classes from 1 on', async () => {
    const path = folderOf(files);
    const data = await openSegmentation(path, { split: 'test' });
    expect([...data.target(0).data]).toEqual(stripes(1, 4).map((value) => (value === 0 ? 255 : value - 1)));
    expect(data.targets.classes.length).toBe(150);
    expect(data.targets.classes[149]).toBe('class 150');
    expect(data.targets.numbers[150]).toBe(149);
    expect(data.notes).toEqual([`${path}: has no objectInfo150.txt; classes are called by their numbers`]);
  });

  it('has the names of objectInfo150.txt', async () => {
    const info =
      'Idx\tRatio\tTrain\tVal\tStuff\tName\r\n1\t0.2\t3\t4\t1\twall\r\n2\t0.1\t3\t4\t0\tscreen, door\r\n3\t0.1\t1\t1\t0\tsky\r\n';
    const data = await openSegmentation(folderOf({ ...files, 'ADE/objectInfo150.txt': info }), { split: 'train' });
    expect(data.targets.classes).toEqual(['wall', 'screen, door', 'sky']);
    expect(data.notes).toEqual([]);
    const wrong = folderOf({ ...files, 'ADE/objectInfo150.txt': info.replace('\n2\t', '\n7\t') });
    await expect(openSegmentation(wrong, { split: 'train' })).rejects.toThrow(/objectInfo150\.txt: line 3: found "7/);
  });
});

describe('Pascal VOC', () => {
  const values = (i: number) => stripes(i, 22).map((value) => (value === 21 ? 255 : value));
  const base = 'VOCdevkit/VOC2012';
  const files: Record<string, Uint8Array | string> = {
    [`${base}/ImageSets/Segmentation/train.txt`]: '2007_000001\r\n',
    [`${base}/ImageSets/Segmentation/val.txt`]: '2007_000002\n\n',
    [`${base}/ImageSets/Segmentation/trainaug.txt`]:
      '2007_000001\n/JPEGImages/2007_000003.jpg /SegmentationClassAug/2007_000003.png\n',
  };
  for (const i of [1, 2, 3, 4]) files[`${base}/JPEGImages/2007_00000${i}.png`] = picture(values(i));
  // Masks are palette images whose colours say nothing.
  for (const i of [1, 2]) files[`${base}/SegmentationClass/2007_00000${i}.png`] = picture(values(i));

  it('reads the images of a list, and masks as indices of their palettes', async () => {
    const path = folderOf(files);
    const training = await openSegmentation(path, { split: 'train' });
    expect([training.size, training.notes]).toEqual([1, []]);
    expect(training.targets.classes.length).toBe(21);
    expect([training.targets.classes[0], training.targets.classes[20]]).toEqual(['background', 'tvmonitor']);
    expect([...training.target(0).data]).toEqual(values(1));
    expect(values(1)).toContain(255);
    const evaluated = await openSegmentation(path, { split: 'test' });
    expect([...evaluated.target(0).data]).toEqual(values(2));
  });

  it('trains on the extended list where its masks are, and says so', async () => {
    const extended = { ...files };
    for (const i of [1, 3]) extended[`${base}/SegmentationClassAug/2007_00000${i}.png`] = mask(stripes(i, 3));
    const path = folderOf(extended);
    const training = await openSegmentation(path, { split: 'train' });
    expect(training.size).toBe(2);
    expect([...training.target(0).data]).toEqual(stripes(1, 3));
    expect([...training.target(1).data]).toEqual(stripes(3, 3));
    expect(training.notes).toEqual([`${path}: trained is on the extended list, trainaug.txt`]);
    const evaluated = await openSegmentation(path, { split: 'test' });
    expect([...evaluated.target(0).data]).toEqual(values(2));
  });

  it('refuses a list that names an image twice', async () => {
    const path = folderOf({ ...files, [`${base}/ImageSets/Segmentation/val.txt`]: 'a\nb\na\n' });
    await expect(openSegmentation(path, { split: 'test' })).rejects.toThrow(/val\.txt: line 3: a is on the list twice/);
  });
});

describe('data of which something is wrong', () => {
  const bad: Files = {
    ...camVidFiles(4),
    'train/noMask.png': picture(stripes(0, 3)),
    'trainannot/noImage.png': mask(stripes(0, 3)),
    'train/size.png': picture(stripes(0, 3)),
    'trainannot/size.png': mask(stripes(0, 3).slice(0, 12), { width: 4, height: 3 }),
    'train/value.png': picture(stripes(0, 3)),
    'trainannot/value.png': mask([...stripes(0, 3).slice(0, 14), 77, ...stripes(0, 3).slice(15)]),
    'train/cut.png': picture(stripes(0, 3)),
    'trainannot/cut.png': mask(stripes(0, 3)).subarray(0, 60),
    'train/text.png': 'no picture',
    'trainannot/text.png': mask(stripes(0, 3)),
  };

  it('is refused with all that is wrong in one line', async () => {
    const path = folderOf(bad);
    const error = await openSegmentation(path, { split: 'train' }).catch((reason: Error) => reason);
    const { message } = error as Error;
    expect(message).not.toContain('\n');
    for (const part of [
      `${path} (train): 6 of 10 images cannot be used: `,
      'train/noMask.png: has no mask',
      'trainannot/noImage.png: has no image',
      'trainannot/size.png: has 4 x 3 pixels, its image 12 x 9',
      'trainannot/value.png: stores 77 at (2, 1), which is no class; 0 to 11 and 255 were expected',
      'trainannot/cut.png: this PNG file is truncated or damaged',
      'train/text.png: begins with "no pictu"',
      'leave them out with --skip-bad',
    ])
      expect(message).toContain(part);
  });

  it('names the first ten and counts the others', async () => {
    const files: Record<string, Uint8Array | string> = camVidFiles(14);
    for (let i = 0; i < 13; i++) delete files[`trainannot/${i}.png`];
    const error = openSegmentation(folderOf(files), { split: 'train' });
    await expect(error).rejects.toThrow(/13 of 14 images cannot be used: .*; and 3 more\. Mend them/);
    await expect(error).rejects.toThrow(/^(?:(?!has no mask).)*(?:has no mask(?:(?!has no mask).)*){10}$/);
  });

  it('is left out where that is asked for, and the note says how many and why', async () => {
    const path = folderOf(bad);
    const data = await openSegmentation(path, { split: 'train', skipBad: true });
    expect(data.size).toBe(4);
    for (let i = 0; i < 4; i++) expect([...data.target(i).data]).toEqual(voided(i));
    expect(data.notes).toEqual([
      `${path} (train): 6 of 10 images are left out: 1 without a mask, 1 missing for their masks, 1 whose masks cannot be read, 1 whose masks have another size, 1 that cannot be read, 1 whose masks have unknown values`,
    ]);
    const archived = await openSegmentation(archiveOf(bad, '.tar'), { split: 'train', skipBad: true });
    expect([...archived.target(3).data]).toEqual(voided(3));
  });

  it('is refused all the same when nothing is left', async () => {
    const path = folderOf({ 'train/a.png': 'x', 'trainannot/a.png': mask(stripes(0, 3)) });
    await expect(openSegmentation(path, { split: 'train', skipBad: true })).rejects.toThrow(
      /none of 1 images can be used/,
    );
  });

  it('is refused where no layout or two data sets are found', async () => {
    await expect(openSegmentation(folderOf({ 'a/b.png': 'x' }), { split: 'train' })).rejects.toThrow(
      /holds no images with masks in a layout that is known; expected JPEGImages/,
    );
    const two = folderOf({ 'a/trainannot/x.png': 'x', 'b/trainannot/x.png': 'x' });
    await expect(openSegmentation(two, { split: 'train' })).rejects.toThrow(/several data sets, in a\/, b\/; give one/);
    const twice = folderOf({ ...camVidFiles(1), 'train/0.jpg': 'x' });
    await expect(openSegmentation(twice, { split: 'train' })).rejects.toThrow(
      /train\/0\.jpg and train\/0\.png have one name/,
    );
    await expect(openSegmentation(join(root, 'nowhere'), { split: 'train' })).rejects.toThrow(
      /nowhere: cannot be opened/,
    );
  });
});

describe('masks in a loader', () => {
  // Twice as many pixels as the images have, so that there is a border; nothing is resampled.
  const preprocessing = {
    resize: null,
    crop: [16, 20],
    interpolation: 'bicubic',
    mean: [0, 0, 0],
    std: [1, 1, 1],
  } as const;
  const augmentation: AugmentationInput = { crop: { kind: 'scaled', scale: [1, 1] }, horizontalFlip: 0.5 };

  it.each([0, 1].filter((workers) => workers === 0 || workerEntry() !== undefined))(
    'say of every pixel what the image shows there, with %i workers',
    async (workers) => {
      const data = await openSegmentation(folderOf(camVidFiles(6)), { split: 'train' });
      const loader = createLoader(data, { batchSize: 3, preprocessing, augmentation, workers, seed: 1 });
      let seen = 0;
      try {
        for await (const { input, labels } of loader.epoch(0)) {
          expect(labels).toBeInstanceOf(Int32Array);
          expect(labels.length).toBe(3 * 16 * 20);
          for (const [i, label] of labels.entries()) {
            const [image, pixel] = [Math.floor(i / 320), i % 320];
            const colour = [0, 1, 2].map((c) => Math.round(255 * input[(3 * image + c) * 320 + pixel]!));
            // Void is a colour of its own; black is what the image does not reach.
            if (label === 255) expect([palette.subarray(33, 36).join(), '0,0,0']).toContain(colour.join());
            else expect(colour).toEqual([...palette.subarray(3 * label, 3 * label + 3)]);
            seen += Number(label !== 255);
          }
        }
      } finally {
        await loader.close();
      }
      const kept = [0, 1, 2, 3, 4, 5].flatMap(voided).filter((value) => value !== 255);
      expect(seen).toBe(kept.length);
    },
  );

  it('are not mixed', async () => {
    const data = await openSegmentation(folderOf(camVidFiles(2)), { split: 'train' });
    const mixing = { ...augmentation, mix: { mixup: 0.5 } };
    expect(() => createLoader(data, { batchSize: 2, preprocessing, augmentation: mixing, workers: 0 })).toThrow(
      /mixup and cutmix need class numbers as targets, these are masks/,
    );
  });
});
