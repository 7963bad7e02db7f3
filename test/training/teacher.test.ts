/** Teachers for distillation: what they answer, and a student that learns from one what its labels do not say. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LabelledImages, labelledImages } from '../../src/data/datasets/images.js';
import { createWasmEngine } from '../../src/engines/wasm/index.js';
import { loadModel, writeOnnx } from '../../src/index.js';
import { OnnxFile } from '../../src/interop/onnx/onnxFile.js';
import { seededRandom } from '../../src/random.js';
import { taskNamed } from '../../src/tasks/registry.js';
import { parseRecipe, type Recipe } from '../../src/training/recipe.js';
import { openTeacher } from '../../src/training/teacher.js';
import { train } from '../../src/training/trainingRun.js';

const createEngine = () => createWasmEngine({ threads: 1 });
const std = [0.25, 0.25, 0.25];

function recipeWith(more: object, model: object = {}): Recipe {
  const preprocessing = { resize: null, crop: [8, 8], interpolation: 'bicubic', mean: [0.5, 0.5, 0.5], std };
  return parseRecipe(
    {
      name: 'teaching',
      model: {
        embedDim: [8, 16, 16, 16],
        heads: 4,
        depths: [1, 1, 0, 0, 0],
        strides: [1, 2, 1, 1, 1],
        stemKernel: 3,
        classes: 2,
        ...model,
      },
      batchNormBias: { neurons: 1, branches: 0, last: 2 },
      data: { preprocessing, holdOut: 8, workers: 0 },
      epochs: 8,
      batchSize: 8,
      optimizer: { name: 'adamw' },
      schedule: { learningRate: 0.004, warmUpEpochs: 0.5 },
      ...more,
    },
    'teaching',
  );
}

/** Two classes that differ in which half is bright; `label` says what the data set claims of them. */
function halves(count: number, label: (index: number) => number): LabelledImages {
  const random = seededRandom(3);
  const pixels = new Uint8Array(count * 8 * 8 * 3);
  for (let i = 0; i < count; i++) {
    for (let y = 0; y < 8; y++) {
      const bright = y < 4 === (i % 2 === 0);
      for (let x = 0; x < 8 * 3; x++) pixels[(i * 8 + y) * 24 + x] = (bright ? 150 : 40) + random.integer(60);
    }
  }
  return labelledImages({
    name: 'halves',
    classes: ['top', 'bottom'],
    labels: Int32Array.from({ length: count }, (_, index) => label(index)),
    store: { kind: 'pixels', height: 8, width: 8, channels: 3, pixels },
  });
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'spikeformer-teacher-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function teacherOf(recipe: Recipe) {
  return openTeacher(taskNamed(recipe.task).teacher(recipe.loss)!, recipe, createEngine);
}

async function trainTeacher(): Promise<string> {
  const output = join(folder, 'teacher');
  const truth = halves(64, (index) => index % 2);
  const result = await train({ recipe: recipeWith({}), dataset: truth, output, createEngine, resume: false });
  expect(result.bestAccuracy).toBe(1);
  return join(output, 'best.safetensors');
}

