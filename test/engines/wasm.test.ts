/**
 * What is particular to the wasm engine and not in the suite that all engines share: threads, tables, its memory, its
 * end. The oracle is a definition in float64, or the engine itself where two ways must give the same bits.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EngineError } from '../../src/engines/errors.js';
import type { ConvolutionGeometry, Engine, Tensor } from '../../src/engines/kernels.js';
import { createWasmEngine, type WasmEngineOptions } from '../../src/engines/wasm/index.js';
import { IntegerConvolution } from '../../src/engines/wasm/instructionSet.js';
import type { InstructionNote } from '../../src/engines/wasm/program.js';
import {
  largestWeightSum,
  levels,
  quantiseDenseWeights,
  quantiseWeights,
  quantiseWeightsAndSums,
} from '../../src/engines/wasm/quantise.js';
import { roundToGrid } from '../../src/interop/steppedTensors.js';
import {
  bruteForceConvolution,
  expectClose,
  geometryOf,
  SeededNumbers,
  toChannelsFirst,
  toChannelsLast,
  Workbench,
} from './support.js';

async function withEngine<Result>(options: WasmEngineOptions, use: (engine: Engine) => Promise<Result>) {
  const engine = await createWasmEngine(options);
  try {
    return await use(engine);
  } finally {
    await engine.dispose();
  }
}

interface SpikeLayer {
  readonly geometry: ConvolutionGeometry;
  readonly bits: Float32Array;
  readonly weight: Float32Array;
  readonly bias?: Float32Array;
  readonly residual?: Float32Array;
  /** What the engine is told. */
  readonly firingRate?: number;
}

/** Firing rates per image, so that some images use tables and some do not. */
function spikeLayer(seed: number, geometry: ConvolutionGeometry, rates: readonly number[]): SpikeLayer {
  const numbers = new SeededNumbers(seed);
  const { images, inputHeight, inputWidth, inputChannels, outputHeight, outputWidth, outputChannels } = geometry;
  const perImage = inputHeight * inputWidth * inputChannels;
  const bits = new Float32Array(images * perImage);
  for (let image = 0; image < images; image++) {
    bits.set(numbers.bits(perImage, rates[image % rates.length]), image * perImage);
  }
  return {
    geometry,
    bits,
    weight: numbers.reals(
      (outputChannels * inputChannels * geometry.kernelHeight * geometry.kernelWidth) / geometry.groups,
    ),
    bias: numbers.reals(outputChannels),
    residual: numbers.reals(outputHeight * outputWidth * outputChannels),
  };
}

async function convolveSpikes(engine: Engine, layer: SpikeLayer): Promise<Float32Array> {
  return convolve(engine, layer, (bench, shape) => bench.spikes(shape, layer.bits));
}

async function convolve(
  engine: Engine,
  { geometry: g, weight, bias, residual, firingRate }: Omit<SpikeLayer, 'bits'>,
  inputOn: (bench: Workbench, shape: number[]) => Tensor,
): Promise<Float32Array> {
  const bench = new Workbench(engine);
  const output = bench.real([g.images, g.outputHeight, g.outputWidth, g.outputChannels]);
  bench.kernels.convolution({
    name: 'conv',
    geometry: g,
    input: inputOn(bench, [g.images, g.inputHeight, g.inputWidth, g.inputChannels]),
    output,
    weight,
    ...(bias && { bias }),
    ...(residual && { residual: bench.real([residual.length], residual) }),
    ...(firingRate !== undefined && { firingRate }),
  });
  await bench.run();
  const result = await bench.read(output);
  bench.dispose();
  return result;
}

/** How an engine computes a layer, in its words. */
function methodOf(
  options: WasmEngineOptions,
  { geometry: g, weight, firingRate }: Pick<SpikeLayer, 'geometry' | 'weight' | 'firingRate'>,
  storage: Tensor['storage'] = 'spikes',
): Promise<string> {
  return withEngine(options, async (engine) => {
    const kernels = (engine as Awaited<ReturnType<typeof createWasmEngine>>).record();
    const tensor = (shape: number[], kind: Tensor['storage']): Tensor => {
      const block = kernels.allocate(4 * shape.reduce((a, b) => a * b));
      return { shape, storage: kind, block, byteOffset: 0 };
    };
    kernels.convolution({
      name: 'c',
      geometry: g,
      input: tensor([g.images, g.inputHeight, g.inputWidth, g.inputChannels], storage),
      output: tensor([g.images, g.outputHeight, g.outputWidth, g.outputChannels], 'real'),
      weight,
      ...(firingRate !== undefined && { firingRate }),
    });
    // Lists of spikes may be made by an instruction in front.
    return kernels.finish().instructions.at(-1)!.method;
  });
}

function definition(layer: SpikeLayer): Float64Array {
  const { geometry: g, bits, weight, bias, residual } = layer;
  const input = toChannelsFirst(bits, g.inputChannels, g.inputHeight * g.inputWidth);
  const sums = bruteForceConvolution(g, input, weight, bias);
  const output = toChannelsLast(sums, g.outputChannels, g.outputHeight * g.outputWidth);
  return residual ? output.map((value, index) => value + residual[index % residual.length]!) : output;
}

/** Geometries whose rows need several segments, several blocks, and chunks of every width. */
const layers: readonly (readonly [string, SpikeLayer])[] = [
  [
    '3×3, 200 → 61 channels, three images of different firing rates',
    spikeLayer(
      1,
      geometryOf({ images: 3, channels: [200, 61], size: [9, 11], kernel: [3, 3], padding: [1, 1] }),
      [0.02, 0.4, 0.15],
    ),
  ],
  [
    '1×1, 1500 → 30 channels, one segment being part of the input channels',
    spikeLayer(2, geometryOf({ channels: [1500, 30], size: [13, 7], kernel: [1, 1] }), [0.35]),
  ],
  [
    '3×2 with stride 2×1, 33 → 20 channels, more than one block of positions',
    spikeLayer(
      3,
      geometryOf({ channels: [33, 20], size: [50, 40], kernel: [3, 2], stride: [2, 1], padding: [1, 0] }),
      [0.3],
    ),
  ],
  [
    'depthwise 7×7 on 40 channels',
    spikeLayer(
      4,
      geometryOf({ images: 2, channels: [40, 40], size: [9, 10], kernel: [7, 7], padding: [3, 3], groups: 40 }),
      [0.2],
    ),
  ],
];

