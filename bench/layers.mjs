// @ts-check
/**
 * Where the time of a network goes, by kind of layer, and what share of the machine's peak each kind reaches: additions that spikes caused (or
 * products) per second against what the SIMD unit does at most on as many threads (bench/kernels/peak.mjs).
 *
 * Usage: npm run build, then node bench/layers.mjs CHECKPOINT [--precision f32|i16] [--threads N] [--tuning FILE] [--size 224] [--engine native|wasm]
 *
 * The peak is that of wasm's registers of 128 bits, whatever the engine: native kernels may reach more than all of it.
 */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { inputOf } from '../dist/cli/bench/messages.js';
import { countedLayers, defaultEnergyConstants, EnergyMeter, loadModel } from '../dist/index.js';
import { medianOf } from '../dist/runtime/median.js';
import { measurePeak } from './kernels/peak.mjs';
import { kindOf } from './layerKinds.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    precision: { type: 'string', default: 'f32' },
    threads: { type: 'string', default: '2' },
    size: { type: 'string', default: '224' },
    rounds: { type: 'string', default: '9' },
    tuning: { type: 'string' },
    engine: { type: 'string' },
  },
});
const precision = values.precision === 'i16' ? 'i16' : 'f32';
const threads = Number(values.threads);
const side = Number(values.size);
if (values.engine) process.env.SPIKEFORMER_ENGINE = values.engine;
const model = await loadModel({ checkpoint: positionals[0] ?? '' }, { precision, threads });
console.log(`engine: ${model.engine.name}`);
if (values.tuning) {
  // As `bench/scaling.mjs` writes it.
  const { forms, firingRates } = JSON.parse(await readFile(values.tuning, 'utf8'));
  await model.chooseForms(new Map(forms), new Map(firingRates));
}
const shape = [1, model.configuration.inputChannels, side, side];
const input = { shape, data: inputOf(shape) };
const meter = new EnergyMeter(model, defaultEnergyConstants);
await meter.run(input);
/** @type {Map<string, number[]>} */
const times = new Map();
for (let round = 0; round < Number(values.rounds); round++) {
  const { layerMilliseconds } = await model.run(input, { record: { timings: true } });
  for (const [name, milliseconds] of layerMilliseconds ?? [])
    times.set(name, [...(times.get(name) ?? []), milliseconds]);
}
const { layers } = meter.result();
const counted = new Map(countedLayers(model.graph, [side, side]).map((one) => [one.name, one]));
const peak = await measurePeak();
await model.dispose();

/** @type {Map<string, { milliseconds: number, additions: number, multiplications: number }>} */
const kinds = new Map();
const kind = (/** @type {string} */ name) => {
  const key = kindOf(name, times);
  const known = kinds.get(key) ?? { milliseconds: 0, additions: 0, multiplications: 0 };
  kinds.set(key, known);
  return known;
};
for (const [name, all] of times) kind(name).milliseconds += medianOf(all);
const total = (/** @type {readonly number[]} */ steps) => steps.reduce((a, b) => a + b, 0);
const merged = new Set([...times.keys()].filter((name) => kindOf(name, times) === 'RepConv, one 3×3'));
for (const { name, additions, multiplications } of layers) {
  const last = `${name}.0.body.2.1`;
  if (!times.has(last)) {
    kind(name).additions += total(additions);
    kind(name).multiplications += total(multiplications);
  } else if (merged.has(last)) kind(last).additions += total(additions);
  else {
    // As three layers: a ninth of the additions (the border apart), and a dense layer of C² products at each of the positions.
    const { operations = 0 } = counted.get(name) ?? {};
    kind(`${name}.0.body.0`).additions += total(additions) / 9;
    kind(last).multiplications += operations / 9;
  }
}
const whole = [...kinds.values()].reduce((sum, { milliseconds }) => sum + milliseconds, 0);
const most = precision === 'i16' ? peak.rowsI16 : peak.rowsF32;
console.log(
  `peak of one thread: ${most.toFixed(0)} G additions a second of rows in the first-level cache, ${peak.fusedF32.toFixed(0)} G products`,
);
console.log('| kind | ms | share of the time | G operations a second | share of peak |\n|---|---|---|---|---|');
for (const [name, { milliseconds, additions, multiplications }] of [...kinds].sort(
  (a, b) => b[1].milliseconds - a[1].milliseconds,
)) {
  const operations = Math.max(additions, multiplications);
  const rate = operations / milliseconds / 1e6;
  const limit = threads * (additions > multiplications ? most : peak.fusedF32);
  const cells = operations > 0 ? [rate.toFixed(1), `${((100 * rate) / limit).toFixed(0)} %`] : ['', ''];
  console.log(
    `| ${name} | ${milliseconds.toFixed(1)} | ${((100 * milliseconds) / whole).toFixed(0)} % | ${cells.join(' | ')} |`,
  );
}
console.log(`| all | ${whole.toFixed(1)} | | | |`);
