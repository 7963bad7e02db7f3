/**
 * What a recipe minimises, through a whole network: the loss's derivative by the head's parameters (behind the last spikes, so the loss is
 * smooth in them) against finite differences, and limits in which one objective is another.
 */
import { describe, expect, it } from 'vitest';
import { createReferenceEngine } from '../../src/engines/reference/index.js';
import { seededRandom } from '../../src/random.js';
import type { ClassBatch } from '../../src/tasks/classification/objective.js';
import { taskNamed } from '../../src/tasks/registry.js';
import { parseRecipe, type Recipe } from '../../src/training/recipe.js';
import { type StepBatch, TrainedNetwork } from '../../src/training/trainingStep.js';

const batchSize = 6;
const classes = 3;

function recipeWith(model: object, loss: object): Recipe {
  return parseRecipe(
    {
      name: 'objective',
      model: {
        embedDim: [4, 8, 8, 8],
        heads: 2,
        // No transformer block: RepConv's border follows the running statistics, which move with every pass.
        depths: [1, 0, 0, 0, 0],
        strides: [1, 2, 1, 1, 1],
        stemKernel: 3,
        classes,
        timeSteps: 3,
        ...model,
      },
      batchNormBias: { neurons: 1, branches: 0, last: 2 },
      data: {
        preprocessing: { resize: null, crop: [8, 8], interpolation: 'bicubic', mean: [0, 0, 0], std: [1, 1, 1] },
      },
      epochs: 1,
      batchSize,
      optimizer: { name: 'adamw' },
      schedule: { learningRate: 0.001 },
      loss,
    },
    'objective',
  );
}

function batchOf(): StepBatch & ClassBatch {
  const random = seededRandom(5);
  return {
    input: Float32Array.from({ length: batchSize * 3 * 64 }, () => random.normal()),
    labels: Int32Array.from({ length: batchSize }, (_, index) => index % classes),
    teacher: Float32Array.from({ length: batchSize * classes }, () => 2 * random.normal()),
  };
}

async function networkOf(recipe: Recipe): Promise<TrainedNetwork> {
  const network = new TrainedNetwork(await createReferenceEngine(), recipe);
  // The authors' heads start small; larger weights make every term of the losses count.
  for (const { spec, offset, length } of network.plan.trainable.slots) {
    if (!spec.name.startsWith('head')) continue;
    const random = seededRandom(spec.name.length);
    for (let i = offset; i < offset + length; i++) network.weights[i] = random.normal();
  }
  return network;
}

async function lossOf(network: TrainedNetwork, batch: StepBatch): Promise<number> {
  await network.clear();
  return (await network.accumulate(batch, 1)).loss;
}

const kinds: readonly (readonly [string, object, object])[] = [
  ['cross entropy of the mean over time', {}, { labelSmoothing: 0.1 }],
  ['TET', {}, { labelSmoothing: 0.1, temporalEfficient: {} }],
  ['TET with its regulariser', {}, { temporalEfficient: { regulariserShare: 0.3, regulariserTarget: 0.7 } }],
  [
    'hard distillation',
    { distillation: true },
    { labelSmoothing: 0.1, distillation: { teacher: 'given', teacherShare: 0.3 } },
  ],
  [
    'soft distillation',
    { distillation: true },
    { distillation: { teacher: 'given', kind: 'soft', teacherShare: 0.7, temperature: 2 } },
  ],
];