describe('a convolution on spikes in wasm', () => {
  it.each(layers)('equals its definition, with tables: %s', async (_title, layer) => {
    const found = await withEngine({ threads: 2 }, (engine) => convolveSpikes(engine, layer));
    expectClose(found, definition(layer));
  });

  it.each(layers)('equals its definition, without tables: %s', async (_title, layer) => {
    const found = await withEngine({ threads: 2, tableBudgetBytes: 0 }, (engine) => convolveSpikes(engine, layer));
    expectClose(found, definition(layer));
  });

  it.each(layers)('equals its definition, written out and multiplied: %s', async (_title, layer) => {
    const found = await withEngine({ threads: 2, spikeKernel: 'dense' }, (engine) => convolveSpikes(engine, layer));
    expectClose(found, definition(layer));
  });

  it('multiplies when told to, and says so', async () => {
    const engine = await createWasmEngine({ threads: 1, spikeKernel: 'dense' });
    expect(engine.name).toBe('wasm dense');
    const kernels = engine.record();
    const geometry = geometryOf({ channels: [40, 24], size: [4, 4], kernel: [1, 1] });
    const tensor = (channels: number, storage: Tensor['storage']): Tensor => ({
      shape: [1, 4, 4, channels],
      storage,
      block: kernels.allocate(65536),
      byteOffset: 0,
    });
    const weight = new Float32Array(40 * 24);
    kernels.convolution({ name: 'c', geometry, input: tensor(40, 'spikes'), output: tensor(24, 'real'), weight });
    expect(kernels.finish().instructions).toMatchObject([{ kernel: 'denseConvolution' }]);
    await engine.dispose();
    await expect(createWasmEngine({ spikeKernel: 'dense', precision: 'i16' })).rejects.toThrow(/dense.*f32/);
  });

  it('uses tables as far as the budget goes, and says so', async () => {
    const geometry = geometryOf({ channels: [64, 24], size: [8, 8], kernel: [3, 3], padding: [1, 1] });
    // 16 groups of four channels, 9 taps, 11 rows of 24 numbers of 4 bytes.
    const tableBytes = 16 * 9 * 11 * 24 * 4;
    const methods = await withEngine({ threads: 1, tableBudgetBytes: tableBytes }, async (engine) => {
      const wasm = engine as Awaited<ReturnType<typeof createWasmEngine>>;
      const kernels = wasm.record();
      const tensor = (shape: number[], storage: Tensor['storage']): Tensor => ({
        shape,
        storage,
        block: kernels.allocate(65536),
        byteOffset: 0,
      });
      const input = tensor([1, 8, 8, 64], 'spikes');
      const output = tensor([1, 8, 8, 24], 'real');
      for (const name of ['first', 'second']) {
        kernels.convolution({ name, geometry, input, output, weight: new Float32Array(64 * 24 * 9) });
      }
      const { instructions } = kernels.finish();
      return instructions.filter(({ kernel }) => kernel !== 'spikeLists').map(({ name, method }) => [name, method]);
    });
    expect(methods).toEqual([
      ['first', 'rows and tables'],
      ['second', 'rows'],
    ]);
  });

  it('does without tables where neurons are known to fire too seldom', async () => {
    const methodAt = (kernel: [number, number], side: number, firingRate?: number) => {
      const padding: [number, number] = [kernel[0] >> 1, kernel[1] >> 1];
      const geometry = geometryOf({ channels: [64, 24], size: [side, side], kernel, padding });
      const weight = new Float32Array(64 * 24 * kernel[0] * kernel[1]);
      return methodOf({ threads: 1 }, { geometry, weight, ...(firingRate !== undefined && { firingRate }) });
    };
    expect(await methodAt([3, 3], 28)).toBe('rows and tables');
    expect(await methodAt([3, 3], 28, 0.11)).toBe('rows and tables');
    expect(await methodAt([3, 3], 28, 0.09)).toBe('rows');
    // Where tables pay later, they are left out later, too.
    expect(await methodAt([1, 1], 28, 0.11)).toBe('rows');
    expect(await methodAt([3, 3], 14, 0.11)).toBe('rows');
  });

  it.each([
    ['f32', undefined],
    ['i16', undefined],
    ['i16', 0.4],
  ] as const)(
    'gives an image the same bits in a batch as alone, whatever the others fire: %s, told %s',
    async (precision, rate) => {
      const smaller = spikeLayer(
        11,
        geometryOf({ images: 3, channels: [200, 61], size: [5, 7], kernel: [3, 3], padding: [1, 1] }),
        [0.04, 0.5, 0.25],
      );
      for (const layer of [layers[0]![1], smaller]) {
        const together = { ...layer, ...(rate !== undefined && { firingRate: rate }) };
        const { geometry } = together;
        const perImage = together.bits.length / geometry.images;
        const convolved = (own: SpikeLayer) =>
          withEngine({ threads: 2, precision }, (engine) => convolveSpikes(engine, own));
        const batch = await convolved(together);
        for (let image = 0; image < geometry.images; image++) {
          const bits = together.bits.subarray(image * perImage, (image + 1) * perImage);
          const alone = await convolved({ ...together, bits, geometry: { ...geometry, images: 1 } });
          expect(batch.subarray(image * alone.length, (image + 1) * alone.length)).toEqual(alone);
        }
      }
    },
  );

  it('may add its output to what the output held before', async () => {
    const layer = layers[0]![1];
    const { geometry: g } = layer;
    const before = new SeededNumbers(9).reals(g.images * g.outputHeight * g.outputWidth * g.outputChannels);
    const found = await withEngine({ threads: 2 }, async (engine) => {
      const bench = new Workbench(engine);
      const output = bench.real([g.images, g.outputHeight, g.outputWidth, g.outputChannels], before);
      const input = bench.spikes([g.images, g.inputHeight, g.inputWidth, g.inputChannels], layer.bits);
      bench.kernels.convolution({ name: 'c', geometry: g, input, output, weight: layer.weight, residual: output });
      await bench.run();
      return bench.read(output);
    });
    const { geometry, bits, weight } = layer;
    expectClose(found, definition({ geometry, bits, weight, residual: before }));
  });
});

/** Channels of every width that a chunk of 64 can end with, and lists long enough to be widened several times. */
const byteLayers: readonly (readonly [string, SpikeLayer])[] = [
  ...layers.slice(0, 3),
  [
    '3×3, 192 → 96 channels',
    spikeLayer(
      5,
      geometryOf({ images: 2, channels: [192, 96], size: [8, 9], kernel: [3, 3], padding: [1, 1] }),
      [0.05, 0.6],
    ),
  ],
  ['1×1, 500 → 77 channels', spikeLayer(6, geometryOf({ channels: [500, 77], size: [9, 9], kernel: [1, 1] }), [0.5])],
  ['1×1, 300 → 121 channels', spikeLayer(8, geometryOf({ channels: [300, 121], size: [7, 9], kernel: [1, 1] }), [0.9])],
  ['1×1, 64 → 3 channels', spikeLayer(7, geometryOf({ channels: [64, 3], size: [4, 5], kernel: [1, 1] }), [0.3])],
];

/** The layer with weights as the integers and scales say. */
function rounded(layer: SpikeLayer, { weight, scales } = quantiseWeights(layer.weight, layer.geometry)): SpikeLayer {
  const perChannel = weight.length / scales.length;
  return { ...layer, weight: Float32Array.from(weight, (value, i) => value * scales[Math.floor(i / perChannel)]!) };
}

