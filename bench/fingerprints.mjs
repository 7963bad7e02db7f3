// @ts-check
/**
 * What the program computes, as one line `name  sha256` per item: scores and spikes of the golden files and of the bundled model, weights after a few training steps, energy, ONNX, augmented batches.
 * A change that should change no result prints the same lines before and after: `node bench/fingerprints.mjs [--threads N] [--json]`, after `npm run build`. Not a test: other
 * processors may fuse multiplications otherwise.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { labelledImages } from '../dist/data/datasets/images.js';
import { plainPreprocessing } from '../dist/data/preprocess.js';
import {
  createTrainingEngine,
  defaultEnergyConstants,
  EnergyMeter,
  fileFromBytes,
  loadModel,
  onnxParts,
} from '../dist/index.js';
import { openSafetensors } from '../dist/interop/safetensors.js';
import { createLoader } from '../dist/loader/loader.js';
import { seededRandom } from '../dist/random.js';
import { parseRecipe } from '../dist/training/recipe.js';
import { TrainedNetwork } from '../dist/training/trainingStep.js';

const { values } = parseArgs({ options: { threads: { type: 'string' }, json: { type: 'boolean', default: false } } });
const engine = values.threads === undefined ? {} : { threads: Number(values.threads) };
const repository = fileURLToPath(new URL('..', import.meta.url));
const shared = process.env.META_SPIKEFORMER_SHARED ?? join(repository, '..', 'shared');
const precisions = /** @type {const} */ (['f32', 'i16']);
const trainingSteps = 20;

/** @type {Record<string, string>} */
const fingerprints = {};

