// @ts-check
/**
 * The kernel of a spike-fed 3×3 convolution, step by step from the obvious version to the one in use, each with its figure: why the last one
 * is as it is. One thread, one layer (192 → 192 channels, 28², from stage 2 of the 31M network), at three firing rates.
 *
 * Usage: npm run build, then node bench/kernels/ladder.mjs
 */
import { createReferenceEngine } from '../../dist/engines/reference/index.js';
import { createWasmEngine } from '../../dist/engines/wasm/index.js';

const size = 28;
const channels = 192;
const rates = [0.05, 0.15, 0.4];
const operations = size * size * channels * channels * 9;

const geometry = {
  images: 1,
  inputHeight: size,
  inputWidth: size,
  inputChannels: channels,
  outputHeight: size,
  outputWidth: size,
  outputChannels: channels,
  kernelHeight: 3,
  kernelWidth: 3,
  strideHeight: 1,
  strideWidth: 1,
  paddingHeight: 1,
  paddingWidth: 1,
  groups: 1,
};

const wasm = (/** @type {object} */ options = {}) => createWasmEngine({ threads: 1, ...options });

/** @type {{ title: string, engine: () => Promise<import('../../dist/engines/kernels.js').Engine>, spikes: boolean, tellsRate?: boolean, rates?: number[] }[]} */
const steps = [
  {
    title: 'plain loops in JavaScript, float64 sums',
    engine: async () => createReferenceEngine(),
    spikes: true,
    rates: [0.15],
  },
  { title: 'dense, 4×8 tiles of products, SIMD', engine: wasm, spikes: false, rates: [0.15] },
  { title: 'rows of 24 channels, one per spike (list)', engine: () => wasm({ tableBudgetBytes: 0 }), spikes: true },
  { title: '… and tables of four spikes above 15 %', engine: wasm, spikes: true },
  { title: 'rows of 64 channels, a byte each (list)', engine: () => wasm({ precision: 'i16' }), spikes: true },
  {
    title: '… and tables, where neurons fire in 25 %',
    engine: () => wasm({ precision: 'i16' }),
    spikes: true,
    tellsRate: true,
  },
];

/** The fastest tenth over about a second: what the kernel does when nobody disturbs the machine. @param {() => Promise<void>} run */
async function fastest(run) {
  await run();
  await run();
  const times = [];
  const end = performance.now() + 1000;
  while (performance.now() < end || times.length < 3) {
    const start = performance.now();
    await run();
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length / 10)] ?? 0;
}

/** @param {(typeof steps)[number]} step @param {number} rate */
async function measure({ engine: create, spikes, tellsRate }, rate) {
  const engine = await create();
  const count = size * size * channels;
  const values = Float32Array.from({ length: count }, () => Number(Math.random() < rate));
  const weight = Float32Array.from({ length: channels * channels * 9 }, () => Math.random() - 0.5);
  const setUp = engine.record();
  const shape = [1, size, size, channels];
  const real = () => ({
    shape,
    storage: /** @type {const} */ ('real'),
    byteOffset: 0,
    block: setUp.allocate(4 * count),
  });
  const source = real();
  const packed = {
    shape,
    storage: /** @type {const} */ ('spikes'),
    byteOffset: 0,
    block: setUp.allocate(4 * size * size * Math.ceil(channels / 32)),
  };
  const neurons = { timeSteps: 1, positions: size * size, channels, inputTimeSteps: 1, tau: 2, threshold: 0.5 };
  setUp.leakyIntegrateAndFire({ name: 'spikes', ...neurons, input: source, output: packed });
  const first = setUp.finish();
  await first.write(source, values);
  await first.run();
  const kernels = engine.record();
  const output = { ...source, block: kernels.allocate(4 * count) };
  const told = tellsRate ? { firingRate: rate } : {};
  kernels.convolution({ name: 'layer', geometry, input: spikes ? packed : source, output, weight, ...told });
  const program = kernels.finish();
  const milliseconds = await fastest(() => program.run());
  await engine.dispose();
  return milliseconds;
}

console.log(
  `3×3 convolution ${channels} → ${channels}, ${size}², one thread; ${(operations / 1e6).toFixed(0)} M dense multiply-accumulates`,
);
console.log(`${'step'.padEnd(46)} ${rates.map((rate) => `${100 * rate} %`.padStart(20)).join('')}`);
for (const step of steps) {
  const cells = [];
  for (const rate of rates) {
    if (step.rates && !step.rates.includes(rate)) {
      cells.push('the same'.padStart(20));
      continue;
    }
    const milliseconds = await measure(step, rate);
    cells.push(`${milliseconds.toFixed(2)} ms, ${(operations / milliseconds / 1e6).toFixed(0)} G/s`.padStart(20));
  }
  console.log(`${step.title.padEnd(46)} ${cells.join('')}`);
}
