/**
 * What the tests of engines share: a workbench that lays out tensors, records calls and reads results; comparisons; and
 * brute-force definitions written from PyTorch's documentation in its own layout (images, channels, height, width), so
 * that they share neither memory layout nor loops with any engine.
 */
import { expect } from 'vitest';
import {
  byteLengthOf,
  type ConvolutionGeometry,
  type Counters,
  type Engine,
  type Kernels,
  type Program,
  spikeWords,
  type Tensor,
  tensorAlignment,
} from '../../src/engines/kernels.js';
import { createReferenceEngine } from '../../src/engines/reference/index.js';
import type { TrainingEngine, TrainingKernels, TrainingProgram } from '../../src/engines/trainingKernels.js';
import { createWasmEngine } from '../../src/engines/wasm/index.js';
import { channelsOf, elementCount, type Shape } from '../../src/graph/shape.js';

export interface EngineUnderTest {
  readonly name: string;
  readonly create: () => Promise<Engine>;
}

/** Pads with whole tensors of this value around every tensor; a kernel that writes outside its output changes it. */
const guardValue = -12345.5;
const guardLength = tensorAlignment / 4;

/** What a workbench needs of a recorder: memory, and the neuron that makes spikes. */
type BenchRecorder = Pick<Kernels, 'allocate' | 'leakyIntegrateAndFire'>;
/** What a workbench needs of what was recorded. */
type BenchProgram = Pick<Program, 'write' | 'read' | 'readSpikes' | 'dispose'>;

/**
 * Lays out tensors and looks into them. Every tensor lies between guards, and outputs start full of NaN (spikes: full of
 * ones), so a kernel that writes too much or too little is caught.
 */
abstract class Bench<Recorder extends BenchRecorder, Recorded extends BenchProgram> {
  private readonly writes: [Tensor, Float32Array][] = [];
  private readonly guards: Tensor[] = [];
  protected program: Recorded | undefined;

  constructor(readonly kernels: Recorder) {}

  /** A real tensor that holds `values`; without them, an output full of NaN. */
  real(shape: Shape, values?: ArrayLike<number>): Tensor {
    const tensor = this.allocate(shape, 'real');
    this.writes.push([tensor, values ? Float32Array.from(values) : new Float32Array(elementCount(shape)).fill(NaN)]);
    return tensor;
  }

  /** A spike tensor for output, every bit set before the program runs. */
  spikeOutput(shape: Shape): Tensor {
    const tensor = this.allocate(shape, 'spikes');
    const words = byteLengthOf(shape, 'spikes') / 4;
    const ones = new Float32Array(new Uint32Array(words).fill(0xffffffff).buffer);
    this.writes.push([{ ...tensor, shape: [words], storage: 'real' }, ones]);
    return tensor;
  }

  /** A spike tensor that holds `bits` (0 or 1 per neuron) once the calls recorded after this one run. */
  spikes(shape: Shape, bits: ArrayLike<number>): Tensor {
    const input = this.real(shape, bits);
    const output = this.spikeOutput(shape);
    const channels = channelsOf(shape);
    // Only the neuron makes spikes: with τ = 2 an input of 1 reaches exactly the threshold.
    this.kernels.leakyIntegrateAndFire({
      name: 'makeSpikes',
      timeSteps: 1,
      positions: elementCount(shape) / channels,
      channels,
      input,
      inputTimeSteps: 1,
      output,
      tau: 2,
      threshold: 0.5,
    });
    return output;
  }

  async read(tensor: Tensor): Promise<Float32Array> {
    return this.finished().read(tensor);
  }

  /** One number per neuron, 0 or 1, unpacked; fails when an unused bit is set. */
  async readBits(tensor: Tensor): Promise<number[]> {
    return unpackBits(await this.finished().readSpikes(tensor), tensor.shape);
  }

  dispose(): void {
    this.program?.dispose();
  }

  /** Gives every tensor its first contents. */
  protected async fill(program: Recorded): Promise<void> {
    for (const [tensor, values] of this.writes) await program.write(tensor, values);
  }

  protected async checkGuards(): Promise<void> {
    for (const guard of this.guards) {
      const found = await this.read(guard);
      if (found.some((value) => value !== guardValue)) expect.fail('memory beside a tensor was written to');
    }
  }

  protected finished(): Recorded {
    if (!this.program) throw new Error('the workbench has not run yet');
    return this.program;
  }

  private allocate(shape: Shape, storage: Tensor['storage']): Tensor {
    const length = Math.ceil(byteLengthOf(shape, storage) / tensorAlignment) * tensorAlignment;
    const block = this.kernels.allocate(length + 2 * tensorAlignment);
    for (const byteOffset of [0, tensorAlignment + length]) {
      const guard: Tensor = { shape: [guardLength], storage: 'real', block, byteOffset };
      this.guards.push(guard);
      this.writes.push([guard, new Float32Array(guardLength).fill(guardValue)]);
    }
    return { shape, storage, block, byteOffset: tensorAlignment };
  }
}

