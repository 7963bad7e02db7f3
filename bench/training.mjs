// @ts-check
/**
 * Throughput of whole training steps (forward, backward, update) with random images, and where the time goes by kernel.
 * `node bench/training.mjs [--set key=value …] [--threads N] [--recipe NAME] [--engine native|wasm] [--no-fused] [--profile]`, after `npm run build`. Decoding and augmentation are left
 * out: they run in workers.
 */
import { parseArgs } from 'node:util';
import { createTrainingEngine } from '../dist/runtime/engines.js';
import { recipeInput } from '../dist/training/recipe.js';
import { openRecipe } from '../dist/training/recipeFiles.js';
import { TrainedNetwork } from '../dist/training/trainingStep.js';

const { values } = parseArgs({
  options: {
    recipe: { type: 'string', default: 'cifar10' },
    set: { type: 'string', multiple: true, default: [] },
    threads: { type: 'string', default: '2' },
    steps: { type: 'string', default: '12' },
    'no-fused': { type: 'boolean', default: false },
    engine: { type: 'string' },
    profile: { type: 'boolean', default: false },
  },
});
const recipe = await openRecipe(values.recipe, values.set);
if (values.engine) process.env.SPIKEFORMER_ENGINE = values.engine;
const fused = values['no-fused'] ? { fusedMultiplyAdd: false } : {};
const engine = await createTrainingEngine({ threads: Number(values.threads), ...fused });
const network = new TrainedNetwork(engine, recipe);
const [height, width] = recipeInput(recipe).sizeOf(recipe.data.preprocessing);
const { batchSize, model } = recipe;
const input = Float32Array.from(
  { length: batchSize * model.inputChannels * height * width },
  () => Math.random() * 2 - 1,
);
const labels = Int32Array.from({ length: batchSize }, (_, index) => index % model.classes);
const times = [];
const parts = { forwardBackward: 0, update: 0 };
for (let step = 0; step < Number(values.steps); step++) {
  const start = performance.now();
  await network.clear();
  await network.accumulate({ input, labels }, 1);
  const middle = performance.now();
  await network.update(1e-3);
  const end = performance.now();
  times.push(end - start);
  parts.forwardBackward += middle - start;
  parts.update += end - middle;
}
const median = [...times].sort((a, b) => a - b)[times.length >> 1] ?? 0;
const rates = Object.values(await network.firingRates());
let parameters = 0;
for (const slot of network.plan.trainable.slots) parameters += slot.length;
console.log(
  JSON.stringify({
    parameters,
    batchSize,
    engine: engine.name,
    threads: engine.threads,
    medianMilliseconds: Number(median.toFixed(1)),
    imagesPerSecond: Number(((1000 * batchSize) / median).toFixed(1)),
    updateShare: Number((parts.update / (parts.update + parts.forwardBackward)).toFixed(3)),
    meanFiringRate: Number((rates.reduce((sum, rate) => sum + rate, 0) / rates.length).toFixed(3)),
    peakMegabytes: Math.round(process.resourceUsage().maxRSS / 1024),
  }),
);
if (values.profile) {
  const program =
    /** @type {{ profile(segment: string): Promise<{ name: string, kernel: string, method: string, milliseconds: number }[]> }} */ (
      /** @type {unknown} */ (network.plan.program)
    );
  /** @type {Map<string, number>} */
  const byKernel = new Map();
  /** @type {Map<string, number>} */
  const byLayer = new Map();
  for (const segment of ['forward', 'backward']) {
    await program.profile(segment);
    for (const { name, kernel, method, milliseconds } of await program.profile(segment)) {
      const key = `${segment} ${kernel} ${method}`;
      byKernel.set(key, (byKernel.get(key) ?? 0) + milliseconds);
      const block = name.split('.').slice(0, 2).join('.');
      byLayer.set(block, (byLayer.get(block) ?? 0) + milliseconds);
    }
  }
  for (const table of [byKernel, byLayer]) {
    console.log();
    for (const [key, milliseconds] of [...table].sort((a, b) => b[1] - a[1]).slice(0, 30))
      console.log(`${milliseconds.toFixed(1).padStart(8)} ms  ${key}`);
  }
}
await engine.dispose();