describe('a convolution on spikes in 16 bits', () => {
  it.each(byteLayers)('equals the definition on the rounded weights: %s', async (_t, layer) => {
    const found = await withEngine({ threads: 2, precision: 'i16' }, (engine) => convolveSpikes(engine, layer));
    expectClose(found, definition(rounded(layer)));
  });

  it.each(byteLayers)('gives the same bits with one, two and four threads: %s', async (_title, layer) => {
    const results = [];
    for (const threads of [1, 2, 4])
      results.push(await withEngine({ threads, precision: 'i16' }, (engine) => convolveSpikes(engine, layer)));
    for (const result of results) expect(result).toEqual(results[0]);
  });

  it('does not overflow when all neurons fire into the largest weights', async () => {
    const geometry = geometryOf({ channels: [256, 56], size: [10, 10], kernel: [3, 3], padding: [1, 1] });
    const sign = (channel: number) => (channel % 2 === 0 ? 1 : -1);
    const weight = Float32Array.from({ length: 56 * 256 * 9 }, (_, i) => 0.75 * sign(Math.floor(i / (256 * 9))));
    const layer = { geometry, bits: new Float32Array(100 * 256).fill(1), weight };
    const found = await withEngine({ threads: 1, precision: 'i16' }, (engine) => convolveSpikes(engine, layer));
    // In the middle 9 · 256 weights meet, 292,608 steps of 1/127: nine times what 16 bits hold.
    for (let channel = 0; channel < 56; channel++)
      expect(found[(5 * 10 + 5) * 56 + channel]! / (sign(channel) * 9 * 256 * 0.75)).toBeCloseTo(1, 6);
    expectClose(found, definition(layer), 1e-6);
  });

  it('rounds weights to half a step of the channel’s largest', () => {
    const layer = layers[0]![1];
    const { geometry } = layer;
    const { weight, scales } = quantiseWeights(layer.weight, geometry);
    const perChannel = weight.length / scales.length;
    for (let channel = 0; channel < scales.length; channel++) {
      const own = layer.weight.subarray(channel * perChannel, (channel + 1) * perChannel);
      const largest = Math.max(...own.map(Math.abs));
      expect(scales[channel]).toBeCloseTo(largest / levels, 8);
      own.forEach((value, i) => {
        const distance = Math.abs(weight[channel * perChannel + i]! * scales[channel]! - value);
        // Written so that NaN fails; a matcher for each of a hundred thousand weights takes seconds.
        if (!(distance <= 0.5001 * scales[channel]!))
          expect.fail(`weight ${i} of channel ${channel} is off by ${distance}`);
      });
    }
    expect([...quantiseWeights(new Float32Array(2 * 200 * 9), { ...geometry, outputChannels: 2 }).scales]).toEqual([
      0, 0,
    ]);
  });
});

/** Sums of weights of the same kernel tap and four neighbouring input channels, as many as have the sign. */
function sumsOfFour(weight: ArrayLike<number>, { inputChannels, outputChannels }: ConvolutionGeometry, sign: number) {
  const taps = weight.length / inputChannels / outputChannels;
  const sums = new Map<string, number>();
  for (let i = 0; i < weight.length; i++) {
    const [tap, input, output] = [i % taps, Math.floor(i / taps) % inputChannels, Math.floor(i / taps / inputChannels)];
    const key = `${output} ${input >> 2} ${tap}`;
    sums.set(key, (sums.get(key) ?? 0) + Math.max(0, sign * weight[i]!));
  }
  return [...sums.values()];
}

describe('tables of bytes, where neurons are known to fire often', () => {
  const often = byteLayers
    .map(([title, layer]) => [title, { ...layer, firingRate: 0.4 }] as const)
    .filter(([, { geometry: g }]) => g.outputHeight * g.outputWidth >= 64);
  const methodAt = (layer: Parameters<typeof methodOf>[1]) => methodOf({ threads: 1, precision: 'i16' }, layer);
  const geometry = geometryOf({ channels: [50, 70], size: [9, 9], kernel: [3, 3], padding: [1, 1] });
  const { weight } = spikeLayer(31, geometry, [0.4]);

  it.each(often)('give what the definition gives on their rounded weights: %s', async (_title, layer) => {
    const found = await withEngine({ threads: 2, precision: 'i16' }, (engine) => convolveSpikes(engine, layer));
    expectClose(found, definition(rounded(layer, quantiseWeightsAndSums(layer.weight, layer.geometry))));
  });

  it.each(often)('give the same bits with one, two and four threads: %s', async (_title, layer) => {
    const results = [];
    for (const threads of [1, 2, 4])
      results.push(await withEngine({ threads, precision: 'i16' }, (engine) => convolveSpikes(engine, layer)));
    for (const result of results) expect(result).toEqual(results[0]);
  });

  it('are taken from a rate of a quarter on, within the budget', async () => {
    expect(await methodAt({ geometry, weight, firingRate: 0.25 })).toBe('rows and tables, i16');
    expect(await methodAt({ geometry, weight, firingRate: 0.24 })).toBe('rows, i16');
    expect(await methodAt({ geometry, weight })).toBe('rows, i16');
    const small = geometryOf({ channels: [50, 70], size: [7, 7], kernel: [3, 3], padding: [1, 1] });
    expect(await methodAt({ geometry: small, weight, firingRate: 0.9 })).toBe('rows, i16');
    const layer = { geometry, weight, bits: new SeededNumbers(32).bits(81 * 50, 0.4), firingRate: 0.4 };
    const found = await withEngine({ threads: 1, precision: 'i16', tableBudgetBytes: 0 }, (engine) =>
      convolveSpikes(engine, layer),
    );
    expectClose(found, definition(rounded(layer)));
  });

  it('have sums of four weights that a byte holds, and weights rounded to half a step', () => {
    const { weight: steps, scales } = quantiseWeightsAndSums(weight, geometry)!;
    for (const sign of [1, -1]) expect(Math.max(...sumsOfFour(steps, geometry, sign))).toBeLessThanOrEqual(levels);
    // Not coarser than it must be.
    expect(Math.max(...[1, -1].flatMap((sign) => sumsOfFour(steps, geometry, sign)))).toBeGreaterThan(levels - 5);
    weight.forEach((value, i) => {
      const scale = scales[Math.floor(i / 450)]!;
      const distance = Math.abs(steps[i]! * scale - value);
      if (!(distance <= 0.5001 * scale)) expect.fail(`weight ${i} is off by ${distance}`);
    });
    const nothing = quantiseWeightsAndSums(new Float32Array(weight.length), geometry)!;
    expect([...nothing.scales, ...nothing.weight].every((value) => value === 0)).toBe(true);
    // So small that a scale would be rounded.
    const tiny = quantiseWeightsAndSums(
      weight.map((value) => value * 3e-42),
      geometry,
    )!;
    for (const sign of [1, -1])
      expect(Math.max(...sumsOfFour(tiny.weight, geometry, sign))).toBeLessThanOrEqual(levels);
  });

  it('do not overflow when all neurons fire into the largest weights', async () => {
    const wide = geometryOf({ channels: [450, 70], size: [9, 9], kernel: [3, 3], padding: [1, 1] });
    const numbers = new SeededNumbers(33).reals(70 * 450 * 9);
    const layer = {
      geometry: wide,
      bits: new Float32Array(81 * 450).fill(1),
      // About ±0.75, an output channel of one sign, and on no grid.
      weight: numbers.map((value, i) => (0.75 + 0.01 * value) * (Math.floor(i / 4050) % 2 === 0 ? 1 : -1)),
      firingRate: 1,
    };
    expect(await methodAt(layer)).toBe('rows and tables, i16');
    const found = await withEngine({ threads: 1, precision: 'i16' }, (engine) => convolveSpikes(engine, layer));
    // In the middle 9 · 113 rows of about 124 steps meet, 126,108: four times what 16 bits hold.
    expectClose(found, definition(rounded(layer, quantiseWeightsAndSums(layer.weight, wide))), 1e-6);
    for (const channel of [0, 1]) expect(Math.abs(found[40 * 70 + channel]! / (9 * 450 * 0.75))).toBeCloseTo(1, 1);
  });

  it('leave weights alone that lie on the grid: tables only where sums lie on it too', async () => {
    const grid = roundToGrid(weight, 70);
    expect(quantiseWeightsAndSums(grid, geometry)).toBeUndefined();
    expect(await methodAt({ geometry, weight: grid, firingRate: 0.9 })).toBe('rows, i16');
    // One large weight among small ones.
    const sparse = grid.map((value, i) => (Math.floor(i / 9) % 4 === 0 ? value : 0));
    expect(quantiseWeightsAndSums(sparse, geometry)).toEqual(quantiseWeights(sparse, geometry));
    expect(await methodAt({ geometry, weight: sparse, firingRate: 0.9 })).toBe('rows and tables, i16');
  });
});

