/** Training on recordings: from files of N-MNIST's layout to a model that is asked about them, and runs that are stopped and go on. */
import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTaskEvaluationData } from '../../src/api/evaluationData.js';
import { holdOut } from '../../src/data/datasets/dataset.js';
import { openRecordings } from '../../src/data/events/datasets/openRecordings.js';
import { createReferenceEngine } from '../../src/engines/reference/index.js';
import { loadModel } from '../../src/index.js';
import { openCheckpointFile } from '../../src/interop/checkpointFiles.js';
import { descriptionOf } from '../../src/interop/modelDescription.js';
import { defaultTask, taskNamed } from '../../src/tasks/registry.js';
import { dataProblems } from '../../src/training/fit.js';
import { checkRecipe, parseRecipe, type Recipe, withSettings } from '../../src/training/recipe.js';
import { type RunSettings, train } from '../../src/training/trainingRun.js';
import { spikeformer } from '../cli/support.js';
import { nmnistBytes, walk, writeTree } from '../support/recordings.js';
import { filesOf, stoppingAt } from './runSupport.js';

const written = {
  name: 'walks',
  model: {
    embedDim: [4, 8, 8, 8],
    heads: 1,
    depths: [0, 1, 0, 1, 0],
    strides: [2, 2, 1, 1, 1],
    stemKernel: 3,
    classes: 2,
  },
  batchNormBias: 1,
  data: {
    modality: 'events',
    preprocessing: {
      sensor: [34, 34],
      window: { by: 'bins', bins: 4 },
      timeSteps: 4,
      size: [16, 16],
      fit: 'crop',
      scale: { logarithm: true },
    },
    holdOut: 2,
    workers: 0,
  },
  epochs: 2,
  batchSize: 2,
  optimizer: { name: 'adamw' },
  schedule: { learningRate: 0.01 },
  augmentation: { affine: { shift: 0.05 }, drop: { events: 0.3 } },
  saveEvery: 1,
  logEvery: 1,
};

function recipeWith(...settings: readonly string[]): Recipe {
  return parseRecipe(withSettings(written, settings), 'walks');
}

let folder: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'spikeformer-events-'));
  const files: Record<string, Uint8Array> = {};
  for (let i = 0; i < 6; i++) {
    files[`Train/${i % 2}/0000${i}.bin`] = nmnistBytes(walk(i % 2, i));
    if (i < 4) files[`Test/${i % 2}/0000${i}.bin`] = nmnistBytes(walk(i % 2, 10 + i));
  }
  await writeTree(join(folder, 'data'), files);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const at = (...parts: string[]) => join(folder, ...parts);

async function run(output: string, more: Partial<RunSettings> = {}): Promise<RunSettings> {
  const dataset = await openRecordings(at('data'), { split: 'train' });
  return { recipe: recipeWith(), dataset, output, createEngine: createReferenceEngine, ...more };
}

describe('a recipe for events', () => {
  it('gives the network its channels and time steps', () => {
    expect(recipeWith().model).toMatchObject({ inputChannels: 2, timeSteps: 4 });
    const one = recipeWith('data.preprocessing.representation=signed', 'data.preprocessing.timeSteps=3');
    expect(one.model).toMatchObject({ inputChannels: 1, timeSteps: 3 });
  });

  it('may not contradict itself: one line says what to set', async () => {
    expect(() => recipeWith('model.timeSteps=2')).toThrow(
      'the network has 2 time steps, the preprocessing makes 4 frames; set both timeSteps and data.preprocessing.timeSteps',
    );
    const dataset = await openRecordings(at('data'), { split: 'train' });
    const { partial } = checkRecipe(withSettings(written, ['model.inputChannels=3']));
    expect(dataProblems(partial, dataset).map(({ message }) => message)).toEqual([
      'the network takes 3 input channels, recordings are given to it in 2; set inputChannels=2 or leave it out',
    ]);
    const images = checkRecipe(withSettings(written, ['data.modality=image'])).partial;
    expect(dataProblems(images, dataset)[0]!.message).toContain('holds recordings, but the recipe is for images');
  });

  it('names what is wrong in what only events have', () => {
    expect(() => recipeWith('data.preprocessing.window.bins=0')).toThrow('data.preprocessing.window.bins');
    expect(() => recipeWith('augmentation.horizontalFlip=2')).toThrow('augmentation.horizontalFlip');
    expect(() => recipeWith('data.modality=smells')).toThrow('data.modality');
  });
});

