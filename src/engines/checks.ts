/**
 * What calls are checked with before an engine records them, whatever the engine: sizes agree, tensors hold what the kernel reads, nothing is overwritten before it is
 * read. Not about whose memory a tensor lies in; that only its engine knows. Every check throws an EngineError that begins with the name of the call.
 */
import { channelsOf, elementCount, formatShape } from '../graph/shape.js';
import { EngineError } from './errors.js';
import { byteLengthOf, type Counters, type Storage, type Tensor } from './tensor.js';

export function expectStorage(user: string, tensor: Tensor, storage: Storage): void {
  if (tensor.storage === storage) return;
  const shape = formatShape(tensor.shape);
  throw new EngineError(
    storage === 'real'
      ? `${user}: found a tensor of spikes ${shape}, expected real numbers`
      : `${user}: found a real tensor ${shape}, expected spikes`,
  );
}

/** That `count` elements from `first` on lie inside a tensor of `length`. */
export function expectPart(user: string, tensor: Tensor, first: number, count: number, length: number): void {
  if (Number.isInteger(first) && first >= 0 && count <= length - first) return;
  throw new EngineError(
    `${user}: ${count} words from word ${first} on for the tensor ${formatShape(tensor.shape)}, which has ${length}`,
  );
}

export function expectSize(user: string, role: string, tensor: Tensor, count: number, channels: number): void {
  const found = elementCount(tensor.shape);
  if (found !== count) {
    throw new EngineError(
      `${user}: ${role} ${formatShape(tensor.shape)} has ${found} elements, the geometry of the call expects ${count}`,
    );
  }
  if (tensor.storage === 'spikes' && channelsOf(tensor.shape) !== channels) {
    throw new EngineError(
      `${user}: ${role} ${formatShape(tensor.shape)} packs ${channelsOf(tensor.shape)} channels, expected ${channels}`,
    );
  }
}

export function expectFraction(user: string, role: string, tensor: Tensor, outputLength: number): void {
  const length = elementCount(tensor.shape);
  if (length === 0 || outputLength % length !== 0) {
    throw new EngineError(
      `${user}: ${role} ${formatShape(tensor.shape)} cannot be repeated to the output's ${outputLength} elements`,
    );
  }
}

export function expectLength(user: string, role: string, values: Float32Array, length: number): void {
  if (values.length !== length) {
    throw new EngineError(`${user}: ${role} has ${values.length} numbers, expected ${length}`);
  }
}

export function expectWhole(user: string, numbers: Readonly<Record<string, number>>, least = 1): void {
  for (const [name, value] of Object.entries(numbers)) {
    if (!Number.isSafeInteger(value) || value < least) {
      throw new EngineError(`${user}: ${name} is ${value}, expected a whole number of at least ${least}`);
    }
  }
}

function endOf(tensor: Tensor): number {
  return tensor.byteOffset + byteLengthOf(tensor.shape, tensor.storage);
}

export function expectApart(user: string, output: Tensor, inputs: readonly Tensor[]): void {
  for (const input of inputs) {
    if (output.block === input.block && output.byteOffset < endOf(input) && input.byteOffset < endOf(output)) {
      throw new EngineError(
        `${user}: output ${formatShape(output.shape)} overlaps an input, give it memory of its own`,
      );
    }
  }
}

/** For calls that read each element just before they write it: the very same memory is allowed. */
export function expectApartOrSame(user: string, output: Tensor, inputs: readonly Tensor[]): void {
  const others = inputs.filter(
    (input) => input.block !== output.block || input.byteOffset !== output.byteOffset || endOf(input) !== endOf(output),
  );
  expectApart(user, output, others);
}

export function expectReal(name: string, ...tensors: readonly Tensor[]): void {
  for (const tensor of tensors) expectStorage(name, tensor, 'real');
}

export function expectRealSize(name: string, role: string, tensor: Tensor, count: number): void {
  expectReal(name, tensor);
  expectSize(name, role, tensor, count, 1);
}

export function expectPerChannel(name: string, channels: number, tensors: Readonly<Record<string, Tensor>>): void {
  for (const [role, tensor] of Object.entries(tensors)) expectRealSize(name, role, tensor, channels);
}

export function expectEpsilon(name: string, epsilon: number): void {
  if (!(epsilon > 0) || !Number.isFinite(epsilon)) {
    throw new EngineError(`${name}: epsilon is ${epsilon}, expected a finite number above 0`);
  }
}

export function expectSpikes(name: string, role: string, tensor: Tensor, positions: number, channels: number): void {
  expectStorage(name, tensor, 'spikes');
  expectSize(name, role, tensor, positions * channels, channels);
}

/** One more than the largest class. */
export function classCountOf(classes: readonly number[]): number {
  return classes.reduce((most, index) => Math.max(most, index + 1), 0);
}

export function expectClasses(name: string, role: string, classes: readonly number[]): void {
  if (classes.length === 0 || classes.some((index) => !Number.isSafeInteger(index) || index < 0))
    throw new EngineError(`${name}: ${role} has to be a whole number from 0 up for each row, column or position`);
}

export function expectCounters(name: string, counters: Counters, length: number): void {
  if (counters.length !== length)
    throw new EngineError(`${name}: ${counters.length} counters were given, expected ${length}`);
}