describe('lists of spikes that threads share', () => {
  const cases = [
    ['1×1', geometryOf({ channels: [72, 40], size: [14, 13], kernel: [1, 1] })],
    ['3×3', geometryOf({ channels: [72, 40], size: [9, 8], kernel: [3, 3], padding: [1, 1] })],
    [
      '3×3 with stride 2, three images',
      geometryOf({ images: 3, channels: [72, 40], size: [9, 8], kernel: [3, 3], stride: [2, 2], padding: [1, 1] }),
    ],
  ] as const;
  const ways: readonly WasmEngineOptions[] = [{}, { tableBudgetBytes: 0 }, { precision: 'i16' }];

  it.each(cases)('are made once for convolutions on the same spikes, and again for others: %s', async (_title, g) => {
    const shape = [g.images, g.inputHeight, g.inputWidth, g.inputChannels];
    const { bias, residual, ...query } = spikeLayer(22, g, [0.2, 0.05]);
    const key = { ...query, weight: spikeLayer(23, g, [0]).weight };
    // Where all neurons fire no list has room to spare.
    for (const rate of [0.05, 0.5, 1]) {
      const next = { ...query, bits: spikeLayer(24, g, [rate]).bits };
      for (const way of ways) {
        const expected = [query, key, next].map((layer) =>
          definition(way.precision === 'i16' ? rounded(layer) : layer),
        );
        // Threads that share lists do so at any rate: one of the rates takes every number of them.
        for (const threads of rate === 0.5 ? [1, 2, 3] : [3]) {
          await withEngine({ ...way, threads }, async (engine) => {
            const bench = new Workbench(engine);
            const input = bench.spikes(shape, query.bits);
            const convolve = (name: string, { weight }: SpikeLayer) => {
              const output = bench.real([g.images, g.outputHeight, g.outputWidth, g.outputChannels]);
              bench.kernels.convolution({ name, geometry: g, input, output, weight });
              return output;
            };
            const outputs = [convolve('query', query), convolve('key', key)];
            const drive = bench.real(shape, next.bits);
            const positions = next.bits.length / g.inputChannels;
            const others = { name: 'others', input: drive, output: input, positions, channels: g.inputChannels };
            bench.kernels.leakyIntegrateAndFire({ ...others, timeSteps: 1, inputTimeSteps: 1, tau: 2, threshold: 0.5 });
            outputs.push(convolve('next', next));
            const { instructions } = bench.kernels as unknown as { instructions: readonly InstructionNote[] };
            const listing = instructions.filter(({ kernel }) => kernel === 'spikeLists').map(({ name }) => name);
            expect(listing).toEqual(['query', 'next']);
            await bench.run();
            for (const [index, output] of outputs.entries()) expectClose(await bench.read(output), expected[index]!);
            bench.dispose();
          });
        }
      }
    }
  });
});

describe('neurons that fire in the instruction of the convolution that feeds them', () => {
  const cases: readonly (readonly [string, SpikeLayer, number])[] = [
    ['three steps of 200 → 61 channels', layers[0]![1], 3],
    ['one step of three images', layers[0]![1], 1],
    ['two steps of 192 → 96 channels', byteLayers[3]![1], 2],
    ['one step of 33 → 20 channels, several blocks', layers[2]![1], 1],
    [
      'four steps of 40 → 50 channels, several blocks',
      spikeLayer(
        9,
        geometryOf({ images: 4, channels: [40, 50], size: [31, 17], kernel: [3, 3], padding: [1, 1] }),
        [0.1, 0.3],
      ),
      4,
    ],
  ];

  /** `h = v + (x − v)/τ` in float32, step by step, from the currents that the convolution alone gives. */
  function fired(currents: Float32Array, timeSteps: number, tau: number, threshold: number): number[] {
    const perStep = currents.length / timeSteps;
    const bits = new Array<number>(currents.length);
    for (let neuron = 0; neuron < perStep; neuron++) {
      let v = 0;
      for (let i = neuron; i < currents.length; i += perStep) {
        const h = Math.fround(v + Math.fround(Math.fround(currents[i]! - v) / Math.fround(tau)));
        bits[i] = Number(h >= threshold);
        v = h >= threshold ? 0 : h;
      }
    }
    return bits;
  }

  it.each(cases)('fire as they do by themselves: %s', async (_title, { residual, ...layer }, timeSteps) => {
    const { geometry: g, bits, weight, bias } = layer;
    const shape = [g.images, g.outputHeight, g.outputWidth, g.outputChannels];
    for (const precision of ['f32', 'i16'] as const) {
      const alone = await withEngine({ threads: 1, precision }, (engine) => convolveSpikes(engine, layer));
      for (const [isOnlyReader, tau, withResidual, threads] of [
        [true, 2, false, 2],
        [true, 3, false, 1],
        [false, 2, false, 3],
        [true, 2, true, 2],
      ] as const) {
        const others = withResidual ? residual! : new Float32Array(1);
        const currents = alone.map((value, i) => Math.fround(value + others[i % others.length]!));
        const expected = fired(currents, timeSteps, tau, 0.75);
        expect(new Set(expected)).toEqual(new Set([0, 1]));
        await withEngine({ threads, precision }, async (engine) => {
          const bench = new Workbench(engine);
          const input = bench.spikes([g.images, g.inputHeight, g.inputWidth, g.inputChannels], bits);
          const output = bench.real(shape);
          const spikes = bench.spikeOutput(shape);
          const addend = withResidual && { residual: bench.real([others.length], others) };
          bench.kernels.convolution({
            name: 'conv',
            geometry: g,
            input,
            output,
            weight,
            ...(bias && { bias }),
            ...addend,
          });
          bench.kernels.leakyIntegrateAndFire({
            name: 'lif',
            timeSteps,
            positions: (g.images * g.outputHeight * g.outputWidth) / timeSteps,
            channels: g.outputChannels,
            input: output,
            inputTimeSteps: timeSteps,
            output: spikes,
            isOnlyReader,
            tau,
            threshold: 0.75,
          });
          await bench.run();
          expect(await bench.readBits(spikes)).toEqual(expected);
          // What nobody reads was not written; where somebody may, it was.
          const written = await bench.read(output);
          if (isOnlyReader && !withResidual) expect(written.every(Number.isNaN)).toBe(true);
          else expect(written).toEqual(currents);
          bench.dispose();
        });
      }
    }
  });

  it('wait for an instruction of their own where their spikes take the place of what the convolution reads', async () => {
    const layer = byteLayers[3]![1];
    const { geometry: g, bits, weight } = layer;
    const square = { ...g, outputChannels: g.inputChannels };
    const squareWeight = Float32Array.from({ length: 192 * 192 * 9 }, (_, i) => weight[i % weight.length]!);
    const alone = await withEngine({ threads: 1 }, (engine) =>
      convolveSpikes(engine, { geometry: square, bits, weight: squareWeight }),
    );
    await withEngine({ threads: 2 }, async (engine) => {
      const bench = new Workbench(engine);
      const input = bench.spikes([g.images, g.inputHeight, g.inputWidth, g.inputChannels], bits);
      const output = bench.real([g.images, g.outputHeight, g.outputWidth, 192]);
      bench.kernels.convolution({ name: 'conv', geometry: square, input, output, weight: squareWeight });
      bench.kernels.leakyIntegrateAndFire({
        name: 'lif',
        timeSteps: 1,
        positions: g.images * g.outputHeight * g.outputWidth,
        channels: 192,
        input: output,
        inputTimeSteps: 1,
        output: input,
        isOnlyReader: true,
        tau: 2,
        threshold: 0.75,
      });
      await bench.run();
      expect(await bench.readBits(input)).toEqual(fired(alone, 1, 2, 0.75));
      bench.dispose();
    });
  });
});

