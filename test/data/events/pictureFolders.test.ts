/** HARDVS as folders of pictures: made here in a folder and an archive, listed, ordered, and refused with everything that is missing. */
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openPictureFolders } from '../../../src/data/events/datasets/pictureFolders.js';
import { compareNatural } from '../../../src/data/names.js';
import { greyPng } from '../../support/pictures.js';
import { tarOf, writeTree } from '../../support/recordings.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'spikeformer-pictures-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Pictures of one pixel, whose byte is the number in their name. */
async function layout(lists: Readonly<Record<string, string>>): Promise<Record<string, Uint8Array | string>> {
  const files: Record<string, Uint8Array | string> = {};
  for (const [name, text] of Object.entries(lists)) files[`HARDVS/${name}`] = text;
  for (const recording of ['action_001/dvSave-1', 'action_001/dvSave 2', 'action_002/dvSave-3'])
    for (const number of [10, 9, 100, 1])
      files[`HARDVS/rawframes/${recording}/img_${number}.png`] = await greyPng(1, 1, () => number);
  files['HARDVS/rawframes/action_002/dvSave-3/readme.txt'] = 'no picture';
  files['HARDVS/rawframes/action_002/dvSave-3/._img_1.png'] = 'what macOS leaves';
  return files;
}

const lists = {
  'train_label.txt': 'action_001/dvSave-1 4 0\nrawframes/action_002/dvSave-3 1\n',
  'test_label.txt': './action_001/dvSave 2 2\r\n\r\n',
};

async function opened(split: 'train' | 'test', given: Readonly<Record<string, string>> = lists) {
  await writeTree(folder, await layout(given));
  return openPictureFolders(folder, { split });
}

describe('folders of pictures', () => {
  it('are those of the lists, with or without the number of pictures, beside them or in rawframes', async () => {
    const training = await opened('train');
    const at = (name: string) => join(folder, 'HARDVS', 'rawframes', name);
    expect([training.sampleName(0), training.sampleName(1)]).toEqual([
      at('action_001/dvSave-1'),
      at('action_002/dvSave-3'),
    ]);
    expect([training.target(0), training.target(1)]).toEqual([0, 1]);
    expect(training.targets.classes).toEqual(['action 0', 'action 1', 'action 2']);
    expect(training.notes).toBeUndefined();
    const test = await openPictureFolders(folder, { split: ['test', 'train'] });
    expect([test.size, test.sampleName(0), test.target(0)]).toEqual([1, at('action_001/dvSave 2'), 2]);
  });

  it('have pictures in the order of their numbers, from a folder and from an archive', async () => {
    const fromFolder = await opened('train');
    const archive = join(folder, 'hardvs.tar');
    await writeFile(archive, tarOf(await layout(lists)));
    const fromArchive = await openPictureFolders(archive, { split: 'train' });
    for (const data of [fromFolder, fromArchive])
      for (const i of [0, 1]) {
        const { pictures } = await data.sample(i);
        expect(pictures.map((picture) => picture.data[0])).toEqual([1, 9, 10, 100]);
      }
    expect(fromArchive.sampleName(1)).toBe(`${archive}/HARDVS/rawframes/action_002/dvSave-3`);
  });

  it('that are missing or empty are named all at once', async () => {
    await mkdir(join(folder, 'HARDVS', 'rawframes', 'action_003', 'empty'), { recursive: true });
    const list = 'action_009/gone 0\naction_001/dvSave-1 0\naction_003/empty 12 1\naction_009/lost 7 1\n';
    await expect(opened('train', { 'train_label.txt': list })).rejects.toThrow(
      'HARDVS/train_label.txt: of its 4 folders are 2 not there: action_009/gone, action_009/lost 7; 1 without pictures: HARDVS/rawframes/action_003/empty; complete the data',
    );
  });

  it('with another number of pictures than the list says are taken, and told', async () => {
    const { notes } = await opened('train', { 'train_label.txt': 'action_001/dvSave-1 9 0\n' });
    expect(notes![0]).toContain('taken as they are: HARDVS/rawframes/action_001/dvSave-1 (4 of 9)');
  });

  it('lie below their list, which there must be for the split', async () => {
    const one = { 'train_label.txt': '../elsewhere 0\n' };
    await expect(opened('train', one)).rejects.toThrow(
      'line 1: found "../elsewhere", expected a folder below the list',
    );
    await expect(opened('test', one)).rejects.toThrow('has no test split; expected the list test_label.txt');
    rmSync(join(folder, 'HARDVS', 'train_label.txt'));
    await expect(openPictureFolders(folder, { split: 'train' })).rejects.toThrow(
      'has neither train_label.txt nor test_label.txt',
    );
    await expect(openPictureFolders(join(folder, 'nothing'), { split: 'train' })).rejects.toThrow('cannot be opened');
  });
});

describe('names with numbers', () => {
  it('are ordered as people count, whatever their zeros', () => {
    const sorted = [
      'a2',
      'a10',
      'a1',
      'b',
      'a010',
      'a',
      '10',
      '9',
      'a2b',
      '99999999999999999999',
      '100000000000000000000',
    ];
    expect([...sorted].sort(compareNatural)).toEqual([
      ...['9', '10', '99999999999999999999', '100000000000000000000', 'a', 'a1', 'a2', 'a2b', 'a010', 'a10', 'b'],
    ]);
  });
});
