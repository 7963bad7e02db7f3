/** Annotations of made-up data sets: two pictures, each format with good entries and with each kind of bad ones. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Annotations, leftOutNote, maskOfObject } from '../../../src/data/annotations/annotations.js';
import { AnnotationError, linesOfProblems } from '../../../src/data/annotations/problems.js';
import { readCoco, readVoc, readYolo } from '../../../src/data/annotations/readAnnotations.js';
import { parseYoloNames } from '../../../src/data/annotations/yoloNames.js';
import { DataError } from '../../../src/data/errors.js';
import { maskArea } from '../../../src/data/masks/runLength.js';

let folder: string;
const at = (...parts: readonly string[]) => join(folder, ...parts);

function put(name: string, content: string | object): string {
  mkdirSync(dirname(at(name)), { recursive: true });
  writeFileSync(at(name), typeof content === 'string' ? content : JSON.stringify(content));
  return at(name);
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'annotations-'));
  for (const [name, width] of [
    ['one.png', 10],
    ['sub/two.png', 12],
  ] as const) {
    put(`images/${name}`, '');
    await sharp({ create: { width, height: 8, channels: 3, background: 'red' } }).toFile(at('images', name));
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What is bad, without the sentences. */
const kindsOf = ({ problems }: Pick<Annotations, 'problems'>) => problems.map(({ kind, place }) => [place, kind]);

async function errorOf(reading: Promise<unknown>): Promise<AnnotationError> {
  const error = await reading.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(AnnotationError);
  return error as AnnotationError;
}

