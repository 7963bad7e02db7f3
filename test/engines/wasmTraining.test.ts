/**
 * What is particular to the wasm engine's training kernels: the ways it cuts up convolutions, threads, its memory. The oracle is
 * the reference engine, which the suite of all engines checks against others, or the engine itself where bits must agree.
 */
import { describe, expect, it } from 'vitest';
import type { ConvolutionGeometry, Engine, Storage } from '../../src/engines/kernels.js';
import { createReferenceEngine } from '../../src/engines/reference/index.js';
import type { TrainingEngine } from '../../src/engines/trainingKernels.js';
import { createWasmEngine } from '../../src/engines/wasm/index.js';
import { expectClose, expectSame, geometryOf, SeededNumbers, TrainingWorkbench } from './support.js';

type TrainableEngine = Engine & TrainingEngine;

/** Forward, both gradients and their accumulation of one layer without bias; all results one after the other. */
async function layerResults(
  engine: TrainingEngine,
  g: ConvolutionGeometry,
  storage: Storage,
): Promise<readonly Float32Array[]> {
  const numbers = new SeededNumbers(7);
  const bench = new TrainingWorkbench(engine);
  const inputShape = [g.images, g.inputHeight, g.inputWidth, g.inputChannels];
  const outputShape = [g.images, g.outputHeight, g.outputWidth, g.outputChannels];
  const weightShape = [g.outputChannels, g.inputChannels / g.groups, g.kernelHeight, g.kernelWidth];
  const count = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);
  const input =
    storage === 'spikes'
      ? bench.spikes(inputShape, numbers.bits(count(inputShape), 0.3))
      : bench.real(inputShape, numbers.reals(count(inputShape)));
  const weight = bench.real(weightShape, numbers.reals(count(weightShape)));
  const outputGradient = bench.real(outputShape, numbers.reals(count(outputShape)));
  const output = bench.real(outputShape);
  const weightGradient = bench.real(weightShape, numbers.reals(count(weightShape)));
  const inputGradient = bench.real(inputShape);
  const added = bench.real(inputShape, numbers.reals(count(inputShape)));
  const layer = { name: 'layer', geometry: g };
  bench.kernels.convolution({ ...layer, input, output, weight });
  bench.kernels.convolutionWeightGradient({ ...layer, input, outputGradient, weightGradient });
  bench.kernels.convolutionInputGradient({ ...layer, weight, outputGradient, inputGradient, accumulate: false });
  bench.kernels.convolutionInputGradient({ ...layer, weight, outputGradient, inputGradient: added, accumulate: true });
  await bench.run();
  const results = [];
  for (const tensor of [output, weightGradient, inputGradient, added]) results.push(await bench.read(tensor));
  bench.dispose();
  return results;
}

async function withEngine<Result>(engine: TrainableEngine, use: (engine: TrainableEngine) => Promise<Result>) {
  try {
    return await use(engine);
  } finally {
    await engine.dispose();
  }
}

