// @ts-check
/**
 * Makes a training run's weights the model of a name: `node scripts/ship-model.mjs RUN/best.safetensors NAME`, after `npm run build`. Weights become
 * float16; biases, batch norms and everything else of one dimension stay float32, since they are few and decide thresholds.
 */
import { fileURLToPath } from 'node:url';
import { openCheckpointFile, writeSafetensors } from '../dist/index.js';
import { toFloat16Bits } from '../dist/interop/dtype.js';

const [source, name] = process.argv.slice(2);
if (source === undefined || name === undefined) {
  process.stderr.write('usage: node scripts/ship-model.mjs RUN/best.safetensors NAME\n');
  process.exit(2);
}
const checkpoint = await openCheckpointFile(source);
/** @type {Map<string, { dtype: 'float16' | 'float32', shape: readonly number[], data: ArrayBufferView }>} */
const tensors = new Map();
for (const [key, tensor] of checkpoint.tensors) {
  const values = await tensor.readFloat32();
  const { shape } = tensor;
  tensors.set(
    key,
    shape.length > 1
      ? { dtype: 'float16', shape, data: toFloat16Bits(values) }
      : { dtype: 'float32', shape, data: values },
  );
}
const target = fileURLToPath(new URL(`../models/${name}.safetensors`, import.meta.url));
await writeSafetensors(target, tensors, checkpoint.metadata);
await checkpoint.close();
process.stdout.write(`${target}\n`);
