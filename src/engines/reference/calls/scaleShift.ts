import type { ScaleShiftCall } from '../../calls/scaleShift.js';
import { realView } from '../memory.js';

export function scaleShift(call: ScaleShiftCall): () => void {
  const { name, rows, channels, scale, shift } = call;
  const input = realView(name, call.input);
  const output = realView(name, call.output);
  return () => {
    for (let row = 0; row < rows; row++) {
      for (let channel = 0; channel < channels; channel++) {
        const index = row * channels + channel;
        output[index] = input[index]! * scale[channel]! + shift[channel]!;
      }
    }
  };
}