describe('a training on recordings', () => {
  it('goes on at every place where it was stopped to the same files bit for bit', async () => {
    const never = stoppingAt(Number.POSITIVE_INFINITY);
    await train(await run(at('whole'), { signal: never.signal }));
    const expected = filesOf(at('whole'));
    for (let turn = 1; turn <= never.asked(); turn++) {
      const output = at(`stopped ${turn}`);
      expect((await train(await run(output, { signal: stoppingAt(turn).signal }))).finished).toBe(false);
      expect((await train(await run(output, { resume: true }))).finished).toBe(true);
      expect(filesOf(output), `stopped at ${turn}`).toEqual(expected);
    }
  }, 120_000);

  it('refuses to go on with a recording replaced', async () => {
    await train(await run(at('run'), { recipe: recipeWith('epochs=1') }));
    await writeFile(at('data', 'Train', '1', '00003.bin'), nmnistBytes(walk(1, 7)));
    const again = await run(at('run'), { recipe: recipeWith('epochs=1'), resume: true });
    await expect(train(again)).rejects.toThrow('1/00003.bin');
  });

  it('leaves a model that says what it looks at, and is asked about recordings', async () => {
    await train(await run(at('run')));
    const path = at('run', 'best.safetensors');
    const file = await openCheckpointFile(path);
    expect(descriptionOf(file)).toMatchObject({ modality: 'events', preprocessing: { sensor: [34, 34] } });
    await file.close();
    const model = await loadModel({ checkpoint: path }, { engine: 'reference' });
    const recordings = ['0', '1'].map((name) => at('data', 'Test', name, `0000${name}.bin`));
    expect(model.input).toMatchObject({ modality: 'events', frames: 4, channels: 2, places: [16, 16], size: [16, 16] });
    expect(() => model.preprocessing).toThrow('takes events, not images');
    const both = await model.inputOf(recordings);
    expect(both.shape).toEqual([4, 2, 2, 16, 16]);
    const { logits } = await model.run(both);
    // Frame by frame the same, and the mean of the logits so far after every step.
    let last: Float32Array | undefined;
    for (let t = 0; t < 4; t++) {
      const length = both.data.length / 4;
      const frame = both.data.slice(t * length, (t + 1) * length);
      const step = await model.step({ shape: both.shape.slice(1), data: frame });
      last = step.meanOutputs.get('logits')!.data;
    }
    expect([...last!].map((value) => value.toFixed(5))).toEqual([...logits.data].map((value) => value.toFixed(5)));
    await model.resetState();
    const [best] = await model.classify(recordings[0]!, 1);
    expect(['0', '1']).toContain(best!.label);
    await expect(model.inputOf([at('data')])).rejects.toThrow('is a directory, not a recording');
    await model.dispose();
  });

  it('is evaluated and asked on the command line', async () => {
    await train(await run(at('run')));
    const asked = ['--checkpoint', at('run', 'best.safetensors'), '--engine', 'reference'];
    const evaluated = await spikeformer(['eval', ...asked, '--data', at('data'), '--json']);
    expect(evaluated.stderr).toBe('');
    expect(JSON.parse(evaluated.stdout)).toMatchObject({ images: 4, data: { noun: 'recording', classes: ['0', '1'] } });
    const words = await spikeformer(['eval', ...asked, '--data', at('data')]);
    expect(words.stdout).toContain('4 recordings of 4 in 2 class');
    const file = at('data', 'Test', '1', '00003.bin');
    const predicted = await spikeformer(['predict', ...asked, file, '--json']);
    expect(predicted.stderr).toBe('');
    const { recordings } = JSON.parse(predicted.stdout);
    expect(recordings[0]).toMatchObject({ recording: file, events: 40, seconds: 0.039 });
    expect(recordings[0].steps).toHaveLength(4);
    expect(recordings[0].steps[3].predictions[0].label).toBe(recordings[0].predictions[0].label);
    const told = await spikeformer(['predict', ...asked, at('data', 'Test', '1')]);
    expect(told.code).toBe(0);
    expect(told.stdout).toContain('40 events in 0.039 s');
    const energy = await spikeformer([
      'energy',
      ...asked,
      '--data',
      at('data'),
      '--images',
      '3',
      '--batch',
      '2',
      '--json',
    ]);
    expect(energy.stderr).toBe('');
    expect(JSON.parse(energy.stdout).data).toMatchObject({ images: 3 });
    for (const command of ['energy', 'tune']) {
      const environment = { SPIKEFORMER_CACHE: at('cache') };
      const refused = await spikeformer([command, ...asked], { environment });
      expect(refused.code).toBe(2);
      expect(refused.stderr).toContain(
        'this model takes events, not the photographs that come with the program; name some events',
      );
    }
    const info = await spikeformer(['info', '--checkpoint', at('run', 'best.safetensors'), '--json']);
    expect(JSON.parse(info.stdout)).toMatchObject({ modality: 'events', imageSize: [16, 16] });
    const exported = await spikeformer([
      'export',
      ...asked.slice(0, 2),
      '--format',
      'onnx',
      '--output',
      at('walks.onnx'),
    ]);
    expect(exported.code).toBe(0);
  }, 60_000);
});

