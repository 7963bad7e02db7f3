// @ts-check
/**
 * Gives the convolutional stages of a Meta-SpikeFormer more channels without changing an answer: `node scripts/widen-model.mjs INPUT.safetensors
 * OUTPUT.safetensors EMBEDDIM0,EMBEDDIM1 [SEED]`, after `npm run build`. A new channel is a copy of an old one; what reads it has the old weights shared out among the copies, by
 * chance, so that they learn to differ (Chen, Goodfellow and Shlens, "Net2Net: Accelerating Learning via Knowledge Transfer", ICLR 2016). Copies of a neuron fire alike, so this
 * holds for spikes as for numbers, to the rounding of sums. Training goes on from there with `finetune`.
 */
import { openCheckpointFile, writeSafetensors } from '../dist/index.js';
import { parametersOf } from '../dist/operators/registry.js';
import { seededRandom } from '../dist/random.js';
import { askedGraph } from '../dist/tasks/registry.js';

const [source, target, widths = '', seed = '1'] = process.argv.slice(2);
const wide = widths.split(',').map(Number);
if (source === undefined || target === undefined || wide.length !== 2 || !wide.every(Number.isInteger)) {
  process.stderr.write(
    'usage: node scripts/widen-model.mjs INPUT.safetensors OUTPUT.safetensors EMBEDDIM0,EMBEDDIM1 [SEED]\n',
  );
  process.exit(2);
}
const checkpoint = await openCheckpointFile(source);
const key = 'meta-spikeformer';
const description = JSON.parse(checkpoint.metadata[key] ?? 'null');
const embedDim = description?.configuration.embedDim;
if (!Array.isArray(embedDim)) throw new Error(`${source}: is no Meta-SpikeFormer that was trained here`);
if (wide.some((width, stage) => width < embedDim[stage]))
  throw new Error(`${source}: its stages have ${embedDim.join(', ')} channels; give as many or more`);
const configuration = { ...description.configuration, embedDim: [...wide, ...embedDim.slice(2)] };
const shapes = new Map(
  parametersOf(askedGraph({ ...description, configuration })).map(({ name, shape }) => [name, shape]),
);
const random = seededRandom(Number(seed));
/** @type {Map<string, { dtype: 'float32', shape: readonly number[], data: Float32Array }>} */
const tensors = new Map();
for (const [name, tensor] of checkpoint.tensors) {
  const values = await tensor.readFloat32();
  const shape = shapes.get(name);
  if (shape === undefined) throw new Error(`${source}: the wider network has no ${name}`);
  tensors.set(name, { dtype: 'float32', shape, data: widened(values, tensor.shape, shape) });
}
await checkpoint.close();
const text = `${description.description}; widened to ${configuration.embedDim.join(', ')} channels`;
const metadata = { [key]: JSON.stringify({ ...description, configuration, description: text }) };
await writeSafetensors(target, tensors, metadata);
process.stdout.write(`${target}\n`);

/**
 * Channel i of the wider axis is channel i modulo the old number.
 *
 * @param {Float32Array} values
 * @param {readonly number[]} from `[outputs]`, or `[outputs, inputs, …]`.
 * @param {readonly number[]} to
 */
function widened(values, [oldOutputs = 1, oldInputs = 1, ...kernel], [outputs = 1, inputs = 1]) {
  const taps = kernel.reduce((product, size) => product * size, 1);
  const result = new Float32Array(outputs * inputs * taps);
  for (let output = 0; output < outputs; output++)
    for (let channel = 0; channel < oldInputs; channel++) {
      const copies = Math.ceil((inputs - channel) / oldInputs);
      // Shares of one half to one and a half times the mean.
      const parts = Array.from({ length: copies }, () => (copies === 1 ? 1 : 0.5 + random.uniform()));
      const whole = parts.reduce((sum, part) => sum + part, 0);
      const start = ((output % oldOutputs) * oldInputs + channel) * taps;
      for (const [copy, part] of parts.entries())
        for (let tap = 0; tap < taps; tap++)
          result[(output * inputs + channel + copy * oldInputs) * taps + tap] =
            (values[start + tap] ?? 0) * (part / whole);
    }
  return result;
}