describe('COCO’s JSON', () => {
  const categories = [
    { id: 7, name: 'dog' },
    { id: 3, name: 'cat' },
  ];
  const images = [
    { id: 1, file_name: 'one.png', width: 10, height: 8 },
    { id: 'b', file_name: 'sub/two.png', width: 12, height: 8 },
  ];
  const square = [1, 1, 5, 1, 5, 5, 1, 5];
  const good = [
    { id: 1, image_id: 1, category_id: 7, bbox: [1, 1, 4, 4], area: 15.5, iscrowd: 0, segmentation: [square] },
    {
      id: 2,
      image_id: 1,
      category_id: 3,
      bbox: [0, 0, 1, 8],
      iscrowd: 1,
      segmentation: { size: [8, 10], counts: [0, 8, 72] },
    },
    { id: 3, image_id: 1, category_id: 3, bbox: [0, 0, 1, 8], segmentation: { size: [8, 10], counts: '08X2' } },
    { id: 4, image_id: 1, category_id: 3, bbox: [2, 2, 3, 4], segmentation: [] },
  ];
  const write = (annotations: readonly unknown[], more: object = {}) =>
    put('coco.json', { images, annotations, categories, ...more });

  it('has classes in the order of their numbers, boxes as they are, masks of every kind, images without objects', async () => {
    const found = await readCoco(write(good), at('images'));
    expect(found).toMatchObject({ classes: ['cat', 'dog'], categoryIds: [3, 7], leftOut: { images: 0, objects: 0 } });
    const [one, two] = found.images;
    expect(two).toEqual({ file: 'sub/two.png', id: 'b', width: 12, height: 8, objects: [] });
    expect(one!.objects.map((object) => [object.class, object.crowd, object.area])).toEqual([
      [1, false, 15.5],
      [0, true, 8],
      [0, false, 8],
      [0, false, 12],
    ]);
    expect(one!.objects[0]).toMatchObject({ box: [1, 1, 4, 4], polygons: [square] });
    const masks = one!.objects.map((object) => maskOfObject(object, one!));
    expect(masks.map((mask) => mask && maskArea(mask))).toEqual([16, 8, 8, undefined]);
    expect(leftOutNote(found)).toBeUndefined();
  });

  const entry = (more: object) => ({ id: 9, image_id: 1, category_id: 7, bbox: [1, 1, 4, 4], ...more });
  const bad = [
    entry({ id: 10, bbox: [1, 1, 0, 4] }),
    entry({ id: 11, bbox: [8, 1, 4, 4] }),
    entry({ id: 12, segmentation: [square, [1, 1, 2, 2]] }),
    entry({ id: 13, segmentation: [[]] }),
    entry({ id: 14, segmentation: { size: [8, 10], counts: [81] } }),
    entry({ id: 15, segmentation: { size: [10, 8], counts: [80] } }),
    entry({ id: 16, category_id: 5 }),
    entry({ id: 17, image_id: 4 }),
    entry({ id: 18, bbox: [1, 2, 3] }),
    entry({ id: 19, area: -1 }),
    null,
    // Of an image that is bad itself: said once.
    entry({ id: 20, image_id: 5 }),
  ];
  const badImages = [
    { id: 5, file_name: 'gone.png', width: 10, height: 8 },
    { id: 6, file_name: '../images/one.png', width: 10, height: 8 },
    { id: 7, file_name: 'one.png', width: 0, height: 8 },
    { id: 1, file_name: 'one.png', width: 10, height: 8 },
  ];

  it('is one list of everything bad, or is read without it and says how much that is', async () => {
    const file = write([...good, ...bad], { images: [...images, ...badImages] });
    const error = await errorOf(readCoco(file, at('images')));
    expect(kindsOf(error)).toEqual(
      [
        ['image 5', 'missingImage'],
        ['image 6', 'missingImage'],
        ['image 7', 'unreadable'],
        ['image 1', 'unreadable'],
        ['annotation 10', 'noArea'],
        ['annotation 11', 'outside'],
        ['annotation 12', 'noPolygon'],
        ['annotation 13', 'noPolygon'],
        ['annotation 14', 'noPolygon'],
        ['annotation 15', 'noPolygon'],
        ['annotation 16', 'unknownClass'],
        ['annotation 17', 'missingImage'],
        ['annotation 18', 'malformed'],
        ['annotation 19', 'malformed'],
        ['annotation at place 14', 'malformed'],
      ].map(([place, kind]) => [`${file}, ${place}`, kind]),
    );
    const found = await readCoco(file, at('images'), { skipBad: true });
    expect(found.images.map(({ objects }) => objects.length)).toEqual([4, 0]);
    expect(found.leftOut).toEqual({ images: 4, objects: 11 });
    expect(leftOutNote(found)).toContain(
      'left out 11 objects and 4 images (15 bad annotations: 4 masks that are none,',
    );
  });

  it('is an error of one line that counts, names a few and says what to do', async () => {
    const error = await errorOf(readCoco(write([...good, ...bad]), at('images')));
    expect(error.message).toContain(
      'coco.json: 12 bad annotations: 4 masks that are none, 3 malformed entries, 2 missing images, 1 box without an area,',
    );
    expect(error.message).toContain('the box (x, y, width, height) 1, 1, 0, 4 has no area; ');
    expect(error.message).toMatch(/; and 7 more; mend them, or leave them out with --skip-bad$/);
    const lines = linesOfProblems('set', error.problems);
    expect(lines).toHaveLength(7);
    expect(lines[0]).toMatch(/^set: 12 bad annotations: /);
    expect(lines[6]).toBe('  and 7 more; mend them, or leave them out with --skip-bad');
  });

  it('takes the order of classes that is asked for, and knows no others', async () => {
    const file = write(good);
    const found = await readCoco(file, at('images'), { classes: ['dog', 'bee', 'cat'] });
    expect(found.categoryIds).toEqual([7, undefined, 3]);
    expect(found.images[0]!.objects.map((object) => object.class)).toEqual([0, 2, 2, 2]);
    const { message } = await errorOf(readCoco(file, at('images'), { classes: ['cat'] }));
    expect(message).toContain('1 bad annotation: 1 unknown class: ');
    expect(message).toContain('is of class dog, which is not among those asked for');
  });

  it.each([
    ['{', 'is not JSON'],
    ['[]', 'is no COCO annotation file (expected object, received array)'],
    ['{"images": [], "annotations": 3, "categories": []}', 'is no COCO annotation file (annotations: expected array'],
    ['{"images": [], "annotations": [], "categories": []}', 'categories: '],
    ['{"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}]}', 'holds no annotated images'],
    [
      '{"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]}',
      'has category 1 twice',
    ],
  ])('%s is refused', async (text, message) => {
    await expect(readCoco(put('bad.json', text), at('images'), { skipBad: true })).rejects.toThrow(message);
  });

  it('names a file or folder that is not there', async () => {
    await expect(readCoco(at('gone.json'), at('images'))).rejects.toThrow('gone.json: cannot be read: no such file');
    await expect(readCoco(at('images'), at('images'))).rejects.toThrow('images: is not a regular file');
    await expect(readCoco(write(good), at('gone'))).rejects.toThrow('gone: cannot be read as a folder');
  });
});