describe('weights on a grid', () => {
  const layer = layers[0]![1];
  const { outputChannels } = layer.geometry;
  const grid = roundToGrid(layer.weight, outputChannels);
  const perChannel = grid.length / outputChannels;

  it('are the given ones to half a step, a step being at most a 112th of the largest, and exact in float16', () => {
    let steps = 0;
    for (let channel = 0; channel < outputChannels; channel++) {
      const given = layer.weight.subarray(channel * perChannel, (channel + 1) * perChannel);
      const step = Math.max(...given.map(Math.abs)) / 111.9;
      given.forEach((value, i) => {
        steps = Math.max(steps, Math.abs(grid[channel * perChannel + i]! - value) / step);
      });
    }
    expect(steps).toBeLessThanOrEqual(0.5001);
    // Eleven significant bits, and above float16's subnormal numbers.
    const unit = (value: number) => 2 ** (Math.floor(Math.log2(Math.abs(value))) - 10);
    const isExact = (value: number) => Number.isInteger(value / unit(value)) && Math.abs(value) >= 2 ** -14;
    expect(grid.filter((value) => value !== 0 && !isExact(value))).toEqual(new Float32Array(0));
  });

  it('are not rounded again, also when a batch norm was folded into them', async () => {
    const numbers = new SeededNumbers(5);
    const factors = numbers.reals(outputChannels).map((factor) => 0.1 + Math.abs(factor));
    const folded = grid.map((value, i) => value * factors[Math.floor(i / perChannel)]!);
    const { weight, scales } = quantiseWeights(folded, layer.geometry);
    const moved = folded.filter((value, i) => {
      const again = weight[i]! * scales[Math.floor(i / perChannel)]!;
      return Math.abs(again - value) > 3e-7 * Math.abs(value);
    });
    expect(moved).toEqual(new Float32Array(0));
    const onGrid = { ...layer, weight: folded };
    const found = await withEngine({ threads: 1, precision: 'i16' }, (engine) => convolveSpikes(engine, onGrid));
    expectClose(found, definition(onGrid));
    // Other weights have no grid, so this says something.
    const other = quantiseWeights(layer.weight, layer.geometry);
    expect(
      layer.weight.some(
        (value, i) => Math.abs(other.weight[i]! * other.scales[Math.floor(i / perChannel)]! - value) > 1e-4,
      ),
    ).toBe(true);
  });
});

interface RealLayer {
  readonly geometry: ConvolutionGeometry;
  readonly input: Float32Array;
  readonly weight: Float32Array;
  readonly bias?: Float32Array;
  readonly residual?: Float32Array;
}

/** A 1×1 layer whose positions and output channels have magnitudes from a thousandth to a thousand. */
function pointwiseLayer(
  seed: number,
  images: number,
  channels: readonly [number, number],
  size: readonly [number, number],
): RealLayer {
  const numbers = new SeededNumbers(seed);
  const geometry = geometryOf({ images, channels, size, kernel: [1, 1] });
  const positions = images * size[0] * size[1];
  const uneven = (rows: number, length: number) => {
    const values = numbers.reals(rows * length);
    for (let row = 0; row < rows; row++) {
      const factor = 10 ** (6 * numbers.uniform() - 3);
      for (let i = row * length; i < (row + 1) * length; i++) values[i] = values[i]! * factor;
    }
    return values;
  };
  return {
    geometry,
    input: uneven(positions, channels[0]),
    weight: uneven(channels[1], channels[0]),
    bias: numbers.reals(channels[1]),
    residual: numbers.reals(size[0] * size[1] * channels[1]),
  };
}

const pointwiseLayers: readonly (readonly [string, RealLayer])[] = [
  ['192 → 96 channels, 12 × 12', pointwiseLayer(21, 1, [192, 96], [12, 12])],
  ['195 → 13 channels, three images of 9 × 13', pointwiseLayer(22, 3, [195, 13], [9, 13])],
  ['201 → 33 channels, 23 × 19, several blocks', pointwiseLayer(23, 1, [201, 33], [23, 19])],
  ['1030 → 4 channels, 101 positions', pointwiseLayer(24, 1, [1030, 4], [101, 1])],
];

async function convolveReals(engine: Engine, layer: RealLayer): Promise<Float32Array> {
  return convolve(engine, layer, (bench, shape) => bench.real(shape, layer.input));
}

