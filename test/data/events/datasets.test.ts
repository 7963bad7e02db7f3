/** Sets of recordings in the layouts in which they are published: made here in folders and archives, split and ordered as they say. */
import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type OpenRecordingsOptions, openRecordings } from '../../../src/data/events/datasets/openRecordings.js';
import type { LabelledRecordings } from '../../../src/data/events/recordings.js';
import { sharedPath } from '../../shared.js';
import { nmnistBytes, tarOf, walk, writeTree } from '../../support/recordings.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'spikeformer-recordings-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

type Files = Readonly<Record<string, Uint8Array | string>>;

/** The same files from a folder and from an archive: both must say the same, whatever order files come in. */
async function openBoth(files: Files, options: OpenRecordingsOptions): Promise<LabelledRecordings> {
  const root = join(folder, 'set');
  await writeTree(root, files);
  await writeFile(`${root}.tar`, tarOf(Object.fromEntries(Object.entries(files).reverse())));
  const [unpacked, packed] = [await openRecordings(root, options), await openRecordings(`${root}.tar`, options)];
  expect(contents(packed, `${root}.tar/`)).toEqual(contents(unpacked, `${root}/`));
  for (let i = 0; i < unpacked.size; i++) {
    const [a, b] = [await unpacked.sample(i), await packed.sample(i)];
    expect([...b.t.subarray(0, b.length)]).toEqual([...a.t.subarray(0, a.length)]);
  }
  return unpacked;
}

function contents(data: LabelledRecordings, root: string): string[] {
  return Array.from(
    { length: data.size },
    (_, i) => `${data.sampleName(i).replace(root, '')}: ${data.targets.classes[data.target(i)]}`,
  );
}

const recording = (label: number, number: number) => nmnistBytes(walk(label % 2, number));
const listed = (data: LabelledRecordings) => contents(data, `${join(folder, 'set')}/`);

describe('N-MNIST', () => {
  const files = {
    'N-MNIST/Train/1/00010.bin': recording(1, 2),
    'N-MNIST/Train/0/00002.bin': recording(0, 1),
    'N-MNIST/Train/1/00003.bin': recording(1, 3),
    'N-MNIST/Test/1/00001.bin': recording(1, 4),
    'N-MNIST/Readme.txt': 'about',
  };

  it('is split as published, a class for each folder', async () => {
    const training = await openBoth(files, { split: 'train' });
    expect(listed(training)).toEqual([
      'N-MNIST/Train/0/00002.bin: 0',
      'N-MNIST/Train/1/00003.bin: 1',
      'N-MNIST/Train/1/00010.bin: 1',
    ]);
    const test = await openBoth(files, { split: 'test' });
    expect(listed(test)).toEqual(['N-MNIST/Test/1/00001.bin: 1']);
    expect(test.targets.classes).toEqual(['0', '1']);
  });

  it('of which a list names recordings and classes has these', async () => {
    const small = {
      'small/train/00002.bin': recording(0, 1),
      'small/train/00001.bin': recording(1, 1),
      'small/test/60001.bin': recording(0, 2),
      'small/train.txt': '00001\t10\n00002\t9\n',
      'small/test.txt': '60001\t9\n',
    };
    const training = await openBoth(small, { split: 'train' });
    expect(training.targets.classes).toEqual(['9', '10']);
    expect(listed(training)).toEqual(['small/train/00001.bin: 10', 'small/train/00002.bin: 9']);
    const test = await openBoth(small, { split: 'test' });
    expect(listed(test)).toEqual(['small/test/60001.bin: 9']);
    await expect(openBoth({ ...small, 'small/train.txt': '00007\t1\n' }, { split: 'train' })).rejects.toThrow(
      'small/train.txt: line 1: there is no recording 00007 in small/train/',
    );
    await expect(openBoth({ ...small, 'small/test.txt': '60001\t4\n' }, { split: 'test' })).rejects.toThrow(
      'the class "4" is in no line of small/train.txt',
    );
  });

  it('small, as it is shared, has its thousand recordings (skipped without shared files)', async (context) => {
    const path = sharedPath('data', 'nmnist-small.tar.gz');
    if (path === undefined) return context.skip();
    const training = await openRecordings(path, { split: 'train' });
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < training.size; i++) counts[training.target(i)]! += 1;
    // As its README says.
    expect(counts).toEqual([97, 116, 99, 93, 105, 92, 94, 117, 87, 100]);
    expect((await openRecordings(path, { split: 'test' })).size).toBe(40);
  });
});