describe('the objective', () => {
  it.each(kinds)('of %s has the derivative that finite differences find at the heads', async (_name, model, loss) => {
    const network = await networkOf(recipeWith(model, loss));
    const batch = batchOf();
    await lossOf(network, batch);
    const gradients = network.plan.program.view(network.plan.trainable.gradients).slice();
    const heads = network.plan.trainable.slots.filter(({ spec }) => spec.name.startsWith('head'));
    expect(heads.length).toBe('distillation' in model ? 4 : 2);
    const step = 1e-2;
    for (const { spec, offset, length } of heads) {
      for (const index of [offset, offset + length - 1]) {
        const weight = network.weights[index]!;
        network.weights[index] = weight + step;
        const above = await lossOf(network, batch);
        network.weights[index] = weight - step;
        const below = await lossOf(network, batch);
        network.weights[index] = weight;
        expect(gradients[index], `${spec.name} ${index - offset}`).toBeCloseTo((above - below) / (2 * step), 3);
      }
    }
    expect(Math.max(...gradients.map(Math.abs))).toBeGreaterThan(1e-3);
  });

  it('learns at the heads of a distilled network and counts right answers by their mean', async () => {
    const [, model, loss] = kinds.find(([name]) => name === 'hard distillation')!;
    const network = await networkOf(recipeWith(model, loss));
    const { plan } = network;
    expect([...plan.outputs.keys()]).toEqual(['head', 'head_kd']);
    expect([...plan.observed.keys()]).toEqual(['logits']);
    // Both heads say their bias alone: one class 0 strongly, the other class 1 weakly, so that the mean says class 0.
    for (const { spec, offset, length } of plan.trainable.slots) {
      if (!spec.name.startsWith('head')) continue;
      network.weights.fill(0, offset, offset + length);
      if (spec.name === 'head.bias') network.weights[offset + 1] = 1;
      if (spec.name === 'head_kd.bias') network.weights[offset] = 3;
    }
    const batch = batchOf();
    const { sums } = await network.accumulate({ ...batch, labels: Int32Array.from([0, 0, 0, 1, 1, 2]) }, 1);
    expect(sums).toEqual({ correct: 3 });
  });

  it('with a target for firing rates adds its square distance, and moves every rate towards it', async () => {
    const batch = batchOf();
    const model = { depths: [1, 1, 0, 0, 0], timeSteps: 2 };
    const plain = await networkOf(recipeWith(model, {}));
    const without = await lossOf(plain, batch);
    const rates = Object.values(await plain.firingRates());
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const drawn = await networkOf(recipeWith(model, { firingRate: { target: 0.1, weight: 40 } }));
    const loss = await lossOf(drawn, batch);
    expect(loss - without).toBeCloseTo(40 * mean(rates.map((rate) => (rate - 0.1) ** 2)), 5);
    const distance = async () => mean(Object.values(await drawn.firingRates()).map((rate) => Math.abs(rate - 0.1)));
    const before = await distance();
    for (let step = 0; step < 30; step++) {
      await lossOf(drawn, batch);
      await drawn.update(0.01);
    }
    await lossOf(drawn, batch);
    expect(await distance()).toBeLessThan(before / 3);
  });

  it('with a target for firing rates has the gradient that the spikes’ own surrogate gives', async () => {
    // One neuron layer behind the pooling decides its rate alone: dL/db of the last norm is Σ 2w(r − target)/(layers·n) · g'(u)/τ.
    const batch = batchOf();
    const gradients: Float32Array[] = [];
    let slots: TrainedNetwork['plan']['trainable']['slots'] = [];
    for (const loss of [{}, { firingRate: { target: 1, weight: 3 } }]) {
      const network = await networkOf(recipeWith({ timeSteps: 1, depths: [0, 0, 0, 0, 0] }, loss));
      await lossOf(network, batch);
      slots = network.plan.trainable.slots;
      gradients.push(network.plan.program.view(network.plan.trainable.gradients).slice());
    }
    const { offset, length } = slots.find(({ spec }) => spec.name === 'downsample4.encode_bn.bias')!;
    const change = Array.from({ length }, (_, i) => gradients[1]![offset + i]! - gradients[0]![offset + i]!);
    // Below the target everywhere, so a larger bias must lower the loss; the head's weights are not touched.
    expect(Math.max(...change)).toBeLessThan(0);
    const head = slots.find(({ spec }) => spec.name === 'head.weight')!;
    for (let i = head.offset; i < head.offset + head.length; i++) expect(gradients[1]![i]).toBe(gradients[0]![i]);
  });

  it('counts as right what the metric counts: of a network that says nothing the first class alone', async () => {
    const batch = batchOf();
    for (const [, model, loss] of kinds) {
      const network = await networkOf(recipeWith(model, loss));
      for (const { spec, offset, length } of network.plan.trainable.slots)
        if (spec.name.startsWith('head')) network.weights.fill(0, offset, offset + length);
      await network.clear();
      // Six images, two of each class.
      expect((await network.accumulate(batch, 1)).sums).toEqual({ correct: 2 });
    }
    const { timeSteps } = recipeWith({}, {}).model;
    const metric = taskNamed('classification').metric({ classes, timeSteps });
    const counter = metric.counter();
    const silent = { shape: [batchSize, classes], data: new Float32Array(batchSize * classes) };
    counter.add(new Map([['logits', silent]]), batch);
    expect(metric.figure(counter.counts())).toBe(2 / 6);
  });

  it('of one time step is the same with and without TET, to the bit', async () => {
    const batch = batchOf();
    const results: Float32Array[] = [];
    for (const loss of [{}, { temporalEfficient: {} }]) {
      const network = await networkOf(recipeWith({ timeSteps: 1 }, loss));
      await lossOf(network, batch);
      results.push(network.plan.program.view(network.plan.trainable.gradients).slice());
    }
    expect(results[1]).toEqual(results[0]);
  });

  const contradictions: readonly (readonly [string, object, object, RegExp])[] = [
    ['a second head without a teacher', { distillation: true }, {}, /second head.*teacher/],
    ['a teacher without a second head', {}, { distillation: { teacher: 'x' } }, /distillation=true/],
    ['distillation from nobody', { distillation: true }, { distillation: {} }, /teacher is missing/],
    [
      'TET and distillation together',
      { distillation: true },
      { distillation: { teacher: 'x' }, temporalEfficient: {} },
      /exclude each other/,
    ],
  ];
  it.each(contradictions)('refuses %s', (_name, model, loss, message) => {
    expect(() => recipeWith(model, loss)).toThrow(message);
  });
});
