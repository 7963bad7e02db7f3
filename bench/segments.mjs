// @ts-check
/**
 * What the optimizer's and the loss's segments save against the loops in TypeScript that they replace, in turns in one process: `node bench/segments.mjs [--recipe NAME]
 * [--set key=value …] [--threads N] [--engine native|wasm] [--rows N] [--classes N]`, after `npm run build`. With `--rows 0` the loss is left out.
 */
import { parseArgs } from 'node:util';
import { createTrainingEngine } from '../dist/runtime/engines.js';
import { crossEntropy } from '../dist/training/losses/index.js';
import { clipByGlobalNorm, createOptimizer, optimizedParameters } from '../dist/training/optimizers/index.js';
import { recipeInput } from '../dist/training/recipe.js';
import { openRecipe } from '../dist/training/recipeFiles.js';
import { RecordedLoss } from '../dist/training/recordedLoss.js';
import { allocated } from '../dist/training/recordedUpdate.js';
import { TrainedNetwork } from '../dist/training/trainingStep.js';

const { values } = parseArgs({
  options: {
    recipe: { type: 'string', default: 'cifar10' },
    set: { type: 'string', multiple: true, default: [] },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '15' },
    engine: { type: 'string' },
    rows: { type: 'string', default: String(16 * 128 * 128) },
    classes: { type: 'string', default: '150' },
  },
});
if (values.engine) process.env.SPIKEFORMER_ENGINE = values.engine;
const engine = await createTrainingEngine({ threads: Number(values.threads) });

/** @param {number[]} times */
const median = (times) => Number((times.sort((a, b) => a - b)[times.length >> 1] ?? 0).toFixed(2));

/**
 * Runs all in turns; medians in milliseconds.
 *
 * @param {Record<string, () => unknown>} candidates @param {number} rounds
 */
async function inTurns(candidates, rounds) {
  /** @type {Record<string, number[]>} */
  const times = Object.fromEntries(Object.keys(candidates).map((name) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const [name, run] of Object.entries(candidates)) {
      const start = performance.now();
      await run();
      // The first round compiles.
      if (round > 0) times[name]?.push(performance.now() - start);
    }
  }
  return Object.fromEntries(Object.entries(times).map(([name, found]) => [name, median(found)]));
}

async function update() {
  const recipe = await openRecipe(values.recipe, values.set);
  const network = new TrainedNetwork(engine, recipe);
  const [height, width] = recipeInput(recipe).sizeOf(recipe.data.preprocessing);
  const { batchSize, model } = recipe;
  const pixels = batchSize * model.inputChannels * height * width;
  const input = Float32Array.from({ length: pixels }, () => Math.random() * 2 - 1);
  const labels = Int32Array.from({ length: batchSize }, (_, index) => index % model.classes);
  const { program, trainable } = network.plan;
  const layout = optimizedParameters(trainable.slots);
  const loops = createOptimizer(layout, recipe.optimizer);
  const found = await inTurns(
    {
      forwardAndBackward: async () => {
        await network.clear();
        await network.accumulate({ input, labels }, 1);
      },
      // Last, since it scales the gradients.
      updateInSegments: () => network.update(1e-4),
      updateInLoops: () => {
        const gradients = program.view(trainable.gradients);
        clipByGlobalNorm(gradients, layout, recipe.clipNorm ?? Number.MAX_VALUE);
        loops.step(network.weights, gradients, 1e-4);
        network.requireFinite();
      },
    },
    Number(values.rounds),
  );
  const parameters = layout.reduce((sum, { length }) => sum + length, 0);
  console.log(JSON.stringify({ engine: engine.name, threads: engine.threads, parameters, batchSize, ...found }));
  program.dispose();
}

async function loss() {
  const [rows, classes] = [Number(values.rows), Number(values.classes)];
  const kernels = engine.recordTraining();
  const output = { value: allocated(kernels, [rows, classes]), gradient: allocated(kernels, [rows, classes]) };
  const labels = Int32Array.from({ length: rows }, (_, row) => row % classes);
  const onEngine = { output: 'scores', classes, labelSmoothing: 0.1, compared: () => ({ labels }), sums: () => ({}) };
  const recorded = RecordedLoss.where(kernels, new Map([['scores', output]]), /** @type {any} */ ({ onEngine }), false);
  if (!recorded) throw new Error(`${rows * classes} scores are too few for the engine; give more --rows`);
  const program = kernels.finish();
  const scores = Float32Array.from({ length: rows * classes }, () => Math.random() * 8 - 4);
  await program.write(output.value, scores);
  const shape = { batch: rows, classes };
  const found = await inTurns(
    {
      lossInSegment: () => recorded.judge(program, {}, 1),
      lossInLoops: async () => {
        const read = await program.read(output.value);
        const gradient = new Float32Array(read.length);
        crossEntropy(read, labels, shape, gradient, { labelSmoothing: 0.1 });
        await program.write(output.gradient, gradient);
      },
    },
    rows * classes > 1e6 ? 3 : 50,
  );
  console.log(JSON.stringify({ engine: engine.name, threads: engine.threads, rows, classes, ...found }));
  program.dispose();
}

await update();
if (Number(values.rows) > 0) await loss();
await engine.dispose();
