/** `predict` on sequences of skeletons with pictures of them: which files there are, what they show, and that they change nothing else. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { axes, type SkeletonSequence } from '../../src/data/skeletons/skeletonSequence.js';
import { madeUpWalk } from '../support/madeUpWalk.js';
import { elementsOf, parseXml } from '../support/xml.js';
import { checkpoint as photographs, spikeformer, temporaryFolder } from './support.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let checkpoint: string;
const at = (...parts: string[]) => join(folder.path, ...parts);

/** A sequence of one body as NW-UCLA's files have it. */
function nwUcla({ frames, joints, positions }: SkeletonSequence): string {
  const skeletons = Array.from({ length: frames }, (_, frame) =>
    Array.from({ length: joints }, (_, joint) => {
      const start = (frame * joints + joint) * axes;
      return [...positions.subarray(start, start + axes)];
    }),
  );
  return JSON.stringify({ file_name: 'made up', label: 1, skeletons });
}

beforeAll(async () => {
  folder = await temporaryFolder();
  await mkdir(at('data'));
  for (const action of ['a04', 'a06']) {
    for (const take of [0, 1]) {
      const walk = madeUpWalk({ frames: 12 + 4 * take + (action === 'a06' ? 6 : 0) });
      await writeFile(at('data', `${action}_s01_e0${take}_v01.json`), nwUcla(walk));
    }
  }
  await writeFile(at('walk & wave.json'), nwUcla(madeUpWalk({ frames: 45 })));
  await writeFile(at('moment.json'), nwUcla(madeUpWalk({ frames: 1 })));
  const settings = [
    'embedDim=16',
    'depth=1',
    'epochs=1',
    'batchSize=2',
    'data.workers=0',
    'data.preprocessing.timeSteps=4',
  ];
  const { code } = await spikeformer([
    ...['train', '--recipe', 'nw-ucla', '--data', at('data'), '--output', at('run')],
    ...settings.flatMap((setting) => ['--set', setting]),
  ]);
  expect(code).toBe(0);
  checkpoint = at('run', 'last.safetensors');
}, 120_000);
afterAll(() => folder.remove());

async function predicted(...args: string[]) {
  const { code, stdout, stderr } = await spikeformer([
    'predict',
    ...args,
    '--checkpoint',
    checkpoint,
    '--no-details',
    '--json',
  ]);
  expect([stderr, code]).toEqual(['', 0]);
  const { sequences } = JSON.parse(stdout);
  return sequences as { milliseconds: object; predictions: Named[]; steps: { predictions: Named[] }[] }[];
}

interface Named {
  readonly label: string;
  readonly probability: number;
}

const drawn = async (...parts: string[]) => parseXml(await readFile(at(...parts), 'utf8'));

describe('predict of a sequence of skeletons', () => {
  it('says what the network did: joints are places in a row', async () => {
    const args = ['predict', at('moment.json'), '--checkpoint', checkpoint];
    const details: { input: number[]; stages: { neurons: number; shape: number[] }[] } = JSON.parse(
      (await spikeformer([...args, '--json'])).stdout,
    ).details;
    expect(details.input).toEqual([4, 1, 35, 20]);
    expect(details.stages.at(-2)!.shape).toEqual([4, 1, 16, 1, 20]);
    // For each of 20 joints in the one block of 16 channels those before and in the attention (5 · 16) and in the MLP (16 + 32), and 16 before the classifier.
    expect(details.stages.reduce((sum, { neurons }) => sum + neurons, 0)).toBe(20 * (5 * 16 + 48) + 16);
    expect((await spikeformer(args)).stdout).toMatch(/^input +\[4, 1, 35, 1, 20\] +frames/m);
  });
});

describe('predict --draw of a sequence of skeletons', () => {
  it('writes it moving, with what --json says of each step, which stays as it is', async () => {
    const file = at('walk & wave.json');
    const [result] = await predicted(file, '--draw', at('moving'));
    const [plain] = await predicted(file);
    expect({ ...result, milliseconds: {} }).toEqual({ ...plain, milliseconds: {} });
    expect(await readdir(at('moving'))).toEqual(['walk _ wave.svg']);
    const root = await drawn('moving', 'walk _ wave.svg');
    const said = elementsOf(root, 'text').filter((element) => element.attributes['font-size'] === '16');
    const words = ({ predictions: [best] }: { predictions: Named[] }) =>
      `${best!.label} ${Math.round(100 * best!.probability)} %`;
    expect(said.map(({ text }) => text)).toEqual(result!.steps.map(words));
    expect(root.children[0]!.text).toBe(`walk & wave.json: ${words(result!).replace(/ (\d+ %)$/, ', $1')}`);
    // 45 frames of a sensor of 30 a second, and four steps of equal length.
    const [motion] = elementsOf(root, 'animate').filter(({ attributes }) => attributes.attributeName === 'd');
    expect(motion!.attributes.dur).toBe('1.5s');
    const [second] = elementsOf(said[1]!, 'animate');
    expect(second!.attributes.keyTimes).toBe('0;0.25;0.5');
  });

  it('draws without --json as with it, whatever is named of the answer', async () => {
    const file = at('walk & wave.json');
    const args = ['predict', file, '--checkpoint', checkpoint, '--no-details', '--top', '1', '--threshold', '1'];
    const { code, stdout } = await spikeformer([...args, '--draw', at('text')]);
    expect([code, stdout]).toEqual([0, expect.stringContaining('walk & wave.json')]);
    expect(await readFile(at('text', 'walk _ wave.svg'), 'utf8')).toBe(
      await readFile(at('moving', 'walk _ wave.svg'), 'utf8'),
    );
  });

  it('writes still moments when asked, and takes a sequence of one frame', async () => {
    await predicted(at('walk & wave.json'), at('moment.json'), '--draw', at('still'), '--draw-as', 'strip');
    expect((await readdir(at('still'))).sort()).toEqual(['moment.svg', 'walk _ wave.svg']);
    const strip = await drawn('still', 'walk _ wave.svg');
    expect(elementsOf(strip, 'animate')).toEqual([]);
    expect(elementsOf(strip, 'text').filter(({ text }) => text.endsWith(' s'))).toHaveLength(8);
    const moment = await drawn('still', 'moment.svg');
    expect(elementsOf(moment, 'text').filter(({ text }) => text.endsWith(' s'))).toHaveLength(1);
  });

  it.each([
    [['--draw-as', 'strip'], 'spikeformer: --draw-as: says how --draw draws; give both'],
    [['--draw', 'x', '--draw-as', 'film'], 'spikeformer: --draw-as: found "film", expected animation or strip'],
  ])('refuses %j in a line', async (more, message) => {
    const { code, stdout, stderr } = await spikeformer([
      'predict',
      at('moment.json'),
      '--checkpoint',
      checkpoint,
      ...more,
    ]);
    expect([code, stdout, stderr]).toEqual([2, '', `${message}; see spikeformer predict --help\n`]);
  });

  it('has no other forms for images', async () => {
    const args = ['predict', 'cat.png', '--checkpoint', photographs, '--draw', at('images'), '--draw-as', 'strip'];
    const { code, stderr } = await spikeformer(args);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^spikeformer: --draw-as: says nothing to a model of images; leave it out; see [^\n]+\n$/m);
  });
});
