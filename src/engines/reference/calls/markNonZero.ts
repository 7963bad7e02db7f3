import type { MarkNonZeroCall } from '../../calls/markNonZero.js';
import { spikeWords } from '../../tensor.js';
import { realView, spikeView } from '../memory.js';

export function markNonZero(call: MarkNonZeroCall): () => void {
  const { name, images, positions, channels } = call;
  const input = realView(name, call.input);
  const output = spikeView(name, call.output);
  const perPixel = spikeWords(channels);
  return () => {
    output.fill(0);
    for (let position = 0; position < images * positions; position++)
      for (let channel = 0; channel < channels; channel++)
        if (input[position * channels + channel] !== 0)
          output[position * perPixel + (channel >>> 5)]! |= 1 << (channel & 31);
  };
}
