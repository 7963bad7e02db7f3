/** What a model says in the terms of its task, whatever the task is. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { imagenetPreprocessing } from '../../src/data/preprocess.js';
import { loadModel, type Model, resolveConfiguration } from '../../src/index.js';
import { describedBy } from '../../src/interop/modelDescription.js';
import { encodeSafetensors } from '../../src/interop/safetensors.js';
import type { TensorData } from '../../src/interop/tensorData.js';
import { demonstrationParameters } from '../../src/models/initialise.js';
import { parametersOf } from '../../src/operators/registry.js';
import { askedGraph } from '../../src/tasks/registry.js';

const labels = ['sky', 'road', 'car'];

/** Untrained: where its answers lie is compared, not what they say. */
async function denseModel(task: string): Promise<Model> {
  const resolved = resolveConfiguration({
    embedDim: [8, 8, 16, 16],
    depths: [1, 1, 1, 1, 1],
    heads: 4,
    strides: [2, 2, 2, 2, 1],
    stemKernel: 3,
    classes: labels.length,
    timeSteps: 1,
  });
  const configuration = { ...resolved, pyramidChannels: 8 };
  const graph = askedGraph({ architecture: 'meta-spikeformer', configuration, task });
  const parameters = demonstrationParameters(graph, 5);
  const tensors = new Map<string, TensorData>();
  for (const { name, shape } of parametersOf(graph)) {
    const data = parameters.get(name);
    if (data) tensors.set(name, { dtype: 'float32', shape, data });
  }
  const preprocessing = { ...imagenetPreprocessing, resize: 40, crop: [32, 48] };
  const said = { architecture: 'meta-spikeformer', configuration, task, preprocessing, labels, trainedTimeSteps: 1 };
  return loadModel({ checkpoint: encodeSafetensors(tensors, describedBy(said)) }, { threads: 1 });
}

/** 120 x 80 pixels in which much changes. */
const image = {
  width: 120,
  height: 80,
  data: Uint8Array.from({ length: 120 * 80 * 3 }, (_, i) => (i * i * 31 + (i >> 4) * 7) & 255),
};

describe('of a classifier', () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel({}, { threads: 1 });
  });
  afterAll(() => model?.dispose());

  it('it names the classes, all or the first', async () => {
    const classes = await model.classify(image, model.labels.length);
    const all = await model.answer(image);
    expect(all).toEqual({ task: 'classification', answer: { predictions: classes, best: classes[0], threshold: 0 } });
    const { answer } = await model.answer(image, { top: 2 });
    expect(answer).toMatchObject({ predictions: classes.slice(0, 2) });
  });

  it.each([
    [{ top: 0 }, /^top: found 0, expected a whole number from 1/],
    [{ threshold: 2 }, /^threshold: found 2, expected a number from 0 to 1/],
    [{ treshold: 0.5 }, /^answer: there is no option treshold; did you mean threshold\?/],
  ])('it refuses %j', async (options, message) => {
    await expect(model.answer(image, options as object)).rejects.toThrow(message);
  });

  it('it refuses what is no image', async () => {
    await expect(model.answer(5 as never)).rejects.toThrow(/^image: found 5, expected a path/);
  });
});

describe('of a segmentation', () => {
  let model: Model;
  beforeAll(async () => {
    model = await denseModel('segmentation');
  });
  afterAll(() => model?.dispose());

  it('it says what each of the image’s own pixels shows, where it looked', async () => {
    const said = await model.answer(image);
    if (said.task !== 'segmentation') throw new Error(said.task);
    const { mask, segments, width, height } = said.answer;
    expect([width, height]).toEqual([120, 80]);
    // 120 x 80 becomes 60 x 40, of which 48 x 32 from (6, 4) are kept: each of the input's pixels is 2 x 2 of the image.
    const { outputs } = await model.run(await model.inputOf([image]));
    const { data } = outputs.get('logits_full')!;
    const likeliest = (place: number) => {
      const scores = labels.map((_, k) => data[k * 32 * 48 + place]!);
      return scores.indexOf(Math.max(...scores));
    };
    const expected = Array.from({ length: 120 * 80 }, (_, i) => {
      const [x, y] = [((i % 120) >> 1) - 6, (Math.floor(i / 120) >> 1) - 4];
      return x < 0 || y < 0 || x >= 48 || y >= 32 ? 255 : likeliest(y * 48 + x);
    });
    expect([...mask]).toEqual(expected);
    expect(segments.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 12);
  });
});

describe('of a detector', () => {
  let model: Model;
  beforeAll(async () => {
    model = await denseModel('detection');
  });
  afterAll(() => model?.dispose());

  it('it names boxes inside of what it saw of the image, the surest first', async () => {
    const said = await model.answer(image, { threshold: 0.05 });
    if (said.task !== 'detection') throw new Error(said.task);
    expect(said.answer.length).toBeGreaterThan(0);
    for (const { box, label, index } of said.answer) {
      const [left, top, width, height] = box;
      expect(Math.min(left - 12, top - 8, 108 - left - width, 72 - top - height)).toBeGreaterThan(-1e-6);
      expect(label).toBe(labels[index]);
    }
    const scores = said.answer.map(({ score }) => score);
    expect(scores).toEqual(scores.toSorted((a, b) => b - a));
    // The task's own threshold where none is said.
    const usual = await model.answer(image);
    expect(usual.answer).toEqual(said.answer.filter(({ score }) => score >= 0.5));
  });
});
