/** What a run begins with: which batch norms get which bias and scale, and that the last neurons then see something. */
import { describe, expect, it } from 'vitest';
import { createWasmEngine } from '../../src/engines/wasm/index.js';
import { seededRandom } from '../../src/random.js';
import { parseRecipe } from '../../src/training/recipe.js';
import { startingParameters } from '../../src/training/startingParameters.js';
import { TrainedNetwork } from '../../src/training/trainingStep.js';

function recipeWith(more: object) {
  return parseRecipe(
    {
      name: 'start',
      model: {
        embedDim: [16, 32, 48, 64],
        depths: [1, 1, 2, 2, 1],
        strides: [1, 2, 2, 1, 1],
        stemKernel: 3,
        classes: 10,
      },
      data: {
        preprocessing: { resize: null, crop: [16, 16], interpolation: 'bicubic', mean: [0, 0, 0], std: [1, 1, 1] },
      },
      epochs: 1,
      batchSize: 16,
      optimizer: { name: 'adamw' },
      schedule: { learningRate: 0.001 },
      ...more,
    },
    'start',
  );
}

const first = (parameters: ReadonlyMap<string, Float32Array>, name: string) => parameters.get(name)![0];

describe('the start of a run', () => {
  it('tells batch norms in front of neurons, at the end of branches, inside RepConv and behind the last downsampling', () => {
    const parameters = startingParameters(
      recipeWith({ batchNormBias: { neurons: 1, branches: 0.25, last: 2 }, branchScale: 0.5 }),
    );
    const found = (name: string) => [first(parameters, `${name}.bias`), first(parameters, `${name}.weight`)];
    for (const name of [
      'downsample1_1.encode_bn',
      'ConvBlock1_1.0.bn1',
      'block3.0.attn.q_conv.1',
      'block3.0.mlp.fc1_bn',
    ])
      expect(found(name), name).toEqual([1, 1]);
    for (const name of [
      'ConvBlock1_1.0.Conv.bn2',
      'ConvBlock2_2.0.bn2',
      'block3.0.attn.proj_conv.1',
      'block4.0.mlp.fc2_bn',
    ])
      expect(found(name), name).toEqual([0.25, 0.5]);
    expect(found('block3.0.attn.q_conv.0.body.2.2')).toEqual([0.25, 1]);
    expect(found('downsample4.encode_bn')).toEqual([2, 1]);
  });

  it('gives every batch norm the one bias of a recipe that names one', () => {
    const parameters = startingParameters(recipeWith({ batchNormBias: 1 }));
    for (const [name, values] of parameters)
      if (/(bn\d?|encode_bn|fc\d_bn|conv\.1)\.bias$/.test(name)) expect(values[0], name).toBe(1);
  });

  it('leaves the head blind with biases of 1, and lets it see with 1, 0 and 2', async () => {
    const random = seededRandom(1);
    const batch = {
      input: Float32Array.from({ length: 16 * 3 * 256 }, () => random.normal()),
      labels: Int32Array.from({ length: 16 }, (_, index) => index % 10),
    };
    const rateOfLast = async (batchNormBias: unknown) => {
      const engine = await createWasmEngine({ threads: 1 });
      const network = new TrainedNetwork(engine, recipeWith({ batchNormBias }));
      await network.clear();
      await network.accumulate(batch, 1);
      const rates = await network.firingRates();
      await engine.dispose();
      return rates.lif!;
    };
    expect(await rateOfLast(1)).toBeGreaterThan(0.97);
    const balanced = await rateOfLast({ neurons: 1, branches: 0, last: 2 });
    expect(balanced).toBeGreaterThan(0.3);
    expect(balanced).toBeLessThan(0.7);
  });
});