describe('sets without a published split', () => {
  it('CIFAR10-DVS gets one by the numbers of its recordings, and says so', async () => {
    const classes = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];
    const files = Object.fromEntries(
      classes.flatMap((name) =>
        Array.from({ length: 10 }, (_, i) => [`${name}/cifar10_${name}_${i * 3}.bin`, recording(0, i)]),
      ),
    );
    const test = await openBoth(files, { split: 'test' });
    expect(listed(test)).toEqual(classes.map((name) => `${name}/cifar10_${name}_27.bin: ${name}`));
    expect(test.notes![0]).toContain('CIFAR10-DVS is published without a split');
    expect((await openBoth(files, { split: 'train' })).size).toBe(90);
  });

  it('N-Caltech101 leaves its background out', async () => {
    const classes = Array.from({ length: 101 }, (_, i) => (i === 0 ? 'BACKGROUND_Google' : `class${1000 + i}`));
    const files = Object.fromEntries(
      classes.flatMap((name) => [1, 2].map((i) => [`Caltech101/${name}/image_000${i}.bin`, recording(0, i)])),
    );
    const training = await openRecordings(await folderOf(files), { split: 'train' });
    expect(training.targets.classes).toHaveLength(100);
    expect(training.notes![0]).toContain('without BACKGROUND_Google');
  });

  it('others are all for training, and for evaluation where nothing else is there', async () => {
    const files = { 'cup/1.bin': recording(0, 1), 'pen/1.bin': recording(1, 1) };
    expect(listed(await openBoth(files, { split: 'train' }))).toEqual(['cup/1.bin: cup', 'pen/1.bin: pen']);
    expect((await openBoth(files, { split: ['test', 'train'] })).size).toBe(2);
  });
});

async function folderOf(files: Files): Promise<string> {
  await writeTree(join(folder, 'set'), files);
  return join(folder, 'set');
}

describe('DVS128 Gesture', () => {
  const files = {
    'DvsGesture/user01_led.aedat': recording(0, 1),
    'DvsGesture/user01_led_labels.csv': 'class,startTime_usec,endTime_usec\n2,1001,11001\n11,20001,30001\n',
    'DvsGesture/user24_lab.aedat': recording(1, 2),
    'DvsGesture/user24_lab_labels.csv': 'class,startTime_usec,endTime_usec\n1,2,5002\n',
    'DvsGesture/trials_to_train.txt': 'user01_led.aedat\n',
    'DvsGesture/trials_to_test.txt': 'user24_lab.aedat\n',
  };

  it('is cut as its tables say, classes counted from 1', async () => {
    const training = await openRecordings(await folderOf(files), { split: 'train' });
    expect(listed(training)).toEqual([
      'DvsGesture/user01_led.aedat 0.001001-0.011001 s: right_hand_wave',
      'DvsGesture/user01_led.aedat 0.020001-0.030001 s: other_gestures',
    ]);
    expect(training.targets.classes).toHaveLength(11);
  });

  it('has the events of each gesture (recordings in the format of another set, to be small)', async () => {
    const renamed = Object.fromEntries(Object.entries(files).map(([name, content]) => [name, content]));
    const data = await openRecordings(await folderOf(renamed), { split: 'test' });
    expect(data.size).toBe(1);
  });

  it('says in which line a table is wrong', async () => {
    const wrong = { ...files, 'DvsGesture/user01_led_labels.csv': 'class,startTime_usec,endTime_usec\n12,1,2\n' };
    await expect(openRecordings(await folderOf(wrong), { split: 'train' })).rejects.toThrow(
      'user01_led_labels.csv: line 2: found "12,1,2", expected a class from 1 to 11',
    );
    const gone = { ...files, 'DvsGesture/trials_to_train.txt': 'user02_led.aedat\n' };
    await expect(openRecordings(await folderOf(gone), { split: 'train' })).rejects.toThrow(
      'trials_to_train.txt: line 1: there is no recording user02_led.aedat',
    );
  });
});