const layers: readonly { readonly title: string; readonly storage: Storage; readonly geometry: ConvolutionGeometry }[] =
  [
    {
      title: 'maps too large for one block of sums',
      storage: 'spikes',
      geometry: geometryOf({ images: 2, channels: [5, 24], size: [41, 39], kernel: [3, 3], padding: [1, 1] }),
    },
    {
      title: 'one row of pixels wider than a block of sums',
      storage: 'spikes',
      geometry: geometryOf({ images: 2, channels: [3, 24], size: [3, 800], kernel: [3, 3], padding: [1, 1] }),
    },
    {
      title: 'several small maps in a block, more blocks than parts',
      storage: 'spikes',
      geometry: geometryOf({ images: 150, channels: [33, 45], size: [7, 7], kernel: [3, 3], padding: [1, 1] }),
    },
    {
      title: 'a kernel without padding, of unequal sides',
      storage: 'spikes',
      geometry: geometryOf({ images: 5, channels: [10, 17], size: [6, 9], kernel: [4, 2] }),
    },
    {
      title: 'more padding than the kernel reaches',
      storage: 'spikes',
      geometry: geometryOf({ images: 3, channels: [10, 8], size: [5, 5], kernel: [1, 2], padding: [2, 3] }),
    },
    {
      title: 'tokens that do not fill their last row',
      storage: 'spikes',
      geometry: geometryOf({ images: 1, channels: [70, 100], size: [1, 3001], kernel: [1, 1] }),
    },
    {
      title: 'a stride of two on spikes',
      storage: 'spikes',
      geometry: geometryOf({
        images: 3,
        channels: [45, 20],
        size: [9, 11],
        kernel: [3, 3],
        stride: [2, 2],
        padding: [1, 1],
      }),
    },
    {
      title: 'a stride wider than the kernel on numbers',
      storage: 'real',
      geometry: geometryOf({ images: 2, channels: [6, 10], size: [11, 10], kernel: [2, 1], stride: [3, 2] }),
    },
    {
      title: 'numbers through a pointwise layer',
      storage: 'real',
      geometry: geometryOf({ images: 7, channels: [45, 37], size: [13, 11], kernel: [1, 1] }),
    },
    {
      title: 'numbers through a wide kernel',
      storage: 'real',
      geometry: geometryOf({ images: 2, channels: [3, 16], size: [20, 21], kernel: [7, 7], padding: [3, 3] }),
    },
    {
      title: 'depthwise numbers without padding',
      storage: 'real',
      geometry: geometryOf({ images: 9, channels: [20, 20], size: [6, 7], kernel: [3, 3], groups: 20 }),
    },
    {
      title: 'depthwise spikes with a stride',
      storage: 'spikes',
      geometry: geometryOf({
        images: 3,
        channels: [20, 20],
        size: [9, 9],
        kernel: [5, 5],
        stride: [2, 2],
        padding: [2, 2],
        groups: 20,
      }),
    },
  ];

describe('a training layer on the wasm engine', () => {
  it.each(layers)('$title: agrees with the reference engine', async ({ geometry, storage }) => {
    const expected = await withEngine(await createReferenceEngine(), (engine) =>
      layerResults(engine, geometry, storage),
    );
    const found = await withEngine(await createWasmEngine({ threads: 2 }), (engine) =>
      layerResults(engine, geometry, storage),
    );
    expected.forEach((values, index) => {
      expectClose(found[index]!, values, 1e-5);
    });
  });

  it.each(layers)('$title: gives the same bits with one to four threads', async ({ geometry, storage }) => {
    const results: (readonly Float32Array[])[] = [];
    for (const threads of [1, 2, 3, 4]) {
      results.push(
        await withEngine(await createWasmEngine({ threads }), (engine) => layerResults(engine, geometry, storage)),
      );
    }
    for (const other of results.slice(1)) {
      other.forEach((values, index) => {
        expectSame(values, results[0]![index]!);
      });
    }
  });
});

describe('the memory of a training program', () => {
  it('may grow between the recording and the run, and views see what the run wrote', async () => {
    const engine = await createWasmEngine({ threads: 2 });
    const bench = new TrainingWorkbench(engine);
    const a = bench.real([1000], new SeededNumbers(1).reals(1000));
    const output = bench.real([1000]);
    bench.kernels.add({ name: 'sum', a, b: a, output });
    await bench.run();
    const before = engine.memory.memory.buffer.byteLength;
    engine.record().allocate(64 * 2 ** 20);
    expect(engine.memory.memory.buffer.byteLength).toBeGreaterThan(before);
    bench.view(a).fill(21);
    await bench.run();
    expect(new Set(bench.view(output))).toEqual(new Set([42]));
    await engine.dispose();
  });

  it('goes back to the engine when the program is disposed of', async () => {
    const engine = await createWasmEngine({ threads: 1 });
    const geometry = geometryOf({ images: 8, channels: [64, 256], size: [16, 16], kernel: [3, 3], padding: [1, 1] });
    await layerResults(engine, geometry, 'spikes');
    const after = engine.memory.memory.buffer.byteLength;
    for (let round = 0; round < 3; round++) await layerResults(engine, geometry, 'spikes');
    expect(engine.memory.memory.buffer.byteLength).toBe(after);
    await engine.dispose();
  });
});