/** The method that the engine says it chose. */
describe('a pointwise convolution on real numbers in 16-bit integers', () => {
  const inFloat64 = ({ geometry: g, input, weight, bias, residual }: RealLayer) =>
    Float64Array.from({ length: (input.length / g.inputChannels) * g.outputChannels }, (_, index) => {
      const position = Math.floor(index / g.outputChannels);
      const channel = index % g.outputChannels;
      let sum = (bias?.[channel] ?? 0) + (residual?.[index % residual.length] ?? 0);
      for (let i = 0; i < g.inputChannels; i++)
        sum += input[position * g.inputChannels + i]! * weight[channel * g.inputChannels + i]!;
      return sum;
    });

  /** How far each output may be from the true one: half a step of every factor, times the other factor, and what float32 adds. */
  function bounds(layer: RealLayer): Float64Array {
    const { geometry: g, input, weight } = layer;
    const { scales } = quantiseDenseWeights(weight, g);
    return inFloat64(layer).map((value, index) => {
      const position = Math.floor(index / g.outputChannels);
      const channel = index % g.outputChannels;
      const row = input.subarray(position * g.inputChannels, (position + 1) * g.inputChannels);
      const inputStep = Math.max(...row.map(Math.abs)) / IntegerConvolution.inputLevels;
      const weightStep = scales[channel]!;
      let bound = 1e-6 * (1 + Math.abs(value));
      for (let i = 0; i < g.inputChannels; i++) {
        const [x, w] = [Math.abs(row[i]!), Math.abs(weight[channel * g.inputChannels + i]!)];
        bound += 0.501 * (inputStep * w + weightStep * x) + 0.251 * inputStep * weightStep;
        bound += 2 ** -22 * x * w;
      }
      return bound;
    });
  }

  it.each(pointwiseLayers)(
    'is within half a step of every factor, and nearer on average: %s',
    async (_title, layer) => {
      const found = await withEngine({ threads: 2, precision: 'i16' }, (engine) => convolveReals(engine, layer));
      const expected = inFloat64(layer);
      const allowed = bounds(layer);
      let worst = 0;
      let mean = 0;
      found.forEach((value, i) => {
        const distance = Math.abs(value - expected[i]!) / allowed[i]!;
        // Written so that NaN fails.
        if (!(distance <= 1)) expect.fail(`element ${i} is ${value}, expected ${expected[i]} within ${allowed[i]}`);
        worst = Math.max(worst, distance);
        mean += distance / found.length;
      });
      // Hundreds of roundings cancel; a sign or a channel mixed up would not stay below.
      expect(mean).toBeLessThan(0.1);
      expect(worst).toBeGreaterThan(0);
    },
  );

  it.each(pointwiseLayers)('adds the integers exactly: %s', async (_title, { geometry: g, input }) => {
    const numbers = new SeededNumbers(31);
    const most = IntegerConvolution.inputLevels;
    // Where the largest is so many steps a step is exactly 1, and rounding has nothing to do.
    const whole = Float32Array.from(input, () => numbers.whole(-most, most));
    for (let i = 0; i < whole.length; i += g.inputChannels) whole[i] = most;
    const weight = numbers.reals(g.outputChannels * g.inputChannels);
    const { weight: quantised, scales } = quantiseDenseWeights(weight, g);
    const layer = { geometry: g, input: whole, weight };
    const found = await withEngine({ threads: 1, precision: 'i16' }, (engine) => convolveReals(engine, layer));
    const exact = inFloat64({ ...layer, weight: Float32Array.from(quantised) });
    // The sum of integers is exact: only its conversion and the product with the scale round.
    found.forEach((value, i) => {
      const expected = exact[i]! * scales[i % g.outputChannels]!;
      if (!(Math.abs(value - expected) <= 2 ** -21 * Math.abs(expected)))
        expect.fail(`element ${i} is ${value}, expected ${expected}`);
    });
  });

  it.each([192, 193, 384, 1536])('does not overflow at the bound, %i input channels', async (inputChannels) => {
    const geometry = geometryOf({ channels: [inputChannels, 24], size: [25, 4], kernel: [1, 1] });
    const sign = (i: number) => (i % 2 === 0 ? 1 : -1);
    // Outputs by channel: signs equal, opposite, alternating; inputs by position: equal, opposite, alternating; all as large as can be.
    const pattern = (row: number, i: number) => [1, -1, sign(i)][row % 3]!;
    const fill = (rows: number, value: number) =>
      Float32Array.from(
        { length: rows * inputChannels },
        (_, i) => value * pattern(Math.floor(i / inputChannels), i % inputChannels),
      );
    const layer = { geometry, input: fill(100, 3), weight: fill(24, 0.7) };
    const found = await withEngine({ threads: 1, precision: 'i16' }, (engine) => convolveReals(engine, layer));
    const { weight: quantised } = quantiseDenseWeights(layer.weight, geometry);
    const sum = quantised.subarray(0, inputChannels).reduce((total, value) => total + Math.abs(value), 0);
    expect(sum * IntegerConvolution.inputLevels).toBeLessThan(2 ** 31);
    if (inputChannels > 192) expect(sum * IntegerConvolution.inputLevels).toBeGreaterThan(0.99 * 2 ** 31);
    const expected = inFloat64(layer);
    found.forEach((value, i) => {
      expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-3 * 0.7 * 3 * inputChannels);
    });
  });

  it('never lets magnitudes of an output channel sum to more than the bound', () => {
    const numbers = new SeededNumbers(41);
    for (let round = 0; round < 200; round++) {
      const inputChannels = numbers.whole(1, 5000);
      const geometry = geometryOf({ channels: [inputChannels, 2], size: [4, 4], kernel: [1, 1] });
      // From all alike to one that outweighs the others, of magnitudes that float32 hardly holds.
      const power = numbers.pick([0, 1, 5, 60]);
      const scale = numbers.pick([1, 1e-30, 1e-38, 1e30]);
      const weight = Float32Array.from(
        { length: 2 * inputChannels },
        () => numbers.pick([-1, 1]) * scale * numbers.uniform() ** power,
      );
      const { weight: quantised } = quantiseDenseWeights(weight, geometry);
      for (let channel = 0; channel < 2; channel++) {
        const own = quantised.subarray(channel * inputChannels, (channel + 1) * inputChannels);
        const sum = own.reduce((total, value) => total + Math.abs(value), 0);
        expect(sum).toBeLessThanOrEqual(largestWeightSum);
        own.forEach((value, i) => {
          if (value !== 0 && Math.sign(value) !== Math.sign(weight[channel * inputChannels + i]!))
            expect.fail(`weight ${i} changed its sign`);
        });
      }
    }
    expect(largestWeightSum * IntegerConvolution.inputLevels).toBeLessThan(2 ** 31);
    expect((largestWeightSum + 1) * IntegerConvolution.inputLevels).toBeGreaterThanOrEqual(2 ** 31);
  });

  it.each(pointwiseLayers)('gives the same bits with one, two and four threads: %s', async (_title, layer) => {
    const results = [];
    for (const threads of [1, 2, 4])
      results.push(await withEngine({ threads, precision: 'i16' }, (engine) => convolveReals(engine, layer)));
    for (const result of results) expect(result).toEqual(results[0]);
  });

  it('gives a position without inputs its bias, and keeps infinity and NaN to their positions', async () => {
    const geometry = geometryOf({ channels: [192, 16], size: [20, 5], kernel: [1, 1] });
    const numbers = new SeededNumbers(51);
    const input = numbers.reals(100 * 192);
    const [nothing, tiny, endless, unknown] = [1, 6, 11, 18];
    input.fill(0, nothing * 192, (nothing + 1) * 192);
    input.fill(1e-40, tiny * 192, (tiny + 1) * 192);
    input[endless * 192 + 100] = -Infinity;
    input[unknown * 192 + 191] = NaN;
    const bias = numbers.reals(16);
    const layer = { geometry, input, weight: numbers.reals(16 * 192), bias };
    const found = await withEngine({ threads: 1, precision: 'i16' }, (engine) => convolveReals(engine, layer));
    const at = (position: number) => found.subarray(position * 16, (position + 1) * 16);
    expect(at(nothing)).toEqual(bias);
    expect(at(tiny)).toEqual(bias);
    for (let position = 0; position < 100; position++)
      expect(at(position).some(Number.isFinite)).toBe(position !== endless && position !== unknown);
  });

  it('is for large layers of the approximate engine only', async () => {
    const layer = (channels: number, positions: number) => pointwiseLayer(61, 1, [channels, 8], [positions, 1]);
    expect(await methodOf({ threads: 1, precision: 'i16' }, layer(192, 100), 'real')).toBe('4×8 tiles, i16');
    expect(await methodOf({ threads: 1, precision: 'i16' }, layer(160, 400), 'real')).toBe('4×8 tiles');
    expect(await methodOf({ threads: 1, precision: 'i16' }, layer(192, 99), 'real')).toBe('4×8 tiles');
    expect(await methodOf({ threads: 1 }, layer(384, 196), 'real')).toBe('4×8 tiles');
  });
});