/** Records one program and runs it. */
export class Workbench extends Bench<Kernels, Program> {
  constructor(engine: Engine) {
    super(engine.record());
  }

  async run(): Promise<void> {
    this.program = this.kernels.finish();
    await this.fill(this.program);
    await this.program.run();
    await this.checkGuards();
  }

  /** What the last run counted. */
  counts(counters: Counters): Promise<readonly number[]> {
    return this.finished().readCounters(counters);
  }

  /** Runs the same program once more on what its memory holds now. */
  async runAgain(): Promise<void> {
    await this.finished().run();
  }
}

/** Records one training program and runs its segments. Calls belong to the segment `first` until another is begun. */
export class TrainingWorkbench extends Bench<TrainingKernels, TrainingProgram> {
  constructor(engine: TrainingEngine) {
    super(engine.recordTraining());
    this.kernels.segment('first');
  }

  /** Runs a segment; the first run ends the recording and gives every tensor its contents. */
  async run(segment = 'first'): Promise<void> {
    if (!this.program) {
      this.program = this.kernels.finish();
      await this.fill(this.program);
    }
    await this.program.run(segment);
    await this.checkGuards();
  }

  async write(tensor: Tensor, values: Float32Array): Promise<void> {
    await this.finished().write(tensor, values);
  }

  view(tensor: Tensor): Float32Array {
    return this.finished().view(tensor);
  }
}

/** Bits of packed words, as engines/kernels.ts defines the packing. */
export function unpackBits(words: Uint32Array, shape: Shape): number[] {
  const channels = channelsOf(shape);
  const perPosition = spikeWords(channels);
  const positions = elementCount(shape) / channels;
  expect(words.length).toBe(positions * perPosition);
  const bits: number[] = [];
  for (let position = 0; position < positions; position++) {
    for (let bit = 0; bit < perPosition * 32; bit++) {
      const value = (words[position * perPosition + Math.floor(bit / 32)]! >>> (bit % 32)) & 1;
      if (bit < channels) bits.push(value);
      else if (value !== 0) expect.fail(`unused bit ${bit} of position ${position} is set`);
    }
  }
  return bits;
}

/** Fails unless all differences are within `tolerance` of the largest expected magnitude (at least 1e-3). */
export function expectClose(found: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-5): void {
  expect(found.length).toBe(expected.length);
  let largest = 1e-3;
  for (let i = 0; i < expected.length; i++) largest = Math.max(largest, Math.abs(expected[i]!));
  for (let i = 0; i < expected.length; i++) {
    // Written so that NaN fails.
    if (!(Math.abs(found[i]! - expected[i]!) <= tolerance * largest)) {
      expect.fail(`element ${i} is ${found[i]}, expected ${expected[i]} within ${tolerance * largest}`);
    }
  }
}

/** Fails at the first element that differs; says which, since a diff of thousands of numbers takes minutes to print. */
export function expectSame(found: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(found.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    if (found[i] !== expected[i]) expect.fail(`element ${i} is ${found[i]}, expected ${expected[i]}`);
  }
}

/** Deterministic numbers (the generator xorshift32), so that a failing case can be run again. */
export class SeededNumbers {
  private state: number;

  constructor(seed: number) {
    this.state = Math.imul(seed + 1, 0x9e3779b1) | 1;
    for (let i = 0; i < 8; i++) this.uniform();
  }

  /** In [0, 1). */
  uniform(): number {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    return (this.state >>> 0) / 2 ** 32;
  }

  /** A whole number from `least` to `most`, both included. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.uniform() * (most - least + 1));
  }

  pick<Value>(values: readonly Value[]): Value {
    return values[this.whole(0, values.length - 1)]!;
  }

  /** Real numbers between −limit and limit. */
  reals(length: number, limit = 1): Float32Array {
    return Float32Array.from({ length }, () => (2 * this.uniform() - 1) * limit);
  }

  /** Zeros and ones, ones with probability `rate`. */
  bits(length: number, rate = 0.3): Float32Array {
    return Float32Array.from({ length }, () => (this.uniform() < rate ? 1 : 0));
  }
}

/** `[images, channels, positions] → [images, positions, channels]`. */
export function toChannelsLast(values: ArrayLike<number>, channels: number, positions: number): Float64Array {
  return transposeImages(values, channels, positions);
}

/** `[images, positions, channels] → [images, channels, positions]`. */
export function toChannelsFirst(values: ArrayLike<number>, channels: number, positions: number): Float64Array {
  return transposeImages(values, positions, channels);
}

function transposeImages(values: ArrayLike<number>, rows: number, columns: number): Float64Array {
  const result = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const image = Math.floor(i / (rows * columns));
    const row = Math.floor(i / columns) % rows;
    const column = i % columns;
    result[(image * columns + column) * rows + row] = values[i]!;
  }
  return result;
}

