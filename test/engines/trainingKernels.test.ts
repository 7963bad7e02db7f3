/**
 * Every kernel of training on every engine that trains, against what others computed (spikingjelly's gradients, the
 * authors' attention) and against finite differences, in float64, of definitions written down here or in support.ts. Not
 * about whole networks and not about speed.
 */

import { createHash } from 'node:crypto';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EngineError } from '../../src/engines/errors.js';
import type { ConvolutionGeometry, Engine, Tensor } from '../../src/engines/kernels.js';
import type { BatchNormTensors, Surrogate, TrainingEngine } from '../../src/engines/trainingKernels.js';
import { sharedPath } from '../shared.js';
import { readFixtureJson, readFixtureTensors } from '../support/safetensors.js';
import {
  bruteForceConvolution,
  canTrain,
  type EngineUnderTest,
  engines,
  expectClose,
  expectSame,
  geometryOf,
  SeededNumbers,
  TrainingWorkbench,
  toChannelsFirst,
  toChannelsLast,
} from './support.js';

type Numbers = ArrayLike<number>;

/** The engine under test, made before the suite; every test of the suite is skipped when it cannot train. */
function trainingEngine(create: EngineUnderTest['create']): () => TrainingEngine {
  let engine: Engine | undefined;
  beforeAll(async () => {
    engine = await create();
  });
  beforeEach(({ skip }) => {
    skip(!engine || !canTrain(engine), 'this engine does not train yet: it has no recordTraining');
  });
  afterAll(async () => {
    await engine?.dispose();
  });
  return () => {
    if (!engine || !canTrain(engine)) throw new Error('the engine cannot train');
    return engine;
  };
}

// ---------------------------------------------------------------------------------------------------------------------
// Neurons

interface NeuronCase {
  readonly id: string;
  readonly node: string;
  readonly T: number;
  readonly tau: number;
  readonly threshold: number;
  readonly surrogate: string;
  readonly detach_reset: boolean;
  readonly reset: string;
  readonly v_reset?: number;
  readonly decay_input: boolean;
}

const neurons = readFixtureTensors('lif.safetensors');
const neuronCases = (readFixtureJson('lif.json') as { cases: NeuronCase[] }).cases.filter(
  (neuron) => neuron.node === 'LIF' && neuron.decay_input && neuron.reset === 'hard' && neuron.v_reset === undefined,
);
/** The surrogates of lif.json, by their names there. */
const surrogates: Readonly<Record<string, Surrogate>> = {
  sigmoid4: { kind: 'sigmoid', alpha: 4 },
  atan2: { kind: 'arctangent', alpha: 2 },
  rect1: { kind: 'rectangular', alpha: 1 },
};

interface NeuronGradientData {
  readonly timeSteps: number;
  readonly positions: number;
  readonly channels: number;
  readonly tau: number;
  readonly threshold: number;
  readonly surrogate: Surrogate;
  readonly detachReset: boolean;
  readonly input: Numbers;
  readonly outputGradient: Numbers;
  /** What the input's gradient holds beforehand, to be added to. */
  readonly before?: Numbers;
}

async function neuronGradient(engine: TrainingEngine, data: NeuronGradientData): Promise<Float32Array> {
  const bench = new TrainingWorkbench(engine);
  const shape = [data.timeSteps, data.positions, data.channels];
  const input = bench.real(shape, data.input);
  const outputGradient = bench.real(shape, data.outputGradient);
  const inputGradient = bench.real(shape, data.before);
  const { before, ...rest } = data;
  const accumulate = before !== undefined;
  bench.kernels.leakyIntegrateAndFireGradient({
    ...rest,
    name: 'lif',
    input,
    outputGradient,
    inputGradient,
    accumulate,
  });
  await bench.run();
  const result = await bench.read(inputGradient);
  bench.dispose();
  return result;
}

/** Functions with the surrogates' slopes: what the step is replaced by. */
const ramps: Readonly<Record<Surrogate['kind'], (u: number, alpha: number) => number>> = {
  sigmoid: (u, alpha) => 1 / (1 + Math.exp(-alpha * u)),
  arctangent: (u, alpha) => Math.atan((Math.PI / 2) * alpha * u) / Math.PI + 0.5,
  rectangular: (u, alpha) => Math.min(1, Math.max(0, alpha * u + 0.5)),
};

/**
 * Σ δs·s of one neuron as a function of a change in its input at one step. Spikes are those of the step at the unchanged input; away from
 * it they follow the ramp, so that the sum is smooth and its derivative is what surrogate gradients define.
 */
function smoothNeuron(
  input: readonly number[],
  gradient: readonly number[],
  neuron: Pick<NeuronGradientData, 'tau' | 'threshold' | 'surrogate' | 'detachReset'>,
): (changedStep: number, distance: number) => number {
  const { tau, threshold, surrogate, detachReset } = neuron;
  const ramp = (h: number) => ramps[surrogate.kind](h - threshold, surrogate.alpha);
  const hard: { readonly h: number; readonly spike: number }[] = [];
  let membrane = 0;
  for (const x of input) {
    const h = membrane + (x - membrane) / tau;
    const spike = Number(h >= threshold);
    hard.push({ h, spike });
    membrane = (1 - spike) * h;
  }
  return (changedStep, distance) => {
    let v = 0;
    let sum = 0;
    for (const [t, x] of input.entries()) {
      const h = v + (x + (t === changedStep ? distance : 0) - v) / tau;
      const spike = hard[t]!.spike + ramp(h) - ramp(hard[t]!.h);
      sum += gradient[t]! * spike;
      v = (1 - (detachReset ? hard[t]!.spike : spike)) * h;
    }
    return sum;
  };
}

function goldenNeurons(neuron: NeuronCase): NeuronGradientData {
  const input = neurons(`x.T${neuron.T}`);
  const [timeSteps, positions, channels] = input.shape as [number, number, number];
  return {
    timeSteps,
    positions,
    channels,
    tau: neuron.tau,
    threshold: neuron.threshold,
    surrogate: surrogates[neuron.surrogate]!,
    detachReset: neuron.detach_reset,
    input: input.values,
    outputGradient: neurons(`w.T${neuron.T}`).values,
  };
}

// ---------------------------------------------------------------------------------------------------------------------
// Attention

/** The gradients did not fit into the fixtures; the file with them is that of the fixtures otherwise. */
const attentionPath = sharedPath('golden', 'rivals', 'sdsa.safetensors');
const fixtures = fileURLToPath(new URL('../fixtures/', import.meta.url));

/** `[T, B, heads, N, d] → [T·B, N, heads · d]`. */
function joinHeads(values: Numbers, heads: number, tokens: number, size: number): Float64Array {
  const result = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const channel = i % size;
    const token = Math.floor(i / size) % tokens;
    const head = Math.floor(i / (size * tokens)) % heads;
    const image = Math.floor(i / (size * tokens * heads));
    result[((image * tokens + token) * heads + head) * size + channel] = values[i]!;
  }
  return result;
}

// ---------------------------------------------------------------------------------------------------------------------
// Convolution

/** Everything channels last but the weight, which is as PyTorch stores it. */
interface ConvolutionData {
  readonly geometry: ConvolutionGeometry;
  readonly storage: 'real' | 'spikes';
  readonly input: Float32Array;
  readonly weight: Float32Array;
  readonly bias: Float32Array;
  readonly outputGradient: Float32Array;
}

function randomConvolution(
  numbers: SeededNumbers,
  geometry: ConvolutionGeometry,
  storage: 'real' | 'spikes',
): ConvolutionData {
  const g = geometry;
  const inputLength = g.images * g.inputHeight * g.inputWidth * g.inputChannels;
  const filterLength = (g.inputChannels / g.groups) * g.kernelHeight * g.kernelWidth;
  return {
    geometry,
    storage,
    input: storage === 'spikes' ? numbers.bits(inputLength) : numbers.reals(inputLength),
    weight: numbers.reals(g.outputChannels * filterLength),
    bias: numbers.reals(g.outputChannels),
    outputGradient: numbers.reals(g.images * g.outputHeight * g.outputWidth * g.outputChannels),
  };
}

function weightShape(g: ConvolutionGeometry): readonly number[] {
  return [g.outputChannels, g.inputChannels / g.groups, g.kernelHeight, g.kernelWidth];
}

function inputShape(g: ConvolutionGeometry): readonly number[] {
  return [g.images, g.inputHeight, g.inputWidth, g.inputChannels];
}

function outputShape(g: ConvolutionGeometry): readonly number[] {
  return [g.images, g.outputHeight, g.outputWidth, g.outputChannels];
}