/** @param {string} name @param {Iterable<Uint8Array | Float32Array | string>} parts */
function report(name, parts) {
  const hash = createHash('sha256');
  for (const part of parts)
    hash.update(typeof part === 'string' ? part : new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
  fingerprints[name] = hash.digest('hex');
  if (!values.json) console.log(`${name}  ${fingerprints[name]}`);
}

/** Scores and all spikes of one run. @param {string} name @param {import('../dist/index.js').Model} model @param {import('../dist/index.js').FieldTensor} input */
async function reportRun(name, model, input) {
  const { logits, spikes } = await model.run(input, { record: { spikes: true } });
  report(`${name} logits`, [logits.data]);
  report(
    `${name} spikes`,
    [...(spikes ?? [])].flatMap(([layer, { bits }]) => [layer, bits]),
  );
}

/** The inference files of a folder, but for those of another one. @param {string} folder @param {string} [other] */
async function goldenFiles(folder, other) {
  const names = readdirSync(folder).filter((file) => /^infer_.*\.pth$/.test(file));
  for (const name of names.map((file) => file.slice(0, -'.pth'.length)).sort()) {
    if (other !== undefined && existsSync(join(other, `${name}.pth`))) continue;
    const { T: timeSteps, num_heads: heads } = JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8'));
    const file = await openSafetensors(fileFromBytes(readFileSync(join(folder, `${name}.safetensors`)), name));
    const input = file.tensors.get('input');
    if (!input) throw new Error(`${name}: has no tensor called input`);
    const data = await input.readFloat32();
    for (const precision of precisions) {
      const options = { ...engine, precision, timeSteps, heads };
      const model = await loadModel({ checkpoint: join(folder, `${name}.pth`) }, options);
      await reportRun(`golden ${name} ${precision}`, model, { shape: input.shape, data });
      await model.dispose();
    }
  }
}

async function bundledModel() {
  const folder = join(repository, 'assets', 'photographs');
  const photographs = readdirSync(folder).filter((file) => file.endsWith('.jpg'));
  for (const timeSteps of [1, 4]) {
    for (const precision of precisions) {
      const model = await loadModel({ model: 'cifar10' }, { ...engine, timeSteps, precision });
      const input = await model.inputOf(photographs.sort().map((file) => join(folder, file)));
      await reportRun(`cifar10 T=${timeSteps} ${precision}`, model, input);
      if (precision === 'f32') {
        const meter = new EnergyMeter(model, defaultEnergyConstants);
        await meter.run(input);
        report(`cifar10 T=${timeSteps} energy`, [JSON.stringify(meter.result())]);
        report(`cifar10 T=${timeSteps} onnx`, onnxParts(model));
      }
      await model.dispose();
    }
  }
}

/** @param {number} timeSteps */
async function training(timeSteps) {
  const size = 16;
  const preprocessing = {
    resize: null,
    crop: [size, size],
    interpolation: 'bicubic',
    mean: [0.5, 0.5, 0.5],
    std: [0.25, 0.25, 0.25],
  };
  const recipe = parseRecipe(
    {
      name: 'small',
      model: {
        embedDim: [16, 32, 48, 64],
        heads: 4,
        depths: [1, 1, 1, 1, 1],
        strides: [1, 2, 1, 1, 1],
        stemKernel: 3,
        classes: 4,
        timeSteps,
      },
      batchNormBias: 1,
      data: { preprocessing },
      epochs: 1,
      batchSize: 6,
      optimizer: { name: 'adamw' },
      schedule: { learningRate: 0.004 },
    },
    'small',
  );
  const trainer = await createTrainingEngine(engine);
  const network = new TrainedNetwork(trainer, recipe);
  const random = seededRandom(1);
  for (let step = 0; step < trainingSteps; step++) {
    const input = Float32Array.from({ length: recipe.batchSize * 3 * size * size }, () => random.uniform() * 2 - 1);
    const labels = Int32Array.from({ length: recipe.batchSize }, () => random.integer(4));
    await network.clear();
    await network.accumulate({ input, labels }, 1);
    await network.update(0.004);
  }
  report(`training T=${timeSteps}, ${trainingSteps} steps`, [...network.parameters()].flat());
  await trainer.dispose();
}

/**
 * Every augmentation at once, each crop once.
 * @type {Record<string, import('../dist/modalities/image/settings.js').AugmentationInput>}
 */
const augmentations = {
  resized: {
    crop: { kind: 'resized' },
    horizontalFlip: 0.5,
    randAugment: { layers: 4, probability: 0.9 },
    randomErasing: { probability: 0.7, count: [1, 3] },
    mix: { mixup: 0.8, cutmix: 1, labelSmoothing: 0.1, probability: 0.8 },
  },
  padded: {
    crop: { kind: 'padded' },
    horizontalFlip: 0.5,
    randAugment: { interpolation: 'bilinear' },
    randomErasing: { fill: 'colour' },
    mix: { mixup: 0.8 },
  },
  reflected: { crop: { kind: 'padded', border: 'reflect' }, horizontalFlip: 0.5, mix: { cutmix: 0.8 } },
  centre: {},
};

/** Batches of two epochs, from files and from pixels, by the calling thread and by workers. */
async function batches() {
  const folder = join(repository, 'assets', 'photographs');
  const paths = readdirSync(folder).filter((file) => file.endsWith('.jpg'));
  const random = seededRandom(1);
  const pixels = Uint8Array.from({ length: 40 * 32 * 32 * 3 }, () => random.integer(256));
  /** @type {Record<string, import('../dist/index.js').ImageStore>} */
  const stores = {
    photographs: { kind: 'files', paths: paths.sort().map((file) => join(folder, file)) },
    noise: { kind: 'pixels', height: 32, width: 32, channels: 3, pixels },
  };
  for (const [name, store] of Object.entries(stores)) {
    const count = store.kind === 'files' ? store.paths.length : 40;
    const labels = Int32Array.from({ length: count }, (_, i) => i % 3);
    const dataset = labelledImages({ name, classes: ['a', 'b', 'c'], labels, store });
    for (const [kind, augmentation] of Object.entries(augmentations)) {
      if (name === 'photographs' && augmentation.crop?.kind === 'padded') continue;
      for (const workers of [0, 2]) {
        const preprocessing = plainPreprocessing(32);
        const loader = createLoader(dataset, { batchSize: 6, seed: 5, preprocessing, augmentation, workers });
        const parts = [];
        for (const epoch of [0, 3])
          for await (const { input, labels, targets, indices } of loader.epoch(epoch))
            parts.push(
              input,
              new Uint8Array(labels.buffer),
              ...(targets ? [targets] : []),
              new Uint8Array(indices.buffer),
            );
        await loader.close();
        report(`batches ${name} ${kind}, ${workers} workers`, parts);
      }
    }
  }
}

const fixtures = join(repository, 'test', 'fixtures', 'golden');
await goldenFiles(fixtures);
if (existsSync(join(shared, 'golden'))) await goldenFiles(join(shared, 'golden'), fixtures);
else console.error('skipped: the golden files of the shared folder, which is absent');
await bundledModel();
await training(1);
await training(4);
await batches();
if (values.json) console.log(JSON.stringify(fingerprints, undefined, 2));
