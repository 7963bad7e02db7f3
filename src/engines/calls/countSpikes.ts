/** Spikes by time step and by class of their position. */
import { classCountOf, expectClasses, expectCounters, expectSpikes, expectWhole } from '../checks.js';
import type { Counters, Tensor } from '../tensor.js';
import { defineCall } from './call.js';

/** `counters[t][rowClass][columnClass] += spikes`, over all images and channels. */
export interface SpikeCountCall {
  readonly name: string;
  /** Outermost axis of the input. */
  readonly timeSteps: number;
  /** Per time step. */
  readonly images: number;
  readonly channels: number;
  readonly input: Tensor;
  /** A number from 0 up for each row of pixels, and for each column. */
  readonly rowClasses: readonly number[];
  readonly columnClasses: readonly number[];
  readonly counters: Counters;
}

export const countSpikes = defineCall<SpikeCountCall>('countSpikes', {
  check: (call) => {
    const { name, timeSteps, images, channels, rowClasses, columnClasses } = call;
    expectWhole(name, { timeSteps, images, channels });
    expectClasses(name, 'rowClasses', rowClasses);
    expectClasses(name, 'columnClasses', columnClasses);
    expectSpikes(name, 'input', call.input, timeSteps * images * rowClasses.length * columnClasses.length, channels);
    expectCounters(name, call.counters, timeSteps * classCountOf(rowClasses) * classCountOf(columnClasses));
  },
  reads: ({ input }) => [input],
  writes: () => [],
});
