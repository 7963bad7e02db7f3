// @ts-check
/**
 * Makes a training run's weights the model of a name: `node scripts/ship-model.mjs RUN/best.safetensors NAME [SMALLEST]`, after `npm run build`. Weights become
 * float16, those of spike-fed layers whole steps on a grid of 7 bits and a sign, a byte each, so that `--precision i16` rounds nothing; biases, batch norms and everything else of
 * one dimension stay float32, since they are few and decide thresholds. With `SMALLEST`, layers of fewer weights stay float16: networks
 * whose answers hang on small differences, as a detector's, lose nothing then.
 */
import { fileURLToPath } from 'node:url';
import { loadModel, openCheckpointFile, writeSafetensors } from '../dist/index.js';
import { toFloat16Bits } from '../dist/interop/dtype.js';
import { asSteps, roundToGrid, stepsMetadata } from '../dist/interop/steppedTensors.js';
import { gridWeights } from '../dist/training/roundedWeights.js';

const [source, name, smallest = '0'] = process.argv.slice(2);
if (source === undefined || name === undefined) {
  process.stderr.write('usage: node scripts/ship-model.mjs RUN/best.safetensors NAME [SMALLEST]\n');
  process.exit(2);
}
const model = await loadModel({ checkpoint: source }, { threads: 1 });
const [height, width] = model.input.size;
const onGrid = gridWeights(model.graph, [height, width]);
await model.dispose();
const checkpoint = await openCheckpointFile(source);
for (const [key, { shape }] of checkpoint.tensors)
  if (shape.reduce((product, size) => product * size, 1) < Number(smallest)) onGrid.delete(key);
/** @type {Map<string, import('../dist/interop/tensorData.js').TensorData>} */
const tensors = new Map();
for (const [key, tensor] of checkpoint.tensors) {
  const { shape } = tensor;
  const stored = await tensor.readFloat32();
  const isOnGrid = onGrid.delete(key);
  // What is on a grid already stays as it is.
  const known = isOnGrid ? asSteps(key, stored, shape) : undefined;
  const values = isOnGrid && known === undefined ? roundToGrid(stored, shape[0] ?? 1) : stored;
  const steps = known ?? (isOnGrid ? asSteps(key, values, shape) : undefined);
  if (steps !== undefined) {
    for (const [name, tensor] of steps) tensors.set(name, tensor);
    continue;
  }
  tensors.set(
    key,
    shape.length > 1
      ? { dtype: 'float16', shape, data: toFloat16Bits(values) }
      : { dtype: 'float32', shape, data: values },
  );
}
if (onGrid.size > 0) throw new Error(`${source}: has no ${[...onGrid].join(', ')}`);
const target = fileURLToPath(new URL(`../models/${name}.safetensors`, import.meta.url));
await writeSafetensors(target, tensors, { ...checkpoint.metadata, ...stepsMetadata });
await checkpoint.close();
process.stdout.write(`${target}\n`);
