/** NTU RGB+D from the command line: the recipe trains on made-up recordings, evaluates recordings and arrays, and answers about a recording of two bodies. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type MadeBody, ntuText } from '../support/ntuRecordings.js';
import { writeTree } from '../support/recordings.js';
import { fixture, spikeformer } from './support.js';

let folder: string;
let data: string;
let checkpoint: string;

/** Action 1: one body that walks along x. Action 50: two, one of which walks along z. */
function recording(action: number, shift: number): string {
  const frames = Array.from({ length: 14 }, (_, t): MadeBody[] => {
    const first: MadeBody = { id: '1', at: [shift + 0.1 * t, 0, 3] };
    return action === 1 ? [first] : [first, { id: '2', at: [shift + 1, 0, 3 - 0.1 * t] }];
  });
  return ntuText(frames);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spikeformer-ntu-'));
  data = join(folder, 'recordings');
  const files: Record<string, string> = {};
  for (const action of [1, 50]) {
    for (const performer of [1, 2, 3]) {
      for (const camera of [1, 2, 3])
        files[`S001C00${camera}P00${performer}R001A${String(action).padStart(3, '0')}.skeleton`] = recording(
          action,
          camera / 10,
        );
    }
  }
  await writeTree(data, files);
  const output = join(folder, 'run');
  const settings = [
    'embedDim=16',
    'depth=1',
    'epochs=1',
    'batchSize=4',
    'accumulate=1',
    'data.workers=0',
    'data.preprocessing.timeSteps=4',
  ];
  const { code, stderr } = await spikeformer([
    ...['train', '--recipe', 'ntu60', '--data', data, '--output', output],
    ...settings.flatMap((setting) => ['--set', setting]),
  ]);
  expect(code, stderr).toBe(0);
  checkpoint = join(output, 'last.safetensors');
}, 120_000);
afterAll(() => rm(folder, { recursive: true }));

describe('NTU RGB+D', () => {
  it.each([
    ['xsub', 6],
    ['xview', 6],
  ] as const)('is evaluated by the protocol %s', async (protocol, sequences) => {
    const { code, stdout, stderr } = await spikeformer([
      ...['eval', '--checkpoint', checkpoint, '--data', data, '--json', '--protocol', protocol],
    ]);
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ images: sequences, data: { noun: 'sequence', images: sequences } });
  });

  it('is evaluated from arrays', async () => {
    const arrays = fixture('skeletons', 'NTU60_CS.npz');
    const { code, stdout, stderr } = await spikeformer([
      'eval',
      '--checkpoint',
      checkpoint,
      '--data',
      arrays,
      '--json',
    ]);
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ images: 1 });
  });

  it('is refused where arrays are divided otherwise', async () => {
    const arrays = fixture('skeletons', 'NTU60_CS.npz');
    const { code, stderr } = await spikeformer([
      ...['eval', '--checkpoint', checkpoint, '--data', arrays, '--protocol', 'xview'],
    ]);
    expect([code, stderr.trim().split('\n').length]).toEqual([2, 1]);
    expect(stderr).toContain('is divided as xsub, not as xview');
  });

  it('answers about a recording: how many bodies there are, and what they do', async () => {
    const file = join(data, 'S001C001P001R001A050.skeleton');
    const { code, stdout, stderr } = await spikeformer(['predict', file, '--checkpoint', checkpoint, '--json']);
    expect([stderr, code]).toEqual(['', 0]);
    const [result] = JSON.parse(stdout).sequences;
    expect(result).toMatchObject({ sequence: file, frames: 14, bodies: 2, joints: 25 });
    expect(result.steps).toHaveLength(4);
  });

  it.each([
    ['1\nx\n', 'line 2: expected the number of bodies, found "x"'],
    ['2\n0\n0\n', 'no body was tracked in any of its 2 frames'],
  ])('is refused in a line where a file is %j', async (text, message) => {
    const file = join(folder, 'S001C001P001R001A001.skeleton');
    await writeFile(file, text);
    const { code, stderr } = await spikeformer(['predict', file, '--checkpoint', checkpoint]);
    expect([code, stderr.trim().split('\n').length]).toEqual([2, 1]);
    expect(stderr).toContain(`${file}: ${message}`);
  });
});
