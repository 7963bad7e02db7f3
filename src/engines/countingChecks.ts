/** What must hold of a call that counts before an engine records it; as `checks.ts` has it for the calls that compute. */
import { checkConvolution, expectApart, expectReal, expectSize, expectStorage, expectWhole } from './checks.js';
import { EngineError } from './errors.js';
import {
  type CoincidenceCountCall,
  type Counters,
  largestSpikeWeight,
  type MarkNonZeroCall,
  type ReachCall,
  type SpikeCountCall,
  type SpikeWeighingCall,
  spikeWords,
  type Tensor,
} from './kernels.js';

/** One more than the largest class. */
export function classCountOf(classes: readonly number[]): number {
  return classes.reduce((most, index) => Math.max(most, index + 1), 0);
}

function expectSpikes(name: string, role: string, tensor: Tensor, positions: number, channels: number): void {
  expectStorage(name, tensor, 'spikes');
  expectSize(name, role, tensor, positions * channels, channels);
}

function expectCounters(name: string, counters: Counters, length: number): void {
  if (counters.length !== length)
    throw new EngineError(`${name}: ${counters.length} counters were given, expected ${length}`);
}

function expectClasses(name: string, role: string, classes: readonly number[]): void {
  if (classes.length === 0 || classes.some((index) => !Number.isSafeInteger(index) || index < 0))
    throw new EngineError(`${name}: ${role} has to be a whole number from 0 up for each row, column or position`);
}

export function checkSpikeCount(call: SpikeCountCall): void {
  const { name, timeSteps, images, channels, rowClasses, columnClasses } = call;
  expectWhole(name, { timeSteps, images, channels });
  expectClasses(name, 'rowClasses', rowClasses);
  expectClasses(name, 'columnClasses', columnClasses);
  expectSpikes(name, 'input', call.input, timeSteps * images * rowClasses.length * columnClasses.length, channels);
  expectCounters(name, call.counters, timeSteps * classCountOf(rowClasses) * classCountOf(columnClasses));
}

export function checkSpikeWeighing(call: SpikeWeighingCall): void {
  const { name, images, channels, classes, weights } = call;
  expectWhole(name, { images, channels });
  expectClasses(name, 'classes', classes);
  expectSpikes(name, 'input', call.input, images * classes.length, channels);
  expectCounters(name, call.counters, 1);
  const expected = classCountOf(classes) * channels;
  if (weights.length !== expected)
    throw new EngineError(`${name}: ${weights.length} weights were given, expected ${expected}`);
  const large = weights.find((weight) => weight > largestSpikeWeight);
  if (large !== undefined)
    throw new EngineError(`${name}: a weight is ${large}, expected at most ${largestSpikeWeight}`);
}

export function checkCoincidenceCount(call: CoincidenceCountCall): void {
  const { name, timeSteps, tokens, channels, heads } = call;
  expectWhole(name, { timeSteps, tokens, channels, heads });
  if (channels % heads !== 0) throw new EngineError(`${name}: ${channels} channels cannot be shared by ${heads} heads`);
  expectSpikes(name, 'one', call.one, timeSteps * tokens, channels);
  expectSpikes(name, 'other', call.other, timeSteps * tokens, channels);
  expectCounters(name, call.counters, timeSteps);
}

export function checkReach(call: ReachCall): void {
  const { name, geometry: g, input, output, masks } = call;
  const { images, inputHeight, inputWidth, outputHeight, outputWidth, inputChannels: channels } = g;
  const real = { shape: [images, outputHeight, outputWidth, channels], storage: 'real' } as const;
  const weight = new Float32Array(channels * g.kernelHeight * g.kernelWidth);
  // The convolution whose window it is.
  checkConvolution({ name, geometry: g, input, output: { ...real, block: { byteLength: 0 }, byteOffset: 0 }, weight });
  if (g.groups !== channels || g.outputChannels !== channels)
    throw new EngineError(`${name}: ${g.groups} groups of ${channels} channels, expected a depthwise convolution`);
  expectSpikes(name, 'input', input, images * inputHeight * inputWidth, channels);
  expectSpikes(name, 'output', output, images * outputHeight * outputWidth, channels);
  const expected = g.kernelHeight * g.kernelWidth * spikeWords(channels);
  if (masks.length !== expected)
    throw new EngineError(`${name}: ${masks.length} words of masks were given, expected ${expected}`);
  expectApart(name, output, [input]);
}

export function checkMarkNonZero(call: MarkNonZeroCall): void {
  const { name, images, positions, channels, input, output } = call;
  expectWhole(name, { images, positions, channels });
  expectReal(name, input);
  expectSize(name, 'input', input, images * positions * channels, channels);
  expectSpikes(name, 'output', output, images * positions, channels);
  expectApart(name, output, [input]);
}