/** A geometry from what a test wants to say; the output's size follows. */
export function geometryOf(parts: {
  readonly images?: number;
  readonly channels: readonly [number, number];
  readonly size: readonly [number, number];
  readonly kernel: readonly [number, number];
  readonly stride?: readonly [number, number];
  readonly padding?: readonly [number, number];
  readonly groups?: number;
}): ConvolutionGeometry {
  const [strideHeight, strideWidth] = parts.stride ?? [1, 1];
  const [paddingHeight, paddingWidth] = parts.padding ?? [0, 0];
  return {
    images: parts.images ?? 1,
    inputHeight: parts.size[0],
    inputWidth: parts.size[1],
    inputChannels: parts.channels[0],
    outputHeight: Math.floor((parts.size[0] + 2 * paddingHeight - parts.kernel[0]) / strideHeight) + 1,
    outputWidth: Math.floor((parts.size[1] + 2 * paddingWidth - parts.kernel[1]) / strideWidth) + 1,
    outputChannels: parts.channels[1],
    kernelHeight: parts.kernel[0],
    kernelWidth: parts.kernel[1],
    strideHeight,
    strideWidth,
    paddingHeight,
    paddingWidth,
    groups: parts.groups ?? 1,
  };
}

/**
 * conv2d by its definition, images in PyTorch's layout, float64: every input element is pushed to the outputs it
 * reaches (the engines pull), so the loops have nothing in common with theirs.
 */
export function bruteForceConvolution(
  g: ConvolutionGeometry,
  input: ArrayLike<number>,
  weight: ArrayLike<number>,
  bias?: ArrayLike<number>,
): Float64Array {
  const output = new Float64Array(g.images * g.outputChannels * g.outputHeight * g.outputWidth);
  const outputSize = g.outputHeight * g.outputWidth;
  if (bias) for (let i = 0; i < output.length; i++) output[i] = bias[Math.floor(i / outputSize) % g.outputChannels]!;
  const groupInputs = g.inputChannels / g.groups;
  const groupOutputs = g.outputChannels / g.groups;
  const taps = g.kernelHeight * g.kernelWidth;
  // Of one type, whatever was given, so that the innermost loop is compiled once.
  const weights = Float64Array.from(weight);
  for (let i = 0; i < input.length; i++) {
    const value = input[i]!;
    // Adds nothing; of spikes most are.
    if (value === 0) continue;
    const column = i % g.inputWidth;
    const row = Math.floor(i / g.inputWidth) % g.inputHeight;
    const channel = Math.floor(i / (g.inputWidth * g.inputHeight)) % g.inputChannels;
    const image = Math.floor(i / (g.inputWidth * g.inputHeight * g.inputChannels));
    const firstOutput = Math.floor(channel / groupInputs) * groupOutputs;
    for (let ky = 0; ky < g.kernelHeight; ky++) {
      const y = (row + g.paddingHeight - ky) / g.strideHeight;
      if (!Number.isInteger(y) || y < 0 || y >= g.outputHeight) continue;
      for (let kx = 0; kx < g.kernelWidth; kx++) {
        const x = (column + g.paddingWidth - kx) / g.strideWidth;
        if (!Number.isInteger(x) || x < 0 || x >= g.outputWidth) continue;
        let tap = (firstOutput * groupInputs + (channel % groupInputs)) * taps + ky * g.kernelWidth + kx;
        let index = (image * g.outputChannels + firstOutput) * outputSize + y * g.outputWidth + x;
        for (let o = 0; o < groupOutputs; o++) {
          output[index] = output[index]! + value * weights[tap]!;
          tap += groupInputs * taps;
          index += outputSize;
        }
      }
    }
  }
  return output;
}

/**
 * `(Q Kᵀ) V` per image and head, all `[images, tokens, channels]`: the other association than the engines', token by
 * token, which gives the same integers.
 */
export function bruteForceAttention(
  sizes: { readonly images: number; readonly tokens: number; readonly channels: number; readonly heads: number },
  query: ArrayLike<number>,
  key: ArrayLike<number>,
  value: ArrayLike<number>,
): Float64Array {
  const { images, tokens, channels, heads } = sizes;
  const headChannels = channels / heads;
  const output = new Float64Array(images * tokens * channels);
  for (let image = 0; image < images; image++) {
    for (let head = 0; head < heads; head++) {
      const start = (token: number) => (image * tokens + token) * channels + head * headChannels;
      for (let asking = 0; asking < tokens; asking++) {
        for (let asked = 0; asked < tokens; asked++) {
          let similarity = 0;
          for (let c = 0; c < headChannels; c++) similarity += query[start(asking) + c]! * key[start(asked) + c]!;
          for (let c = 0; c < headChannels; c++) {
            const index = start(asking) + c;
            output[index] = output[index]! + similarity * value[start(asked) + c]!;
          }
        }
      }
    }
  }
  return output;
}

export const referenceEngine: EngineUnderTest = { name: 'reference', create: createReferenceEngine };
/** That the number of threads changes no bit is for `contract.test.ts`. */
const wasmEngine: EngineUnderTest = { name: 'wasm (threads: 2)', create: () => createWasmEngine({ threads: 2 }) };
export const engines: readonly EngineUnderTest[] = [referenceEngine, wasmEngine];

export function canTrain(engine: Engine): engine is Engine & TrainingEngine {
  return 'recordTraining' in engine;
}
