/** Random networks at a wanted firing rate, measured by running them. */
import { describe, expect, it } from 'vitest';
import { plainPreprocessing } from '../../src/data/preprocess.js';
import { Model, metaSpikeformer, resolveConfiguration } from '../../src/index.js';
import { initialiseParameters } from '../../src/models/initialise.js';
import { seededRandom } from '../../src/random.js';
import { calibrateFiringRates } from '../../src/runtime/calibrate.js';
import { createEngine } from '../../src/runtime/engines.js';

describe('calibrated weights', () => {
  it.each([
    [0.05, 1, 'sdsa3'],
    [0.15, 4, 'sdsa3'],
    [0.4, 2, 'sdsa3'],
    [0.2, 2, 'sdsa1'],
  ] as const)(
    'fire at %d with T = %d, on average over the layers, attention’s own neurons too: %s',
    async (rate, timeSteps, attention) => {
      const configuration = resolveConfiguration({
        embedDim: [16, 32, 48, 64],
        depths: [1, 1, 2, 1, 1],
        strides: [1, 2, 2, 1, 1],
        stemKernel: 3,
        classes: 5,
        timeSteps,
        attention,
      });
      const graph = metaSpikeformer(configuration);
      const random = seededRandom(2);
      const data = Float32Array.from({ length: 2 * 24 * 24 * 3 }, () => random.normal());
      const engine = await createEngine({ threads: 1 });
      const source = { graph, parameters: initialiseParameters(graph, 1) };
      const parameters = await calibrateFiringRates(engine, source, { shape: [2, 24, 24, 3], data }, rate);
      const model = new Model({
        configuration,
        parameters,
        engine,
        provenance: { name: 'calibrated', randomWeights: true, description: '' },
        preprocessing: plainPreprocessing(24),
      });
      // The same images, channels first.
      const input = new Float32Array(data.length);
      for (const [i, value] of data.entries()) {
        const [image, pixel, channel] = [Math.floor(i / (576 * 3)), Math.floor(i / 3) % 576, i % 3];
        input[(image * 3 + channel) * 576 + pixel] = value;
      }
      const { firingRates } = await model.run(
        { shape: [2, 3, 24, 24], data: input },
        { record: { firingRates: true } },
      );
      await model.dispose();
      const rates = [...firingRates!];
      expect(rates.length).toBeGreaterThan(20);
      const mean = rates.reduce((sum, [, found]) => sum + found, 0) / rates.length;
      expect(Math.abs(mean - rate)).toBeLessThan(0.005);
      for (const [name, found] of rates) {
        // Nothing moves the neurons that fire on coincidences.
        if (attention === 'sdsa1' && name.endsWith('.attn_lif')) continue;
        expect(found, name).toBeLessThan(2.2 * rate + 0.01);
        // The values that attention sums up fire as rarely as its neurons ask for; and few tokens that rarely fire drive nobody.
        if (!/(v|attn)_lif$/.test(name)) expect(found, name).toBeGreaterThan(0.45 * rate - 0.01);
      }
    },
  );
});
