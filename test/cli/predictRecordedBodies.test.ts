/** `predict` and `eval` on recordings of NTU RGB+D, made up: two bodies, one that is away for a while, and files that nobody can use. */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drawSequence } from '../../src/cli/sequenceDrawings.js';
import { parseNtuText } from '../../src/data/skeletons/ntuText.js';
import { preparationNames } from '../../src/data/skeletons/preparations.js';
import { prepareCtrgcn } from '../../src/data/skeletons/prepareCtrgcn.js';
import { modalityNamed } from '../../src/modalities/registry.js';
import { parseSkeletonPreprocessing } from '../../src/modalities/skeletons/settings.js';
import { madeUpWalk, walkAsNtu } from '../support/madeUpWalk.js';
import { type Element, elementsOf, parseXml } from '../support/xml.js';
import { plant, spikeformer, temporaryFolder } from './support.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let checkpoint: string;
const at = (...parts: string[]) => join(folder.path, ...parts);

const two = madeUpWalk({ frames: 30, bodies: 2 });
const late = madeUpWalk({ frames: 30, bodies: 2, missing: (frame, body) => body === 1 && frame < 10 });
/** Line 60 of the recording, which is the 3rd joint of the second frame's first body. */
const broken = walkAsNtu(late)
  .split('\n')
  .map((line, i) => (i === 59 ? line.replace(/^\S+/, 'left') : line))
  .join('\n');

beforeAll(async () => {
  folder = await temporaryFolder();
  // X-Sub trains on performers 1 and 2 and tests on 3.
  const names = ['P001R001A001', 'P002R001A002', 'P001R001A050', 'P002R001A050', 'P003R001A050', 'P003R002A050'];
  const files = names.map((name, i) => [`S001C001${name}.skeleton`, walkAsNtu(i % 2 === 0 ? two : late)] as const);
  await plant(at('data'), Object.fromEntries(files));
  await plant(folder.path, { 'two.skeleton': walkAsNtu(two), 'late.skeleton': walkAsNtu(late) });
  await plant(folder.path, { 'empty.skeleton': '', 'broken.skeleton': broken });
  const settings = [
    'embedDim=16',
    'depth=1',
    'epochs=1',
    'batchSize=2',
    'accumulate=1',
    'data.workers=0',
    'data.preprocessing.timeSteps=4',
  ];
  const { code } = await spikeformer([
    ...['train', '--recipe', 'ntu60', '--data', at('data'), '--output', at('run')],
    ...settings.flatMap((setting) => ['--set', setting]),
  ]);
  expect(code).toBe(0);
  checkpoint = at('run', 'last.safetensors');
}, 120_000);
afterAll(() => folder.remove());

const drawn = async (...parts: string[]) => parseXml(await readFile(at(...parts), 'utf8'));
const presences = (root: Element) =>
  elementsOf(root, 'animate').filter(
    ({ attributes }) => attributes.attributeName === 'visibility' && attributes.values!.startsWith('hidden'),
  );
const bodiesOf = (root: Element) =>
  [0, 1].map((shade) => elementsOf(root, 'path').some(({ attributes }) => attributes.class === `left${shade}`));

