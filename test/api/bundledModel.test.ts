/** The model that ships: what it says of itself, and what it sees in pictures that nobody trained it on. */
import { readdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { evaluate, matchClasses } from '../../src/api/evaluate.js';
import { openEvaluationData } from '../../src/api/evaluationData.js';
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

const photograph = (name: string) => fileURLToPath(new URL(`../../assets/photographs/${name}`, import.meta.url));

describe('the bundled model', () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel();
  });
  afterAll(() => model.dispose());

  it('is trained, small, and knows the ten classes of CIFAR-10', () => {
    expect(model.provenance).toMatchObject({ name: defaultModelName, randomWeights: false });
    expect([...model.labels].sort()).toEqual(
      ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'].sort(),
    );
    const trainable = parametersOf(model.graph).filter(({ role }) => /weight|bias/.test(role));
    expect(trainable.reduce((sum, { shape }) => sum + elementCount(shape), 0)).toBeLessThan(4e6);
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
    expect(weightsAddress(defaultModelName).href).toMatch(/\/models\/cifar10\.safetensors$/);
    expect(() => weightsAddress('31M-random')).toThrow(UsageError);
    expect(() => weightsAddress('none')).toThrow(UsageError);
  });

  it('names classes for a photograph', async () => {
    const [first] = await model.classify(photograph('cat.jpg'), 1);
    expect(model.labels).toContain(first!.label);
  });

  const archive = sharedPath('data', 'cifar10-jpeg.tar.gz');
  it.skipIf(!archive)(
    `is right as often as the documentation says${archive ? '' : ' (skipped: the shared data is absent)'}`,
    async () => {
      const data = await openEvaluationData(archive!);
      const classOf = matchClasses(model, data.classes, archive!);
      const { accuracy } = await evaluate(model, data.batches({ batch: 64, preprocess: model.preprocessing }), classOf);
      expect(accuracy.images).toBe(5000);
      expect(accuracy.top1 / accuracy.images).toBeGreaterThan(0.7);
    },
    120_000,
  );
});