describe('long recordings', () => {
  const files = {
    'index.json': JSON.stringify({
      'train/mug.bin': { class: 'mug', seconds: 0.039 },
      'train/box.bin': { class: 'box' },
      'test/mug.bin': { class: 'mug' },
    }),
    'train/mug.bin': recording(0, 1),
    'train/box.bin': recording(1, 2),
    'test/mug.bin': recording(0, 3),
  };

  it('that an index names are cut into clips of one length; what is left at the end is not used', async () => {
    const training = await openBoth(files, { split: 'train', clip: 0.01 });
    expect(training.targets.classes).toEqual(['box', 'mug']);
    // 39 ms from the first to the last event: three clips, and 9 ms that are left.
    expect(listed(training).filter((name) => name.endsWith('mug'))).toEqual([
      'train/mug.bin 0.000001-0.010001 s: mug',
      'train/mug.bin 0.010001-0.020001 s: mug',
      'train/mug.bin 0.020001-0.030001 s: mug',
    ]);
    const { t, length } = await training.sample(4);
    expect([...t.subarray(0, length)]).toEqual(Array.from({ length: 10 }, (_, i) => 10_001 + 1000 * i));
    await expect(openBoth(files, { split: 'train', clip: 5 })).rejects.toThrow(
      'no recording is as long as a clip of 5 s',
    );
  });

  it('of dvs-objects give the clips that its README counts (skipped without shared files)', async (context) => {
    const path = sharedPath('data', 'dvs-objects.tar.gz');
    if (path === undefined) return context.skip();
    expect((await openRecordings(path, { split: 'train', clip: 0.5 })).size).toBe(235);
    expect((await openRecordings(path, { split: 'test', clip: 0.5 })).size).toBe(85);
  });
});

describe('what is no set of recordings', () => {
  it('is refused in one line that says what was expected', async () => {
    await expect(openRecordings(await folderOf({ 'a/readme.md': 'hello' }), { split: 'train' })).rejects.toThrow(
      'holds no recordings of events in a layout that is known; expected train/<class>/<recording>, or',
    );
    await expect(openRecordings(join(folder, 'nothing'), { split: 'train' })).rejects.toThrow('cannot be opened');
    const files = {
      'train/a/1.bin': recording(0, 1),
      'test/a/1.bin': recording(0, 1),
      'test/b/1.bin': recording(1, 1),
    };
    await expect(openRecordings(await folderOf(files), { split: 'test' })).rejects.toThrow(
      'the classes b are in the test split but not in the training split',
    );
  });
});

describe('HARDVS', () => {
  const files = {
    'HARDVS/train_label.txt': 'rawevents/walk/a 1.bin 1\nrawevents/run/b 0\n',
    'HARDVS/test_label.txt': 'rawevents/run/c.bin 2\n',
    'HARDVS/rawevents/walk/a 1.bin': recording(1, 1),
    'HARDVS/rawevents/run/b/events.bin': recording(0, 2),
    'HARDVS/rawevents/run/c.bin': recording(0, 3),
    'HARDVS/rawframes/run/b/0001.png': 'a picture',
  };

  it('is split as its lists say, classes by number', async () => {
    const training = await openBoth(files, { split: 'train' });
    expect(listed(training)).toEqual([
      'HARDVS/rawevents/walk/a 1.bin: action 1',
      'HARDVS/rawevents/run/b/events.bin: action 0',
    ]);
    expect(training.targets.classes).toEqual(['action 0', 'action 1', 'action 2']);
    expect(listed(await openBoth(files, { split: 'test' }))).toEqual(['HARDVS/rawevents/run/c.bin: action 2']);
  });

  it('refuses folders of pictures, and what is not there', async () => {
    const open = async (line: string) =>
      openRecordings(await folderOf({ ...files, 'HARDVS/train_label.txt': line }), { split: 'train' });
    await expect(open('rawframes/run/b 0')).rejects.toThrow(
      'HARDVS/rawframes/run/b holds pictures, recordings of events were expected; pictures are read with data.modality=eventPictures',
    );
    await expect(open('rawevents/run/d 0')).rejects.toThrow('line 1: there is no recording HARDVS/rawevents/run/d');
    await expect(open('nothing')).rejects.toThrow('found "nothing", expected the path of a recording and its class');
  });
});
