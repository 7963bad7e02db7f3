/** `optimizer.headRate`: which parameters it is for, and that they go as much further. The optimizers themselves are compared with PyTorch's groups in `optimizers.test.ts`. */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/engines/kernels.js';
import { createReferenceEngine } from '../../src/engines/reference/index.js';
import type { TrainingEngine } from '../../src/engines/trainingKernels.js';
import { parametersOf } from '../../src/operators/registry.js';
import { seededRandom } from '../../src/random.js';
import { askedGraph } from '../../src/tasks/registry.js';
import { ratesOf } from '../../src/training/learningRates.js';
import { parseRecipe, type Recipe, recipeNetwork, withSettings } from '../../src/training/recipe.js';
import { TrainedNetwork } from '../../src/training/trainingStep.js';

const written = {
  name: 'small',
  model: {
    embedDim: [4, 4, 8, 8],
    heads: 1,
    depths: [1, 0, 0, 1, 0],
    strides: [2, 2, 2, 2, 1],
    stemKernel: 3,
    classes: 3,
  },
  batchNormBias: 1,
  data: {
    preprocessing: {
      resize: null,
      crop: [32, 32],
      interpolation: 'bicubic',
      mean: [0.5, 0.5, 0.5],
      std: [0.25, 0.25, 0.25],
    },
    workers: 0,
  },
  epochs: 1,
  batchSize: 1,
  optimizer: { name: 'sgd', momentum: 0, nesterov: false, weightDecay: 0 },
  schedule: { learningRate: 0.01 },
};
const dense = { ...written, task: 'segmentation', model: { ...written.model, pyramidChannels: 4 } };

const recipe = (value: object, ...settings: readonly string[]) => parseRecipe(withSettings(value, settings), 'small');

/** The first part of the names that go faster, and of those that do not. */
function partsOf(asked: Recipe) {
  const rateOf = ratesOf(asked);
  const names = parametersOf(askedGraph(recipeNetwork(asked))).map(({ name }) => name);
  const parts = (rate: number) => [
    ...new Set(names.filter((name) => rateOf(name) === rate).map((name) => name.split('.')[0])),
  ];
  return { fast: parts(10), slow: parts(1) };
}

const stages = [
  'downsample1_1',
  'ConvBlock1_1',
  'downsample1_2',
  'downsample2',
  'downsample3',
  'block3',
  'downsample4',
];

describe('headRate', () => {
  it('is for neck and head, whatever the task, and not for the backbone', () => {
    const rate = 'optimizer.headRate=10';
    expect(partsOf(recipe(dense, rate))).toEqual({ fast: ['neck', 'decode_head'], slow: stages });
    expect(partsOf(recipe(written, rate))).toEqual({ fast: ['head'], slow: stages });
    const detector = partsOf(recipe({ ...dense, task: 'detection' }, rate));
    expect(detector.slow).toEqual(stages);
    expect(detector.fast.length).toBeGreaterThan(0);
    expect(partsOf(recipe(dense)).fast).toEqual([]);
  });

  it.each(['0', '-1', '1001', 'fast'])('of %s is refused', (value) => {
    expect(() => recipe(written, `optimizer.headRate=${value}`)).toThrow(/optimizer\.headRate/);
  });

  it('unsaid leaves recipes as they were', () => {
    expect(recipe(written).optimizer).not.toHaveProperty('headRate');
  });

  it('moves neck and head ten times as far by the same gradients, and the backbone as far as before', async () => {
    const random = seededRandom(1);
    const input = Float32Array.from({ length: 3 * 32 * 32 }, () => random.normal());
    const labels = Int32Array.from({ length: 32 * 32 }, (_, i) => i % 3);
    const moved = async (asked: Recipe) => {
      const engine = (await createReferenceEngine()) as Engine & TrainingEngine;
      const network = new TrainedNetwork(engine, asked);
      const before = network.parameters();
      await network.clear();
      await network.accumulate({ input, labels }, 1);
      await network.update(0.01);
      const after = network.parameters();
      await engine.dispose();
      return [...before]
        .filter(([name]) => !/running_|num_batches/.test(name))
        .map(([name, values]) => ({ name, values, moves: after.get(name)!.map((value, i) => value - values[i]!) }));
    };
    const slow = await moved(recipe(dense));
    const fast = await moved(recipe(dense, 'optimizer.headRate=10'));
    let largest = 0;
    for (const [i, { name, values, moves }] of slow.entries()) {
      const rate = /^(neck|decode_head)\./.test(name) ? 10 : 1;
      for (const [k, move] of moves.entries()) {
        // What is stored is float32, and so are both differences.
        const rounding = 2 ** -23 * (10 * Math.abs(values[k]!) + 1e-3);
        if (Math.abs(fast[i]!.moves[k]! - rate * move) > rounding)
          expect.fail(`${name} ${k}: ${fast[i]!.moves[k]} by ${move}`);
        if (rate === 10) largest = Math.max(largest, Math.abs(move));
      }
    }
    expect(largest).toBeGreaterThan(1e-4);
  });
});
