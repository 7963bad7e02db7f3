/** Lengths and products are float64; results are rounded to float32 once. */
import { shortestRow, type UnitRowsCall, type UnitRowsGradientCall } from '../../calls/unitRows.js';
import { realView } from '../memory.js';

export function unitRows(call: UnitRowsCall): () => void {
  const input = realView(call.name, call.input);
  const output = realView(call.name, call.output);
  return () => {
    for (let row = 0; row < call.rows; row++) {
      const divisor = Math.max(lengthOf(input, row, call.channels), shortestRow);
      for (let at = row * call.channels; at < (row + 1) * call.channels; at++) output[at] = input[at]! / divisor;
    }
  };
}

export function unitRowsGradient(call: UnitRowsGradientCall): () => void {
  const input = realView(call.name, call.input);
  const outputGradient = realView(call.name, call.outputGradient);
  const inputGradient = realView(call.name, call.inputGradient);
  return () => {
    for (let row = 0; row < call.rows; row++) {
      const length = lengthOf(input, row, call.channels);
      const divisor = Math.max(length, shortestRow);
      const [start, end] = [row * call.channels, (row + 1) * call.channels];
      let along = 0;
      if (length >= shortestRow)
        for (let at = start; at < end; at++) along += (input[at]! / divisor) * outputGradient[at]!;
      for (let at = start; at < end; at++) {
        const gradient = (outputGradient[at]! - (input[at]! / divisor) * along) / divisor;
        inputGradient[at] = call.accumulate ? inputGradient[at]! + gradient : gradient;
      }
    }
  };
}

function lengthOf(values: Float32Array, row: number, channels: number): number {
  let sum = 0;
  for (let at = row * channels; at < (row + 1) * channels; at++) sum += values[at]! * values[at]!;
  return Math.sqrt(sum);
}
