// @ts-check
/**
 * How two threads compare with one where the processors are not equally fast, as those of a virtual machine rarely are: one thread on each processor by itself, and
 * one thread per processor on all together, taking turns. If each processor does an image in t₁, t₂ … milliseconds, all together can do it in 1 / Σ(1/tᵢ) at best.
 * Two virtual processors may for seconds be the two hardware threads of one core, and they always share caches and memory; so the processes of one thread also run at the same
 * time, sharing nothing but the machine: what they then do together is what threads could do that never wait and never share. Beside medians stand the fastest quarters of rounds.
 *
 * Usage: npm run build, then node bench/threads.mjs CHECKPOINT [--precision f32|i16] [--rounds 15] [--size 224]; needs `taskset` (Linux)
 */
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { inputOf } from '../dist/cli/bench/messages.js';
import { loadModel } from '../dist/index.js';
import { medianOf } from '../dist/runtime/median.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    precision: { type: 'string', default: 'f32' },
    rounds: { type: 'string', default: '15' },
    size: { type: 'string', default: '224' },
    threads: { type: 'string' },
  },
});
const precision = values.precision === 'i16' ? 'i16' : 'f32';
const side = Number(values.size);

/** One runner: a pass for every message. @param {number} threads */
async function serve(threads) {
  const model = await loadModel({ checkpoint: positionals[0] ?? '' }, { precision, threads });
  const shape = [1, model.configuration.inputChannels, side, side];
  const input = { shape, data: inputOf(shape) };
  for (let i = 0; i < 3; i++) await model.run(input);
  process.on('message', async () => process.send?.((await model.run(input)).milliseconds));
  process.send?.(0);
}

/** @param {string} processors as taskset names them @param {number} threads */
async function lane(processors, threads) {
  const script = fileURLToPath(import.meta.url);
  const child = fork(script, [...process.argv.slice(2), '--threads', String(threads)], {
    execPath: 'taskset',
    execArgv: ['-c', processors, process.execPath],
  });
  const answer = () => new Promise((resolve) => child.once('message', resolve));
  await answer();
  return {
    processors,
    /** @type {number[]} */
    times: [],
    /** While the others run too. @type {number[]} */
    sharedTimes: [],
    run: async () => {
      const next = answer();
      child.send('run');
      return /** @type {number} */ (await next);
    },
    stop: () => child.kill('SIGKILL'),
  };
}

if (values.threads) await serve(Number(values.threads));
else {
  const count = availableParallelism();
  const lanes = [];
  for (let processor = 0; processor < count; processor++) lanes.push(await lane(String(processor), 1));
  const singles = [...lanes];
  lanes.push(await lane(`0-${count - 1}`, count));
  const pause = () => new Promise((resolve) => setTimeout(resolve, 30));
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const one of lanes) {
      await pause();
      one.times.push(await one.run());
    }
    await pause();
    const together = await Promise.all(singles.map((one) => one.run()));
    singles.forEach((one, index) => {
      one.sharedTimes.push(/** @type {number} */ (together[index]));
    });
  }
  for (const { stop } of lanes) stop();
  for (const [title, pick] of /** @type {const} */ ([
    ['medians', medianOf],
    ['end of the fastest quarter', lowerQuartileOf],
  ]))
    compare(
      title,
      lanes.map(({ times }) => pick(times)),
      singles.map(({ sharedTimes }) => pick(sharedTimes)),
    );
}

/** @param {readonly number[]} times */
function lowerQuartileOf(times) {
  return /** @type {number} */ ([...times].sort((a, b) => a - b)[Math.floor(times.length / 4)]);
}

/** Images a millisecond of processes that run at the same time. @param {readonly number[]} milliseconds */
function throughputOf(milliseconds) {
  return milliseconds.reduce((total, time) => total + 1 / time, 0);
}

/** @param {string} title @param {readonly number[]} milliseconds of each processor alone, then of all together @param {readonly number[]} shared of the single ones at the same time */
function compare(title, milliseconds, shared) {
  const single = milliseconds.slice(0, -1);
  const together = /** @type {number} */ (milliseconds.at(-1));
  const mean = throughputOf(single) / single.length;
  const separate = throughputOf(shared) / mean;
  console.log(`${title}`);
  single.forEach((time, processor) => {
    console.log(`  processor ${processor}, one thread   ${time.toFixed(1).padStart(8)} ms`);
  });
  console.log(`  all, ${single.length} threads             ${together.toFixed(1).padStart(8)} ms`);
  console.log(`  at the same time             ${shared.map((time) => time.toFixed(1)).join(', ')} ms`);
  const gain = 1 / together / mean;
  console.log(
    `  times as fast as the mean of single processors: ${gain.toFixed(2)}; single ones at the same time ${separate.toFixed(2)}, of which that is ${((100 * gain) / separate).toFixed(0)} %`,
  );
}
