/** Runs small enough to be made dozens of times, and what is compared of their files. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ImageDataset, imagesWith, type LabelledImages, labelledImages } from '../../src/data/datasets/images.js';
import { asks, isSearched, type PlaceTargets } from '../../src/data/targets/places.js';
import { createReferenceEngine } from '../../src/engines/reference/index.js';
import { parseRecipe, type Recipe, withSettings } from '../../src/training/recipe.js';
import type { RunSettings } from '../../src/training/trainingRun.js';

/** Two steps an epoch, the first epoch on smaller images, one image held out. */
const written = {
  name: 'smallest',
  model: {
    embedDim: [4, 4, 4, 4],
    heads: 1,
    depths: [0, 0, 0, 1, 0],
    strides: [2, 2, 1, 1, 1],
    stemKernel: 3,
    classes: 2,
  },
  batchNormBias: 1,
  data: {
    preprocessing: {
      resize: 10,
      crop: [10, 10],
      interpolation: 'bicubic',
      mean: [0.5, 0.5, 0.5],
      std: [0.25, 0.25, 0.25],
    },
    holdOut: 2,
    workers: 0,
  },
  epochs: 2,
  smallerFirst: [{ epochs: 1, imageSize: 8 }],
  batchSize: 2,
  optimizer: { name: 'adamw' },
  schedule: { learningRate: 0.01 },
  augmentation: { horizontalFlip: 0.5 },
  movingAverage: 0.9,
  saveEvery: 1,
  logEvery: 1,
};

export function smallest(...settings: readonly string[]): Recipe {
  return parseRecipe(withSettings(written, settings), 'smallest');
}

/** Grey images, each of its own shade. */
export function shades(count: number, classes: readonly string[] = ['even', 'odd'], changed?: number): LabelledImages {
  const pixels = Uint8Array.from({ length: count * 8 * 8 * 3 }, (_, i) => (i * 7 + Math.floor(i / 192) * 40) % 251);
  if (changed !== undefined) pixels[changed * 192]!++;
  return labelledImages({
    name: 'shades',
    classes,
    labels: Int32Array.from({ length: count }, (_, i) => i % 2),
    store: { kind: 'pixels', height: 8, width: 8, channels: 3, pixels },
  });
}

/** Grey images again, of as many places as half of them, each in two views. */
export function places(count: number): ImageDataset<PlaceTargets> {
  const { store, name } = shades(count);
  const targets: PlaceTargets = {
    kind: 'places',
    places: Array.from({ length: count / 2 }, (_, i) => `place ${i}`),
    views: ['drone', 'satellite'],
    place: Int32Array.from({ length: count }, (_, i) => Math.floor(i / 2)),
    view: Int32Array.from({ length: count }, (_, i) => i % 2),
    role: new Uint8Array(count).fill(asks | isSearched),
  };
  return imagesWith({ name, store, targets });
}

export function smallRun(output: string, more: Partial<RunSettings> = {}): RunSettings {
  return { recipe: smallest(), dataset: shades(6), output, createEngine: createReferenceEngine, ...more };
}

/** A signal that says to stop from the n-th time on that it is asked: at every place where a run looks. */
export function stoppingAt(turn: number): { readonly signal: AbortSignal; readonly asked: () => number } {
  let asked = 0;
  const signal = {
    get aborted() {
      return ++asked >= turn;
    },
  } as AbortSignal;
  return { signal, asked: () => asked };
}

/** Everything a run leaves that must not depend on when it was stopped: bytes of models and state, metrics without times. */
export function filesOf(output: string): Record<string, string> {
  const files: Record<string, string> = {};
  for (const name of readdirSync(output)) {
    const bytes = readFileSync(join(output, name));
    if (name.endsWith('.safetensors')) files[name] = bytes.toString('base64');
    else if (name === 'metrics.jsonl')
      files[name] = bytes.toString('utf8').replace(/"time":"[^"]*"|"imagesPerSecond":[^,]*/g, '');
    else if (!name.startsWith('events.')) files[name] = bytes.toString('utf8');
  }
  return files;
}