/** The output, `[images, positions, outputChannels]`, by definition. */
function expectedOutput(data: ConvolutionData): Float64Array {
  const { geometry: g, input, weight, bias } = data;
  const first = toChannelsFirst(input, g.inputChannels, g.inputHeight * g.inputWidth);
  return toChannelsLast(
    bruteForceConvolution(g, first, weight, bias),
    g.outputChannels,
    g.outputHeight * g.outputWidth,
  );
}

async function convolve(engine: TrainingEngine, data: ConvolutionData): Promise<Float32Array> {
  const { geometry } = data;
  const bench = new TrainingWorkbench(engine);
  const output = bench.real(outputShape(geometry));
  bench.kernels.convolution({
    name: 'conv',
    geometry,
    input: bench[data.storage](inputShape(geometry), data.input),
    output,
    weight: bench.real(weightShape(geometry), data.weight),
    bias: bench.real([geometry.outputChannels], data.bias),
  });
  await bench.run();
  const result = await bench.read(output);
  bench.dispose();
  return result;
}

/** Gradient of the input; added to `before` where that is given. */
async function convolutionInputGradient(
  engine: TrainingEngine,
  data: ConvolutionData,
  before?: Numbers,
): Promise<Float32Array> {
  const { geometry } = data;
  const bench = new TrainingWorkbench(engine);
  const inputGradient = bench.real(inputShape(geometry), before);
  bench.kernels.convolutionInputGradient({
    name: 'conv',
    geometry,
    weight: bench.real(weightShape(geometry), data.weight),
    outputGradient: bench.real(outputShape(geometry), data.outputGradient),
    inputGradient,
    accumulate: before !== undefined,
  });
  await bench.run();
  const result = await bench.read(inputGradient);
  bench.dispose();
  return result;
}

interface ParameterGradients {
  readonly weight: Numbers;
  readonly bias: Numbers;
}

/** Gradients of the parameters, added to `before`. */
async function convolutionWeightGradient(
  engine: TrainingEngine,
  data: ConvolutionData,
  before: ParameterGradients = {
    weight: new Float32Array(data.weight.length),
    bias: new Float32Array(data.bias.length),
  },
): Promise<ParameterGradients> {
  const { geometry } = data;
  const bench = new TrainingWorkbench(engine);
  const weightGradient = bench.real(weightShape(geometry), before.weight);
  const biasGradient = bench.real([geometry.outputChannels], before.bias);
  bench.kernels.convolutionWeightGradient({
    name: 'conv',
    geometry,
    input: bench[data.storage](inputShape(geometry), data.input),
    outputGradient: bench.real(outputShape(geometry), data.outputGradient),
    weightGradient,
    biasGradient,
  });
  await bench.run();
  const result = { weight: await bench.read(weightGradient), bias: await bench.read(biasGradient) };
  bench.dispose();
  return result;
}

/** `Σ outputGradient · output`, whose gradient the kernels compute; float64, any part of the data replaced. */
function lossOf(data: ConvolutionData, part: 'input' | 'weight' | 'bias', values: Float64Array): number {
  const changed = { ...data, [part]: values };
  const {
    geometry: g,
    input,
    weight,
    bias,
  } = changed as Record<'input' | 'weight' | 'bias', Numbers> & Pick<ConvolutionData, 'geometry'>;
  const first = toChannelsFirst(input, g.inputChannels, g.inputHeight * g.inputWidth);
  const output = bruteForceConvolution(g, first, weight, bias);
  const gradient = toChannelsFirst(data.outputGradient, g.outputChannels, g.outputHeight * g.outputWidth);
  return output.reduce((sum, value, i) => sum + value * gradient[i]!, 0);
}

interface Differences {
  /** By element, at some of them. */
  readonly atElements: readonly number[];
  readonly along: number;
}

/** By data and part: every engine is compared with the same, which take most of the time. */
const knownDifferences = new Map<string, Differences>();

/** Every so many elements are looked at. */
const strideOf = (length: number) => Math.max(1, Math.floor(length / 50)) | 1;

const directionOf = (length: number) => new SeededNumbers(99).reals(length);

/** Central differences of the loss, exact because it is linear in each part. */
function differencesOf(data: ConvolutionData, part: 'input' | 'weight' | 'bias'): Differences {
  const hash = createHash('sha256').update(JSON.stringify([part, data.geometry]));
  for (const values of [data.input, data.weight, data.bias, data.outputGradient])
    hash.update(Float64Array.from(values));
  const key = hash.digest('hex');
  const known = knownDifferences.get(key);
  if (known) return known;
  const start = Float64Array.from(data[part]);
  const difference = (direction: (i: number) => number): number => {
    const ahead = start.map((value, i) => value + direction(i));
    const behind = start.map((value, i) => value - direction(i));
    return (lossOf(data, part, ahead) - lossOf(data, part, behind)) / 2;
  };
  const atElements: number[] = [];
  for (let element = 0; element < start.length; element += strideOf(start.length))
    atElements.push(difference((i) => (i === element ? 1 : 0)));
  const direction = directionOf(start.length);
  const made = { atElements, along: difference((i) => direction[i]!) };
  knownDifferences.set(key, made);
  return made;
}

/**
 * Compares a gradient with central differences of the loss (exact, the loss is linear in each part), at elements spread
 * over the whole tensor, and in a random direction, where no element can hide.
 */
function expectGradientOf(data: ConvolutionData, part: 'input' | 'weight' | 'bias', found: Numbers): void {
  const { length } = data[part];
  expect(found.length).toBe(length);
  const expected = differencesOf(data, part);
  const foundAtElements: number[] = [];
  for (let element = 0; element < length; element += strideOf(length)) foundAtElements.push(found[element]!);
  expectClose(foundAtElements, expected.atElements);
  const direction = directionOf(length);
  let along = 0;
  let size = 0;
  for (let i = 0; i < length; i++) {
    along += found[i]! * direction[i]!;
    size += Math.abs(found[i]! * direction[i]!);
  }
  expect(Math.abs(along - expected.along)).toBeLessThanOrEqual(1e-6 * size);
}

const convolutionShapes = [
  { title: '1×1, 10 to 33, 2 images', parts: { images: 2, channels: [10, 33], size: [4, 5], kernel: [1, 1] } },
  { title: '1×1 stride 2, 33 to 3', parts: { channels: [33, 3], size: [5, 6], kernel: [1, 1], stride: [2, 2] } },
  {
    title: '3×3, 33 to 10, 2 images',
    parts: { images: 2, channels: [33, 10], size: [5, 4], kernel: [3, 3], padding: [1, 1] },
  },
  { title: '3×3, 32 to 64', parts: { channels: [32, 64], size: [4, 4], kernel: [3, 3], padding: [1, 1] } },
  { title: '3×3 without padding, 12 to 6', parts: { channels: [12, 6], size: [9, 7], kernel: [3, 3] } },
  {
    title: '3×3 with much padding, 5 to 9',
    parts: { images: 2, channels: [5, 9], size: [3, 11], kernel: [3, 3], padding: [2, 2] },
  },
  {
    title: '3×3, 10 to 34, more tiles than a block holds',
    parts: { images: 9, channels: [10, 34], size: [10, 9], kernel: [3, 3], padding: [1, 1] },
  },
  {
    title: '3×3 stride 2, 10 to 24, even size',
    parts: { images: 2, channels: [10, 24], size: [6, 8], kernel: [3, 3], stride: [2, 2], padding: [1, 1] },
  },
  {
    title: '3×3 stride 2, 33 to 45, odd size',
    parts: { channels: [33, 45], size: [7, 5], kernel: [3, 3], stride: [2, 2], padding: [1, 1] },
  },
  {
    title: '7×7 stride 2, 3 to 10, as the stem has it',
    parts: { images: 2, channels: [3, 10], size: [14, 12], kernel: [7, 7], stride: [2, 2], padding: [3, 3] },
  },
  {
    title: 'depthwise 3×3 without padding, 33',
    parts: { images: 2, channels: [33, 33], size: [6, 5], kernel: [3, 3], groups: 33 },
  },
  {
    title: 'depthwise 7×7, 10',
    parts: { images: 2, channels: [10, 10], size: [6, 9], kernel: [7, 7], padding: [3, 3], groups: 10 },
  },
  {
    title: 'depthwise 7×7, 64, on an image smaller than the kernel',
    parts: { channels: [64, 64], size: [3, 4], kernel: [7, 7], padding: [3, 3], groups: 64 },
  },
  {
    title: '2 groups of 3 to 5, 2×3 kernel',
    parts: { channels: [6, 10], size: [5, 6], kernel: [2, 3], stride: [1, 2], padding: [1, 0], groups: 2 },
  },
  { title: 'a linear layer, 33 to 10', parts: { images: 7, channels: [33, 10], size: [1, 1], kernel: [1, 1] } },
  {
    title: 'a linear layer on tokens, 10 to 40',
    parts: { images: 3, channels: [10, 40], size: [1, 16], kernel: [1, 1] },
  },
] as const;

