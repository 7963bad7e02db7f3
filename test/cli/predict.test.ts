/** `predict`: what it says, to people and in JSON, and how it goes on after a file that cannot be used. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModel } from '../../src/index.js';
import { checkpoint, fixture, json, spikeformer, temporaryFolder, writeLabelled } from './support.js';

const photograph = fixture('preprocess', 'images', 'jpeg_420.jpg');
const drawing = fixture('preprocess', 'images', 'png_palette.png');
const settings = ['--checkpoint', checkpoint, '--image-size', '32', '--threads', '1'];

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const at = (...parts: string[]) => join(folder.path, ...parts);
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

interface PredictDocument {
  readonly model: object;
  readonly images: {
    readonly image: string;
    readonly width: number;
    readonly predictions: { readonly index: number; readonly label: string; readonly probability: number }[];
  }[];
  readonly errors: { readonly image: string; readonly message: string }[];
  readonly details: {
    readonly stages: {
      readonly name: string;
      readonly shape: number[];
      readonly firingRate?: number;
      neurons: number;
    }[];
  } | null;
}
const predict = async (...args: string[]) => (await json(['predict', ...args])) as unknown as PredictDocument;

describe('predict --json', () => {
  it('answers as the library does', async () => {
    const { images } = await predict(photograph, drawing, ...settings, '--top', '10', '--time-steps', '2');
    const model = await loadModel({ checkpoint }, { imageSize: 32, threads: 1, timeSteps: 2 });
    for (const [index, path] of [photograph, drawing].entries()) {
      expect(images[index]).toMatchObject({ image: path, predictions: await model.classify(path, 10) });
    }
    await model.dispose();
    const sum = images[0]!.predictions.reduce((total, { probability }) => total + probability, 0);
    expect(sum).toBeCloseTo(1, 6);
  });

  it('shows shapes, neurons and firing rates of every stage', async () => {
    const { details } = await predict(photograph, ...settings, '--time-steps', '2');
    const stages = new Map(details!.stages.map((stage) => [stage.name, stage]));
    expect(stages.get('downsample1_1')).toMatchObject({ shape: [2, 1, 8, 16, 16], neurons: 0 });
    expect(stages.get('downsample1_1')).not.toHaveProperty('firingRate');
    // Shapes of the golden file's `act.block4.1`, and of its eleven neuron layers.
    expect(stages.get('block4.1')).toMatchObject({ shape: [2, 1, 80, 2, 2] });
    expect(stages.get('block4.1')!.neurons).toBe(4 * (6 * 80 + 320));
    expect(stages.get('classifier')).toMatchObject({ shape: [1, 10], neurons: 80 });
    for (const { neurons, firingRate } of stages.values()) {
      if (neurons > 0) expect(firingRate).toBeGreaterThanOrEqual(0);
      if (neurons > 0) expect(firingRate).toBeLessThan(1);
    }
    expect((await predict(photograph, ...settings, '--no-details')).details).toBeNull();
  });

  it('uses the labels of the checkpoint', async () => {
    const labels = Array.from({ length: 10 }, (_, i) => `animal ${i}`);
    const labelled = await writeLabelled(at('labelled.safetensors'), labels);
    const { images } = await predict(photograph, '--checkpoint', labelled, '--image-size', '32');
    expect(images[0]!.predictions).toHaveLength(5);
    for (const { index, label } of images[0]!.predictions) expect(label).toBe(`animal ${index}`);
  });

  it('goes on after a file that cannot be used, and ends with 2', async () => {
    await writeFile(at('broken.png'), 'not an image');
    const args = ['predict', photograph, at('broken.png'), at('missing.png'), drawing, ...settings, '--json'];
    const { code, stdout, stderr } = await spikeformer(args);
    expect(code).toBe(2);
    const document: PredictDocument = JSON.parse(stdout);
    expect(document.images.map(({ image }) => image)).toEqual([photograph, drawing]);
    expect(document.errors.map(({ image }) => image)).toEqual([at('broken.png'), at('missing.png')]);
    const lines = stderr.trimEnd().split('\n');
    expect(lines).toEqual(document.errors.map(({ message }) => `spikeformer: ${message}`));
  });
});

describe('predict', () => {
  it('says first of all, in one line, that weights are random', async () => {
    const { stdout, code } = await spikeformer(['predict', photograph, '--model', '15M-random', '--image-size', '64']);
    expect(stdout.split('\n')[0]).toBe('weights are random: the answers mean nothing');
    expect(stdout).toMatch(/mean firing rate \d+\.\d % of [\d,]+ neurons/);
    expect(stdout).toMatch(/where the time went: .*decode .*run the network/);
    expect(code).toBe(0);
    expect((await spikeformer(['predict', photograph, ...settings])).stdout).not.toContain('random');
  });

  it('prints names from outside without their control characters', async () => {
    const labels = Array.from({ length: 10 }, (_, i) => `\x1b[31mred\n${i}`);
    const hostile = await writeLabelled(at('hostile.safetensors'), labels);
    const { stdout } = await spikeformer(['predict', photograph, '--checkpoint', hostile, '--image-size', '32']);
    expect(stdout).toContain('\\u001b[31mred\\u000a');
    expect(stdout).not.toContain('\x1b');
  });
});
