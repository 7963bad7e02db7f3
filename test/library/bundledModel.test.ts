/** The model that ships: what it says of itself, and what it sees in pictures that nobody trained it on. */
import { readdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { elementCount } from '../../src/graph/shape.js';
import { defaultModelName, loadModel, type Model, metaSpikeformer, parametersOf } from '../../src/index.js';
import { evaluate, matchClasses } from '../../src/library/evaluate.js';
import { openEvaluationData } from '../../src/library/evaluationData.js';
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
    const trainable = parametersOf(metaSpikeformer(model.configuration)).filter(({ role }) => /weight|bias/.test(role));
    expect(trainable.reduce((sum, { shape }) => sum + elementCount(shape), 0)).toBeLessThan(4e6);
    const folder = fileURLToPath(new URL('../../models', import.meta.url));
    for (const file of readdirSync(folder)) expect(statSync(`${folder}/${file}`).size).toBeLessThan(8e6);
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
