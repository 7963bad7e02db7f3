/** The models of photographs that ship: what they say of themselves, and what the default one sees in pictures that nobody trained it on. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { evaluate, matchClasses } from '../../src/api/evaluate.js';
import { openEvaluationData } from '../../src/api/evaluationData.js';
import { modelForClasses } from '../../src/api/shippedModels.js';
import { elementCount } from '../../src/graph/shape.js';
import {
  createEngine,
  defaultModelName,
  loadModel,
  type Model,
  parametersOf,
  UsageError,
  weightsAddress,
} from '../../src/index.js';
import { sharedPath } from '../shared.js';

const photographs = fileURLToPath(new URL('../../assets/photographs', import.meta.url));
const photograph = (name: string) => `${photographs}/${name}`;

/** What each of the bundled photographs shows, by the model's own word for it. */
const shown: Readonly<Record<string, string>> = {
  'bee.jpg': 'bee',
  'cat.jpg': 'Egyptian cat',
  'coffee.jpg': 'espresso',
  'goldfish.jpg': 'goldfish',
  'koala.jpg': 'koala',
  'orange.jpg': 'orange',
  'red-panda.jpg': 'lesser panda',
};

describe('the bundled model', () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel();
  });
  afterAll(() => model.dispose());

  it('is trained, small, and calls fifty things by plain words', () => {
    expect(model.provenance).toMatchObject({ name: defaultModelName, randomWeights: false });
    expect(new Set(model.labels).size).toBe(50);
    for (const label of model.labels) expect(label).toMatch(/^[A-Za-z][A-Za-z -]+$/);
    const trainable = parametersOf(model.graph).filter(({ role }) => /weight|bias/.test(role));
    expect(trainable.reduce((sum, { shape }) => sum + elementCount(shape), 0)).toBeLessThan(6e6);
    const folder = fileURLToPath(new URL('../../models', import.meta.url));
    for (const file of readdirSync(folder)) expect(statSync(`${folder}/${file}`).size).toBeLessThan(8e6);
  });

  it('answers under other settings without being read again, each on its own engine', async () => {
    const engine = await createEngine({ threads: 1 });
    const four = model.reconfigured({ timeSteps: 4, threshold: 1.25 }, engine);
    const again = await loadModel({}, { timeSteps: 4, threshold: 1.25, threads: 1 });
    const input = await model.inputOf([photograph('cat.jpg')]);
    const [found, expected, own] = [await four.run(input), await again.run(input), await model.run(input)];
    expect(found.logits).toEqual(expected.logits);
    expect(found.logits).not.toEqual(own.logits);
    expect(four.labels).toEqual(model.labels);
    await four.dispose();
    await again.dispose();
    expect((await model.run(input)).logits).toEqual(own.logits);
    expect(() => model.reconfigured({ timeSteps: 0 }, engine)).toThrow(/timeSteps/);
  });

  it('multiplies where it is told to, with the same answer', async () => {
    const dense = await loadModel({}, { spikeKernel: 'dense' });
    const input = await model.inputOf([photograph('cat.jpg')]);
    const [found, own] = [await dense.run(input), await model.run(input)];
    await dense.dispose();
    for (const [index, logit] of own.logits.data.entries()) expect(found.logits.data[index]).toBeCloseTo(logit, 3);
  });

  it('answers the same in 16 bits however often neurons are said to fire: its weights lie on the grid', async () => {
    const bytes = await loadModel({}, { precision: 'i16', threads: 1 });
    const input = await model.inputOf([photograph('cat.jpg')]);
    const { logits, firingRates } = await bytes.run(input, { record: { firingRates: true } });
    await bytes.chooseForms(new Map(), new Map([...firingRates!.keys()].map((layer) => [layer, 1])));
    const often = await bytes.run(input);
    await bytes.dispose();
    for (const [index, logit] of logits.data.entries()) expect(often.logits.data[index]).toBeCloseTo(logit, 4);
  });

  it('has weights that a page can fetch by itself; random ones are in no file', () => {
    expect(weightsAddress(defaultModelName).href).toMatch(/\/models\/photographs\.safetensors$/);
    expect(() => weightsAddress('31M-random')).toThrow(UsageError);
    expect(() => weightsAddress('none')).toThrow(UsageError);
  });

  it('knows what is on each of the photographs that come with the program, as the README prints it', async () => {
    const names = readdirSync(photographs).filter((name) => name.endsWith('.jpg'));
    expect(names.sort()).toEqual(Object.keys(shown).sort());
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
    for (const name of names) {
      const [first] = await model.classify(photograph(name), 1);
      expect(`${name}: ${first!.label}`).toBe(`${name}: ${shown[name]}`);
      const [, label, percentage] = new RegExp(`${name}\\n  (\\S.*?)  +\\S+ +([\\d.]+) %`).exec(readme)!;
      expect(label).toBe(first!.label);
      expect(Number(percentage) / 100).toBeCloseTo(first!.probability, 2);
    }
  });
});

