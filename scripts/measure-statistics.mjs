// @ts-check
/**
 * Measures the batch norm statistics of averaged weights on the images that they were trained on: `node scripts/measure-statistics.mjs
 * RECIPE DATA INPUT.safetensors OUTPUT.safetensors [BATCHES]`, after `npm run build`. RECIPE is a name or a file, such as the run's recipe.json;
 * what it holds out is not looked at. Held-out images decide whether the answers are better for it.
 */
import { openCheckpointFile, openDataset, openRecipe, writeSafetensors } from '../dist/index.js';
import { createTrainingEngine } from '../dist/runtime/engines.js';
import { measureStatistics } from '../dist/training/measuredStatistics.js';
import { splitOf } from '../dist/training/runLength.js';
import { TrainedNetwork } from '../dist/training/trainingStep.js';

const [recipeName, data, source, target, batches = '200'] = process.argv.slice(2);
if (
  recipeName === undefined ||
  data === undefined ||
  source === undefined ||
  target === undefined ||
  !(Number(batches) > 0)
) {
  process.stderr.write(
    'usage: node scripts/measure-statistics.mjs RECIPE DATA INPUT.safetensors OUTPUT.safetensors [BATCHES]\n',
  );
  process.exit(2);
}
const recipe = await openRecipe(recipeName, []);
const { training } = splitOf(recipe, await openDataset(data, { split: 'train' }));
const engine = await createTrainingEngine();
const network = new TrainedNetwork(engine, recipe);
const checkpoint = await openCheckpointFile(source);
const read = async () => {
  /** @type {Map<string, Float32Array>} */
  const values = new Map();
  for (const [name, tensor] of checkpoint.tensors) values.set(name, await tensor.readFloat32());
  return values;
};
const before = await read();
network.load(before);
const count = await measureStatistics(network, recipe, training, { batches: Number(batches) });
const after = network.parameters();
/** @type {Map<string, { dtype: 'float32', shape: readonly number[], data: Float32Array }>} */
const tensors = new Map();
for (const [name, { shape }] of checkpoint.tensors) {
  const values = after.get(name) ?? before.get(name);
  if (values !== undefined) tensors.set(name, { dtype: 'float32', shape, data: values });
}
await writeSafetensors(target, tensors, checkpoint.metadata);
await checkpoint.close();
await engine.dispose();
process.stdout.write(`${target}: statistics of ${count} batches\n`);
