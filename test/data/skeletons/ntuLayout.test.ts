/** Folders and archives of NTU RGB+D's recordings as data sets: what trains, what tests, what is left out; and arrays of the same sequences. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenSkeletonsOptions, openSkeletons } from '../../../src/data/skeletons/openSkeletons.js';
import { isRecording, sequenceOf } from '../../../src/data/skeletons/preparations.js';
import { createLoader } from '../../../src/loader/loader.js';
import { workerEntry } from '../../../src/loader/workerPool.js';
import { parseSkeletonPreprocessing } from '../../../src/modalities/skeletons/settings.js';
import { type MadeBody, ntuText } from '../../support/ntuRecordings.js';
import { tarOf, writeTree } from '../../support/recordings.js';

const frames = (count: number, bodies = 1) =>
  Array.from({ length: count }, (_, t) =>
    Array.from(
      { length: bodies },
      (_, body): MadeBody => ({ id: String(body + 1), at: [body + 0.1 * t * (body + 1), 0, 3] }),
    ),
  );

const recordings = {
  'S001C001P001R001A001.skeleton': ntuText(frames(14)),
  'S001C002P001R001A001.skeleton': ntuText(frames(15)),
  'deep/S002C003P003R001A060.skeleton': ntuText(frames(16, 2)),
  'deep/S002C001P003R002A050.skeleton': ntuText(frames(17, 2)),
  // Listed by the authors, and below beside the recordings.
  'S001C002P005R002A008.skeleton': ntuText(frames(12)),
  'S003C001P002R001A002.skeleton': ntuText([[]]),
  'my_samples_with_missing_skeletons.txt': '1 recording cannot be used:\r\nS003C001P002R001A002.skeleton\r\n',
  'notes.txt': 'S001C001P001R001A001',
};
const further = {
  'S018C001P045R001A061.skeleton': ntuText(frames(12)),
  'S019C001P045R001A061.skeleton': ntuText(frames(13)),
};

let root: string;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'spikeformer-ntu-'));
  await writeTree(join(root, 'ntu60'), recordings);
  await writeTree(join(root, 'ntu120'), { ...recordings, ...further });
  writeFileSync(join(root, 'ntu60.tar'), tarOf(recordings));
  await writeTree(join(root, 'wrong'), { 'S001C001P001R001A121.skeleton': ntuText(frames(2)) });
  await writeTree(join(root, 'nothing'), { 'a.skeleton': ntuText(frames(2)) });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function namesIn(where: string, options: OpenSkeletonsOptions) {
  const data = await openSkeletons(join(root, where), options);
  return Array.from({ length: data.size }, (_, i) => basename(data.sampleName(i)));
}

describe('recordings of NTU RGB+D as a data set', () => {
  it.each(['ntu60', 'ntu60.tar'])('of %s are divided by performers, without those that are listed', async (where) => {
    expect(await namesIn(where, { split: 'train' })).toEqual([
      'S001C001P001R001A001.skeleton',
      'S001C002P001R001A001.skeleton',
    ]);
    expect(await namesIn(where, { split: 'test' })).toEqual([
      'S002C001P003R002A050.skeleton',
      'S002C003P003R001A060.skeleton',
    ]);
    const data = await openSkeletons(join(root, where), { split: 'test' });
    expect(data.notes).toEqual([
      `${join(root, where)}: 2 of 6 recordings are left out: they are listed as having no usable skeletons`,
    ]);
    expect(data.targets).toMatchObject({ kind: 'classes', labels: Int32Array.of(49, 59) });
    expect(data.targets.classes).toHaveLength(60);
  });

  it('are divided by cameras and setups where that is asked for', async () => {
    expect(await namesIn('ntu60', { split: 'train', protocol: 'xview' })).toEqual([
      'S001C002P001R001A001.skeleton',
      'S002C003P003R001A060.skeleton',
    ]);
    expect(await namesIn('ntu120', { split: 'train', protocol: 'xset' })).toEqual([
      'S018C001P045R001A061.skeleton',
      'S002C001P003R002A050.skeleton',
      'S002C003P003R001A060.skeleton',
    ]);
  });

  it('have 120 classes where an action is beyond 60, or a protocol of 60 leaves it out', async () => {
    const all = await openSkeletons(join(root, 'ntu120'), { split: 'train' });
    expect(all.targets.classes).toHaveLength(120);
    expect(all.size).toBe(4);
    const some = await openSkeletons(join(root, 'ntu120'), { split: 'train', protocol: 'xsub' });
    expect(some.targets.classes).toHaveLength(60);
    expect(some.size).toBe(2);
    expect(some.notes?.[0]).toMatch(/2 of 8 recordings are left out: they have actions beyond the 60 of xsub$/);
  });

  it('are read as all that was tracked, whichever preparation is chosen later', async () => {
    const data = await openSkeletons(join(root, 'ntu60'), { split: 'test' });
    const sample = await data.sample(0);
    expect(isRecording(sample)).toBe(true);
    expect(sequenceOf(sample)).toMatchObject({ frames: 17, bodies: 2, joints: 25 });
    expect(sequenceOf(sample, 'agcn').positions).not.toEqual(sequenceOf(sample).positions);
  });

  it.each([
    ['wrong', { split: 'train' }, /wrong\/S001C001P001R001A121\.skeleton: names action 121; NTU RGB\+D has 1 to 120/],
    [
      'nothing',
      { split: 'train' },
      /nothing: holds no sequences of skeletons that are known; expected those of NW-UCLA, .* or of NTU RGB\+D/,
    ],
    [
      'ntu60',
      { split: 'train', protocol: 'crossView' },
      /ntu60: holds NTU RGB\+D, which has no protocol crossView; take xsub or xview/,
    ],
    ['ntu60.npz', { split: 'train' }, /ntu60\.npz: cannot/],
  ] as const)('say what is wrong with %s', async (where, options, message) => {
    await expect(openSkeletons(join(root, where), options)).rejects.toThrow(message);
  });

  it('say which recordings there are where a protocol has none for a split', async () => {
    await writeTree(join(root, 'one'), { 'S001C001P001R001A001.skeleton': ntuText(frames(3)) });
    await expect(openSkeletons(join(root, 'one'), { split: 'test' })).rejects.toThrow(
      /one: has no recordings that xsub tests on \(usable: S001C001P001R001A001\)/,
    );
    expect((await openSkeletons(join(root, 'one'), { split: ['test', 'train'] })).size).toBe(1);
  });
});

const preprocessing = parseSkeletonPreprocessing({ skeleton: 'kinect25', bodies: 2, timeSteps: 4 });

async function batchOf(path: string, workers = 0, more = {}): Promise<number[]> {
  const data = await openSkeletons(path, { split: 'test' });
  const settings = { ...preprocessing, ...more };
  const loader = createLoader(data, { batchSize: 1, workers, shuffle: false, preprocessing: settings });
  const batches = [];
  for await (const batch of loader.epoch(0)) batches.push(batch);
  await loader.close();
  return [...batches[0]!.input];
}

describe('recordings and arrays as batches', () => {
  it('are prepared as the settings say', async () => {
    const [ctrgcn, agcn] = [
      await batchOf(join(root, 'ntu60')),
      await batchOf(join(root, 'ntu60'), 0, { preparation: 'agcn' }),
    ];
    expect(ctrgcn).toHaveLength(4 * 3 * 50);
    expect(agcn).not.toEqual(ctrgcn);
    // The middle of the spine of the first body: the origin of every frame, or of the first one.
    const spine = (batch: readonly number[]) => [0, 1, 2, 3].map((frame) => Math.abs(batch[frame * 150 + 1]!));
    expect(Math.max(...spine(agcn))).toBeLessThan(1e-6);
    expect(Math.max(...spine(ctrgcn))).toBeGreaterThan(0.5);
  });

  const arrays = fileURLToPath(new URL('../../fixtures/skeletons/NTU60_CS.npz', import.meta.url));
  it('are the same in threads (skipped without dist)', async (context) => {
    if (workerEntry() === undefined) return context.skip();
    expect(await batchOf(arrays, 1)).toEqual(await batchOf(arrays));
  });

  it('are the joints of the arrays, without padding', async () => {
    // Two frames become four: the first and the last are held. Axis a of joint j of frame t is 5 + t + j / 32 + a / 128.
    const batch = await batchOf(arrays);
    expect([batch[0], batch[150], batch[300], batch[450]]).toEqual([5, 5.25, 5.75, 6]);
    expect(batch.slice(25, 50)).toEqual(Array(25).fill(0));
  });
});
