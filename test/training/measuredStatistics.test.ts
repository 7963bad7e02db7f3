/** Statistics measured anew, against means and variances of the first convolution over all images, computed here by plain loops. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpointFile } from '../../src/interop/checkpointFiles.js';
import { createTrainingEngine } from '../../src/runtime/engines.js';
import { measureStatistics } from '../../src/training/measuredStatistics.js';
import { train } from '../../src/training/trainingRun.js';
import { TrainedNetwork } from '../../src/training/trainingStep.js';
import { shades, smallest, smallRun } from './runSupport.js';

const [side, images] = [8, 6];
const recipe = smallest('data.preprocessing.resize=8', 'data.preprocessing.crop=[8,8]', 'smallerFirst=[]');
const dataset = shades(images);
const { pixels } = dataset.store as { readonly pixels: Uint8Array };

/** The first convolution (3 × 3, stride 2, a border of zeros) of all images: one list of values for each output channel. */
function responses(weight: Float32Array, bias: Float32Array): number[][] {
  const at = (image: number, y: number, x: number, channel: number) =>
    y < 0 || x < 0 || y >= side || x >= side
      ? 0
      : (pixels[((image * side + y) * side + x) * 3 + channel]! / 255 - 0.5) / 0.25;
  return Array.from(bias, (own, output) => {
    const values: number[] = [];
    for (let image = 0; image < images; image++)
      for (let y = 0; y < side; y += 2)
        for (let x = 0; x < side; x += 2) {
          let sum = own;
          for (let c = 0; c < 3; c++)
            for (let k = 0; k < 9; k++)
              sum += weight[(output * 3 + c) * 9 + k]! * at(image, y + Math.floor(k / 3) - 1, x + (k % 3) - 1, c);
          values.push(sum);
        }
    return values;
  });
}

describe('statistics of batch norm, measured anew', () => {
  let engine: Awaited<ReturnType<typeof createTrainingEngine>>;
  let network: TrainedNetwork;
  beforeAll(async () => {
    engine = await createTrainingEngine({ threads: 1 });
    network = new TrainedNetwork(engine, recipe);
  });
  afterAll(() => engine.dispose());

  it('are the mean and the variance over all images, whatever they were before', async () => {
    network.statistics.fill(7);
    expect(await measureStatistics(network, recipe, dataset, { batches: 100 })).toBe(images / recipe.batchSize);
    const parameters = network.parameters();
    const of = (name: string) => parameters.get(`downsample1_1.${name}`)!;
    const all = responses(of('encode_conv.weight'), of('encode_conv.bias'));
    for (const [channel, values] of all.entries()) {
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
      expect(of('encode_bn.running_mean')[channel]).toBeCloseTo(mean, 4);
      // Within batches of 32 values the variance is the unbiased one.
      const ratio = of('encode_bn.running_var')[channel]! / variance;
      expect(ratio).toBeGreaterThan(0.999);
      expect(ratio).toBeLessThan(32 / 31 + 0.001);
    }
  });

  it('come from as many batches as are asked for, and leave the weights', async () => {
    const weights = network.weights.slice();
    const whole = network.statistics.slice();
    expect(await measureStatistics(network, recipe, dataset, { batches: 1 })).toBe(1);
    expect(network.weights).toEqual(weights);
    expect(network.statistics).not.toEqual(whole);
  });

  it('stay what they were where nothing arrives, instead of dividing by nothing', async () => {
    const silent = new TrainedNetwork(engine, {
      ...recipe,
      batchNormBias: { neurons: -100, branches: -100, last: -100 },
    });
    silent.statistics.fill(7);
    await measureStatistics(silent, recipe, dataset, { batches: 100 });
    const parameters = silent.parameters();
    // Its convolution has no bias and reads the spikes of neurons that never fire.
    expect([...parameters.get('block3.0.attn.q_conv.0.body.1.bn.running_var')!]).toEqual([7, 7, 7, 7]);
    expect([...parameters.get('downsample1_1.encode_bn.running_var')!]).not.toContain(7);
  });

  it('need a batch of images', async () => {
    await expect(measureStatistics(network, recipe, shades(1), { batches: 1 })).rejects.toThrow(
      'statistics: shades has 1 images, too few for a batch of 2',
    );
  });

  it('belong to the averaged weights that a run keeps, and do not change how it goes on', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'statistics-'));
    const whole = ['data.holdOut=0', 'data.preprocessing.resize=8', 'data.preprocessing.crop=[8,8]', 'smallerFirst=[]'];
    try {
      const read = async (run: string, file: string) => {
        const checkpoint = await openCheckpointFile(join(folder, run, file));
        const values = new Map<string, Float32Array>();
        for (const [name, tensor] of checkpoint.tensors) values.set(name, await tensor.readFloat32());
        await checkpoint.close();
        return values;
      };
      for (const [run, ...more] of [['averaged'], ['measured', 'measuredStatistics=100']] as const)
        await train(smallRun(join(folder, run), { recipe: smallest(...whole, ...more), dataset }));
      expect(await read('measured', 'state.safetensors')).toEqual(await read('averaged', 'state.safetensors'));
      const [averaged, measured] = [
        await read('averaged', 'last.safetensors'),
        await read('measured', 'last.safetensors'),
      ];
      network.load(averaged);
      await measureStatistics(network, recipe, dataset, { batches: 100 });
      const expected = network.parameters();
      for (const [name, values] of measured)
        if (/running_(mean|var)$/.test(name)) {
          for (const [i, value] of values.entries()) expect(value).toBeCloseTo(expected.get(name)![i]!, 4);
        } else expect(values).toEqual(averaged.get(name));
      const first = 'downsample1_1.encode_bn.running_var';
      expect(measured.get(first)).not.toEqual(averaged.get(first));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
