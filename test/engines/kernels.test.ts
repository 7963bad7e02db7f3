/**
 * Every kernel on every engine, against what others computed (PyTorch's conv2d, spikingjelly's neurons, the authors'
 * attention) and against brute-force definitions. The engines against each other are for `contract.test.ts`. Not about speed.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { coincidence, coincidenceGradient } from '../../src/engines/calls/coincidence.js';
import { gate, gateGradient } from '../../src/engines/calls/gate.js';
import { EngineError } from '../../src/engines/errors.js';
import type { ConvolutionGeometry, Engine, Tensor } from '../../src/engines/kernels.js';
import { elementCount } from '../../src/graph/shape.js';
import { readFixtureJson, readFixtureTensors } from '../support/safetensors.js';
import {
  bruteForceAttention,
  bruteForceConvolution,
  engines,
  expectClose,
  expectSame,
  geometryOf,
  referenceEngine,
  SeededNumbers,
  toChannelsFirst,
  toChannelsLast,
  Workbench,
} from './support.js';

interface ConvolutionCase {
  readonly id: string;
  readonly input: 'real' | 'spikes';
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly groups: number;
}

interface NeuronCase {
  readonly id: string;
  readonly node: string;
  readonly T: number;
  readonly tau: number;
  readonly threshold: number;
  readonly reset?: string;
  readonly v_reset?: number;
  readonly decay_input?: boolean;
}

const convolutions = readFixtureTensors('convolutions.safetensors');
const convolutionCases = (readFixtureJson('convolutions.json') as { cases: ConvolutionCase[] }).cases;
const neurons = readFixtureTensors('lif.safetensors');
const neuronCases = (readFixtureJson('lif.json') as { cases: NeuronCase[] }).cases.filter(
  (neuron) => neuron.node === 'LIF' && neuron.decay_input && neuron.reset !== 'soft' && neuron.v_reset === undefined,
);
const attention = readFixtureTensors('sdsa.safetensors');

/** Inputs channels last; the residual as long as the output or a fraction. */
interface ConvolutionData {
  readonly geometry: ConvolutionGeometry;
  readonly storage: 'real' | 'spikes';
  readonly input: ArrayLike<number>;
  readonly weight: Float32Array;
  readonly bias?: Float32Array;
  readonly residual?: ArrayLike<number>;
}

async function convolve(engine: Engine, data: ConvolutionData): Promise<Float32Array> {
  const { geometry: g } = data;
  const bench = new Workbench(engine);
  const inputShape = [g.images, g.inputHeight, g.inputWidth, g.inputChannels];
  const input = bench[data.storage](inputShape, data.input);
  const output = bench.real([g.images, g.outputHeight, g.outputWidth, g.outputChannels]);
  const residual = data.residual && bench.real([data.residual.length], data.residual);
  bench.kernels.convolution({
    name: 'conv',
    geometry: g,
    input,
    output,
    weight: data.weight,
    ...(data.bias && { bias: data.bias }),
    ...(residual && { residual }),
  });
  await bench.run();
  const result = await bench.read(output);
  bench.dispose();
  return result;
}

interface NeuronData {
  readonly timeSteps: number;
  readonly positions: number;
  readonly channels: number;
  readonly inputTimeSteps: number;
  readonly tau: number;
  readonly threshold: number;
}

async function fire(engine: Engine, data: NeuronData, values: ArrayLike<number>): Promise<number[]> {
  const bench = new Workbench(engine);
  const input = bench.real([data.inputTimeSteps, data.positions, data.channels], values);
  const output = bench.spikeOutput([data.timeSteps, data.positions, data.channels]);
  bench.kernels.leakyIntegrateAndFire({ name: 'lif', ...data, input, output });
  await bench.run();
  const spikes = await bench.readBits(output);
  bench.dispose();
  return spikes;
}

interface AttentionData {
  readonly images: number;
  readonly tokens: number;
  readonly channels: number;
  readonly heads: number;
  readonly scale: number;
}

async function attend(
  engine: Engine,
  data: AttentionData,
  bits: { readonly [role in 'query' | 'key' | 'value']: ArrayLike<number> },
): Promise<Float32Array> {
  const bench = new Workbench(engine);
  const shape = [data.images, data.tokens, data.channels];
  const query = bench.spikes(shape, bits.query);
  const key = bench.spikes(shape, bits.key);
  const value = bench.spikes(shape, bits.value);
  const output = bench.real(shape);
  bench.kernels.spikeAttention({ name: 'sdsa', ...data, query, key, value, output });
  await bench.run();
  const result = await bench.read(output);
  bench.dispose();
  return result;
}

