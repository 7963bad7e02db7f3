/** Places seen from several views, made up in folders and archives in the layouts of published data sets; and the miniature of University-1652. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { DataError, MissingSplitError } from '../../../src/data/errors.js';
import { openPairs } from '../../../src/data/pairs/openPairs.js';
import type { PlaceViews, RetrievalDirection } from '../../../src/data/pairs/places.js';
import { fileName } from '../../../src/data/storedFiles.js';
import { sharedPath } from '../../shared.js';
import { pngOf } from '../../support/png.js';

const root = mkdtempSync(join(tmpdir(), 'pairs-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const image = pngOf({ width: 4, height: 3, data: new Uint8Array(12) });
let folders = 0;

function folderOf(paths: readonly string[], others: Readonly<Record<string, string>> = {}): string {
  const folder = join(root, `data${folders++}`);
  const files = { ...Object.fromEntries(paths.map((path) => [path, image])), ...others };
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  return folder;
}

/** By place the files' paths behind `from`. */
function shown({ images, views, places, store }: PlaceViews, view: string, from: string) {
  const lists = images[views.indexOf(view)]!;
  const pathOf = (position: number) => {
    const path = fileName(store, position);
    return path.slice(path.indexOf(from));
  };
  return Object.fromEntries(places.map((place, index) => [place, [...lists[index]!].map(pathOf)]));
}

/** The names of the places that are looked for, and of those that are searched. */
function asked({ places }: PlaceViews, { name, query, gallery }: RetrievalDirection) {
  const named = (list: Int32Array) => [...list].map((place) => places[place] ?? 'junk');
  return { name, query: named(query.places), gallery: named(gallery.places) };
}

const university = [
  'train/drone/0839/image-01.png',
  'train/drone/0839/image-02.png',
  'train/satellite/0839/0839.png',
  'train/street/0839/1.png',
  'train/drone/0842/image-01.png',
  'train/satellite/0842/0842.png',
  'test/query_drone/0001/image-01.png',
  'test/query_drone/0001/image-02.png',
  'test/query_satellite/0001/0001.png',
  'test/gallery_drone/0001/image-01.png',
  'test/gallery_drone/-1/image-01.png',
  'test/gallery_satellite/0001/0001.png',
  'test/gallery_satellite/0002/0002.png',
];

describe('places in folders (University-1652)', () => {
  it('are trained on view by view', async () => {
    const data = await openPairs(folderOf(university), { part: 'train' });
    expect(data.places).toEqual(['0839', '0842']);
    expect(shown(data, 'drone', 'train')).toEqual({
      '0839': ['train/drone/0839/image-01.png', 'train/drone/0839/image-02.png'],
      '0842': ['train/drone/0842/image-01.png'],
    });
    expect(shown(data, 'satellite', 'train')['0842']).toEqual(['train/satellite/0842/0842.png']);
    expect(data.directions).toEqual([]);
  });

  it('are looked for both ways, among places that nobody looks for and junk', async () => {
    const data = await openPairs(folderOf(university), { part: 'test' });
    expect(data.directions.map((direction) => asked(data, direction))).toEqual([
      { name: 'drone → satellite', query: ['0001', '0001'], gallery: ['0001', '0002'] },
      { name: 'satellite → drone', query: ['0001'], gallery: ['junk', '0001'] },
    ]);
  });

  it('are the same in an archive, with a folder around them', async () => {
    const folder = folderOf(university.map((path) => `University-Release/${path}`));
    execFileSync('tar', ['-czf', `${folder}.tar.gz`, '-C', folder, 'University-Release']);
    const [packed, plain] = [
      await openPairs(`${folder}.tar.gz`, { part: 'test' }),
      await openPairs(folder, { part: 'test' }),
    ];
    expect(packed.directions).toEqual(plain.directions);
    expect(packed.store.kind).toBe('encoded');
  });

  it('may be seen from other views, and from these alone', async () => {
    const folder = folderOf(university);
    await expect(openPairs(folder, { part: 'train', views: ['street', 'satellite'] })).rejects.toThrow(
      /1 place without a view: place 0842: has no street image/,
    );
    await expect(openPairs(folder, { part: 'train', views: ['google', 'drone'] })).rejects.toThrow(
      /has no view google; there are drone, satellite, street/,
    );
    await expect(openPairs(folder, { part: 'train', views: ['drone'] })).rejects.toThrow(DataError);
  });

  it('has no altitudes to choose from', async () => {
    const folder = folderOf(['train/drone/1/a.png', 'train/satellite/1/a.png']);
    const paired = folderOf(['train/drone/1.png', 'train/satellite/1.png']);
    for (const each of [folder, paired])
      await expect(openPairs(each, { part: 'train', altitude: '150' })).rejects.toThrow('leave the altitude out');
  });

  it('may have one direction (DenseUAV)', async () => {
    const folder = folderOf([
      'train/drone/000001/H80.png',
      'train/satellite/000001/H80.png',
      'test/query_drone/000002/H80.png',
      'test/query_drone/000002/H90.png',
      'test/gallery_satellite/000001/H80.png',
      'test/gallery_satellite/000002/H80.png',
    ]);
    const data = await openPairs(folder, { part: 'test' });
    expect(data.directions.map((direction) => asked(data, direction))).toEqual([
      { name: 'drone → satellite', query: ['000002', '000002'], gallery: ['000001', '000002'] },
    ]);
  });
});

