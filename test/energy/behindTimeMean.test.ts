/** Energy of a network whose decoder runs once behind a mean over time: a layer's additions against the spikes that a run records, counted by hand. */
import { expect, it } from 'vitest';
import { Model } from '../../src/api/model.js';
import { imagenetPreprocessing } from '../../src/data/preprocess.js';
import { energyTable } from '../../src/energy/constants.js';
import { EnergyMeter } from '../../src/energy/meter.js';
import { createReferenceEngine } from '../../src/engines/reference/index.js';
import { demonstrationParameters } from '../../src/models/initialise.js';
import { describeNetwork } from '../../src/models/registry.js';
import { seededRandom } from '../../src/random.js';
import { askedGraph } from '../../src/tasks/registry.js';

const timeSteps = 3;
const classes = 4;
const settings = {
  embedDim: [8, 8, 16, 16],
  depths: [1, 1, 1, 1, 1],
  heads: 2,
  classes,
  timeSteps,
  pyramidChannels: 8,
  stemKernel: 3,
};
const network = { ...describeNetwork('meta-spikeformer', settings), task: 'segmentation' };

it('counts what is behind the mean once, and what is before it at every step', async () => {
  const engine = await createReferenceEngine();
  const model = new Model({
    ...network,
    parameters: demonstrationParameters(askedGraph(network), 3),
    engine,
    preprocessing: { ...imagenetPreprocessing, resize: null, crop: [32, 48] },
    provenance: { name: 'made up', description: 'random weights', randomWeights: true },
  } as ConstructorParameters<typeof Model>[0]);
  const random = seededRandom(4);
  const data = Float32Array.from({ length: 2 * 3 * 32 * 48 }, () => 3 * random.normal());
  const input = { shape: [2, 3, 32, 48], data };
  const { spikes } = await model.run(input, { record: { spikes: true } });
  const constants = Object.values(energyTable)[0]!;
  const meter = new EnergyMeter(model, constants);
  await meter.run(input);
  const { layers, neurons, paper } = meter.result();
  const fired = (name: string) =>
    spikes!.get(name)!.bits.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);

  // A 1×1 convolution: each spike is added to every class.
  const last = layers.find(({ name }) => name === 'decode_head.conv_seg')!;
  expect(fired('decode_head.decode_lif')).toBeGreaterThan(0);
  expect(last.additions).toEqual([classes * fired('decode_head.decode_lif')]);
  const before = layers.find(({ name }) => name === 'ConvBlock1_1.0.Conv.pwconv1')!;
  expect(before.additions).toHaveLength(timeSteps);
  expect(before.additions.reduce((a, b) => a + b, 0)).toBe(8 * fired('ConvBlock1_1.0.Conv.lif1'));
  const decode = neurons.find(({ name }) => name === 'decode_head.decode_lif')!;
  expect([decode.neurons, decode.spikes]).toEqual([8 * 16 * 24, [fired('decode_head.decode_lif')]]);
  const row = paper.layers.find(({ name }) => name === 'decode_head.conv_seg')!;
  const rate = fired('decode_head.decode_lif') / (2 * 8 * 16 * 24);
  expect(row.firingRate).toBeCloseTo(rate, 12);
  expect(row.millijoules).toBeCloseTo(constants.accumulate * rate * 8 * classes * 16 * 24 * 1e-9, 15);
  await model.dispose();
});