describe('init for recordings', () => {
  it('writes a recipe that trains as it is', async () => {
    const file = at('walks.json');
    const written = await spikeformer(['init', at('data'), '--modality', 'events', '--output', file, '--json']);
    expect(written.stderr).toBe('');
    expect(JSON.parse(written.stdout)).toMatchObject({
      data: { trainingRecordings: 6, testRecordings: 4, sensor: [34, 34], events: 40, seconds: 0.039 },
      recipe: { size: [34, 34], timeSteps: 8, heldOut: 0 },
    });
    const set = ['--set', 'epochs=1', 'model.embedDim=[4,8,8,8]', 'model.heads=1', 'data.workers=0', 'batchSize=2'];
    const asked = ['train', '--recipe', file, '--data', at('data'), '--output', at('run'), '--threads', '1'];
    const trained = await spikeformer([...asked, ...set]);
    expect(trained.stderr).toContain('epoch 1');
    expect(trained.code).toBe(0);
    const told = await spikeformer(['init', at('data'), '--modality', 'events', '--output', file, '--force']);
    expect(told.stdout).toContain('34×34 pixels, mostly around 40 events in 0.0390 s');
  }, 60_000);
});

describe('data held out from the end', () => {
  it('is the last of each class', async () => {
    const data = await openRecordings(at('data'), { split: 'train' });
    const { training, validation } = holdOut(data, 2, 1, 'end');
    const names = (part: typeof data) => Array.from({ length: part.size }, (_, i) => part.sampleName(i).slice(-9));
    expect(names(validation)).toEqual(['00004.bin', '00005.bin']);
    expect(names(training)).toEqual(['00000.bin', '00002.bin', '00001.bin', '00003.bin']);
  });
});

describe('data of recordings', () => {
  it('is opened for a task, and tells itself from other data', async () => {
    const task = taskNamed(defaultTask);
    const data = await openTaskEvaluationData(task, at('data'), { modality: 'events' });
    expect(data).toMatchObject({ size: 4, noun: 'recording', names: ['0', '1'] });
    await writeFile(at('data', 'Test', '1', '00009.bin'), nmnistBytes(walk(1, 3)));
    const more = await openTaskEvaluationData(task, at('data'), { modality: 'events' });
    expect(more.fingerprint).not.toBe(data.fingerprint);
  });
});
