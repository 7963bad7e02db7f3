/** The memory of the wasm engine's training programs. What its kernels compute is for `contract.test.ts` and `trainingKernels.test.ts`. */
import { describe, expect, it } from 'vitest';
import type { ConvolutionGeometry, Storage } from '../../src/engines/kernels.js';
import type { TrainingEngine } from '../../src/engines/trainingKernels.js';
import { createWasmEngine } from '../../src/engines/wasm/index.js';
import { geometryOf, SeededNumbers, TrainingWorkbench } from './support.js';

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