/** Random data for a geometry. */
function randomConvolution(
  numbers: SeededNumbers,
  geometry: ConvolutionGeometry,
  storage: 'real' | 'spikes',
  options: { readonly bias?: boolean; readonly residualSteps?: number } = {},
): ConvolutionData {
  const g = geometry;
  const inputLength = g.images * g.inputHeight * g.inputWidth * g.inputChannels;
  const filterLength = (g.inputChannels / g.groups) * g.kernelHeight * g.kernelWidth;
  const imageLength = g.outputHeight * g.outputWidth * g.outputChannels;
  return {
    geometry,
    storage,
    input: storage === 'spikes' ? numbers.bits(inputLength) : numbers.reals(inputLength),
    weight: numbers.reals(g.outputChannels * filterLength),
    ...(options.bias && { bias: numbers.reals(g.outputChannels) }),
    ...(options.residualSteps && { residual: numbers.reals((g.images / options.residualSteps) * imageLength) }),
  };
}

/** The definition, in PyTorch's layout, moved to channels last at the end. */
function expectedConvolution(data: ConvolutionData): Float64Array {
  const { geometry: g, residual } = data;
  const input = toChannelsFirst(data.input, g.inputChannels, g.inputHeight * g.inputWidth);
  const sums = bruteForceConvolution(g, input, data.weight, data.bias);
  const result = toChannelsLast(sums, g.outputChannels, g.outputHeight * g.outputWidth);
  return residual ? result.map((value, i) => value + residual[i % residual.length]!) : result;
}

/** `[T, B, heads, N, d] → [T·B, N, heads · d]`. */
function joinHeads(values: ArrayLike<number>, heads: number, tokens: number, size: number): Float64Array {
  const result = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const channel = i % size;
    const token = Math.floor(i / size) % tokens;
    const head = Math.floor(i / (size * tokens)) % heads;
    const image = Math.floor(i / (size * tokens * heads));
    result[(image * tokens + token) * heads * size + head * size + channel] = values[i]!;
  }
  return result;
}

