/** Runs on tiny synthetic images with one thread: refusing, learning something; stopping and resuming are in resume.test.ts. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LabelledImages, labelledImages } from '../../src/data/datasets/images.js';
import { openCheckpointFile } from '../../src/interop/checkpointFiles.js';
import { loadParameters } from '../../src/interop/loadParameters.js';
import { seededRandom } from '../../src/random.js';
import { createTrainingEngine } from '../../src/runtime/engines.js';
import { TrainingError } from '../../src/training/errors.js';
import { parseRecipe, type Recipe, withSettings } from '../../src/training/recipe.js';
import { type RunSettings, train } from '../../src/training/trainingRun.js';

const written = {
  name: 'tiny',
  model: {
    embedDim: [8, 16, 16, 16],
    heads: 4,
    depths: [1, 1, 1, 1, 1],
    strides: [1, 2, 1, 1, 1],
    stemKernel: 3,
    classes: 2,
    timeSteps: 2,
  },
  batchNormBias: 1,
  data: {
    preprocessing: {
      resize: null,
      crop: [8, 8],
      interpolation: 'bicubic',
      mean: [0.5, 0.5, 0.5],
      std: [0.25, 0.25, 0.25],
    },
    holdOut: 8,
    workers: 0,
  },
  epochs: 3,
  batchSize: 8,
  optimizer: { name: 'adamw' },
  schedule: { learningRate: 0.004, warmUpEpochs: 0.5 },
  augmentation: { horizontalFlip: 0.5 },
  movingAverage: 0.9,
  saveEvery: 2,
  logEvery: 1,
};

/** Two classes that differ in which half is bright. */
function halves(count: number): LabelledImages {
  const random = seededRandom(3);
  const pixels = new Uint8Array(count * 8 * 8 * 3);
  const labels = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    labels[i] = i % 2;
    for (let y = 0; y < 8; y++) {
      const bright = y < 4 === (labels[i] === 0);
      for (let x = 0; x < 8 * 3; x++) pixels[(i * 8 + y) * 24 + x] = (bright ? 150 : 40) + random.integer(60);
    }
  }
  return labelledImages({
    name: 'halves',
    classes: ['top', 'bottom'],
    labels,
    store: { kind: 'pixels', height: 8, width: 8, channels: 3, pixels },
  });
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'spikeformer-run-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function settings(output: string, recipe: Recipe, more: Partial<RunSettings> = {}): RunSettings {
  return {
    recipe,
    dataset: halves(48),
    output: join(folder, output),
    createEngine: () => createTrainingEngine({ threads: 1 }),
    resume: false,
    ...more,
  };
}

describe('a training run', () => {
  const recipe = parseRecipe(written, 'tiny');

  it('learns two classes that any network can tell apart, and leaves a model that says what it is', async () => {
    const result = await train(settings('learn', parseRecipe({ ...written, epochs: 12 }, 'tiny')));
    expect(result.finished).toBe(true);
    expect(result.bestAccuracy).toBe(1);
    const checkpoint = await openCheckpointFile(join(folder, 'learn', 'best.safetensors'));
    const { configuration, description } = await loadParameters(checkpoint);
    await checkpoint.close();
    expect(configuration).toEqual(recipe.model);
    expect(description.labels).toEqual(['top', 'bottom']);
  });

  it('writes one line of metrics per step and epoch, without doubles after a resume', async () => {
    const controller = new AbortController();
    const stop: RunSettings['onProgress'] = (report) => {
      if (report.kind === 'step' && report.step === 3) controller.abort();
    };
    await train(settings('log', recipe, { signal: controller.signal, onProgress: stop }));
    await train(settings('log', recipe, { resume: true }));
    const lines = readFileSync(join(folder, 'log', 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.filter((line) => line.kind === 'step').map((line) => line.step)).toEqual(
      Array.from({ length: 15 }, (_, i) => i + 1),
    );
    expect(lines.filter((line) => line.kind === 'epoch')).toHaveLength(3);
    expect(Object.values(lines[0].firingRates).every((rate) => (rate as number) >= 0 && (rate as number) <= 1)).toBe(
      true,
    );
  });

  it('refuses to resume under another recipe', async () => {
    await train(settings('other', parseRecipe({ ...written, epochs: 1 }, 'tiny')));
    await expect(train(settings('other', recipe, { resume: true }))).rejects.toThrow(/another recipe/);
  });

  it('stops when the loss is no number any more, naming a layer', async () => {
    const wild = parseRecipe(withSettings(written, ['schedule.learningRate=1e30', 'schedule.warmUpEpochs=0']), 'wild');
    await expect(train(settings('wild', wild))).rejects.toThrow(TrainingError);
    await expect(train(settings('wild', wild))).rejects.toThrow(/downsample|ConvBlock|block|head/);
  });

  it('refuses a data set with another number of classes', async () => {
    const three = parseRecipe(withSettings(written, ['classes=3']), 'tiny');
    await expect(train(settings('classes', three))).rejects.toThrow(/2 classes.*classes=2/);
  });
});

describe('settings on top of a recipe', () => {
  it('reach into the recipe and, for names it does not have, into the network', () => {
    const changed = parseRecipe(
      withSettings(written, ['timeSteps=4', 'schedule.learningRate=0.5', 'name=mine']),
      'tiny',
    );
    expect([changed.model.timeSteps, changed.schedule.learningRate, changed.name]).toEqual([4, 0.5, 'mine']);
  });

  it.each(['timeSteps', '=3', 'a..b=1', '__proto__.x=1'])('refuse %s', (assignment) => {
    expect(() => parseRecipe(withSettings(written, [assignment]), 'tiny')).toThrow();
  });
});