// ---------------------------------------------------------------------------------------------------------------------
// Batch normalisation

interface NormData {
  readonly rows: number;
  readonly channels: number;
  readonly epsilon: number;
  readonly momentum: number;
  /** `[rows, channels]`. */
  readonly input: Float32Array;
  readonly outputGradient: Float32Array;
  readonly weight: Float32Array;
  readonly bias: Float32Array;
  readonly runningMean: Float32Array;
  readonly runningVariance: Float32Array;
}

function randomNorm(numbers: SeededNumbers, rows: number, channels: number): NormData {
  return {
    rows,
    channels,
    epsilon: 1e-5,
    momentum: 0.1,
    input: numbers.reals(rows * channels, 2).map((value, i) => value + (i % channels) / channels),
    outputGradient: numbers.reals(rows * channels),
    weight: numbers.reals(channels, 2),
    bias: numbers.reals(channels),
    runningMean: numbers.reals(channels),
    runningVariance: numbers.reals(channels).map((value) => value + 1.5),
  };
}

interface NormResult {
  readonly output: Float32Array;
  readonly again: Float32Array;
  readonly inputGradient: Float32Array;
  readonly inPlace: Float32Array;
  readonly weightGradient: Float32Array;
  readonly biasGradient: Float32Array;
  readonly runningMean: Float32Array;
  readonly runningVariance: Float32Array;
  readonly batchMean: Float32Array;
  readonly batchInverseDeviation: Float32Array;
}

function normTensors(bench: TrainingWorkbench, data: NormData): BatchNormTensors {
  const perChannel = (values?: Numbers): Tensor => bench.real([data.channels], values);
  return {
    weight: perChannel(data.weight),
    bias: perChannel(data.bias),
    runningMean: perChannel(data.runningMean),
    runningVariance: perChannel(data.runningVariance),
    batchMean: perChannel(),
    batchInverseDeviation: perChannel(),
  };
}

/** Forward, forward again, gradient, gradient over its own input; parameter gradients come from the first of the two. */
async function normalise(
  engine: TrainingEngine,
  data: NormData,
  before: ParameterGradients = { weight: new Float32Array(data.channels), bias: new Float32Array(data.channels) },
): Promise<NormResult> {
  const { rows, channels, epsilon, momentum } = data;
  const bench = new TrainingWorkbench(engine);
  const perChannel = (values?: Numbers): Tensor => bench.real([channels], values);
  const rowsOf = (values?: Numbers): Tensor => bench.real([rows, channels], values);
  const tensors = normTensors(bench, data);
  const input = rowsOf(data.input);
  const written = {
    ...tensors,
    output: rowsOf(),
    again: rowsOf(),
    inputGradient: rowsOf(),
    inPlace: rowsOf(data.outputGradient),
    weightGradient: perChannel(before.weight),
    biasGradient: perChannel(before.bias),
  };
  const common = { name: 'bn', rows, channels, input, tensors, epsilon };
  bench.kernels.batchNorm({ ...common, output: written.output, momentum });
  bench.kernels.batchNormAgain({ ...common, output: written.again });
  bench.kernels.batchNormGradient({
    ...common,
    outputGradient: rowsOf(data.outputGradient),
    inputGradient: written.inputGradient,
    weightGradient: written.weightGradient,
    biasGradient: written.biasGradient,
  });
  const unused = perChannel(new Float32Array(channels));
  bench.kernels.batchNormGradient({
    ...common,
    outputGradient: written.inPlace,
    inputGradient: written.inPlace,
    weightGradient: perChannel(new Float32Array(channels)),
    biasGradient: unused,
  });
  await bench.run();
  const entries: [string, Float32Array][] = [];
  for (const [name, tensor] of Object.entries(written)) entries.push([name, await bench.read(tensor)]);
  expectSame(await bench.read(input), data.input);
  expectSame(await bench.read(tensors.weight), data.weight);
  bench.dispose();
  return Object.fromEntries(entries) as unknown as NormResult;
}

