import type { SumOfSquaresCall } from '../../calls/sumOfSquares.js';
import { doubleView, realView, wordView } from '../memory.js';

export function sumOfSquares(call: SumOfSquaresCall): () => void {
  const { name, parts, elements } = call;
  const values = realView(name, call.values);
  const ranges = wordView(name, call.ranges);
  const sums = doubleView(name, call.sums);
  return () => {
    for (let part = 0; part < parts; part++) {
      const start = 16 * ranges[2 * part]!;
      const end = Math.min(elements, start + ranges[2 * part + 1]!);
      let sum = 0;
      for (let i = start; i < end; i++) sum += values[i]! * values[i]!;
      sums[part] = sum;
    }
  };
}
