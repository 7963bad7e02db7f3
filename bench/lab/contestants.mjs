// @ts-check
/**
 * All contestants in one worker of one page: our engine in both precisions and onnxruntime-web's wasm, on the same network, input and number of
 * threads. They take turns, one pass each, so that a slow minute is slow for all. `bench/lab.mjs` serves this and rewrites the names of packages.
 */
import * as ort from 'onnxruntime-web/wasm';
import { inputOf } from '../../dist/cli/bench/messages.js';
import { loadModel } from '../../dist/index.browser.js';

/** Between two passes: threads that wait by spinning go to sleep. */
const pauseMilliseconds = 30;
const warmUpRounds = 2;

/**
 * @typedef {object} Task
 * @property {number} threads
 * @property {number} rounds
 * @property {number[]} shape
 * @property {string} checkpoint
 * @property {string} onnx
 * @property {string} runtime folder of onnxruntime-web's files
 *
 * @typedef {object} Contestant
 * @property {string} name
 * @property {() => Promise<Float32Array>} run
 * @property {number[]} times
 */

/** @param {Task} task @param {'f32' | 'i16'} precision @returns {Promise<Contestant & { firingRate: number }>} */
async function ours(task, precision) {
  const model = await loadModel({ checkpoint: task.checkpoint }, { threads: task.threads, precision });
  const input = { shape: task.shape, data: inputOf(task.shape) };
  const { firingRates } = await model.run(input, { record: { firingRates: true } });
  const rates = [...(firingRates ?? new Map()).values()];
  const firingRate = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
  return { name: precision, firingRate, run: async () => (await model.run(input)).logits.data, times: [] };
}

/** @param {Task} task @returns {Promise<Contestant>} */
async function rival(task) {
  ort.env.wasm.numThreads = task.threads;
  ort.env.wasm.wasmPaths = new URL(task.runtime, location.href).href;
  const file = new Uint8Array(await (await fetch(task.onnx)).arrayBuffer());
  const session = await ort.InferenceSession.create(file, {
    executionProviders: ['wasm'],
    graphOptimizationLevel: 'all',
  });
  const input = new ort.Tensor('float32', inputOf(task.shape), task.shape);
  const run = async () => /** @type {Float32Array} */ ((await session.run({ input })).logits?.data);
  return { name: 'onnxruntime-web', run, times: [] };
}

/** @param {Task} task */
async function race(task) {
  postMessage({ state: 'Loading our engine…' });
  const f32 = await ours(task, 'f32');
  const i16 = await ours(task, 'i16');
  postMessage({ state: 'Loading onnxruntime-web…' });
  const contestants = [f32, i16, await rival(task)];
  /** @type {Map<string, Float32Array>} */
  const logits = new Map();
  for (let round = -warmUpRounds; round < task.rounds; round++) {
    postMessage({ state: `Round ${round + 1} of ${task.rounds}` });
    for (const contestant of contestants) {
      await new Promise((resolve) => setTimeout(resolve, pauseMilliseconds));
      const start = performance.now();
      logits.set(contestant.name, await contestant.run());
      if (round >= 0) contestant.times.push(performance.now() - start);
    }
  }
  const [own, other] = ['f32', 'onnxruntime-web'].map((name) => /** @type {Float32Array} */ (logits.get(name)));
  const differences = [.../** @type {Float32Array} */ (own)].map((value, i) =>
    Math.abs(value - (other?.[i] ?? Number.NaN)),
  );
  return {
    crossOriginIsolated: globalThis.crossOriginIsolated,
    firingRate: f32.firingRate,
    largestLogitDifference: Math.max(...differences),
    contestants: contestants.map(({ name, times }) => ({ name, times })),
  };
}

self.onmessage = ({ data }) => {
  race(data).then(
    (result) => postMessage(result),
    (error) => postMessage({ failure: String(error?.message ?? error) }),
  );
};