/** One program with every kernel, on shapes that divide by nothing, whose result depends on all of them. */
async function everything(engine: Engine, runs = 1): Promise<Float32Array[]> {
  const numbers = new SeededNumbers(11);
  const bench = new Workbench(engine);
  const { kernels } = bench;
  const [T, size, C, hidden, heads] = [3, 11, 50, 37, 5];
  const maps = (channels: number, images = T, side = size) => [images, side, side, channels];
  const image = bench.real(maps(3, 1), numbers.reals(size * size * 3));
  const stem = bench.real(maps(C, 1));
  kernels.convolution({
    name: 'stem',
    geometry: geometryOf({ channels: [3, C], size: [size, size], kernel: [5, 5], padding: [2, 2] }),
    input: image,
    output: stem,
    weight: numbers.reals(3 * C * 25),
  });
  const repeated = bench.real(maps(C));
  kernels.repeat({ name: 'repeat', times: T, input: stem, output: repeated });
  const fire = (name: string, input: Tensor, channels: number, threshold: number, tau: number) => {
    const output = bench.spikeOutput(maps(channels));
    const positions = size * size;
    const steps = { timeSteps: T, inputTimeSteps: T, positions, channels };
    kernels.leakyIntegrateAndFire({ name, ...steps, input, output, tau, threshold });
    return output;
  };
  const spikes = fire('lif', repeated, C, 0.1, 2);
  const convolved = bench.real(maps(hidden));
  kernels.convolution({
    name: 'conv',
    geometry: geometryOf({ images: T, channels: [C, hidden], size: [size, size], kernel: [3, 3], padding: [1, 1] }),
    input: spikes,
    output: convolved,
    weight: numbers.reals(C * hidden * 9, 0.2),
    bias: numbers.reals(hidden),
  });
  const scaled = bench.real(maps(hidden));
  kernels.scaleShift({
    name: 'norm',
    rows: T * size * size,
    channels: hidden,
    input: convolved,
    output: scaled,
    scale: numbers.reals(hidden),
    shift: numbers.reals(hidden),
  });
  const padded = bench.real(maps(hidden, T, size + 2));
  const padSizes = { images: T, inputHeight: size, inputWidth: size, channels: hidden, padding: 1 };
  kernels.pad({ name: 'pad', ...padSizes, input: scaled, output: padded, values: numbers.reals(hidden) });
  const depthwise = bench.real(maps(hidden));
  kernels.convolution({
    name: 'depthwise',
    geometry: geometryOf({
      images: T,
      channels: [hidden, hidden],
      size: [size + 2, size + 2],
      kernel: [3, 3],
      groups: hidden,
    }),
    input: padded,
    output: depthwise,
    weight: numbers.reals(hidden * 9),
  });
  const projected = bench.real(maps(C));
  kernels.convolution({
    name: 'project',
    geometry: geometryOf({ images: T, channels: [hidden, C], size: [size, size], kernel: [1, 1] }),
    input: depthwise,
    output: projected,
    weight: numbers.reals(hidden * C, 0.3),
    residual: stem,
  });
  const grouped = bench.real(maps(C));
  kernels.convolution({
    name: 'grouped',
    geometry: geometryOf({
      images: T,
      channels: [C, C],
      size: [size, size],
      kernel: [1, 3],
      padding: [0, 1],
      groups: 10,
    }),
    input: projected,
    output: grouped,
    weight: numbers.reals((C * C * 3) / 10),
  });
  const query = fire('q', projected, C, 0.2, 3);
  const key = fire('k', grouped, C, 0.2, 2);
  const attended = bench.real(maps(C));
  const attention = { images: T, tokens: size * size, channels: C, heads, scale: 0.125 };
  kernels.spikeAttention({ name: 'attn', ...attention, query, key, value: spikes, output: attended });
  const sum = bench.real(maps(C));
  kernels.add({ name: 'add', a: attended, b: stem, output: sum });
  const pooled = bench.real([T, C]);
  kernels.spatialMean({ name: 'pool', images: T, positions: size * size, channels: C, input: sum, output: pooled });
  const mean = bench.real([C]);
  kernels.timeMean({ name: 'mean', timeSteps: T, elements: C, input: pooled, output: mean });
  await bench.run();
  const results: Float32Array[] = [];
  for (let run = 0; run < runs; run++) {
    if (run > 0) await bench.runAgain();
    results.push(await bench.read(mean));
  }
  for (const tensor of [scaled, grouped, sum]) results.push(await bench.read(tensor));
  bench.dispose();
  return results;
}

describe('products of the wasm engine', () => {
  it('are rounded by themselves when fused multiply-add is left out', async () => {
    const a = 1 + 2 ** -12;
    const once = async (engine: Engine) => {
      const bench = new Workbench(engine);
      const output = bench.real([1, 1, 1, 1]);
      const geometry = geometryOf({ channels: [1, 1], size: [1, 1], kernel: [1, 1] });
      const input = bench.real([1, 1, 1, 1], Float32Array.of(a));
      const bias = Float32Array.of(-(1 + 2 ** -11));
      bench.kernels.convolution({ name: 'conv', geometry, input, output, weight: Float32Array.of(a), bias });
      await bench.run();
      const [result] = await bench.read(output);
      bench.dispose();
      return result;
    };
    // a² = 1 + 2⁻¹¹ + 2⁻²⁴, whose last bit only a fused product keeps.
    expect(await withEngine({ fusedMultiplyAdd: false }, once)).toBe(0);
    expect([0, 2 ** -24]).toContain(await withEngine({}, once));
  });
});

