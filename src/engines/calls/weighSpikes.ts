/** A sum of weights, one for each spike. */
import { classCountOf, expectClasses, expectCounters, expectSpikes, expectWhole } from '../checks.js';
import { EngineError } from '../errors.js';
import type { Counters, Tensor } from '../tensor.js';
import { defineCall } from './call.js';

/** `counters[0] += Σ weights[class of position][channel]` over all spikes of all images. */
export interface SpikeWeighingCall {
  readonly name: string;
  readonly images: number;
  readonly channels: number;
  readonly input: Tensor;
  /** A number from 0 up for each position of an image. */
  readonly classes: readonly number[];
  /** `[class][channel]`, whole numbers up to `largestSpikeWeight`. */
  readonly weights: Uint32Array;
  readonly counters: Counters;
}

/** So that 2,040 of them do not overflow 32 bits. */
export const largestSpikeWeight = 2 ** 20;

export const weighSpikes = defineCall<SpikeWeighingCall>('weighSpikes', {
  check: (call) => {
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
  },
  reads: ({ input }) => [input],
  writes: () => [],
});
