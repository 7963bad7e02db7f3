import type { SwapAxesCall } from '../../calls/swapAxes.js';
import { realView } from '../memory.js';

export function swapAxes(call: SwapAxesCall): () => void {
  const { name, first, second, inner } = call;
  const input = realView(name, call.input);
  const output = realView(name, call.output);
  return () => {
    for (let i = 0; i < input.length; i++) {
      const s = Math.floor(i / inner) % second;
      const f = Math.floor(i / (inner * second)) % first;
      const o = Math.floor(i / (inner * second * first));
      output[((o * second + s) * first + f) * inner + (i % inner)] = input[i]!;
    }
  };
}