describe('threads of the wasm engine', () => {
  let alone: Float32Array[];

  beforeAll(async () => {
    alone = await withEngine({ threads: 1 }, (engine) => everything(engine));
    // Else equality below would say nothing.
    for (const result of alone) expect(new Set(result).size).toBeGreaterThan(40);
  });

  it.each([2, 3, 4])('give the same bits, %i of them as one', async (threads) => {
    expect(await withEngine({ threads }, (engine) => everything(engine))).toEqual(alone);
  });

  it.each(layers)('give the same bits: %s', async (_title, layer) => {
    const results = [];
    for (const threads of [1, 2, 4]) {
      results.push(await withEngine({ threads }, (engine) => convolveSpikes(engine, layer)));
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  it('are not needed: plain memory and one thread give the same bits', async () => {
    expect(await withEngine({ sharedMemory: false }, (engine) => everything(engine))).toEqual(alone);
  });

  it('meet correctly, run after run', async () => {
    const runs = 300;
    const results = await withEngine({ threads: 4 }, (engine) => everything(engine, runs));
    for (const result of results.slice(0, runs)) expect(result).toEqual(alone[0]);
  });

  it('do every instruction once, however late they come, also when its program is gone by then', async () => {
    // More threads than any machine here has processors, so that some are always away. Doubling in place would show what is done twice.
    await withEngine({ threads: 9 }, async (engine) => {
      const numbers = new SeededNumbers(31);
      for (let program = 0; program < 150; program++) {
        const values = numbers.reals(numbers.whole(1, 6000));
        const doublings = numbers.whole(1, 12);
        const kernels = engine.record();
        const block = kernels.allocate(4 * values.length);
        const tensor: Tensor = { shape: [values.length], storage: 'real', block, byteOffset: 0 };
        for (let i = 0; i < doublings; i++) kernels.add({ name: `${i}`, a: tensor, b: tensor, output: tensor });
        const recorded = kernels.finish();
        for (const factor of [2 ** doublings, 4 ** doublings]) {
          if (factor === 2 ** doublings) await recorded.write(tensor, values);
          await recorded.run();
          expect(await recorded.read(tensor)).toEqual(values.map((value) => value * factor));
        }
        recorded.dispose();
      }
    });
  });

  it('are refused without shared memory, and in impossible numbers', async () => {
    await expect(createWasmEngine({ threads: 2, sharedMemory: false })).rejects.toThrow(EngineError);
    await expect(createWasmEngine({ threads: 0 })).rejects.toThrow(/threads is 0/);
    await expect(createWasmEngine({ threads: 1.5 })).rejects.toThrow(EngineError);
  });
});

describe('the memory of the wasm engine', () => {
  const maximumMemoryBytes = 32 * 2 ** 20;
  const geometry = geometryOf({ channels: [1024, 2400], size: [1, 1], kernel: [1, 1] });

  function recordLayer(engine: Engine, weight: Float32Array) {
    const kernels = engine.record();
    const input: Tensor = { shape: [1, 1, 1, 1024], storage: 'spikes', block: kernels.allocate(128), byteOffset: 0 };
    const output: Tensor = { shape: [1, 1, 1, 2400], storage: 'real', block: kernels.allocate(9600), byteOffset: 0 };
    kernels.convolution({ name: 'layer', geometry, input, output, weight });
    return kernels.finish();
  }

  it('holds weights once, however many programs use them', async () => {
    await withEngine({ threads: 1, maximumMemoryBytes }, async (engine) => {
      const weight = new Float32Array(1024 * 2400);
      // Ten megabytes each time they are packed: four times would be too much.
      for (let program = 0; program < 8; program++) recordLayer(engine, weight);
      recordLayer(engine, weight.slice());
      recordLayer(engine, weight.slice());
      expect(() => recordLayer(engine, weight.slice())).toThrow(EngineError);
    });
  });

  it('is given back by a program that is disposed of', async () => {
    await withEngine({ threads: 2, maximumMemoryBytes }, async (engine) => {
      for (let program = 0; program < 20; program++) {
        const kernels = engine.record();
        kernels.allocate(9 * 2 ** 20);
        kernels.allocate(100);
        kernels.allocate(12 * 2 ** 20);
        kernels.finish().dispose();
      }
    });
  });

  it('says what it needed and what it may have when it cannot grow', async () => {
    await withEngine({ threads: 1, maximumMemoryBytes }, async (engine) => {
      expect(() => engine.record().allocate(100 * 2 ** 20)).toThrow(/needs 100 MiB for tensors.*may grow to 32 MiB/);
    });
  });

  it('does not move under a program when it grows', async () => {
    await withEngine({ threads: 2, sharedMemory: true }, async (engine) => {
      const before = await everything(engine);
      engine.record().allocate(200 * 2 ** 20);
      expect(await everything(engine)).toEqual(before);
    });
    await withEngine({ sharedMemory: false }, async (engine) => {
      const kernels = engine.record();
      const tensor: Tensor = { shape: [4], storage: 'real', block: kernels.allocate(16), byteOffset: 0 };
      kernels.add({ name: 'double', a: tensor, b: tensor, output: tensor });
      const program = kernels.finish();
      await program.write(tensor, Float32Array.of(1, 2, 3, 4));
      engine.record().allocate(200 * 2 ** 20);
      await program.run();
      expect(await program.read(tensor)).toEqual(Float32Array.of(2, 4, 6, 8));
    });
  });

  it('of another engine is refused', async () => {
    await withEngine({ threads: 1 }, async (one) => {
      await withEngine({ threads: 1 }, async (other) => {
        const tensor: Tensor = { shape: [4], storage: 'real', block: one.record().allocate(16), byteOffset: 0 };
        const attempt = () => other.record().add({ name: 'sum', a: tensor, b: tensor, output: tensor });
        expect(attempt).toThrow(/^sum: .*another engine's memory/);
      });
    });
  });
});

describe('a profile', () => {
  it('times every instruction and leaves the result of a run', async () => {
    await withEngine({ threads: 2 }, async (engine) => {
      const wasm = engine as Awaited<ReturnType<typeof createWasmEngine>>;
      const kernels = wasm.record();
      const tensor: Tensor = { shape: [4], storage: 'real', block: kernels.allocate(16), byteOffset: 0 };
      kernels.add({ name: 'twice', a: tensor, b: tensor, output: tensor });
      kernels.add({ name: 'fourfold', a: tensor, b: tensor, output: tensor });
      const program = kernels.finish();
      await program.write(tensor, Float32Array.of(1, 2, 3, 4));
      const timings = await program.profile();
      expect(timings.map(({ name, kernel }) => `${kernel} ${name}`)).toEqual(['add twice', 'add fourfold']);
      expect(timings.every(({ milliseconds }) => milliseconds >= 0)).toBe(true);
      expect(await program.read(tensor)).toEqual(Float32Array.of(4, 8, 12, 16));
    });
  });
});

describe('the end of the wasm engine', () => {
  it('may be asked for twice, and nothing runs afterwards', async () => {
    const engine = await createWasmEngine({ threads: 3 });
    const program = engine.record().finish();
    await engine.dispose();
    await engine.dispose();
    await expect(program.run()).rejects.toThrow(/disposed/);
    expect(() => engine.record()).toThrow(EngineError);
  });

  describe('in a process of its own', () => {
    const root = fileURLToPath(new URL('../../src/', import.meta.url));
    let folder: string;

    // Plain Node cannot read TypeScript: the engine's files are stripped of their types first.
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'meta-spikeformer-'));
      writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
      for (const part of ['', 'graph', 'engines', 'engines/calls', 'engines/wasm', 'engines/wasm/calls']) {
        for (const name of readdirSync(join(root, part)).filter((entry) => entry.endsWith('.ts'))) {
          const target = join(folder, part, name.replace(/ts$/, 'js'));
          mkdirSync(dirname(target), { recursive: true });
          const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
          writeFileSync(
            target,
            ts.transpileModule(readFileSync(join(root, part, name), 'utf8'), { compilerOptions }).outputText,
          );
        }
      }
    });

    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    it('need not be asked for: the process ends though the threads still wait', async () => {
      const script = `
        import { createWasmEngine } from './engines/wasm/index.js';
        const engine = await createWasmEngine({ threads: 3 });
        const kernels = engine.record();
        const tensor = { shape: [64], storage: 'real', block: kernels.allocate(256), byteOffset: 0 };
        kernels.add({ name: 'sum', a: tensor, b: tensor, output: tensor });
        const program = kernels.finish();
        await program.write(tensor, new Float32Array(64).fill(21));
        await program.run();
        console.log((await program.read(tensor))[63]);`;
      writeFileSync(join(folder, 'main.js'), script);
      const { stdout } = await promisify(execFile)(process.execPath, [join(folder, 'main.js')], { timeout: 10_000 });
      expect(stdout.trim()).toBe('42');
    });
  });
});