describe('a teacher', () => {
  it('answers as the model does, for images normalised as the student has them', async () => {
    const path = await trainTeacher();
    const model = await loadModel({ checkpoint: path }, { threads: 1 });
    const random = seededRandom(8);
    const bytes = Float32Array.from({ length: 2 * 3 * 64 }, () => random.uniform());
    const own = bytes.map((value) => (value - 0.5) / 0.25);
    const expected = (await model.run({ shape: [2, 3, 8, 8], data: own })).logits.data;
    await model.dispose();
    const loss = { distillation: { teacher: path } };
    for (const [mean, deviation] of [
      [0.5, 0.25],
      [0.25, 0.5],
    ] as const) {
      const recipe = recipeWith({ loss }, { distillation: true });
      const preprocessing = {
        ...recipe.data.preprocessing,
        mean: [mean, mean, mean] as const,
        std: [deviation, deviation, deviation] as const,
      };
      const teacher = await teacherOf({ ...recipe, data: { ...recipe.data, preprocessing } });
      const seen = bytes.map((value) => (value - mean) / deviation);
      expect([...(await teacher.logits(seen, [2, 3, 8, 8]))]).toEqual([...expected]);
      await teacher.dispose();
    }
  });

  it('may be an ONNX file, which answers the same', async () => {
    const path = await trainTeacher();
    const model = await loadModel({ checkpoint: path }, { threads: 1 });
    const onnx = join(folder, 'teacher.onnx');
    await writeOnnx(onnx, model);
    const random = seededRandom(8);
    const images = Float32Array.from({ length: 3 * 3 * 64 }, () => random.normal());
    const expected = (await model.run({ shape: [3, 3, 8, 8], data: images })).logits.data;
    await model.dispose();
    const teacher = await teacherOf(recipeWith({ loss: { distillation: { teacher: onnx } } }, { distillation: true }));
    const found = await teacher.logits(images, [3, 3, 8, 8]);
    await teacher.dispose();
    expect(Math.max(...found.map((value, i) => Math.abs(value - expected[i]!)))).toBeLessThan(1e-5);
  });

  it('is asked for its logits when its file gives out more, whatever comes first', async () => {
    const file = new OnnxFile();
    const input = file.input('input', ['batch', 3, 8, 8]);
    const pooled = file.node('GlobalAveragePool', 'map', [input])[0]!;
    const means = file.node('Flatten', 'means', [pooled], { axis: 1 })[0]!;
    const pick = (name: string, weight: readonly number[]) =>
      file.node('MatMul', name, [means, file.constant(`${name}.weight`, Float32Array.from(weight), [3, 2])])[0]!;
    file.output(pick('features', [1, 0, 0, 0, 0, 0]), ['batch', 2]);
    file.output(pick('logits', [0, 0, 0, 0, 0, 1]), ['batch', 2]);
    const path = join(folder, 'two.onnx');
    writeFileSync(path, Buffer.concat(file.encode('two', {}).parts));
    const teacher = await teacherOf(recipeWith({ loss: { distillation: { teacher: path } } }, { distillation: true }));
    const images = Float32Array.from({ length: 3 * 64 }, (_, index) => Math.floor(index / 64) + 1);
    expect([...(await teacher.logits(images, [1, 3, 8, 8]))]).toEqual([0, 3]);
    await teacher.dispose();
  });

  it('teaches the second head what the labels hide', async () => {
    const path = await trainTeacher();
    // Labels that say nothing; all the loss is the teacher's.
    const blind = halves(64, (index) => Number(index % 4 >= 2));
    const loss = { distillation: { teacher: path, teacherShare: 1 } };
    const recipe = recipeWith({ loss, data: { ...recipeWith({}).data, holdOut: 0 } }, { distillation: true });
    const output = join(folder, 'student');
    await train({ recipe, dataset: blind, output, createEngine, resume: false });
    const student = await loadModel({ checkpoint: join(output, 'last.safetensors') }, { threads: 1 });
    const predictions = [];
    for (let i = 0; i < 16; i++) predictions.push((await student.classify(await blind.image(i)))[0]!.index);
    await student.dispose();
    expect(predictions).toEqual(Array.from({ length: 16 }, (_, index) => index % 2));
  });

  it('is refused when it has other classes, or is no file, or is an ONNX file that nothing can run', async () => {
    const path = await trainTeacher();
    const loss = { distillation: { teacher: path } };
    await expect(teacherOf(recipeWith({ loss }, { distillation: true, classes: 5 }))).rejects.toThrow(
      /teacher has 2 classes.*the student 5/,
    );
    const missing = { distillation: { teacher: join(folder, 'none.pth') } };
    await expect(teacherOf(recipeWith({ loss: missing }, { distillation: true }))).rejects.toThrow(/none\.pth/);
    const onnx = { distillation: { teacher: join(folder, 'none.onnx') } };
    await expect(teacherOf(recipeWith({ loss: onnx }, { distillation: true }))).rejects.toThrow(
      /none\.onnx: (an ONNX teacher needs onnxruntime-node|onnxruntime cannot open it)/,
    );
  });
});
