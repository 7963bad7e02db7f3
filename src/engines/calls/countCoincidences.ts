/** How often spikes meet in the product of attention. */
import { expectCounters, expectSpikes, expectWhole } from '../checks.js';
import { EngineError } from '../errors.js';
import type { Counters, Tensor } from '../tensor.js';
import { defineCall } from './call.js';

/** `counters[t] += Σ spikes of one · spikes of other`, counted per token and head: how often their channels meet in KᵀV. */
export interface CoincidenceCountCall {
  readonly name: string;
  readonly timeSteps: number;
  /** Per time step, of all images. */
  readonly tokens: number;
  readonly channels: number;
  readonly heads: number;
  readonly one: Tensor;
  readonly other: Tensor;
  readonly counters: Counters;
}

export const countCoincidences = defineCall<CoincidenceCountCall>('countCoincidences', {
  check: (call) => {
    const { name, timeSteps, tokens, channels, heads } = call;
    expectWhole(name, { timeSteps, tokens, channels, heads });
    if (channels % heads !== 0)
      throw new EngineError(`${name}: ${channels} channels cannot be shared by ${heads} heads`);
    expectSpikes(name, 'one', call.one, timeSteps * tokens, channels);
    expectSpikes(name, 'other', call.other, timeSteps * tokens, channels);
    expectCounters(name, call.counters, timeSteps);
  },
  reads: ({ one, other }) => [one, other],
  writes: () => [],
});
