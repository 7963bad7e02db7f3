/** Frame by frame: the spikes and the mean of the logits that the whole sequence gives at once. */
import { afterEach, describe, expect, it } from 'vitest';
import { plainPreprocessing } from '../../src/data/preprocess.js';
import { UsageError } from '../../src/errors.js';
import { type FieldTensor, Model, metaSpikeformer, type RunOptions, resolveConfiguration } from '../../src/index.js';
import { demonstrationParameters } from '../../src/models/initialise.js';
import { seededRandom } from '../../src/random.js';
import { createEngine, type EngineName } from '../../src/runtime/engines.js';

const timeSteps = 4;
const [batch, channels, height, width] = [2, 2, 10, 14];
const frameLength = batch * channels * height * width;

const random = seededRandom(7);
const sequence: FieldTensor = {
  shape: [timeSteps, batch, channels, height, width],
  data: Float32Array.from({ length: timeSteps * frameLength }, () => 2 * random.normal()),
};
const frame = (t: number): FieldTensor => ({
  shape: [batch, channels, height, width],
  data: sequence.data.slice(t * frameLength, (t + 1) * frameLength),
});

const models: Model[] = [];
afterEach(async () => {
  for (const model of models.splice(0)) await model.dispose();
});

async function modelOf(engine: EngineName, threads: number, tau: number): Promise<Model> {
  const configuration = resolveConfiguration({
    // Channels that fill no register, a word and more than one.
    embedDim: [10, 20, 36, 40],
    heads: 4,
    depths: [1, 1, 1, 1, 1],
    strides: [1, 2, 2, 1, 1],
    stemKernel: 3,
    inputChannels: channels,
    classes: 5,
    timeSteps,
    tau,
  });
  const model = new Model({
    configuration,
    parameters: demonstrationParameters(metaSpikeformer(configuration), 3),
    engine: await createEngine(engine === 'reference' ? { engine } : { engine, threads }),
    provenance: { name: 'streamed', randomWeights: true, description: '' },
    preprocessing: plainPreprocessing(16),
  });
  models.push(model);
  return model;
}

const record: RunOptions = { record: { spikes: true, firingRates: true } };

/** One by one, most significant first. */
function bits(bytes: Uint8Array, from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => (bytes[(from + i) >> 3]! >> (7 - ((from + i) & 7))) & 1);
}

describe.each([
  ['reference', 1, 2],
  ['wasm', 1, 2],
  ['wasm', 2, 2],
  ['wasm', 2, 3],
] as const)('streaming on the %s engine, %d threads, τ = %d', (engine, threads, tau) => {
  it('gives every spike of the sequence, and its mean logits at the end', async () => {
    const model = await modelOf(engine, threads, tau);
    const whole = await model.run(sequence, record);
    let fired = 0;
    for (let t = 0; t < timeSteps; t++) {
      const result = await model.step(frame(t), record);
      expect(result.step).toBe(t + 1);
      for (const [name, { shape, bits: stepBits }] of result.spikes!) {
        const count = shape.reduce((a, b) => a * b);
        const expected = bits(whole.spikes!.get(name)!.bits, t * count, (t + 1) * count);
        expect(bits(stepBits, 0, count), `${name} at step ${t}`).toEqual(expected);
        fired += expected.reduce((a, b) => a + b);
      }
      if (t === timeSteps - 1) {
        const differences = result.meanLogits.data.map((value, i) => Math.abs(value - whole.logits.data[i]!));
        expect(Math.max(...differences)).toBeLessThan(1e-5);
      }
    }
    expect(fired).toBeGreaterThan(1000);
  });

  it('begins anew after a reset, and remembers without one', async () => {
    const model = await modelOf(engine, threads, tau);
    const first = await model.step(frame(0));
    const again = await model.step(frame(0));
    expect(again.logits.data).not.toEqual(first.logits.data);
    await model.resetState();
    const reset = await model.step(frame(0));
    expect(reset.logits).toEqual(first.logits);
    expect(reset.step).toBe(1);
  });
});

describe('streaming', () => {
  it('goes on longer than the model’s own time steps, and lets whole sequences run in between', async () => {
    const model = await modelOf('wasm', 1, 2);
    const alone = await modelOf('wasm', 1, 2);
    for (let step = 0; step < timeSteps + 3; step++) {
      await model.run(sequence);
      const expected = await alone.step(frame(step % timeSteps));
      expect((await model.step(frame(step % timeSteps))).logits).toEqual(expected.logits);
    }
  });

  it('refuses a frame of another shape, and a record that begins late', async () => {
    const model = await modelOf('reference', 1, 2);
    await model.step(frame(0));
    const smaller = { shape: [1, channels, height, width], data: new Float32Array(frameLength / 2) };
    await expect(model.step(smaller)).rejects.toThrow(/resetState/);
    await expect(model.step(frame(1), record)).rejects.toThrow(/spikes.*resetState/);
    await expect(model.step(sequence)).rejects.toThrow(UsageError);
    expect((await model.step(frame(1))).step).toBe(2);
  });
});