describe('predict on a recording of several bodies', () => {
  it('answers, and draws both', async () => {
    const args = [
      'predict',
      at('two.skeleton'),
      at('late.skeleton'),
      '--checkpoint',
      checkpoint,
      '--no-details',
      '--json',
    ];
    const { code, stdout, stderr } = await spikeformer([...args, '--draw', at('pictures')]);
    expect([stderr, code]).toEqual(['', 0]);
    const { sequences } = JSON.parse(stdout);
    for (const sequence of sequences) expect(sequence).toMatchObject({ frames: 30, bodies: 2, joints: 25 });
    for (const name of ['two.svg', 'late.svg']) expect(bodiesOf(await drawn('pictures', name))).toEqual([true, true]);
  });

  it('does not draw a body before it comes', async () => {
    const groups = (root: Element) =>
      elementsOf(root, 'g').filter(({ children }) => children.some(({ name }) => name === 'animate'));
    expect(groups(await drawn('pictures', 'two.svg'))).toEqual([]);
    const [group] = groups(await drawn('pictures', 'late.svg'));
    expect(presences(group!)[0]!.attributes).toMatchObject({ values: 'hidden;visible', keyTimes: '0;0.33333' });
  });

  it.each(preparationNames)('shows bodies upright, as they were recorded, whatever %s makes of them', (preparation) => {
    const preprocessing = parseSkeletonPreprocessing(
      { skeleton: 'kinect25', bodies: 2, timeSteps: 4, preparation },
      'test',
    );
    const recording = parseNtuText(new TextEncoder().encode(walkAsNtu(two)), 'two');
    const root = parseXml(drawSequence(recording, { form: 'animation', preprocessing, leading: [] }));
    for (const shade of [0, 1]) {
      const paths = elementsOf(root, 'path').filter(({ attributes }) => attributes.class === `middle${shade}`);
      const head = /^M(\S+) (\S+)h0$/.exec(paths.at(-1)!.attributes.d!)!;
      const feet = elementsOf(root, 'path').filter(
        ({ attributes }) => /^(left|right)/.test(attributes.class ?? '') && attributes.class!.endsWith(String(shade)),
      );
      const heights = feet.flatMap(({ attributes }) =>
        [...attributes.d!.matchAll(/[\d.]+ ([\d.]+)/g)].map(([, y]) => Number(y)),
      );
      // Of 312 units for 1.7 m.
      expect(Math.max(...heights) - Number(head[2])).toBeGreaterThan(200);
    }
  });
});

describe('the still picture of a recording', () => {
  it('is there for bodies that one preparation takes for noise and another does not', () => {
    const brief = madeUpWalk({ frames: 8, bodies: 2 });
    const recording = parseNtuText(new TextEncoder().encode(walkAsNtu(brief)), 'brief');
    expect(() => prepareCtrgcn(recording)).toThrow('prepare it as agcn does');
    const { data } = modalityNamed('skeletons').picture(recording);
    expect(data.filter((value) => value < 128).length).toBeGreaterThan(100);
  });
});

describe.each([
  ['empty.skeleton', /^spikeformer: \S+empty\.skeleton: is empty; [^\n]+\n$/],
  ['broken.skeleton', /^spikeformer: \S+broken\.skeleton: line 60: [^\n]+\n$/],
])('%s', (name, message) => {
  it('is refused by predict in a line, and the others are answered', async () => {
    const alone = await spikeformer(['predict', at(name), '--checkpoint', checkpoint, '--json']);
    expect([alone.code, alone.stdout]).toEqual([2, '']);
    expect(alone.stderr).toMatch(message);
    const { code, stdout, stderr } = await spikeformer([
      'predict',
      at(name),
      at('two.skeleton'),
      '--checkpoint',
      checkpoint,
      '--json',
    ]);
    expect([code, stderr]).toEqual([2, alone.stderr]);
    const document = JSON.parse(stdout);
    expect(document.sequences).toHaveLength(1);
    // Two bodies of 25 joints; see predictSkeleton.test.ts.
    const neurons = (document.details.stages as { neurons: number }[]).reduce((sum, stage) => sum + stage.neurons, 0);
    expect(neurons).toBe(2 * (25 * (5 * 16 + 48) + 16));
    expect(document.errors).toEqual([{ sequence: at(name), message: expect.stringContaining(name) }]);
  });

  it('is refused by eval in a line', async () => {
    const damaged = 'S001C001P003R001A001.skeleton';
    await mkdir(at(`data-${name}`));
    await plant(at(`data-${name}`), {
      [damaged]: await readFile(at(name), 'utf8'),
      'S001C001P003R001A050.skeleton': walkAsNtu(two),
    });
    const { code, stdout, stderr } = await spikeformer([
      'eval',
      '--checkpoint',
      checkpoint,
      '--data',
      at(`data-${name}`),
      '--json',
    ]);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(
      new RegExp(
        `^spikeformer: \\S+${damaged.replace('.', '\\.')}: (is empty|line 60): ?[^\\n]*\\n$|${damaged}: is empty; [^\\n]+\\n$`,
      ),
    );
  });
});

describe('eval', () => {
  it('takes recordings of two bodies, and those in which one is away', async () => {
    const { code, stdout } = await spikeformer(['eval', '--checkpoint', checkpoint, '--data', at('data'), '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ images: 2 });
  });
});