it('cifar10 knows the ten classes of CIFAR-10', async () => {
  const model = await loadModel({ model: 'cifar10' }, { threads: 1 });
  const classes = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];
  expect([...model.labels].sort()).toEqual(classes);
  // It is taken for such data where nobody names a model.
  expect(modelForClasses(model.labels)).toBe('cifar10');
  expect(modelForClasses(['dog', 'cat'])).toBe('cifar10');
  for (const others of [['dog', 'koala'], ['koala'], []]) expect(modelForClasses(others)).toBe(defaultModelName);
  expect((await model.classify(photograph('cat.jpg'), 1))[0]!.label).toBe('cat');
  await model.dispose();
});

async function* firstOf<Item>(items: AsyncIterable<Item>, count: number): AsyncGenerator<Item> {
  let taken = 0;
  for await (const item of items) {
    yield item;
    if (++taken >= count) return;
  }
}

/** Where the Debian package dataset-fashion-mnist puts it. */
const fashion = '/usr/share/datasets/fashion-mnist';

describe.each([
  { name: 'cifar10', path: sharedPath('data', 'cifar10-jpeg.tar.gz'), images: 5000, least: 0.855 },
  // Taken only where it is named.
  {
    name: 'cifar10-wide',
    path: sharedPath('data', 'cifar10-jpeg.tar.gz'),
    images: 5000,
    least: 0.877,
    unasked: 'cifar10',
  },
  { name: 'photographs', path: sharedPath('data', 'tiny-imagenet.tar.gz'), images: 1250, least: 0.6 },
  // Taken only where it is named; about half of the images.
  {
    name: 'photographs-t4',
    path: sharedPath('data', 'tiny-imagenet.tar.gz'),
    images: 640,
    least: 0.64,
    unasked: defaultModelName,
  },
  // Of 10,000: as many as take two seconds.
  { name: 'fashion-mnist', path: existsSync(fashion) ? fashion : undefined, images: 1_280, least: 0.92 },
  {
    name: 'fashion-mnist-t4',
    path: existsSync(fashion) ? fashion : undefined,
    images: 640,
    least: 0.92,
    unasked: 'fashion-mnist',
  },
])('$name', ({ name, path, images, least, unasked = name }) => {
  it.skipIf(!path)(
    `is right as often as the documentation says${path ? '' : ' (skipped: its data is absent)'}`,
    async () => {
      const model = await loadModel({ model: name });
      const data = await openEvaluationData(path!);
      expect(modelForClasses(data.classes)).toBe(unasked);
      const classOf = matchClasses(model, data.classes, path!);
      const batches = firstOf(data.batches({ batch: 64, preprocess: model.preprocessing }), Math.ceil(images / 64));
      const { accuracy } = await evaluate(model, batches, classOf);
      await model.dispose();
      expect(accuracy.images).toBe(images);
      expect(accuracy.top1 / accuracy.images).toBeGreaterThan(least);
    },
    120_000,
  );
});