describe('SUES-200', () => {
  const files = ['0001', '0002', '0003'].flatMap((place) => [
    `satellite-view/${place}/0.png`,
    ...['150', '200'].flatMap((altitude) => [0, 1].map((i) => `drone_view_512/${place}/${altitude}/${i}.png`)),
  ]);
  const list = { 'train.txt': '0001\n0003\n' };

  it('is trained on by the list beside it, from one altitude', async () => {
    const data = await openPairs(folderOf(files, list), { part: 'train', altitude: '200' });
    expect(shown(data, 'drone', 'drone_')).toEqual({
      '0001': ['drone_view_512/0001/200/0.png', 'drone_view_512/0001/200/1.png'],
      '0003': ['drone_view_512/0003/200/0.png', 'drone_view_512/0003/200/1.png'],
    });
  });

  it('looks for the other places among all', async () => {
    const data = await openPairs(folderOf(files, list), { part: 'test', altitude: '150' });
    expect(data.directions.map((direction) => asked(data, direction))).toEqual([
      { name: 'drone → satellite', query: ['0002', '0002'], gallery: ['0001', '0002', '0003'] },
      { name: 'satellite → drone', query: ['0002'], gallery: ['0001', '0001', '0002', '0002', '0003', '0003'] },
    ]);
  });

  it('is read as the program of its authors splits it', async () => {
    const split = ['150', '300'].flatMap((altitude) => [
      `Training/${altitude}/drone/0001/0.png`,
      `Training/${altitude}/satellite/0001/0.png`,
      `Testing/${altitude}/query_drone/0002/0.png`,
      `Testing/${altitude}/gallery_satellite/0001/0.png`,
      `Testing/${altitude}/gallery_satellite/0002/0.png`,
    ]);
    const data = await openPairs(folderOf(split), { part: 'test', altitude: '300' });
    expect(data.directions.map((direction) => asked(data, direction))).toEqual([
      { name: 'drone → satellite', query: ['0002'], gallery: ['0001', '0002'] },
    ]);
    expect(fileName(data.store, 0)).toContain('Testing/300/');
  });

  it('wants its list and an altitude', async () => {
    await expect(openPairs(folderOf(files), { part: 'test', altitude: '150' })).rejects.toThrow(/has no train.txt/);
    await expect(openPairs(folderOf(files, list), { part: 'test' })).rejects.toThrow(/several altitudes, 150, 200/);
    await expect(openPairs(folderOf(files, list), { part: 'test', altitude: '9' })).rejects.toThrow(/altitude 9/);
    await expect(
      openPairs(folderOf(files, { 'train.txt': '0009' }), { part: 'test', altitude: '150' }),
    ).rejects.toThrow(/names the place 0009/);
  });
});

describe('what is wrong', () => {
  const files = ['train/drone/a.png', 'train/satellite/a.png', 'train/drone/b.png', 'train/satellite/c.png'];
  const damaged = { 'train/drone/c.png': 'no image' };

  it('is told at once, before any work', async () => {
    const opening = openPairs(folderOf(files, damaged), { part: 'train' });
    await expect(opening).rejects.toThrow(DataError);
    await expect(opening).rejects.toThrow(/1 image that cannot be read, 2 places without a view: /);
    await expect(opening).rejects.toThrow(
      /drone\/c\.png.*place b: has no satellite image; place c: has no drone image/,
    );
  });

  it('is left out with a note where that is asked for', async () => {
    const data = await openPairs(folderOf(files, damaged), { part: 'train', skipBad: true });
    expect(data.places).toEqual(['a']);
    expect(data.notes).toEqual([`${data.name}: left out: 1 image that cannot be read, 2 places without a view`]);
  });

  it('is a place that is looked for and is not there; it stays where it may be found', async () => {
    const test = ['test/drone/a.png', 'test/satellite/a.png', 'test/satellite/b.png'];
    await expect(openPairs(folderOf(test), { part: 'test' })).rejects.toThrow(
      /1 place that is not in the gallery: place b: is looked for from satellite/,
    );
    const data = await openPairs(folderOf(test), { part: 'test', skipBad: true });
    expect(data.directions.map((direction) => asked(data, direction))).toEqual([
      { name: 'drone → satellite', query: ['a'], gallery: ['a', 'b'] },
      { name: 'satellite → drone', query: ['a'], gallery: ['a'] },
    ]);
  });

  it('may leave nothing', async () => {
    const nothing = openPairs(folderOf(['train/drone/a.png', 'train/satellite/b.png']), {
      part: 'train',
      skipBad: true,
    });
    await expect(nothing).rejects.toThrow(/no place can be used/);
  });

  it('is a part or a layout that is not there, or several data sets in one folder', async () => {
    await expect(openPairs(folderOf(files), { part: 'test' })).rejects.toThrow(MissingSplitError);
    await expect(openPairs(folderOf(['x/a.png']), { part: 'test' })).rejects.toThrow(/in a layout that is known/);
    const two = ['one', 'two'].flatMap((folder) => files.map((path) => `${folder}/${path}`));
    await expect(openPairs(folderOf(two), { part: 'train' })).rejects.toThrow(/several data sets, in one\/, two\//);
  });
});

const miniature = sharedPath('data', 'university1652-mini.tar.gz');
describe.skipIf(!miniature)(`the miniature of University-1652${miniature ? '' : ' (skipped: it is absent)'}`, () => {
  it('has 298 places to train on and 100 to look for', async () => {
    const train = await openPairs(miniature!, { part: 'train' });
    expect(train.places.length).toBe(298);
    expect(train.images.flat().every(({ length }) => length === 1)).toBe(true);
    const test = await openPairs(miniature!, { part: 'test' });
    expect(test.directions.map(({ query, gallery }) => [query.images.length, gallery.images.length])).toEqual([
      [100, 100],
      [100, 100],
    ]);
    expect(test.places.some((place) => train.places.includes(place))).toBe(false);
  });
});