describe('PASCAL VOC’s XML', () => {
  const object = (name: string, corners: readonly number[], more = '') => {
    const [xmin, ymin, xmax, ymax] = corners;
    const part = '<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>';
    return `<object><name>${name}</name>${more}${part}<bndbox><xmin>${xmin}</xmin><ymin>${ymin}</ymin><xmax>${xmax}</xmax><ymax>${ymax}</ymax></bndbox></object>`;
  };
  const file = (objects: string, size = '<size><width>10</width><height>8</height><depth>3</depth></size>') =>
    `<annotation>\n<filename>photo.png</filename>${size}${objects}</annotation>`;
  const folders = () => ({ annotations: at('voc'), images: at('images') });
  const write = (files: Readonly<Record<string, string>>) => {
    rmSync(at('voc'), { recursive: true, force: true });
    for (const [name, text] of Object.entries(files)) put(`voc/${name}.xml`, text);
  };

  it('counts pixels from 1, both ends included; or places from 0', async () => {
    write({ one: file(object('dog', [1, 1, 10, 8]) + object('a&amp;b', [3, 4, 5, 7], '<difficult>1</difficult>')) });
    const found = await readVoc(folders());
    expect(found.classes).toEqual(['a&b', 'dog']);
    expect(found.images).toEqual([
      {
        file: 'one.png',
        width: 10,
        height: 8,
        objects: [
          { class: 1, box: [0, 0, 10, 8], area: 80, crowd: false, difficult: false },
          { class: 0, box: [2, 3, 3, 4], area: 12, crowd: false, difficult: true },
        ],
      },
    ]);
    const places = await readVoc(folders(), { firstPixel: 0 });
    expect(places.images[0]!.objects[1]!.box).toEqual([3, 4, 2, 3]);
  });

  it('has the size of the image itself where it gives none, and its name if no other', async () => {
    write({
      one: file(object('dog', [1, 1, 10, 8]), '<size><width>0</width><height>0</height></size>'),
      other: file('', '').replace('photo.png', 'sub/two.png'),
    });
    const { images } = await readVoc(folders());
    expect(images.map((image) => [image.file, image.width, image.height])).toEqual([
      ['one.png', 10, 8],
      ['sub/two.png', 12, 8],
    ]);
  });

  it('has everything bad in one list', async () => {
    write({
      one: file(
        object('dog', [2, 2, 2, 5]) +
          object('dog', [2, 2, 30, 5]) +
          object('', [1, 1, 2, 2]) +
          '<object><name>dog</name></object>' +
          object('dog', [1, 1, 9, 7]),
      ),
      gone: file(object('dog', [2, 2, 2, 5])),
      damaged: file('<object>'),
      html: '<html></html>',
    });
    const error = await errorOf(readVoc(folders()));
    expect(kindsOf(error)).toEqual([
      ['damaged.xml', 'unreadable'],
      ['gone.xml', 'missingImage'],
      ['html.xml', 'unreadable'],
      ['one.xml, object 1', 'noArea'],
      ['one.xml, object 2', 'outside'],
      ['one.xml, object 3', 'malformed'],
      ['one.xml, object 4', 'malformed'],
    ]);
    expect(error.problems.map(({ found }) => found)).toEqual(
      expect.arrayContaining([
        'line 2: </annotation> closes <object>',
        'begins with <html>; expected <annotation>, as PASCAL VOC has it',
        'from (2, 2) to (2, 5): the box (x, y, width, height) 1, 1, 0, 0 has no area',
      ]),
    );
    const found = await readVoc(folders(), { skipBad: true });
    expect(found.leftOut).toEqual({ images: 3, objects: 4 });
    expect(found.images.map(({ objects }) => objects.length)).toEqual([1]);
  });

  it('is read by a list, with the classes of another split', async () => {
    write({ one: file(object('dog', [1, 1, 9, 7])), 'sub/two': file('') });
    const list = put('train.txt', 'one 1\r\n\none -1\nabsent\n');
    const given = { ...folders(), list };
    const error = await errorOf(readVoc(given, { classes: ['bee'] }));
    expect(kindsOf(error)).toEqual([
      ['absent.xml', 'unreadable'],
      ['one.xml, object 1', 'unknownClass'],
    ]);
    expect((await readVoc(given, { classes: ['bee', 'dog'], skipBad: true })).images).toHaveLength(1);
    await expect(readVoc({ ...given, list: put('train.txt', '../../etc/passwd') })).rejects.toThrow('is no name');
  });
});

