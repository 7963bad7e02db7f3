/** Sequences of skeletons from the command line: trained on, evaluated by each protocol, and asked about, on made-up sequences in the files of NW-UCLA. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/random.js';
import { spikeformer } from './support.js';

let folder: string;
let data: string;
let checkpoint: string;
let bones: string;

/** A body that raises its right hand (action 1) or steps aside (action 2), 9 frames. */
function frames(action: number, seed: number): number[][][] {
  const random = seededRandom(seed);
  return Array.from({ length: 9 }, (_, frame) =>
    Array.from({ length: 20 }, (_, joint) => {
      const [raised, aside] = action === 1 ? [joint === 11 ? frame / 8 : 0, 0] : [0, frame / 8];
      return [joint / 20 + aside, 1.5 - joint / 15 + raised, 2 + (joint % 3) / 10].map(
        (x) => x + 0.01 * random.normal(),
      );
    }),
  );
}

/** The last weights of a short training. */
async function trained(name: string, ...more: string[]): Promise<string> {
  const output = join(folder, name);
  const settings = [
    'embedDim=16',
    'depth=1',
    'batchSize=8',
    'data.workers=0',
    'data.preprocessing.timeSteps=4',
    ...more,
  ];
  const { code, stderr } = await spikeformer([
    ...['train', '--recipe', 'nw-ucla', '--data', data, '--output', output],
    ...settings.flatMap((setting) => ['--set', setting]),
  ]);
  expect(code, stderr).toBe(0);
  return join(output, 'last.safetensors');
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spikeformer-skeletons-'));
  data = join(folder, 'sequences');
  await mkdir(data);
  for (const action of [1, 2]) {
    for (const take of [0, 1, 2, 3]) {
      for (const view of [1, 2, 3]) {
        // The first take of the third view is the second view's, value for value.
        const seed = take === 0 && view === 3 ? 100 * action + 2 : 100 * action + 10 * take + view;
        const name = `a0${action}_s01_e0${take}_v0${view}`;
        const document = { file_name: name, label: action, skeletons: frames(action, seed) };
        await writeFile(join(data, `${name}.json`), JSON.stringify(document));
      }
    }
  }
  checkpoint = await trained('joints', 'epochs=2');
  bones = await trained('bones', 'epochs=1', 'data.preprocessing.features=["bone","identity"]');
}, 120_000);
afterAll(() => rm(folder, { recursive: true }));

describe('sequences of skeletons', () => {
  it.each([
    ['crossView', 8],
    ['crossViewUnleaked', 6],
    ['crossViewClean', 8],
  ] as const)('are evaluated by the protocol %s', async (protocol, sequences) => {
    const { code, stdout } = await spikeformer([
      ...['eval', '--checkpoint', checkpoint, '--data', data, '--json', '--protocol', protocol],
    ]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ images: sequences, data: { noun: 'sequence', images: sequences } });
  });

  it('refuse a protocol that there is not', async () => {
    const { code, stderr } = await spikeformer(['eval', '--checkpoint', checkpoint, '--data', data, '--protocol', 'x']);
    expect([code, stderr.trim().split('\n').length]).toEqual([2, 1]);
    expect(stderr).toContain('--protocol');
  });

  it('are asked about one by one, the decision after every step beside the answer', async () => {
    const file = join(data, 'a02_s01_e03_v03.json');
    const { code, stdout, stderr } = await spikeformer(['predict', file, '--checkpoint', checkpoint, '--json']);
    expect([stderr, code]).toEqual(['', 0]);
    const [result] = JSON.parse(stdout).sequences;
    expect(result).toMatchObject({ sequence: file, frames: 9, bodies: 1, joints: 20 });
    expect(result.predictions[0].label).toMatch(/[a-z]/);
    expect(result.steps).toHaveLength(4);
    expect(result.steps[3].predictions).toEqual(result.predictions);
  });

  it.each([
    ['', 'is empty'],
    ['{"skeletons": [[', 'is no JSON'],
    ['{"skeletons": []}', 'has no frames'],
    ['{"label": 1}', 'has no list "skeletons"'],
    ['{"skeletons": [[[1, 2, 3]]]}', 'frame 0: 1 joints, expected 20'],
    [
      `{"skeletons": [[${Array(20).fill('[1, 2, 1e999]').join(',')}]]}`,
      'frame 0: joint 0 has a coordinate that is no finite number',
    ],
    [`{"skeletons": [[${Array(20).fill('[1, 2]').join(',')}]]}`, 'frame 0: joint 0 is not [x, y, z]'],
  ])('are refused in a line where a file is %.40s', async (text, message) => {
    const file = join(folder, 'a01_s01_e00_v03.json');
    await writeFile(file, text);
    const { code, stderr } = await spikeformer(['predict', file, '--checkpoint', checkpoint]);
    expect([code, stderr.trim().split('\n').length]).toEqual([2, 1]);
    expect(stderr).toContain(`${file}: `);
    expect(stderr).toContain(message);
  });

  it('are judged by several networks together: the mean of their probabilities', async () => {
    interface Said {
      readonly sequence: string;
      readonly predictions: readonly { readonly label: string; readonly probability: number }[];
    }
    const files = ['a01', 'a02'].flatMap((action) =>
      [0, 1, 2, 3].map((take) => join(data, `${action}_s01_e0${take}_v03.json`)),
    );
    const of = async (model: string): Promise<readonly Said[]> => {
      const { stdout } = await spikeformer(['predict', ...files, '--checkpoint', model, '--top', '10', '--json']);
      return JSON.parse(stdout).sequences;
    };
    const [first, second] = [await of(checkpoint), await of(bones)];
    const labels = first[0]!.predictions.map(({ label }) => label);
    const right = files.filter((file, i) => {
      const probability = (said: Said, label: string) =>
        said.predictions.find((one) => one.label === label)!.probability;
      const means = labels.map((label) => ({
        label,
        mean: probability(first[i]!, label) + probability(second[i]!, label),
      }));
      const best = means.reduce((a, b) => (b.mean > a.mean ? b : a));
      return best.label === (file.includes('a01') ? 'pick up with one hand' : 'pick up with two hands');
    });
    const { stdout, code } = await spikeformer([
      ...['eval', '--checkpoint', checkpoint, '--ensemble', bones, '--data', data, '--json'],
    ]);
    expect(code).toBe(0);
    const document = JSON.parse(stdout);
    expect(document.top1.correct).toBe(right.length);
    expect(document.model.ensemble).toMatchObject([{ fingerprint: expect.stringContaining('sha256:') }]);
    const other = await spikeformer([
      'eval',
      '--checkpoint',
      checkpoint,
      '--ensemble',
      join(folder, 'none'),
      '--data',
      data,
    ]);
    expect([other.code, other.stderr.trim().split('\n').length]).toEqual([2, 1]);
  });

  it('are named in the description of what was learnt', async () => {
    const { stdout } = await spikeformer(['info', '--checkpoint', checkpoint, '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ modality: 'skeletons', configuration: { joints: 20, bodies: 1 } });
    expect(await readFile(checkpoint, 'latin1')).toContain('skeletons');
  });
});
