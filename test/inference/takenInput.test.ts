/**
 * A call answers for what it was given: callers fill their buffers again (the next frame of a video) while an earlier call still waits for its turn. Answers are compared with
 * those for copies that nobody touched.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeImage, loadModel, type Model } from '../../src/index.js';
import { seededRandom } from '../../src/random.js';
import { photographPath } from '../photographs.js';

const photographOf = (name: string) => readFileSync(photographPath(name));

describe.each(['wasm', 'reference'] as const)('on the %s engine', (engine) => {
  let model: Model;
  const shape = [1, 3, 16, 16];
  const noise = (seed: number) => {
    const random = seededRandom(seed);
    return Float32Array.from({ length: 3 * 16 * 16 }, () => random.normal());
  };
  beforeAll(async () => {
    model = await loadModel({}, { engine, threads: 1 });
  });
  afterAll(() => model.dispose());

  it('run answers for each of several inputs that were given in one buffer', async () => {
    const expected = [];
    for (const seed of [1, 2, 3]) expected.push((await model.run({ shape, data: noise(seed) })).logits.data);
    const data = new Float32Array(3 * 16 * 16);
    const options = { record: { inputCurrents: ['lif'] } };
    const answers = [1, 2, 3].map((seed) => {
      data.set(noise(seed));
      return model.run({ shape, data }, options);
    });
    data.fill(0);
    options.record.inputCurrents[0] = 'no such layer';
    for (const [index, answer] of answers.entries()) expect((await answer).logits.data).toEqual(expected[index]);
  });

  it('step answers for each frame', async () => {
    const steps = [];
    for (const seed of [4, 5]) steps.push((await model.step({ shape, data: noise(seed) })).logits.data);
    await model.resetState();
    const data = new Float32Array(3 * 16 * 16);
    const answers = [4, 5].map((seed) => {
      data.set(noise(seed));
      return model.step({ shape, data });
    });
    data.fill(0);
    for (const [index, answer] of answers.entries()) expect((await answer).logits.data).toEqual(steps[index]);
    await model.resetState();
  });

  it('classify answers for bytes and for pixels as they were', async () => {
    const bytes = photographOf('cat');
    const pixels = await decodeImage(photographOf('cat'));
    const expected = await model.classify(photographOf('cat'));
    const answers = [model.classify(bytes), model.classify(pixels)];
    bytes.fill(0);
    pixels.data.fill(0);
    expect(await Promise.all(answers)).toEqual([expected, expected]);
  });

  it('inputOf reads all of its images when it begins', async () => {
    const [first, second] = [photographOf('cat'), photographOf('astronaut')];
    const third = await decodeImage(photographOf('cat'));
    const expected = await model.inputOf([photographOf('cat'), photographOf('astronaut'), photographOf('cat')]);
    const images = [first, second, third];
    const input = model.inputOf(images);
    for (const buffer of [first, second, third.data]) buffer.fill(0);
    images.length = 0;
    expect(await input).toEqual(expected);
  });
});

it('chooseForms obeys what it was told', async () => {
  const model = await loadModel({}, { threads: 1 });
  const forms = new Map([['block3.0.attn.q_conv', 'full' as const]]);
  const chosen = model.chooseForms(forms);
  forms.set('no such layer', 'full');
  await expect(chosen).resolves.toBeUndefined();
  await model.dispose();
});
