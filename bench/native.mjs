// @ts-check
/**
 * Two engines by turns on the same network, weights and input: times of the whole, and of each kind of layer. What is compared: `wasm`, `native`, `native:avx2` (an instruction
 * set), or `native:FOLDER` with another build of the module (copy dist/native/<platform>-<architecture> before a change).
 *
 * Usage: npm run build, then node bench/native.mjs [CHECKPOINT] [--a wasm] [--b native] [--precision f32|i16] [--threads 2] [--time-steps T] [--size 224] [--batch 1] [--rounds 15]
 * [--tuning FILE] (as bench/scaling.mjs writes it). Without a checkpoint: the bundled model.
 */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { inputOf } from '../dist/cli/bench/messages.js';
import { loadModel } from '../dist/index.js';
import { chooseEngine } from '../dist/runtime/engines.js';
import { medianOf } from '../dist/runtime/median.js';
import { kindOf } from './layerKinds.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    a: { type: 'string', default: 'wasm' },
    b: { type: 'string', default: 'native' },
    precision: { type: 'string', default: 'f32' },
    threads: { type: 'string', default: '2' },
    'time-steps': { type: 'string' },
    size: { type: 'string' },
    batch: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '15' },
    tuning: { type: 'string' },
  },
});
const precision = values.precision === 'i16' ? 'i16' : 'f32';
const steps = values['time-steps'];

/** @param {string} what */
async function contestant(what) {
  const [engine = '', detail = ''] = what.split(':');
  const isFolder = detail.includes('/');
  process.env.SPIKEFORMER_ENGINE = engine;
  process.env.SPIKEFORMER_NATIVE_ISA = isFolder ? '' : detail;
  process.env.SPIKEFORMER_NATIVE_FOLDER = isFolder ? detail : '';
  const { why } = await chooseEngine({ engine: engine === 'wasm' ? 'wasm' : 'native' });
  console.log(`${what}: ${why}`);
  const source = positionals[0] === undefined ? {} : { checkpoint: positionals[0] };
  const settings = { precision, threads: Number(values.threads), ...(steps && { timeSteps: Number(steps) }) };
  const model = await loadModel(source, /** @type {import('../dist/index.js').LoadOptions} */ (settings));
  if (values.tuning) {
    const { forms, firingRates } = JSON.parse(await readFile(values.tuning, 'utf8'));
    await model.chooseForms(new Map(forms), new Map(firingRates));
  }
  return { what, model, whole: /** @type {number[]} */ ([]), layers: /** @type {Map<string, number[]>} */ (new Map()) };
}

const contestants = [await contestant(values.a), await contestant(values.b)];
const [first, second] = contestants;
if (!first || !second) throw new Error('two engines are compared');
const [height, width] = values.size ? [Number(values.size), Number(values.size)] : first.model.preprocessing.crop;
const shape = [Number(values.batch), first.model.configuration.inputChannels, height, width];
const input = { shape, data: inputOf(shape) };
/** Spinning threads go to sleep before the other one's turn. */
const quiet = () => new Promise((resolve) => setTimeout(resolve, 5));

const answers = [];
for (const { model } of contestants) answers.push((await model.run(input)).logits.data);
const [ours = new Float32Array(), theirs = new Float32Array()] = answers;
const largest = ours.reduce((most, value, index) => Math.max(most, Math.abs(value - (theirs[index] ?? NaN))), 0);
for (let round = 0; round < Number(values.rounds); round++) {
  for (const { model, whole, layers } of round % 2 === 0 ? contestants : [second, first]) {
    await quiet();
    await model.run(input);
    const start = performance.now();
    await model.run(input);
    whole.push(performance.now() - start);
    const { layerMilliseconds } = await model.run(input, { record: { timings: true } });
    for (const [name, milliseconds] of layerMilliseconds ?? [])
      layers.set(name, [...(layers.get(name) ?? []), milliseconds]);
  }
}

/** @param {ReadonlyMap<string, readonly number[]>} layers */
function byKind(layers) {
  /** @type {Map<string, number>} */
  const kinds = new Map();
  for (const [name, times] of layers) {
    const kind = kindOf(name, layers);
    kinds.set(kind, (kinds.get(kind) ?? 0) + medianOf(times));
  }
  return kinds;
}

/** @param {string} title @param {number} a @param {number} b */
const row = (title, a, b) => console.log(`| ${title} | ${a.toFixed(2)} | ${b.toFixed(2)} | ${(a / b).toFixed(2)} |`);
console.log(`largest difference of a logit: ${largest.toExponential(1)}`);
console.log(`\n| ms | ${first.what} | ${second.what} | times as fast |\n|---|---|---|---|`);
row('whole, median', medianOf(first.whole), medianOf(second.whole));
row('whole, best', Math.min(...first.whole), Math.min(...second.whole));
const [kindsOfFirst, kindsOfSecond] = [byKind(first.layers), byKind(second.layers)];
for (const [kind, time] of [...kindsOfFirst].sort((a, b) => b[1] - a[1])) row(kind, time, kindsOfSecond.get(kind) ?? 0);
for (const { model } of contestants) await model.dispose();
