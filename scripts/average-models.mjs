// @ts-check
/**
 * The mean of several runs' or epochs' weights, running statistics of batch norms too: `node scripts/average-models.mjs OUTPUT.safetensors DESCRIPTION
 * INPUT.safetensors…`, after `npm run build`. Weights of one run lie in one valley, and their mean is often better than each (Izmailov et al., "Averaging
 * Weights Leads to Wider Optima and Better Generalization", UAI 2018). Held-out images decide whether it is.
 */
import { openCheckpointFile, writeSafetensors } from '../dist/index.js';

const [output, text, ...inputs] = process.argv.slice(2);
if (output === undefined || text === undefined || inputs.length < 2) {
  process.stderr.write(
    'usage: node scripts/average-models.mjs OUTPUT.safetensors DESCRIPTION INPUT.safetensors INPUT.safetensors…\n',
  );
  process.exit(2);
}
/** @type {Map<string, { dtype: 'float32', shape: readonly number[], data: Float32Array }>} */
const mean = new Map();
/** @type {Record<string, string>} */
let metadata = {};
for (const input of inputs) {
  const checkpoint = await openCheckpointFile(input);
  for (const [name, tensor] of checkpoint.tensors) {
    const values = await tensor.readFloat32();
    if (mean.size > 0 && input !== inputs[0] && mean.get(name)?.data.length !== values.length)
      throw new Error(`${input}: ${name} is not in ${inputs[0]}, or has another shape there`);
    const entry = mean.get(name) ?? { dtype: 'float32', shape: tensor.shape, data: new Float32Array(values.length) };
    for (const [i, value] of values.entries()) entry.data[i] = (entry.data[i] ?? 0) + value / inputs.length;
    mean.set(name, entry);
  }
  for (const [key, value] of Object.entries(checkpoint.metadata ?? {})) {
    const described = JSON.parse(value);
    metadata = { ...metadata, [key]: JSON.stringify({ ...described, description: text }) };
  }
  await checkpoint.close();
}
await writeSafetensors(output, mean, metadata);
