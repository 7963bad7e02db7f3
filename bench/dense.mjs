// @ts-check
/**
 * A network for segmentation or detection on one image, beside onnxruntime-node on the exported graph, in turns in one process: the network alone, from the input's floats to the outputs' floats.
 *
 * Usage: npm run build, then node bench/dense.mjs CHECKPOINT IMAGE [--threads 2] [--rounds 15] [--json]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import ort from 'onnxruntime-node';
import { loadModel, writeOnnx } from '../dist/index.js';
import { medianOf } from '../dist/runtime/median.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '15' },
    json: { type: 'boolean', default: false },
  },
});
const [checkpoint, image] = positionals;
if (checkpoint === undefined || image === undefined) {
  process.stderr.write('usage: node bench/dense.mjs CHECKPOINT IMAGE [--threads 2] [--rounds 15] [--json]\n');
  process.exit(2);
}
const threads = Number(values.threads);

/** @type {{ name: string, run: () => Promise<unknown>, times: number[] }[]} */
const contestants = [];
/** @type {import('../dist/index.js').Model[]} */
const models = [];
for (const engine of /** @type {const} */ (['native', 'wasm'])) {
  for (const precision of /** @type {const} */ (['f32', 'i16'])) {
    const model = await loadModel({ checkpoint }, { engine, precision, threads });
    const input = await model.inputOf([image]);
    models.push(model);
    contestants.push({ name: `${engine} ${precision}`, run: () => model.run(input), times: [] });
  }
}
const [model] = models;
if (model === undefined) throw new Error('no model');
const input = await model.inputOf([image]);
const { firingRates } = await model.run(input, { record: { firingRates: true } });
const rates = [...(firingRates ?? new Map()).values()];
const meanRate = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;

const folder = await mkdtemp(join(tmpdir(), 'dense-bench-'));
const file = join(folder, 'network.onnx');
await writeOnnx(file, model);
const session = await ort.InferenceSession.create(file, { intraOpNumThreads: threads, interOpNumThreads: 1 });
const feeds = { [session.inputNames[0] ?? 'input']: new ort.Tensor('float32', input.data, input.shape) };
contestants.push({ name: 'onnxruntime-node', run: () => session.run(feeds), times: [] });

/** Threads that spin go to sleep before the next one's turn. */
const quiet = () => new Promise((resolve) => setTimeout(resolve, 20));
for (let round = 0; round < Number(values.rounds); round++) {
  for (const one of contestants) {
    await quiet();
    await one.run();
    const start = performance.now();
    await one.run();
    one.times.push(performance.now() - start);
  }
}
const medians = contestants.map(({ name, times }) => ({ name, milliseconds: medianOf(times) }));
const rival = medians.at(-1)?.milliseconds ?? Number.NaN;
const document = { checkpoint, input: input.shape, meanFiringRate: meanRate, threads, medians };
if (values.json) console.log(JSON.stringify(document, null, 2));
else {
  console.log(
    `${input.shape.join(' × ')}, neuron layers fire ${(100 * meanRate).toFixed(1)} % on average, ${threads} threads`,
  );
  for (const { name, milliseconds } of medians)
    console.log(
      `${name.padEnd(18)} ${milliseconds.toFixed(2)} ms  ${(rival / milliseconds).toFixed(2)} × onnxruntime-node`,
    );
}
for (const each of models) await each.dispose();
await rm(folder, { recursive: true });