describe.each(engines)('the $name engine', ({ create }) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await create();
  });
  afterAll(async () => {
    await engine.dispose();
  });

  describe('convolution', () => {
    it.each(convolutionCases)('agrees with PyTorch on $id', async ({ id, input: storage, stride, padding, groups }) => {
      const input = convolutions(`${id}.input`);
      const weight = convolutions(`${id}.weight`);
      const expected = convolutions(`${id}.output`);
      const [images, inputChannels, inputHeight, inputWidth] = input.shape as [number, number, number, number];
      const [outputChannels, , kernelHeight, kernelWidth] = weight.shape as [number, number, number, number];
      const geometry = geometryOf({
        images,
        channels: [inputChannels, outputChannels],
        size: [inputHeight, inputWidth],
        kernel: [kernelHeight, kernelWidth],
        stride,
        padding,
        groups,
      });
      const outputSize = geometry.outputHeight * geometry.outputWidth;
      const residual = id.includes('residual') ? convolutions(`${id}.residual`) : undefined;
      const found = await convolve(engine, {
        geometry,
        storage,
        input: toChannelsLast(input.values, inputChannels, inputHeight * inputWidth),
        weight: Float32Array.from(weight.values),
        ...(id.includes('bias') || id.includes('linear')
          ? { bias: Float32Array.from(convolutions(`${id}.bias`).values) }
          : {}),
        ...(residual && { residual: toChannelsLast(residual.values, outputChannels, outputSize) }),
      });
      expectClose(found, toChannelsLast(expected.values, outputChannels, outputSize));
    });

    const shapes = [
      { title: '1×1, 32 to 64', parts: { channels: [32, 64], size: [5, 5], kernel: [1, 1] } },
      { title: '1×1 stride 2, 10 to 3', parts: { channels: [10, 3], size: [5, 6], kernel: [1, 1], stride: [2, 2] } },
      { title: '3×3, 96 to 24', parts: { channels: [96, 24], size: [6, 6], kernel: [3, 3], padding: [1, 1] } },
      {
        title: '3×3 stride 2, 33 to 45, 3 images',
        parts: { images: 3, channels: [33, 45], size: [7, 6], kernel: [3, 3], stride: [2, 2], padding: [1, 1] },
      },
      {
        title: '7×7 stride 2, 3 to 32',
        parts: { channels: [3, 32], size: [16, 13], kernel: [7, 7], stride: [2, 2], padding: [3, 3] },
      },
      {
        title: '7×7 on an image smaller than the kernel',
        parts: { channels: [10, 10], size: [2, 3], kernel: [7, 7], padding: [3, 3] },
      },
      {
        title: 'depthwise 7×7, 64',
        parts: { channels: [64, 64], size: [8, 9], kernel: [7, 7], padding: [3, 3], groups: 64 },
      },
      {
        title: 'depthwise 7×7, 33, 2 images',
        parts: { images: 2, channels: [33, 33], size: [5, 5], kernel: [7, 7], padding: [3, 3], groups: 33 },
      },
      {
        title: 'depthwise 3×3 without padding, 360',
        parts: { channels: [360, 360], size: [5, 5], kernel: [3, 3], groups: 360 },
      },
      {
        title: 'depthwise 3×3 stride 2, 10',
        parts: { channels: [10, 10], size: [6, 7], kernel: [3, 3], stride: [2, 2], padding: [1, 1], groups: 10 },
      },
      {
        title: 'depthwise with two outputs per channel',
        parts: { channels: [12, 24], size: [4, 4], kernel: [3, 3], padding: [1, 1], groups: 12 },
      },
      {
        title: '4 groups of 10 to 8',
        parts: { channels: [40, 32], size: [4, 4], kernel: [3, 3], padding: [1, 1], groups: 4 },
      },
      {
        title: '2×5 kernel, stride 3×1, padding 1×0',
        parts: { channels: [45, 10], size: [7, 8], kernel: [2, 5], stride: [3, 1], padding: [1, 0] },
      },
      {
        title: '1×4 kernel, padding 0×3',
        parts: { images: 2, channels: [3, 5], size: [3, 4], kernel: [1, 4], padding: [0, 3] },
      },
      {
        title: 'a linear layer, 360 to 1000',
        parts: { images: 2, channels: [360, 1000], size: [1, 1], kernel: [1, 1] },
      },
    ] as const;
    describe.each(['real', 'spikes'] as const)('of %s', (storage) => {
      it.each(shapes)('follows its definition: $title', async ({ parts }) => {
        const data = randomConvolution(new SeededNumbers(1), geometryOf(parts), storage, { bias: true });
        expectClose(await convolve(engine, data), expectedConvolution(data));
      });

      it.each([0, 1])('takes inputs of which the share %d fires', async (rate) => {
        const geometry = geometryOf({ channels: [45, 33], size: [4, 4], kernel: [3, 3], padding: [1, 1] });
        const input = new Float32Array(16 * 45).fill(rate);
        const data = { ...randomConvolution(new SeededNumbers(2), geometry, storage, { bias: true }), input };
        expectClose(await convolve(engine, data), expectedConvolution(data));
      });

      it.each([
        { title: 'as long as the output', residualSteps: 1 },
        { title: 'of one of four time steps', residualSteps: 4 },
        { title: 'of two of four time steps', residualSteps: 2 },
      ])('adds a residual $title', async ({ residualSteps }) => {
        const geometry = geometryOf({ images: 4, channels: [33, 45], size: [3, 5], kernel: [3, 3], padding: [1, 1] });
        const data = randomConvolution(new SeededNumbers(3), geometry, storage, { bias: true, residualSteps });
        expectClose(await convolve(engine, data), expectedConvolution(data));
      });

      it('adds a residual to a depthwise convolution', async () => {
        const geometry = geometryOf({
          images: 2,
          channels: [45, 45],
          size: [4, 4],
          kernel: [3, 3],
          padding: [1, 1],
          groups: 45,
        });
        const data = randomConvolution(new SeededNumbers(4), geometry, storage, { residualSteps: 2 });
        expectClose(await convolve(engine, data), expectedConvolution(data));
      });
    });

    it('may write its output over its residual', async () => {
      const geometry = geometryOf({ images: 2, channels: [33, 24], size: [4, 4], kernel: [3, 3], padding: [1, 1] });
      const data = randomConvolution(new SeededNumbers(5), geometry, 'spikes', { residualSteps: 1 });
      const bench = new Workbench(engine);
      const input = bench.spikes([2, 4, 4, 33], data.input);
      const sum = bench.real([2, 4, 4, 24], data.residual);
      bench.kernels.convolution({ name: 'conv', geometry, input, output: sum, residual: sum, weight: data.weight });
      await bench.run();
      expectClose(await bench.read(sum), expectedConvolution(data));
      bench.dispose();
    });

    it('leaves the weights alone and gives the same result in a second program on the same arrays', async () => {
      const geometry = geometryOf({ channels: [45, 33], size: [4, 4], kernel: [3, 3], padding: [1, 1] });
      const data = randomConvolution(new SeededNumbers(6), geometry, 'spikes', { bias: true });
      const weight = data.weight.slice();
      const first = await convolve(engine, data);
      expectSame(data.weight, weight);
      expectSame(await convolve(engine, data), first);
    });

    it('takes one array of weights for spikes and for real input, whole and in groups', async () => {
      const weight = new SeededNumbers(7).reals(40 * 10);
      const whole = geometryOf({ channels: [10, 40], size: [2, 2], kernel: [1, 1] });
      const grouped = geometryOf({ channels: [40, 40], size: [2, 2], kernel: [1, 1], groups: 4 });
      for (const geometry of [whole, grouped]) {
        for (const storage of ['real', 'spikes'] as const) {
          const data = { ...randomConvolution(new SeededNumbers(8), geometry, storage), weight };
          expectClose(await convolve(engine, data), expectedConvolution(data));
        }
      }
    });
  });

  describe('leaky integrate-and-fire', () => {
    it('has golden cases for 1, 4 and 8 time steps, other thresholds and other time constants', () => {
      expect(new Set(neuronCases.map((neuron) => neuron.T))).toEqual(new Set([1, 4, 8]));
      expect(new Set(neuronCases.map((neuron) => neuron.threshold))).toEqual(new Set([0.5, 1]));
      expect(new Set(neuronCases.map((neuron) => neuron.tau))).toEqual(new Set([1.5, 2, 4]));
    });

    describe.each([
      { positions: 1, channels: 48 },
      { positions: 3, channels: 16 },
      { positions: 48, channels: 1 },
    ])('as $positions positions of $channels channels', ({ positions, channels }) => {
      it.each(neuronCases)('fires as spikingjelly does in $id', async ({ id, T, tau, threshold }) => {
        const input = neurons(`x.T${T}`).values;
        const data = { timeSteps: T, inputTimeSteps: T, positions, channels, tau, threshold };
        expectSame(await fire(engine, data, input), neurons(`${id}.s`).values);
      });
    });

    it('fires at the threshold itself, and just below it does not', async () => {
      const justBelow = 1.9999998807907104;
      const data = { timeSteps: 1, inputTimeSteps: 1, positions: 1, channels: 3, tau: 2, threshold: 1 };
      expect(await fire(engine, data, [2, justBelow, 2.5])).toEqual([1, 0, 1]);
    });

    it.each([45, 96])('shows a single step of input to %d channels at all time steps', async (channels) => {
      // With a constant input x the membrane is x (1 − 2⁻ⁿ) after n steps without a spike, then starts again from zero.
      const inputs = Float32Array.from({ length: 2 * channels }, (_, i) => [0.9, 1.1, 1.25, 1.7, 2, 3, -1][i % 7]!);
      const periodOf = (x: number) => [1, 2, 3, 4, 5, 6, 7, 8].find((n) => x * (1 - 2 ** -n) >= 1) ?? Infinity;
      const expected: number[] = [];
      for (let step = 1; step <= 8; step++) for (const x of inputs) expected.push(step % periodOf(x) === 0 ? 1 : 0);
      const data = { timeSteps: 8, inputTimeSteps: 1, positions: 2, channels, tau: 2, threshold: 1 };
      expect(expected.reduce((sum, spike) => sum + spike, 0)).toBeGreaterThan(100);
      expectSame(await fire(engine, data, inputs), expected);
    });

    it('starts from a membrane of zero in every run', async () => {
      const bench = new Workbench(engine);
      const input = bench.real([1, 1, 33], new Float32Array(33).fill(1.5));
      const output = bench.spikeOutput([2, 1, 33]);
      const sizes = { timeSteps: 2, inputTimeSteps: 1, positions: 1, channels: 33 };
      bench.kernels.leakyIntegrateAndFire({ name: 'lif', ...sizes, input, output, tau: 2, threshold: 1.2 });
      await bench.run();
      // 0.75, then 1.125: a third step would reach 1.3125.
      expectSame(await bench.readBits(output), new Array(66).fill(0));
      await bench.runAgain();
      expectSame(await bench.readBits(output), new Array(66).fill(0));
      bench.dispose();
    });

    it.each([1, 31, 32, 33, 64, 100, 360])('packs %d channels in their order', async (channels) => {
      const bits = new SeededNumbers(channels).bits(3 * channels, 0.5);
      const data = { timeSteps: 1, inputTimeSteps: 1, positions: 3, channels, tau: 2, threshold: 0.5 };
      expectSame(await fire(engine, data, bits), bits);
    });
  });

  describe('spike attention', () => {
    const [timeSteps, batch, heads, tokens, size] = attention('d0.3.q').shape as [
      number,
      number,
      number,
      number,
      number,
    ];
    const channels = heads * size;
    const goldenCases = [
      { id: 'd0.3.sdsa3', names: ['d0.3.q', 'd0.3.k', 'd0.3.v'] },
      { id: 'd0.5.sdsa3', names: ['d0.5.q', 'd0.5.k', 'd0.5.v'] },
      { id: 'pre.sdsa3', names: ['pre.q_spikes', 'pre.k_spikes', 'pre.v_spikes'] },
    ] as const;

    it.each(goldenCases)(
      "agrees with the authors' SDSA-3, and so does the neuron behind it: $id",
      async ({ id, names }) => {
        const last = (name: string) => joinHeads(attention(name).values, heads, tokens, size);
        const bench = new Workbench(engine);
        const shape = [timeSteps, batch, tokens, channels];
        const [query, key, value] = names.map((name) => bench.spikes(shape, last(name))) as [Tensor, Tensor, Tensor];
        const drive = bench.real(shape);
        const output = bench.spikeOutput(shape);
        const sizes = { images: timeSteps * batch, tokens, channels, heads };
        bench.kernels.spikeAttention({ name: 'sdsa', ...sizes, query, key, value, output: drive, scale: 0.125 });
        const steps = { timeSteps, inputTimeSteps: timeSteps, positions: batch * tokens, channels };
        bench.kernels.leakyIntegrateAndFire({ name: 'lif', ...steps, input: drive, output, tau: 2, threshold: 0.5 });
        await bench.run();
        expectSame(await bench.read(drive), last(`${id}.drive`));
        expectSame(await bench.readBits(output), last(`${id}.out`));
        bench.dispose();
      },
    );

    it("makes the spikes of the golden file's Q, K and V from their membranes' input", async () => {
      for (const role of ['q', 'k', 'v']) {
        const data = { timeSteps, inputTimeSteps: timeSteps, positions: batch * heads * tokens, channels: size };
        const found = await fire(engine, { ...data, tau: 2, threshold: 1 }, attention(`pre.${role}_pre`).values);
        expectSame(found, attention(`pre.${role}_spikes`).values);
      }
    });

    it.each([
      { headSize: 8, heads: 8, tokens: 16, images: 2 },
      { headSize: 10, heads: 8, tokens: 9, images: 3 },
      { headSize: 48, heads: 8, tokens: 20, images: 1 },
      { headSize: 45, heads: 8, tokens: 33, images: 1 },
      { headSize: 32, heads: 2, tokens: 196, images: 2 },
      { headSize: 33, heads: 1, tokens: 1, images: 2 },
      { headSize: 3, heads: 5, tokens: 70, images: 2 },
    ])('follows its definition: $heads heads of $headSize, $tokens tokens', async (sizes) => {
      const numbers = new SeededNumbers(sizes.headSize);
      const data = { ...sizes, channels: sizes.heads * sizes.headSize, scale: 0.125 };
      const length = data.images * data.tokens * data.channels;
      const bits = {
        query: numbers.bits(length, 0.3),
        key: numbers.bits(length, 0.4),
        value: numbers.bits(length, 0.5),
      };
      const expected = bruteForceAttention(data, bits.query, bits.key, bits.value).map((count) => count * data.scale);
      expectSame(await attend(engine, data, bits), expected);
    });

    it('counts every token when everything fires', async () => {
      const data = { images: 1, tokens: 196, channels: 60, heads: 2, scale: 1 };
      const ones = new Float32Array(196 * 60).fill(1);
      const found = await attend(engine, data, { query: ones, key: ones, value: ones });
      expect(new Set(found)).toEqual(new Set([196 * 30]));
    });
  });

  describe('the small kernels', () => {
    const numbers = new SeededNumbers(9);

    it.each([1, 3, 10, 33, 360])('scale and shift %d channels', async (channels) => {
      const rows = 7;
      const [values, scale, shift] = [numbers.reals(rows * channels), numbers.reals(channels), numbers.reals(channels)];
      const bench = new Workbench(engine);
      const input = bench.real([rows, channels], values);
      const output = bench.real([rows, channels]);
      bench.kernels.scaleShift({ name: 'bn', rows, channels, input, output, scale, shift });
      await bench.run();
      expectClose(
        await bench.read(output),
        values.map((x, i) => x * scale[i % channels]! + shift[i % channels]!),
        1e-6,
      );
      bench.dispose();
    });

    it('scale and shift in place', async () => {
      const bench = new Workbench(engine);
      const values = bench.real([3, 2], [1, 2, 3, 4, 5, 6]);
      const parameters = { scale: Float32Array.of(2, -1), shift: Float32Array.of(0.5, 10) };
      bench.kernels.scaleShift({ name: 'bn', rows: 3, channels: 2, input: values, output: values, ...parameters });
      await bench.run();
      expect([...(await bench.read(values))]).toEqual([2.5, 8, 6.5, 6, 10.5, 4]);
      bench.dispose();
    });

    it.each([
      { channels: 1, padding: 1 },
      { channels: 10, padding: 2 },
      { channels: 45, padding: 1 },
      { channels: 8, padding: 0 },
    ])('pad $channels channels by $padding with their own values', async ({ channels, padding }) => {
      const [images, height, width] = [2, 3, 4];
      const values = numbers.reals(images * height * width * channels);
      const border = numbers.reals(channels);
      const shape = [images, height + 2 * padding, width + 2 * padding, channels];
      const bench = new Workbench(engine);
      const input = bench.real([images, height, width, channels], values);
      const output = bench.real(shape);
      const sizes = { images, inputHeight: height, inputWidth: width, channels, padding };
      bench.kernels.pad({ name: 'pad', ...sizes, input, output, values: border });
      await bench.run();
      const expected = new Float32Array(elementCount(shape)).map((_, i) => border[i % channels]!);
      values.forEach((value, i) => {
        const column = Math.floor(i / channels) % width;
        const row = Math.floor(i / (channels * width)) % height;
        const image = Math.floor(i / (channels * width * height));
        expected[((image * shape[1]! + row + padding) * shape[2]! + column + padding) * channels + (i % channels)] =
          value;
      });
      expectSame(await bench.read(output), expected);
      bench.dispose();
    });

    it.each([
      { lengths: [24, 24, 24], title: 'of one length' },
      { lengths: [6, 24, 24], title: 'the first repeated' },
      { lengths: [24, 8, 24], title: 'the second repeated' },
      { lengths: [5, 15, 45], title: 'both repeated, odd lengths' },
      { lengths: [3, 1, 3], title: 'one number repeated' },
    ])('add tensors, $title', async ({ lengths }) => {
      const [lengthA, lengthB, length] = lengths as [number, number, number];
      const [a, b] = [numbers.reals(lengthA), numbers.reals(lengthB)];
      const bench = new Workbench(engine);
      const output = bench.real([length]);
      bench.kernels.add({ name: 'add', a: bench.real([lengthA], a), b: bench.real([lengthB], b), output });
      await bench.run();
      // A float32 sum of two numbers has one right answer.
      const expected = new Float32Array(length).map((_, i) => a[i % lengthA]! + b[i % lengthB]!);
      expectSame(await bench.read(output), expected);
      bench.dispose();
    });

    it('add in place', async () => {
      const bench = new Workbench(engine);
      const a = bench.real([5], [1, 2, 3, 4, 5]);
      bench.kernels.add({ name: 'add', a, b: bench.real([5], [10, 20, 30, 40, 50]), output: a });
      await bench.run();
      expect([...(await bench.read(a))]).toEqual([11, 22, 33, 44, 55]);
      bench.dispose();
    });

    it.each([1, 10, 45, 360])('average %d channels over space', async (channels) => {
      const [images, positions] = [2, 49];
      const values = numbers.reals(images * positions * channels);
      const bench = new Workbench(engine);
      const input = bench.real([images, positions, channels], values);
      const output = bench.real([images, channels]);
      bench.kernels.spatialMean({ name: 'mean', images, positions, channels, input, output });
      await bench.run();
      const first = toChannelsFirst(values, channels, positions);
      const expected = Array.from({ length: images * channels }, (_, i) =>
        first.subarray(i * positions, (i + 1) * positions).reduce((sum, x) => sum + x / positions, 0),
      );
      expectClose(await bench.read(output), expected);
      bench.dispose();
    });

    it.each([
      { timeSteps: 1, elements: 10 },
      { timeSteps: 4, elements: 33 },
      { timeSteps: 3, elements: 1000 },
    ])('average $elements elements over $timeSteps time steps', async ({ timeSteps, elements }) => {
      const values = numbers.reals(timeSteps * elements);
      const bench = new Workbench(engine);
      const output = bench.real([elements]);
      const input = bench.real([timeSteps, elements], values);
      bench.kernels.timeMean({ name: 'mean', timeSteps, elements, input, output });
      await bench.run();
      const expected = new Float64Array(elements);
      values.forEach((value, i) => {
        expected[i % elements] = expected[i % elements]! + value / timeSteps;
      });
      expectClose(await bench.read(output), expected);
      bench.dispose();
    });

    it.each([
      { images: 1, tokens: 1, channels: 1 },
      { images: 3, tokens: 7, channels: 45 },
      { images: 2, tokens: 600, channels: 64 },
    ])('count coincidences and gate, with their gradients: $images × $tokens × $channels', async (sizes) => {
      const { images, tokens, channels } = sizes;
      const numbers = new SeededNumbers(12);
      const shape = [images, tokens, channels];
      const length = images * tokens * channels;
      const [one, other] = [numbers.bits(length, 0.8), numbers.bits(length, 0.8)];
      const gates = numbers.bits(images * channels, 0.5);
      const [arriving, arrivingAtCounts] = [numbers.reals(length), numbers.reals(images * channels)];
      const bench = new Workbench(engine);
      const [key, value] = [bench.spikes(shape, one), bench.spikes(shape, other)];
      const opening = bench.spikes([images, channels], gates);
      const counts = bench.real([images, channels]);
      const gated = bench.spikeOutput(shape);
      const [keyGradient, valueGradient] = [bench.real(shape), bench.real(shape)];
      const [inputGradient, gateGradientOf] = [bench.real(shape), bench.real([images, channels])];
      bench.kernels.record(coincidence, { name: 'K·V', ...sizes, key, value, output: counts });
      bench.kernels.record(gate, { name: 'gate', ...sizes, input: key, gate: opening, output: gated });
      bench.kernels.record(coincidenceGradient, {
        name: 'δK·V',
        ...sizes,
        key,
        value,
        outputGradient: bench.real([images, channels], arrivingAtCounts),
        keyGradient,
        valueGradient,
      });
      bench.kernels.record(gateGradient, {
        name: 'δgate',
        ...sizes,
        input: key,
        gate: opening,
        outputGradient: bench.real(shape, arriving),
        inputGradient,
        gateGradient: gateGradientOf,
      });
      await bench.run();
      const ofChannel = (i: number) => Math.floor(i / (tokens * channels)) * channels + (i % channels);
      const sums = (terms: (i: number) => number) => {
        const result = new Float64Array(images * channels);
        for (let i = 0; i < length; i++) result[ofChannel(i)]! += terms(i);
        return result;
      };
      const each = (term: (i: number) => number) => Array.from({ length }, (_, i) => term(i));
      expectSame(
        await bench.read(counts),
        sums((i) => one[i]! * other[i]!),
      );
      expectSame(
        await bench.readBits(gated),
        each((i) => one[i]! * gates[ofChannel(i)]!),
      );
      expectClose(
        await bench.read(keyGradient),
        each((i) => arrivingAtCounts[ofChannel(i)]! * other[i]!),
      );
      expectClose(
        await bench.read(valueGradient),
        each((i) => arrivingAtCounts[ofChannel(i)]! * one[i]!),
      );
      expectClose(
        await bench.read(inputGradient),
        each((i) => arriving[i]! * gates[ofChannel(i)]!),
      );
      expectClose(
        await bench.read(gateGradientOf),
        sums((i) => arriving[i]! * one[i]!),
      );
      bench.dispose();
    });

    it('repeat real numbers', async () => {
      const values = numbers.reals(33);
      const bench = new Workbench(engine);
      const output = bench.real([4, 33]);
      bench.kernels.repeat({ name: 'repeat', times: 4, input: bench.real([1, 33], values), output });
      await bench.run();
      expectSame(await bench.read(output), [...values, ...values, ...values, ...values]);
      bench.dispose();
    });
  });

  describe('memory', () => {
    it('gives back what was written, and a copy of it', async () => {
      const bench = new Workbench(engine);
      const tensor = bench.real([2, 3], [1, -2, 3.5, 1e-40, Infinity, -0]);
      await bench.run();
      const found = await bench.read(tensor);
      expect(found).toEqual(Float32Array.of(1, -2, 3.5, 1e-40, Infinity, -0));
      found.fill(7);
      expect([...(await bench.read(tensor))].slice(0, 3)).toEqual([1, -2, 3.5]);
      bench.dispose();
    });

    it('keeps tensors of one block apart', async () => {
      const kernels = engine.record();
      const block = kernels.allocate(256);
      const at = (byteOffset: number): Tensor => ({ shape: [5], storage: 'real', block, byteOffset });
      kernels.add({ name: 'add', a: at(0), b: at(64), output: at(192) });
      const program = kernels.finish();
      await program.write(at(0), Float32Array.of(1, 2, 3, 4, 5));
      await program.write(at(64), Float32Array.of(10, 20, 30, 40, 50));
      await program.write(at(128), Float32Array.of(-1, -2, -3, -4, -5));
      await program.run();
      expect([...(await program.read(at(192)))]).toEqual([11, 22, 33, 44, 55]);
      expect([...(await program.read(at(128)))]).toEqual([-1, -2, -3, -4, -5]);
      program.dispose();
    });

    it('runs a program as often as one likes, on new input each time', async () => {
      const kernels = engine.record();
      const tensor = (): Tensor => ({ shape: [3], storage: 'real', block: kernels.allocate(64), byteOffset: 0 });
      const [a, b, output] = [tensor(), tensor(), tensor()];
      kernels.add({ name: 'add', a, b, output });
      const program = kernels.finish();
      await program.write(b, Float32Array.of(1, 1, 1));
      for (const start of [0, 100]) {
        await program.write(a, Float32Array.of(start, start + 1, start + 2));
        await program.run();
        expect([...(await program.read(output))]).toEqual([start + 1, start + 2, start + 3]);
      }
      program.dispose();
    });

    it('refuses values that do not fill the tensor', async () => {
      const kernels = engine.record();
      const tensor: Tensor = { shape: [3], storage: 'real', block: kernels.allocate(64), byteOffset: 0 };
      const program = kernels.finish();
      await expect(program.write(tensor, new Float32Array(4))).rejects.toThrow(EngineError);
      program.dispose();
    });
  });
});

