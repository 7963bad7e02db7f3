import type { RepeatCall } from '../../calls/repeat.js';
import { wordView } from '../memory.js';

/** Copies words, so it repeats spikes as well as real numbers. */
export function repeat(call: RepeatCall): () => void {
  const { name, times } = call;
  const input = wordView(name, call.input);
  const output = wordView(name, call.output);
  return () => {
    for (let time = 0; time < times; time++) output.set(input, time * input.length);
  };
}
