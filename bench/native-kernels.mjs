// @ts-check
/**
 * What the native kernels gain over those of wasm, kernel by kernel: processor time of one thread, so that other programs on the machine disturb little, the two engines
 * taking turns. Also says whether both computed the same spikes.
 *
 * Usage: npm run build, then node bench/native-kernels.mjs [MODEL or CHECKPOINT] [--precision f32|i16] [--time-steps 1] [--rounds 5] [--tuning FILE]
 */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { inputOf } from '../dist/cli/bench/messages.js';
import { Size } from '../dist/engines/wasm/instructionSet.js';
import { Opcode } from '../dist/engines/wasm/opcodes.generated.js';
import { WasmEngine } from '../dist/engines/wasm/wasmEngine.js';
import { loadModel } from '../dist/index.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    precision: { type: 'string', default: 'f32' },
    'time-steps': { type: 'string', default: '1' },
    rounds: { type: 'string', default: '5' },
    tuning: { type: 'string' },
  },
});
const name = positionals[0] ?? '31M-random';
const source = /[./]/.test(name) ? { checkpoint: name } : { model: name };
const precision = values.precision === 'i16' ? 'i16' : 'f32';

/** Milliseconds of the run under way, by opcode. @type {Map<number, number>} */
let spent = new Map();
const { execute } = WasmEngine.prototype;
/** As the engine's own, one instruction at a time. @param {number} code @param {number} count @param {number} scratch @param {number} stride */
WasmEngine.prototype.execute = function (code, count, scratch, stride) {
  for (let index = 0; index < count; index++) {
    const at = code + index * Size.instruction;
    const before = process.cpuUsage();
    execute.call(this, at, 1, scratch, stride);
    const { user, system } = process.cpuUsage(before);
    const [opcode = 0] = this.memory.uint32(at, 1);
    spent.set(opcode, (spent.get(opcode) ?? 0) + (user + system) / 1000);
  }
};

/** @param {'wasm' | 'native'} engine */
async function modelOn(engine) {
  const model = await loadModel(source, { engine, precision, threads: 1, timeSteps: Number(values['time-steps']) });
  if (values.tuning) {
    const { forms, firingRates } = JSON.parse(await readFile(values.tuning, 'utf8'));
    await model.chooseForms(new Map(forms), new Map(firingRates));
  }
  return { model, fastest: /** @type {Map<number, number>} */ (new Map()) };
}

const [wasm, native] = [await modelOn('wasm'), await modelOn('native')];
const shape = [1, wasm.model.configuration.inputChannels, ...wasm.model.preprocessing.crop];
const input = { shape, data: inputOf(shape) };
const spikes = [];
for (const { model } of [wasm, native]) spikes.push((await model.run(input, { record: { spikes: true } })).spikes);
for (let round = 0; round <= Number(values.rounds); round++) {
  for (const { model, fastest } of [wasm, native]) {
    spent = new Map();
    await model.run(input);
    // The first compiles.
    if (round === 0) continue;
    for (const [opcode, time] of spent) fastest.set(opcode, Math.min(time, fastest.get(opcode) ?? time));
  }
}
const [expected, found] = spikes;
const different = [...(expected ?? [])].filter(([layer, { bits }]) =>
  bits.some((word, index) => found?.get(layer)?.bits[index] !== word),
);
console.log(`layers with other spikes: ${different.length} of ${expected?.size ?? 0}`);
/** @param {Map<number, number>} times */
const sum = (times) => [...times.values()].reduce((total, time) => total + time, 0);
/** @param {string} label @param {number} before @param {number} after */
const print = (label, before, after) =>
  console.log(
    `${label.padEnd(24)} ${before.toFixed(2).padStart(9)} ms ${after.toFixed(2).padStart(9)} ms ${(before / after).toFixed(2).padStart(6)} times`,
  );
for (const [opcode, time] of wasm.fastest) print(Opcode[opcode] ?? '', time, native.fastest.get(opcode) ?? 0);
print('all', sum(wasm.fastest), sum(native.fastest));
await wasm.model.dispose();
await native.model.dispose();
