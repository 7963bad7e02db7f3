/** Names of classes whose folders are WordNet numbers, by the words that Tiny-ImageNet has beside them. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDataset } from '../../src/data/datasets/openDataset.js';
import { parseWords, wordedClasses } from '../../src/data/datasets/words.js';

// Lines of Tiny-ImageNet's own file, and of ImageNet's two cranes.
const text = [
  'n02124075\tEgyptian cat',
  'n02509815\tlesser panda, red panda, panda, bear cat, cat bear, Ailurus fulgens\r',
  'n02012849\tcrane',
  'n03126707\tcrane, a machine',
  'n00000001\tcrane',
  'n02056570 king penguin, Aptenodytes patagonica',
  'something else',
  'n123\tnothing',
  'n04366367\t',
].join('\n');

describe('words', () => {
  it('are read line by line', () => {
    const words = parseWords(text);
    expect([...words.keys()]).toEqual(['n02124075', 'n02509815', 'n02012849', 'n03126707', 'n00000001', 'n02056570']);
    expect(words.get('n02509815')).toBe('lesser panda, red panda, panda, bear cat, cat bear, Ailurus fulgens');
  });

  it('name classes by the first of them, by all where two would be alike, and else not', () => {
    const folders = ['n02509815', 'n02012849', 'n03126707', 'n00000001', 'n09999999', 'dogs, all'];
    expect(wordedClasses(folders.slice(0, 5), parseWords(text))).toEqual([
      'lesser panda',
      'n02012849',
      'crane, a machine',
      'n00000001',
      'n09999999',
    ]);
    expect(wordedClasses(['dogs, all', 'a'], parseWords(text))).toEqual(['dogs, all', 'a']);
  });
});

describe('a data set with words beside its splits', () => {
  let root: string;
  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'spikeformer-words-'));
    const pixels = await sharp({ create: { width: 4, height: 4, channels: 3, background: 'red' } })
      .png()
      .toBuffer();
    for (const place of ['train/n02509815', 'train/n02124075', 'val/n02124075'])
      mkdirSync(join(root, 'pack', place), { recursive: true });
    for (const image of ['train/n02509815/1.png', 'train/n02124075/2.png', 'val/n02124075/3.png'])
      writeFileSync(join(root, 'pack', image), pixels);
    writeFileSync(join(root, 'pack', 'words.txt'), text);
    // Within the classes a file of this name means nothing.
    writeFileSync(join(root, 'pack', 'train', 'n02124075', 'words.txt'), 'n02124075\tdog');
    execFileSync('tar', ['-cf', join(root, 'pack.tar'), '-C', root, 'pack']);
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it.each(['pack', 'pack.tar'])('%s: has them as names of its classes, in the order of the folders', async (name) => {
    const training = await openDataset(join(root, name), { split: 'train' });
    expect(training.classes).toEqual(['Egyptian cat', 'lesser panda']);
    const test = await openDataset(join(root, name), { split: 'test' });
    expect(test.classes).toEqual(training.classes);
    expect([...test.targets.labels]).toEqual([0]);
  });
});