describe('the reference engine refuses', () => {
  async function benchOf(): Promise<Workbench> {
    return new Workbench(await referenceEngine.create());
  }

  const geometry = geometryOf({ channels: [4, 6], size: [5, 5], kernel: [3, 3], padding: [1, 1] });
  const cases: readonly {
    readonly title: string;
    readonly message: RegExp;
    readonly record: (bench: Workbench) => void;
  }[] = [
    {
      title: 'weights of another layer',
      message: /^block1\.conv: weight has 215 numbers, expected 216$/,
      record: (bench) =>
        bench.kernels.convolution({
          name: 'block1.conv',
          geometry,
          input: bench.real([1, 5, 5, 4]),
          output: bench.real([1, 5, 5, 6]),
          weight: new Float32Array(215),
        }),
    },
    {
      title: 'an input that is too small',
      message: /^block1\.conv: input \[1, 5, 4, 4\] has 80 elements.* expects 100$/,
      record: (bench) =>
        bench.kernels.convolution({
          name: 'block1.conv',
          geometry,
          input: bench.real([1, 5, 4, 4]),
          output: bench.real([1, 5, 5, 6]),
          weight: new Float32Array(216),
        }),
    },
    {
      title: 'an output size that the geometry does not make',
      message: /^block1\.conv: output height is 4.* make 5$/,
      record: (bench) =>
        bench.kernels.convolution({
          name: 'block1.conv',
          geometry: { ...geometry, outputHeight: 4 },
          input: bench.real([1, 5, 5, 4]),
          output: bench.real([1, 4, 5, 6]),
          weight: new Float32Array(216),
        }),
    },
    {
      title: 'a residual that does not divide the output',
      message: /^block1\.conv: residual \[7\] cannot be repeated/,
      record: (bench) =>
        bench.kernels.convolution({
          name: 'block1.conv',
          geometry,
          input: bench.real([1, 5, 5, 4]),
          output: bench.real([1, 5, 5, 6]),
          weight: new Float32Array(216),
          residual: bench.real([7]),
        }),
    },
    {
      title: 'real numbers where spikes belong',
      message: /^attn: found a real tensor/,
      record: (bench) => {
        const real = bench.real([1, 2, 8]);
        const tensors = { query: real, key: real, value: real, output: bench.real([1, 2, 8]) };
        bench.kernels.spikeAttention({
          name: 'attn',
          images: 1,
          tokens: 2,
          channels: 8,
          heads: 2,
          scale: 1,
          ...tensors,
        });
      },
    },
    {
      title: 'channels that the heads cannot share',
      message: /^attn: 8 channels cannot be shared by 3 heads$/,
      record: (bench) => {
        const spikes = bench.spikeOutput([1, 2, 8]);
        const tensors = { query: spikes, key: spikes, value: spikes, output: bench.real([1, 2, 8]) };
        bench.kernels.spikeAttention({
          name: 'attn',
          images: 1,
          tokens: 2,
          channels: 8,
          heads: 3,
          scale: 1,
          ...tensors,
        });
      },
    },
    {
      title: 'an input of a neuron with neither one nor all time steps',
      message: /^lif1: the input has 2 time steps, expected 4 or 1$/,
      record: (bench) =>
        bench.kernels.leakyIntegrateAndFire({
          name: 'lif1',
          timeSteps: 4,
          inputTimeSteps: 2,
          positions: 3,
          channels: 5,
          input: bench.real([2, 3, 5]),
          output: bench.spikeOutput([4, 3, 5]),
          tau: 2,
          threshold: 1,
        }),
    },
    {
      title: 'an output that would destroy an input still to be read',
      message: /^pool: output \[1, 3\] overlaps an input/,
      record: (bench) => {
        const input = bench.real([4, 3]);
        const output = { ...input, shape: [1, 3] };
        bench.kernels.spatialMean({ name: 'pool', images: 1, positions: 4, channels: 3, input, output });
      },
    },
    {
      title: 'a tensor that leaves its block',
      message: /^sum: the tensor \[100\] ends at byte 464 of a block of 192 bytes$/,
      record: (bench) => {
        const output = { ...bench.real([16]), shape: [100] };
        bench.kernels.add({ name: 'sum', a: bench.real([1]), b: bench.real([1]), output });
      },
    },
  ];

  it.each(cases)('$title, naming the layer', async ({ message, record }) => {
    const bench = await benchOf();
    const attempt = () => record(bench);
    expect(attempt).toThrow(EngineError);
    expect(attempt).toThrow(message);
  });

  it('calls after the recording is finished', async () => {
    const bench = await benchOf();
    const tensor = bench.real([1]);
    bench.kernels.finish();
    expect(() => bench.kernels.add({ name: 'late', a: tensor, b: tensor, output: tensor })).toThrow(/^late: /);
  });

  it('to run what was disposed of', async () => {
    const engine = await referenceEngine.create();
    const program = engine.record().finish();
    program.dispose();
    await expect(program.run()).rejects.toThrow(EngineError);
    const other = engine.record().finish();
    await engine.dispose();
    await expect(other.run()).rejects.toThrow(EngineError);
  });
});