/** The column of a channel, float64. */
function columnOf(values: Numbers, channel: number, channels: number): number[] {
  return Array.from({ length: values.length / channels }, (_, row) => values[row * channels + channel]!);
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Biased, as the mean of the squared differences of all pairs, halved: nothing is subtracted from a rounded mean. */
function varianceOf(values: readonly number[]): number {
  let sum = 0;
  for (const a of values) for (const b of values) sum += (a - b) ** 2;
  return sum / (2 * values.length ** 2);
}

function normaliseColumn(values: readonly number[], weight: number, bias: number, epsilon: number): number[] {
  const mean = meanOf(values);
  const variance = meanOf(values.map((value) => (value - mean) ** 2));
  return values.map((value) => ((value - mean) / Math.sqrt(variance + epsilon)) * weight + bias);
}

/** Fails unless `found` is within `tolerance` (relative to the column's largest) of central differences of Σ δy·y. */
function expectNormGradients(data: NormData, result: NormResult, tolerance: number): void {
  const { channels, epsilon } = data;
  for (let channel = 0; channel < channels; channel += Math.max(1, Math.floor(channels / 7))) {
    const input = columnOf(data.input, channel, channels);
    const gradient = columnOf(data.outputGradient, channel, channels);
    const [weight, bias] = [data.weight[channel]!, data.bias[channel]!];
    const loss = (values: readonly number[], w: number, b: number): number =>
      normaliseColumn(values, w, b, epsilon).reduce((sum, y, row) => sum + y * gradient[row]!, 0);
    // Small beside the spread of the channel, so that the third derivative does not show.
    const step = 1e-3 * Math.sqrt(varianceOf(input) + epsilon);
    const rows: number[] = [];
    for (let row = 0; row < data.rows; row += Math.max(1, Math.floor(data.rows / 12))) rows.push(row);
    const moved = (row: number, distance: number): number =>
      loss(
        input.map((value, i) => (i === row ? value + distance : value)),
        weight,
        bias,
      );
    const found = rows.map((row) => result.inputGradient[row * channels + channel]!);
    const expected = rows.map((row) => (moved(row, step) - moved(row, -step)) / (2 * step));
    // Two rows leave hardly any gradient, a difference of numbers of the size of weight/deviation.
    const scale = Math.abs(weight) / Math.sqrt(varianceOf(input) + epsilon);
    expectClose([...found, scale], [...expected, scale], tolerance);
    // Linear in weight and bias: differences are exact.
    expectClose([result.weightGradient[channel]!], [loss(input, 1, 0)], tolerance * Math.sqrt(data.rows));
    expectClose([result.biasGradient[channel]!], [loss(input, 0, 1)], tolerance * Math.sqrt(data.rows));
  }
}

const normSizes = [
  { rows: 2, channels: 3 },
  { rows: 7, channels: 1 },
  { rows: 16, channels: 64 },
  { rows: 33, channels: 10 },
  { rows: 50, channels: 33 },
  { rows: 147, channels: 45 },
  { rows: 1001, channels: 5 },
] as const;

// ---------------------------------------------------------------------------------------------------------------------

describe.each(engines)('training on the $name engine', ({ create }) => {
  const engine = trainingEngine(create);

  describe('the gradient of neurons', () => {
    it.each(neuronCases)('agrees with spikingjelly on $id', async (neuron) => {
      const expected = neurons(`${neuron.id}.grad_x`).values;
      expectClose(await neuronGradient(engine(), goldenNeurons(neuron)), expected);
    });

    const several = neuronCases.filter(({ id }) => /T4\.th0\.5\..*\.hard$/.test(id));
    it.each(several)('is the same however $id is cut into positions and channels', async (neuron) => {
      const golden = goldenNeurons(neuron);
      const expected = neurons(`${neuron.id}.grad_x`).values;
      const count = golden.positions * golden.channels;
      for (const channels of [1, 3, count]) {
        expectClose(await neuronGradient(engine(), { ...golden, positions: count / channels, channels }), expected);
      }
    });

    it('is added to what is there when asked to', async () => {
      const neuron = several[0]!;
      const golden = goldenNeurons(neuron);
      const before = new SeededNumbers(1).reals(golden.input.length);
      const expected = neurons(`${neuron.id}.grad_x`).values.map((value, i) => value + before[i]!);
      expectClose(await neuronGradient(engine(), { ...golden, before }), expected);
    });

    const smoothCases = Object.entries(surrogates).flatMap(([name, surrogate]) =>
      [true, false].map((detachReset) => ({ name, surrogate, detachReset })),
    );
    it.each(smoothCases)(
      'follows finite differences of a smooth neuron, $name, reset detached: $detachReset',
      async ({ surrogate, detachReset }) => {
        const [timeSteps, tau, threshold, count] = [5, 1.7, 0.6, 24];
        const random = new SeededNumbers(11);
        const input = random.reals(timeSteps * count).map((value) => 1.2 * value + 0.8);
        const outputGradient = random.reals(timeSteps * count);
        const data = { timeSteps, positions: 1, channels: count, tau, threshold, surrogate, detachReset };
        const found = await neuronGradient(engine(), { ...data, input, outputGradient });
        const step = 1e-5;
        const expected = [...input].map((_, i) => {
          const neuron = i % count;
          const series = (values: ArrayLike<number>) =>
            Array.from({ length: timeSteps }, (_unused, t) => values[t * count + neuron]!);
          const loss = smoothNeuron(series(input), series(outputGradient), { tau, threshold, surrogate, detachReset });
          const moved = (distance: number) => loss(Math.floor(i / count), distance);
          return (moved(step) - moved(-step)) / (2 * step);
        });
        expectClose(found, expected, 1e-4);
        expect(found.filter((value) => Math.abs(value) > 1e-3).length).toBeGreaterThan(timeSteps * count * 0.4);
      },
    );

    it.each([
      { tau: 2, channels: 64, accumulate: false },
      { tau: 1.7, channels: 10, accumulate: true },
    ])('is the same bits from the input of a batch normalisation, τ $tau, $channels channels', async (size) => {
      const { channels, tau, accumulate } = size;
      const bench = new TrainingWorkbench(engine());
      const numbers = new SeededNumbers(17);
      const rows = 37;
      const real = (count: number, scale = 1, shift = 0): Tensor =>
        bench.real(
          [count / channels, channels],
          numbers.reals(count).map((value) => scale * value + shift),
        );
      const input = real(rows * channels, 3, 1);
      const outputGradient = real(rows * channels);
      const before = numbers.reals(rows * channels);
      const gradients = [0, 1].map(() => bench.real([rows, channels], before));
      const tensors = {
        weight: real(channels),
        bias: real(channels, 1, 1),
        runningMean: real(channels),
        runningVariance: real(channels, 0.1, 1),
        batchMean: real(channels),
        batchInverseDeviation: real(channels, 0.1, 0.4),
      };
      const output = bench.real([rows, channels]);
      const norm = { name: 'norm', rows, channels, epsilon: 1e-5, tensors };
      bench.kernels.batchNormAgain({ ...norm, input, output });
      const neuron = { name: 'lif', timeSteps: 1, positions: rows, channels, tau, threshold: 1, detachReset: true };
      const gradient = { ...neuron, outputGradient, accumulate, surrogate: surrogates.sigmoid4! };
      bench.kernels.leakyIntegrateAndFireGradient({ ...gradient, input: output, inputGradient: gradients[0]! });
      const normalisation = tensors;
      bench.kernels.leakyIntegrateAndFireGradient({ ...gradient, input, normalisation, inputGradient: gradients[1]! });
      await bench.run();
      expectSame(await bench.read(gradients[1]!), await bench.read(gradients[0]!));
      bench.dispose();
    });

    it('stays finite far from the threshold', async () => {
      const data = { timeSteps: 1, positions: 1, channels: 3, tau: 2, threshold: 1, detachReset: true };
      for (const surrogate of Object.values(surrogates)) {
        const input = [1e4, -1e4, 2];
        const found = await neuronGradient(engine(), { ...data, surrogate, input, outputGradient: [1, 1, 1] });
        expect(Math.abs(found[0]!)).toBeLessThan(1e-8);
        expect(Math.abs(found[1]!)).toBeLessThan(1e-8);
        // At the threshold every one of the three has its peak, 1; the share 1/τ of it reaches the input.
        expectClose([found[2]!], [0.5]);
      }
    });
  });

  describe('neurons behind a batch normalisation', () => {
    const sizes = [
      { rows: 37, channels: 64, tau: 2 },
      { rows: 5, channels: 10, tau: 1.7 },
      { rows: 130, channels: 45, tau: 2 },
      { rows: 9, channels: 3, tau: 3 },
    ];
    it.each(sizes)('fire as they do from its output, $rows × $channels, τ $tau', async ({ rows, channels, tau }) => {
      const bench = new TrainingWorkbench(engine());
      const data = randomNorm(new SeededNumbers(18), rows, channels);
      const measure = (name: string, output: Tensor | undefined) => {
        const tensors = normTensors(bench, data);
        const input = bench.real([rows, channels], data.input);
        const { epsilon, momentum } = data;
        bench.kernels.batchNorm({ name, rows, channels, epsilon, momentum, tensors, input, ...(output && { output }) });
        return { tensors, input };
      };
      const output = bench.real([rows, channels]);
      const written = measure('written', output);
      const unwritten = measure('unwritten', undefined);
      const neuron = { name: 'lif', timeSteps: 1, inputTimeSteps: 1, positions: rows, channels, tau, threshold: 0.25 };
      const spikes = [bench.spikeOutput([rows, channels]), bench.spikeOutput([rows, channels])] as const;
      bench.kernels.leakyIntegrateAndFire({ ...neuron, input: output, output: spikes[0] });
      const { weight, bias, batchMean, batchInverseDeviation } = unwritten.tensors;
      const normalisation = { weight, bias, batchMean, batchInverseDeviation };
      bench.kernels.leakyIntegrateAndFire({ ...neuron, input: unwritten.input, normalisation, output: spikes[1] });
      await bench.run();
      const [expected, found] = [await bench.readBits(spikes[0]), await bench.readBits(spikes[1])];
      expect(found).toEqual(expected);
      expect(new Set(found)).toEqual(new Set([0, 1]));
      for (const name of ['runningMean', 'runningVariance', 'batchMean', 'batchInverseDeviation'] as const) {
        expectSame(await bench.read(unwritten.tensors[name]), await bench.read(written.tensors[name]));
      }
      bench.dispose();
    });

    it.each(
      [
        { rows: 37, channels: 64, tau: 2, accumulate: false },
        { rows: 5, channels: 10, tau: 1.7, accumulate: true },
        { rows: 1000, channels: 45, tau: 2, accumulate: true },
        { rows: 300, channels: 3, tau: 3, accumulate: false },
      ].flatMap((size) => Object.entries(surrogates).map(([name, surrogate]) => ({ ...size, name, surrogate }))),
    )(
      'have the gradients of both, whether or not another call comes between, $rows × $channels, $name, added: $accumulate',
      async ({ rows, channels, tau, accumulate, surrogate }) => {
        const results: Float32Array[][] = [];
        for (const between of [true, false]) {
          const bench = new TrainingWorkbench(engine());
          const numbers = new SeededNumbers(19);
          const data = randomNorm(numbers, rows, channels);
          const tensors = normTensors(bench, data);
          const real = (values?: Numbers) => bench.real([rows, channels], values);
          const input = real(data.input);
          const neuronGradient = real(numbers.reals(rows * channels));
          const inputGradient = real();
          const weightGradient = bench.real([channels], numbers.reals(channels));
          const biasGradient = bench.real([channels], numbers.reals(channels));
          const norm = { name: 'bn', rows, channels, input, tensors };
          bench.kernels.batchNorm({ ...norm, epsilon: data.epsilon, momentum: data.momentum });
          const { weight, bias, batchMean, batchInverseDeviation } = tensors;
          bench.kernels.leakyIntegrateAndFireGradient({
            ...{ name: 'lif', timeSteps: 1, positions: rows, channels, tau, threshold: 0.25, detachReset: true },
            ...{ input, accumulate, surrogate, normalisation: { weight, bias, batchMean, batchInverseDeviation } },
            outputGradient: real(data.outputGradient),
            inputGradient: neuronGradient,
          });
          if (between) bench.kernels.zero(bench.real([1]));
          const gradients = { outputGradient: neuronGradient, inputGradient, weightGradient, biasGradient };
          bench.kernels.batchNormGradient({ ...norm, ...gradients });
          await bench.run();
          const found = [];
          for (const tensor of Object.values(gradients)) found.push(await bench.read(tensor));
          results.push(found);
          bench.dispose();
        }
        const [apart, together] = results;
        together!.forEach((values, index) => {
          expectSame(values, apart![index]!);
        });
      },
    );

    it('fire where the normalised input lands on the threshold', async () => {
      const bench = new TrainingWorkbench(engine());
      const channels = 18;
      const perChannel = (value: number) => bench.real([channels], new Float32Array(channels).fill(value));
      // (x − 1) · 2 · 0.5 + 0.5 is 2θ for x = 2.5.
      const normalisation = {
        batchMean: perChannel(1),
        batchInverseDeviation: perChannel(2),
        weight: perChannel(0.5),
        bias: perChannel(0.5),
      };
      const values = Float32Array.from({ length: channels }, (_, channel) => 2.5 + ((channel % 3) - 1) * 2 ** -22);
      const input = bench.real([1, channels], values);
      const output = bench.spikeOutput([1, channels]);
      const neuron = { name: 'lif', timeSteps: 1, inputTimeSteps: 1, positions: 1, channels, tau: 2, threshold: 1 };
      bench.kernels.leakyIntegrateAndFire({ ...neuron, normalisation, input, output });
      await bench.run();
      expect(await bench.readBits(output)).toEqual([...values].map((value) => Number(value >= 2.5)));
      bench.dispose();
    });
  });

  describe('the gradient of attention', () => {
    const heads = { d: 8, heads: 4, tokens: 16 };
    it.skipIf(!attentionPath).each(['d0.3', 'd0.5'])(
      'agrees with the authors’ product and neuron on %s (needs the shared folder)',
      async (id) => {
        const golden = readFixtureTensors(relative(fixtures, attentionPath!));
        const joined = (name: string): Float64Array =>
          joinHeads(golden(name).values, heads.heads, heads.tokens, heads.d);
        const [timeSteps, batch] = golden('w').shape as [number, number];
        const channels = heads.heads * heads.d;
        const sizes = { images: timeSteps * batch, tokens: heads.tokens, channels, heads: heads.heads };
        const shape = [sizes.images, sizes.tokens, channels];
        const bench = new TrainingWorkbench(engine());
        const attention = {
          name: 'sdsa',
          ...sizes,
          scale: 0.125,
          query: bench.spikes(shape, joined(`${id}.q`)),
          key: bench.spikes(shape, joined(`${id}.k`)),
          value: bench.spikes(shape, joined(`${id}.v`)),
        };
        const neuron = { name: 'lif', timeSteps, positions: batch * sizes.tokens, channels, tau: 2, threshold: 0.5 };
        const drive = bench.real(shape);
        const spikes = bench.spikeOutput(shape);
        const driveGradient = bench.real(shape);
        const [queryGradient, keyGradient, valueGradient] = [bench.real(shape), bench.real(shape), bench.real(shape)];
        bench.kernels.spikeAttention({ ...attention, output: drive });
        bench.kernels.leakyIntegrateAndFire({ ...neuron, input: drive, inputTimeSteps: timeSteps, output: spikes });
        bench.kernels.leakyIntegrateAndFireGradient({
          ...neuron,
          input: drive,
          outputGradient: bench.real(shape, joined('w')),
          inputGradient: driveGradient,
          accumulate: false,
          surrogate: { kind: 'sigmoid', alpha: 4 },
          detachReset: true,
        });
        bench.kernels.spikeAttentionGradient({
          ...attention,
          outputGradient: driveGradient,
          queryGradient,
          keyGradient,
          valueGradient,
        });
        await bench.run();
        expectSame(await bench.readBits(spikes), joined(`${id}.sdsa3.out`));
        expectClose(await bench.read(driveGradient), joined(`${id}.sdsa3.grad_drive`));
        expectClose(await bench.read(queryGradient), joined(`${id}.sdsa3.grad_q`));
        expectClose(await bench.read(keyGradient), joined(`${id}.sdsa3.grad_k`));
        expectClose(await bench.read(valueGradient), joined(`${id}.sdsa3.grad_v`));
        bench.dispose();
      },
    );
  });

  describe('convolution', () => {
    describe.each(['real', 'spikes'] as const)('of %s', (storage) => {
      it.each(convolutionShapes)('with weights in memory follows its definition: $title', async ({ parts }) => {
        const data = randomConvolution(new SeededNumbers(3), geometryOf(parts), storage);
        expectClose(await convolve(engine(), data), expectedOutput(data));
      });

      it('adds parameter gradients to what is there', async () => {
        for (const { parts } of convolutionShapes) {
          const numbers = new SeededNumbers(5);
          const data = randomConvolution(numbers, geometryOf(parts), storage);
          const before = { weight: numbers.reals(data.weight.length), bias: numbers.reals(data.bias.length) };
          const alone = await convolutionWeightGradient(engine(), data);
          const found = await convolutionWeightGradient(engine(), data, before);
          for (const part of ['weight', 'bias'] as const) {
            expectClose(
              found[part],
              Array.from(alone[part], (value, i) => value + before[part][i]!),
            );
          }
        }
      });

      it('has no parameter gradient where nothing arrives', async () => {
        const data = randomConvolution(new SeededNumbers(6), geometryOf(convolutionShapes[2]!.parts), storage);
        const nothing = { ...data, outputGradient: new Float32Array(data.outputGradient.length) };
        const found = await convolutionWeightGradient(engine(), nothing);
        expectSame(found.weight, new Float32Array(data.weight.length));
        expectSame(found.bias, new Float32Array(data.bias.length));
      });

      it.each([0, 1])('takes inputs of which the share %d fires', async (rate) => {
        const geometry = geometryOf({ channels: [33, 10], size: [4, 4], kernel: [3, 3], padding: [1, 1] });
        const data = randomConvolution(new SeededNumbers(7), geometry, storage);
        const filled = { ...data, input: new Float32Array(data.input.length).fill(rate) };
        expectClose(await convolve(engine(), filled), expectedOutput(filled));
        expectGradientOf(filled, 'weight', (await convolutionWeightGradient(engine(), filled)).weight);
      });
    });

    it.each(convolutionShapes)('adds its input gradient to what is there: $title', async ({ parts }) => {
      const numbers = new SeededNumbers(9);
      const data = randomConvolution(numbers, geometryOf(parts), 'real');
      const before = numbers.reals(data.input.length);
      const alone = await convolutionInputGradient(engine(), data);
      const found = await convolutionInputGradient(engine(), data, before);
      expectClose(
        found,
        alone.map((value, i) => value + before[i]!),
      );
    });

    it('leaves out the bias and its gradient when there is none', async () => {
      const geometry = geometryOf({ channels: [10, 3], size: [3, 3], kernel: [3, 3] });
      const data = { ...randomConvolution(new SeededNumbers(10), geometry, 'real'), bias: new Float32Array(3) };
      const bench = new TrainingWorkbench(engine());
      const input = bench.real(inputShape(geometry), data.input);
      const output = bench.real(outputShape(geometry));
      const weight = bench.real(weightShape(geometry), data.weight);
      const weightGradient = bench.real(weightShape(geometry), new Float32Array(data.weight.length));
      const outputGradient = bench.real(outputShape(geometry), data.outputGradient);
      bench.kernels.convolution({ name: 'conv', geometry, input, output, weight });
      bench.kernels.convolutionWeightGradient({ name: 'conv', geometry, input, outputGradient, weightGradient });
      await bench.run();
      expectClose(await bench.read(output), expectedOutput(data));
      expectGradientOf(data, 'weight', await bench.read(weightGradient));
      bench.dispose();
    });

    it.each(['real', 'spikes'] as const)('of %s computes with the weights of the moment', async (storage) => {
      for (const { parts } of convolutionShapes) {
        const numbers = new SeededNumbers(11);
        const data = randomConvolution(numbers, geometryOf(parts), storage);
        const { geometry } = data;
        const bench = new TrainingWorkbench(engine());
        const weight = bench.real(weightShape(geometry), data.weight);
        const bias = bench.real([geometry.outputChannels], data.bias);
        const output = bench.real(outputShape(geometry));
        const inputGradient = bench.real(inputShape(geometry));
        const outputGradient = bench.real(outputShape(geometry), data.outputGradient);
        const input = bench[storage](inputShape(geometry), data.input);
        bench.kernels.convolution({ name: 'conv', geometry, input, output, weight, bias });
        const gradient = { name: 'conv', geometry, weight, outputGradient, inputGradient, accumulate: false };
        bench.kernels.convolutionInputGradient(gradient);
        await bench.run();
        // One parameter by copying, the other in place, the two ways there are.
        const changed = { ...data, weight: numbers.reals(data.weight.length), bias: numbers.reals(data.bias.length) };
        bench.view(weight).set(changed.weight);
        await bench.write(bias, changed.bias);
        await bench.run();
        expectClose(await bench.read(output), expectedOutput(changed));
        expectSame(await bench.read(inputGradient), await convolutionInputGradient(engine(), changed));
        bench.dispose();
      }
    });
  });

  describe('batch normalisation', () => {
    it.each(normSizes)('has the statistics and output of its definition, $rows × $channels', async (size) => {
      const data = randomNorm(new SeededNumbers(12), size.rows, size.channels);
      const { rows, channels, epsilon, momentum } = data;
      const found = await normalise(engine(), data);
      for (let channel = 0; channel < channels; channel++) {
        const column = columnOf(data.input, channel, channels);
        const [mean, variance] = [meanOf(column), varianceOf(column)];
        const unbiased = (variance * rows) / (rows - 1);
        expectClose(
          [
            found.batchMean[channel]!,
            found.batchInverseDeviation[channel]!,
            found.runningMean[channel]!,
            found.runningVariance[channel]!,
          ],
          [
            mean,
            1 / Math.sqrt(variance + epsilon),
            (1 - momentum) * data.runningMean[channel]! + momentum * mean,
            (1 - momentum) * data.runningVariance[channel]! + momentum * unbiased,
          ],
          1e-6,
        );
        expectClose(
          columnOf(found.output, channel, channels),
          normaliseColumn(column, data.weight[channel]!, data.bias[channel]!, epsilon),
          2e-6,
        );
      }
    });

    it('moves running statistics as PyTorch documents it', async () => {
      // Mean 2; variance 1 biased and 2 unbiased; momentum 1/4 from 0 and 1.
      const data: NormData = {
        rows: 2,
        channels: 1,
        epsilon: 3,
        momentum: 0.25,
        input: Float32Array.of(1, 3),
        outputGradient: Float32Array.of(0, 0),
        weight: Float32Array.of(10),
        bias: Float32Array.of(1),
        runningMean: Float32Array.of(0),
        runningVariance: Float32Array.of(1),
      };
      const found = await normalise(engine(), data);
      expect(found.runningMean[0]).toBe(0.5);
      expect(found.runningVariance[0]).toBe(1.25);
      expect(found.batchInverseDeviation[0]).toBe(0.5);
      expect([...found.output]).toEqual([-4, 6]);
    });

    it.each(normSizes)('has the gradients of finite differences, $rows × $channels', async ({ rows, channels }) => {
      const data = randomNorm(new SeededNumbers(13), rows, channels);
      expectNormGradients(data, await normalise(engine(), data), 2e-6);
    });

    it.each(normSizes)('writes the same bits again and works in place, $rows × $channels', async (size) => {
      const data = randomNorm(new SeededNumbers(14), size.rows, size.channels);
      const found = await normalise(engine(), data);
      expectSame(found.again, found.output);
      expectSame(found.inPlace, found.inputGradient);
    });

    it('adds parameter gradients to what is there', async () => {
      const numbers = new SeededNumbers(15);
      const data = randomNorm(numbers, 33, 10);
      const before = { weight: numbers.reals(10), bias: numbers.reals(10) };
      const alone = await normalise(engine(), data);
      const found = await normalise(engine(), data, before);
      expectClose(
        found.weightGradient,
        alone.weightGradient.map((value, i) => value + before.weight[i]!),
      );
      expectClose(
        found.biasGradient,
        alone.biasGradient.map((value, i) => value + before.bias[i]!),
      );
    });

    it.each([2, 100, 999])('makes the bias of a channel that is constant over %d rows', async (rows) => {
      const constants = [0, 1, 0.1, -7.3, 1000.1];
      const data = randomNorm(new SeededNumbers(16), rows, constants.length);
      const input = data.input.map((_, i) => constants[i % constants.length]!);
      const found = await normalise(engine(), { ...data, input });
      // Whatever the last bit of the mean: half a unit of 1000.1 in the last place, over √ε, is 0.01.
      const tolerance = [1e-6, 1e-6, 1e-5, 4e-4, 4e-2];
      found.output.forEach((value, i) => {
        const channel = i % constants.length;
        expect(Math.abs(value - data.bias[channel]!)).toBeLessThanOrEqual(tolerance[channel]!);
      });
      expectClose(found.batchMean, constants, 1e-7);
      found.batchInverseDeviation.forEach((value) => {
        expectClose([value], [1 / Math.sqrt(1e-5)], 1e-4);
      });
    });

    it('keeps the small variance of a channel far from zero', async () => {
      // Subtracting squares in float32 would leave nothing of 1e-6 beside 9.
      const numbers = new SeededNumbers(17);
      const data = randomNorm(numbers, 200, 10);
      const input = numbers.reals(2000, 2e-3).map((value) => 3 + value);
      const found = await normalise(engine(), { ...data, input });
      for (let channel = 0; channel < 10; channel++) {
        const column = columnOf(input, channel, 10);
        const inverse = 1 / Math.sqrt(varianceOf(column) + data.epsilon);
        expectClose([found.batchInverseDeviation[channel]!], [inverse], 1e-5);
        // The mean is stored in float32: half a unit of 3 in the last place, times the inverse deviation (about 300).
        const expected = normaliseColumn(column, data.weight[channel]!, data.bias[channel]!, data.epsilon);
        const output = columnOf(found.output, channel, 10);
        output.forEach((value, row) => {
          expect(Math.abs(value - expected[row]!)).toBeLessThanOrEqual(2e-4);
        });
      }
      expectNormGradients({ ...data, input }, found, 1e-4);
    });
  });

  describe('padding with statistics', () => {
    it.each([
      { images: 1, height: 1, width: 1, channels: 1, padding: 1 },
      { images: 2, height: 3, width: 4, channels: 10, padding: 1 },
      { images: 3, height: 5, width: 2, channels: 33, padding: 2 },
      { images: 1, height: 3, width: 3, channels: 64, padding: 0 },
    ])(
      'surrounds $images × $height × $width × $channels by $padding',
      async ({ images, height, width, channels, padding }) => {
        const numbers = new SeededNumbers(18);
        const epsilon = 1e-3;
        const values = numbers.reals(images * height * width * channels);
        const weight = numbers.reals(channels);
        const bias = numbers.reals(channels);
        const runningMean = numbers.reals(channels);
        const runningVariance = numbers.reals(channels).map((value) => value + 1.01);
        const bench = new TrainingWorkbench(engine());
        const output = bench.real([images, height + 2 * padding, width + 2 * padding, channels]);
        const cropped = bench.real([images, height, width, channels]);
        bench.kernels.padWithStatistics({
          name: 'pad',
          images,
          inputHeight: height,
          inputWidth: width,
          channels,
          padding,
          epsilon,
          input: bench.real([images, height, width, channels], values),
          output,
          tensors: {
            weight: bench.real([channels], weight),
            bias: bench.real([channels], bias),
            runningMean: bench.real([channels], runningMean),
            runningVariance: bench.real([channels], runningVariance),
          },
        });
        const crop = { name: 'crop', images, outputHeight: height, outputWidth: width, channels, padding };
        bench.kernels.crop({ ...crop, input: output, output: cropped });
        await bench.run();
        const found = await bench.read(output);
        const expected = Float64Array.from(found, (_, i) => {
          const channel = i % channels;
          const scale = weight[channel]! / Math.sqrt(runningVariance[channel]! + epsilon);
          return bias[channel]! - runningMean[channel]! * scale;
        });
        values.forEach((value, i) => {
          const column = Math.floor(i / channels) % width;
          const row = Math.floor(i / (channels * width)) % height;
          const image = Math.floor(i / (channels * width * height));
          const [rows, columns] = [height + 2 * padding, width + 2 * padding];
          const pixel = (image * rows + row + padding) * columns + column + padding;
          expected[pixel * channels + (i % channels)] = value;
        });
        expectClose(found, expected, 1e-6);
        expectSame(await bench.read(cropped), values);
        bench.dispose();
      },
    );

    it('uses the running statistics of the moment', async () => {
      const bench = new TrainingWorkbench(engine());
      const perChannel = (value: number): Tensor => bench.real([1], [value]);
      const tensors = {
        weight: perChannel(1),
        bias: perChannel(0),
        runningMean: perChannel(0),
        runningVariance: perChannel(1),
        batchMean: perChannel(0),
        batchInverseDeviation: perChannel(0),
      };
      const input = bench.real([1, 1, 2, 1], [1, 3]);
      const normalised = bench.real([1, 1, 2, 1]);
      const output = bench.real([1, 3, 4, 1]);
      const [channels, epsilon] = [1, 1e-5];
      bench.kernels.batchNorm({
        name: 'bn',
        rows: 2,
        channels,
        epsilon,
        momentum: 0.5,
        input,
        output: normalised,
        tensors,
      });
      bench.kernels.padWithStatistics({
        name: 'pad',
        images: 1,
        inputHeight: 1,
        inputWidth: 2,
        channels,
        padding: 1,
        epsilon,
        input: normalised,
        output,
        tensors,
      });
      // Means 1, 1.5; variances (1 + 2)/2 and (1.5 + 2)/2.
      for (const [mean, variance] of [
        [1, 1.5],
        [1.5, 1.75],
      ] as const) {
        await bench.run();
        const found = await bench.read(output);
        expectClose([found[0]!, found[11]!], Array(2).fill(-mean / Math.sqrt(variance + epsilon)), 1e-6);
      }
      bench.dispose();
    });
  });

  it.each([
    { images: 1, positions: 1, channels: 1 },
    { images: 3, positions: 49, channels: 10 },
    { images: 2, positions: 16, channels: 33 },
    { images: 2, positions: 5, channels: 360 },
  ])('spreads the gradient of $images means over $positions positions of $channels channels', async (sizes) => {
    const { images, positions, channels } = sizes;
    const values = new SeededNumbers(19).reals(images * channels);
    const bench = new TrainingWorkbench(engine());
    const inputGradient = bench.real([images, positions, channels]);
    const outputGradient = bench.real([images, channels], values);
    bench.kernels.spatialMeanGradient({ name: 'mean', ...sizes, outputGradient, inputGradient });
    await bench.run();
    const found = await bench.read(inputGradient);
    const expected = Array.from(found, (_, i) => {
      const image = Math.floor(i / (positions * channels));
      return values[image * channels + (i % channels)]! / positions;
    });
    expectClose(found, expected, 1e-6);
    bench.dispose();
  });

  it.each([
    { timeSteps: 1, elements: 7 },
    { timeSteps: 3, elements: 33 },
    { timeSteps: 4, elements: 1000 },
  ])('gives each of $timeSteps time steps its share of the gradient of $elements means', async (sizes) => {
    const { timeSteps, elements } = sizes;
    const values = new SeededNumbers(20).reals(elements);
    const bench = new TrainingWorkbench(engine());
    const inputGradient = bench.real([timeSteps, elements]);
    const outputGradient = bench.real([elements], values);
    bench.kernels.timeMeanGradient({ name: 'mean', ...sizes, outputGradient, inputGradient });
    await bench.run();
    const found = await bench.read(inputGradient);
    expectClose(
      found,
      Array.from(found, (_, i) => values[i % elements]! / timeSteps),
      1e-6,
    );
    bench.dispose();
  });

  it('has the forward kernels of inference: add, repeat, means', async () => {
    const bench = new TrainingWorkbench(engine());
    const [sum, shown, overTime] = [bench.real([4]), bench.real([3, 2]), bench.real([2])];
    const overSpace = bench.real([1, 2]);
    const input = bench.real([2, 2], [1, 2, 5, 10]);
    bench.kernels.add({ name: 'add', a: input, b: bench.real([2], [100, 200]), output: sum });
    bench.kernels.repeat({ name: 'repeat', times: 3, input: bench.real([1, 2], [7, 8]), output: shown });
    bench.kernels.timeMean({ name: 'time', timeSteps: 2, elements: 2, input, output: overTime });
    bench.kernels.spatialMean({ name: 'space', images: 1, positions: 2, channels: 2, input, output: overSpace });
    await bench.run();
    expect([...(await bench.read(sum))]).toEqual([101, 202, 105, 210]);
    expect([...(await bench.read(shown))]).toEqual([7, 8, 7, 8, 7, 8]);
    expect([...(await bench.read(overTime))]).toEqual([3, 6]);
    expect([...(await bench.read(overSpace))]).toEqual([3, 6]);
    bench.dispose();
  });

  it.each([1, 16, 1001])('adds %d elements in place and clears them', async (length) => {
    const numbers = new SeededNumbers(21);
    const [a, b] = [numbers.reals(length), numbers.reals(length)];
    const bench = new TrainingWorkbench(engine());
    const sum = bench.real([length], a);
    const cleared = bench.real([length]);
    bench.kernels.add({ name: 'add', a: sum, b: bench.real([length], b), output: sum });
    bench.kernels.zero(cleared);
    await bench.run();
    expectSame(
      await bench.read(sum),
      a.map((value, i) => value + b[i]!),
    );
    expectSame(await bench.read(cleared), new Float32Array(length));
    bench.dispose();
  });

  it.each([1, 15, 1001])('adds a number that changes between runs to %d elements', async (length) => {
    const values = new SeededNumbers(22).reals(length);
    const bench = new TrainingWorkbench(engine());
    const tensor = bench.real([length], values);
    const number = bench.real([1], [0.25]);
    bench.kernels.addConstant({ name: 'offset', tensor, value: number });
    bench.kernels.segment('double');
    bench.kernels.add({ name: 'double', a: number, b: number, output: number });
    for (const segment of ['first', 'double', 'first']) await bench.run(segment);
    expectSame(
      await bench.read(tensor),
      values.map((value) => Math.fround(Math.fround(value + 0.25) + 0.5)),
    );
    bench.dispose();
  });

  describe('segments', () => {
    it('run their own calls, in the order they were recorded in, as often as asked', async () => {
      const bench = new TrainingWorkbench(engine());
      const total = bench.real([1], [1]);
      const one = bench.real([1], [1]);
      bench.kernels.add({ name: 'double', a: total, b: total, output: total });
      bench.kernels.add({ name: 'increase', a: total, b: one, output: total });
      bench.kernels.segment('clear');
      bench.kernels.zero(total);
      bench.kernels.segment('empty');
      await bench.run('empty');
      expect((await bench.read(total))[0]).toBe(1);
      await bench.run('first');
      expect((await bench.read(total))[0]).toBe(3);
      await bench.run('first');
      expect((await bench.read(total))[0]).toBe(7);
      await bench.run('clear');
      expect((await bench.read(total))[0]).toBe(0);
      await bench.run('first');
      expect((await bench.read(total))[0]).toBe(1);
      bench.dispose();
    });

    it('are refused when nobody recorded them', async () => {
      const bench = new TrainingWorkbench(engine());
      await bench.run();
      await expect(bench.run('backward')).rejects.toThrow(EngineError);
      await expect(bench.run('backward')).rejects.toThrow(/backward/);
      bench.dispose();
    });

    it('have names of their own', () => {
      const bench = new TrainingWorkbench(engine());
      expect(() => bench.kernels.segment('first')).toThrow(EngineError);
      bench.dispose();
    });

    it('begin before the first call', () => {
      const kernels = engine().recordTraining();
      const tensor: Tensor = { shape: [1], storage: 'real', block: kernels.allocate(64), byteOffset: 0 };
      const attempt = () => kernels.add({ name: 'early', a: tensor, b: tensor, output: tensor });
      expect(attempt).toThrow(EngineError);
      expect(attempt).toThrow(/^early: /);
      kernels.finish().dispose();
    });
  });

  describe('a view', () => {
    it('is the memory itself, seen and changed from both sides', async () => {
      const bench = new TrainingWorkbench(engine());
      const tensor = bench.real([3], [1, 2, 3]);
      bench.kernels.add({ name: 'double', a: tensor, b: tensor, output: tensor });
      await bench.run();
      const view = bench.view(tensor);
      expect(view.length).toBe(3);
      expect([...view]).toEqual([2, 4, 6]);
      view[1] = 50;
      expect([...(await bench.read(tensor))]).toEqual([2, 50, 6]);
      await bench.run();
      expect([...bench.view(tensor)]).toEqual([4, 100, 12]);
      bench.dispose();
    });

    it('of spikes is refused', async () => {
      const bench = new TrainingWorkbench(engine());
      const spikes = bench.spikeOutput([1, 33]);
      await bench.run();
      expect(() => bench.view(spikes)).toThrow(EngineError);
      bench.dispose();
    });
  });

  describe('refuses, naming the layer,', () => {
    const geometry = geometryOf({ channels: [4, 6], size: [5, 5], kernel: [3, 3], padding: [1, 1] });
    /** Tensors that fit a batch normalisation of 8 × 4, some replaced. */
    function normCall(bench: TrainingWorkbench) {
      const perChannel = (): Tensor => bench.real([4]);
      const tensors = {
        weight: perChannel(),
        bias: perChannel(),
        runningMean: perChannel(),
        runningVariance: perChannel(),
        batchMean: perChannel(),
        batchInverseDeviation: perChannel(),
      };
      return { name: 'layer', rows: 8, channels: 4, input: bench.real([8, 4]), tensors, epsilon: 1e-5 };
    }
    const neuron = { name: 'layer', timeSteps: 2, positions: 3, channels: 5, tau: 2, threshold: 1, detachReset: true };
    const surrogate: Surrogate = { kind: 'sigmoid', alpha: 4 };

    const cases: readonly { readonly title: string; readonly record: (bench: TrainingWorkbench) => void }[] = [
      {
        title: 'weights of another layer',
        record: (bench) =>
          bench.kernels.convolution({
            name: 'layer',
            geometry,
            input: bench.real([1, 5, 5, 4]),
            output: bench.real([1, 5, 5, 6]),
            weight: bench.real([6, 4, 3, 2]),
          }),
      },
      {
        title: 'spikes for weights',
        record: (bench) =>
          bench.kernels.convolution({
            name: 'layer',
            geometry,
            input: bench.real([1, 5, 5, 4]),
            output: bench.real([1, 5, 5, 6]),
            weight: bench.spikeOutput([36, 6]),
          }),
      },
      {
        title: 'an input gradient that is too small',
        record: (bench) =>
          bench.kernels.convolutionInputGradient({
            name: 'layer',
            geometry,
            weight: bench.real([6, 4, 3, 3]),
            outputGradient: bench.real([1, 5, 5, 6]),
            inputGradient: bench.real([1, 5, 4, 4]),
            accumulate: false,
          }),
      },
      {
        title: 'an output gradient of spikes',
        record: (bench) =>
          bench.kernels.convolutionInputGradient({
            name: 'layer',
            geometry,
            weight: bench.real([6, 4, 3, 3]),
            outputGradient: bench.spikeOutput([1, 5, 5, 6]),
            inputGradient: bench.real([1, 5, 5, 4]),
            accumulate: false,
          }),
      },
      {
        title: 'an output size that the geometry does not make',
        record: (bench) =>
          bench.kernels.convolutionInputGradient({
            name: 'layer',
            geometry: { ...geometry, outputHeight: 4 },
            weight: bench.real([6, 4, 3, 3]),
            outputGradient: bench.real([1, 4, 5, 6]),
            inputGradient: bench.real([1, 5, 5, 4]),
            accumulate: false,
          }),
      },
      {
        title: 'a weight gradient of another layer',
        record: (bench) =>
          bench.kernels.convolutionWeightGradient({
            name: 'layer',
            geometry,
            input: bench.real([1, 5, 5, 4]),
            outputGradient: bench.real([1, 5, 5, 6]),
            weightGradient: bench.real([6, 4, 3, 2]),
          }),
      },
      {
        title: 'a bias gradient of another layer',
        record: (bench) =>
          bench.kernels.convolutionWeightGradient({
            name: 'layer',
            geometry,
            input: bench.real([1, 5, 5, 4]),
            outputGradient: bench.real([1, 5, 5, 6]),
            weightGradient: bench.real([6, 4, 3, 3]),
            biasGradient: bench.real([4]),
          }),
      },
      {
        title: 'an input gradient on top of the output gradient still to be read',
        record: (bench) => {
          const gradient = bench.real([2, 3, 3, 4]);
          bench.kernels.convolutionInputGradient({
            name: 'layer',
            geometry: geometryOf({ images: 2, channels: [4, 4], size: [3, 3], kernel: [1, 1] }),
            weight: bench.real([4, 4, 1, 1]),
            outputGradient: gradient,
            inputGradient: gradient,
            accumulate: false,
          });
        },
      },
      {
        title: 'a normalisation whose parameters have other channels',
        record: (bench) => {
          const call = normCall(bench);
          const tensors = { ...call.tensors, bias: bench.real([5]) };
          bench.kernels.batchNorm({ ...call, tensors, output: bench.real([8, 4]), momentum: 0.1 });
        },
      },
      {
        title: 'a normalisation of spikes',
        record: (bench) =>
          bench.kernels.batchNormAgain({
            ...normCall(bench),
            input: bench.spikeOutput([8, 4]),
            output: bench.real([8, 4]),
          }),
      },
      {
        title: 'a normalisation over a single row, which has no variance',
        record: (bench) =>
          bench.kernels.batchNorm({
            ...normCall(bench),
            rows: 1,
            input: bench.real([1, 4]),
            output: bench.real([1, 4]),
            momentum: 0.1,
          }),
      },
      {
        title: 'the gradient of a normalisation with other rows',
        record: (bench) =>
          bench.kernels.batchNormGradient({
            ...normCall(bench),
            outputGradient: bench.real([7, 4]),
            inputGradient: bench.real([8, 4]),
            weightGradient: bench.real([4]),
            biasGradient: bench.real([4]),
          }),
      },
      {
        title: 'padding into maps that are too small',
        record: (bench) => {
          const { tensors, epsilon } = normCall(bench);
          const sizes = { name: 'layer', images: 1, inputHeight: 2, inputWidth: 2, channels: 4, padding: 1 };
          const [input, output] = [bench.real([1, 2, 2, 4]), bench.real([1, 3, 4, 4])];
          bench.kernels.padWithStatistics({ ...sizes, input, output, tensors, epsilon });
        },
      },
      {
        title: 'cropping maps that are too small',
        record: (bench) => {
          const sizes = { name: 'layer', images: 1, outputHeight: 2, outputWidth: 2, channels: 4, padding: 1 };
          bench.kernels.crop({ ...sizes, input: bench.real([1, 4, 3, 4]), output: bench.real([1, 2, 2, 4]) });
        },
      },
      {
        title: 'the gradient of neurons with other time steps',
        record: (bench) =>
          bench.kernels.leakyIntegrateAndFireGradient({
            ...neuron,
            surrogate,
            input: bench.real([1, 3, 5]),
            outputGradient: bench.real([2, 3, 5]),
            inputGradient: bench.real([2, 3, 5]),
            accumulate: false,
          }),
      },
      {
        title: 'the gradient of neurons behind a normalisation with several time steps',
        record: (bench) =>
          bench.kernels.leakyIntegrateAndFireGradient({
            ...neuron,
            surrogate,
            input: bench.real([2, 3, 5]),
            normalisation: {
              weight: bench.real([5]),
              bias: bench.real([5]),
              batchMean: bench.real([5]),
              batchInverseDeviation: bench.real([5]),
            },
            outputGradient: bench.real([2, 3, 5]),
            inputGradient: bench.real([2, 3, 5]),
            accumulate: false,
          }),
      },
      {
        title: 'neurons behind a normalisation with several time steps',
        record: (bench) =>
          bench.kernels.leakyIntegrateAndFire({
            ...neuron,
            inputTimeSteps: 2,
            input: bench.real([2, 3, 5]),
            normalisation: {
              weight: bench.real([5]),
              bias: bench.real([5]),
              batchMean: bench.real([5]),
              batchInverseDeviation: bench.real([5]),
            },
            output: bench.spikeOutput([2, 3, 5]),
          }),
      },
      {
        title: 'a surrogate without width',
        record: (bench) =>
          bench.kernels.leakyIntegrateAndFireGradient({
            ...neuron,
            surrogate: { kind: 'rectangular', alpha: 0 },
            input: bench.real([2, 3, 5]),
            outputGradient: bench.real([2, 3, 5]),
            inputGradient: bench.real([2, 3, 5]),
            accumulate: false,
          }),
      },
      {
        title: 'attention of real numbers',
        record: (bench) => {
          const real = (): Tensor => bench.real([1, 2, 8]);
          const spikes = { query: real(), key: real(), value: real() };
          const gradients = { queryGradient: real(), keyGradient: real(), valueGradient: real() };
          const sizes = { name: 'layer', images: 1, tokens: 2, channels: 8, heads: 2, scale: 1 };
          bench.kernels.spikeAttentionGradient({ ...sizes, ...spikes, ...gradients, outputGradient: real() });
        },
      },
      {
        title: 'channels that the heads cannot share',
        record: (bench) => {
          const real = (): Tensor => bench.real([1, 2, 8]);
          const spikes = bench.spikeOutput([1, 2, 8]);
          const gradients = { queryGradient: real(), keyGradient: real(), valueGradient: real() };
          const sizes = { name: 'layer', images: 1, tokens: 2, channels: 8, heads: 3, scale: 1 };
          const roles = { query: spikes, key: spikes, value: spikes, outputGradient: real() };
          bench.kernels.spikeAttentionGradient({ ...sizes, ...roles, ...gradients });
        },
      },
      {
        title: 'the gradient of a mean over other positions',
        record: (bench) =>
          bench.kernels.spatialMeanGradient({
            name: 'layer',
            images: 1,
            positions: 4,
            channels: 3,
            outputGradient: bench.real([1, 3]),
            inputGradient: bench.real([3, 3]),
          }),
      },
      {
        title: 'the gradient of a mean over other time steps',
        record: (bench) =>
          bench.kernels.timeMeanGradient({
            name: 'layer',
            timeSteps: 4,
            elements: 3,
            outputGradient: bench.real([3]),
            inputGradient: bench.real([3, 3]),
          }),
      },
    ];
    it.each(cases)('$title', ({ record }) => {
      const bench = new TrainingWorkbench(engine());
      const attempt = () => record(bench);
      expect(attempt).toThrow(EngineError);
      expect(attempt).toThrow(/^layer: /);
      bench.dispose();
    });

    it('calls after the recording is finished', async () => {
      const bench = new TrainingWorkbench(engine());
      const tensor = bench.real([1], [1]);
      await bench.run();
      expect(() => bench.kernels.add({ name: 'late', a: tensor, b: tensor, output: tensor })).toThrow(/^late: /);
      expect(() => bench.kernels.zero(tensor)).toThrow(EngineError);
      bench.dispose();
    });

    it('to clear spikes', () => {
      const bench = new TrainingWorkbench(engine());
      expect(() => bench.kernels.zero(bench.spikeOutput([1, 8]))).toThrow(EngineError);
      bench.dispose();
    });

    it('to run what was disposed of', async () => {
      const bench = new TrainingWorkbench(engine());
      await bench.run();
      bench.dispose();
      await expect(bench.run()).rejects.toThrow(EngineError);
    });
  });
});