describe('YOLO’s texts', () => {
  const folders = () => ({ labels: at('labels'), images: at('images'), names: put('classes.txt', 'cat\ndog\n') });
  const write = (files: Readonly<Record<string, string>>) => {
    rmSync(at('labels'), { recursive: true, force: true });
    for (const [name, text] of Object.entries(files)) put(`labels/${name}.txt`, text);
  };

  it('are shares of the image, around a centre or along a polygon; an image without one has no objects', async () => {
    write({ one: '1 0.5 0.5 0.4 0.25\r\n\n0 0.1 0.125 .5 1.25e-1 0.5 0.625 0.1 0.625\n' });
    const found = await readYolo(folders());
    expect(found.classes).toEqual(['cat', 'dog']);
    const [one, two] = found.images;
    expect(two).toEqual({ file: 'sub/two.png', width: 12, height: 8, objects: [] });
    expect(one!.objects[0]).toEqual({ class: 1, box: [3, 3, 4, 2], area: 8, crowd: false, difficult: false });
    expect(one!.objects[1]).toMatchObject({
      class: 0,
      box: [1, 1, 4, 4],
      area: 16,
      polygons: [[1, 1, 5, 1, 5, 5, 1, 5]],
    });
    expect(maskArea(maskOfObject(one!.objects[1]!, one!)!)).toBe(16);
  });

  it('have everything bad in one list', async () => {
    write({
      one: [
        '2 0.5 0.5 0.4 0.25',
        '0 0.5 0.5 0 0.25',
        '0 5 4 4 2',
        '0 0.5 0.5 0.1',
        '0 0.5 0.5 0.1 0.1 0.9',
        '0 0.5 0.5 0.1 0x1',
        'cat 0.5 0.5 0.1 0.1',
        '0.5 0.5 0.5 0.1 0.1',
        '0 1e300 1e300 1e300 0 1 1',
        '1 0.5 0.5 1 1',
      ].join('\n'),
      'sub/two': '\u0000\u0001',
      gone: '0 0.5 0.5 0.1 0.1',
    });
    const error = await errorOf(readYolo(folders()));
    expect(kindsOf(error)).toEqual([
      ['one.txt, line 1', 'unknownClass'],
      ['one.txt, line 2', 'noArea'],
      ['one.txt, line 3', 'outside'],
      ['one.txt, line 4', 'malformed'],
      ['one.txt, line 5', 'malformed'],
      ['one.txt, line 6', 'malformed'],
      ['one.txt, line 7', 'malformed'],
      ['one.txt, line 8', 'unknownClass'],
      ['one.txt, line 9', 'outside'],
      ['sub/two.txt, line 1', 'malformed'],
      ['gone.txt', 'missingImage'],
    ]);
    expect((await readYolo(folders(), { skipBad: true })).leftOut).toEqual({ images: 1, objects: 10 });
  });

  it('take the order of classes that is asked for', async () => {
    write({ one: '0 0.5 0.5 0.1 0.1\n1 0.5 0.5 0.1 0.1\n' });
    const found = await readYolo(folders(), { classes: ['dog', 'bee', 'cat'] });
    expect(found.images[0]!.objects.map((object) => object.class)).toEqual([2, 0]);
    expect(kindsOf(await errorOf(readYolo(folders(), { classes: ['dog'] })))).toEqual([['one.txt', 'unknownClass']]);
  });

  it('are shares of a TIFF as it is shown, which may be stored on its side', async () => {
    write({ turned: '0 0.5 0.5 1 1' });
    mkdirSync(at('tiff'));
    const stored = sharp({ create: { width: 10, height: 8, channels: 3, background: 'red' } });
    await stored.withMetadata({ orientation: 6 }).tiff().toFile(at('tiff', 'turned.tif'));
    const { images } = await readYolo({ ...folders(), images: at('tiff') });
    expect(images[0]).toMatchObject({ width: 8, height: 10, objects: [{ box: [0, 0, 8, 10] }] });
  });

  it('have an unreadable image named, and a folder without texts', async () => {
    write({ one: '' });
    put('damaged/one.png', 'no image');
    const error = await errorOf(readYolo({ ...folders(), images: at('damaged') }));
    expect(error.message).toMatch(
      /1 bad annotation: 1 unreadable file or image entry: one\.txt: .*begins with "no image"/,
    );
    await expect(readYolo({ ...folders(), labels: at('images') })).rejects.toThrow('holds no .txt files');
  });
});

describe('names of YOLO’s classes', () => {
  it.each([
    ['classes.txt', '\ufeffcat\r\nsea lion\n\n', ['cat', 'sea lion']],
    ['data.yaml', 'path: x\nnames: [cat, \'sea, lion\', "dog"] # three\nnc: 3\n', ['cat', 'sea, lion', 'dog']],
    ['data.yaml', 'names: [cat,\n  dog]\n', ['cat', 'dog']],
    ['data.yaml', "names:\n- cat\n- 'sea lion'\nnc: 2\n", ['cat', 'sea lion']],
    ['data.yml', 'nc: 2\nnames:\n  # two\n  0: cat\n  1: sea lion\n\ntrain: y\n', ['cat', 'sea lion']],
  ])('are read from %s: %j', (file, text, names) => {
    expect(parseYoloNames(text, file)).toEqual(names);
  });

  it.each([
    ['classes.txt', '\n', 'names 0 classes'],
    ['classes.txt', 'cat\n\ndog', 'class 1 has no name'],
    ['classes.txt', 'cat\ncat', 'names the class "cat" twice'],
    ['data.yaml', 'nc: 3', 'has no entry "names"'],
    ['data.yaml', 'names: []', 'names 0 classes'],
    ['data.yaml', 'names: *anchor', 'is not read here'],
    ['data.yaml', 'names: [cat, dog', 'is not read here'],
    ['data.yaml', "names: [cat'n, dog]", 'is not read here'],
    ['data.yaml', 'names:\n  1: cat\n', 'class 1 comes after 0 classes'],
    ['data.yaml', 'names:\n  cat: 0\n', 'is not read here'],
  ])('of %s are refused: %j', (file, text, message) => {
    expect(() => parseYoloNames(text, file)).toThrow(DataError);
    expect(() => parseYoloNames(text, file)).toThrow(message);
  });
});
