import type { SpikeDistancesCall } from '../../calls/spikeDistances.js';
import { realView, spikeAt, spikeView } from '../memory.js';

export function spikeDistances(call: SpikeDistancesCall): () => void {
  const { name, rows, channels } = call;
  const [gallery, query] = [spikeView(name, call.gallery), spikeView(name, call.query)];
  const output = realView(name, call.output);
  return () => {
    for (let row = 0; row < rows; row++) {
      let distance = 0;
      for (let channel = 0; channel < channels; channel++)
        if (spikeAt(gallery, row, channel, channels) !== spikeAt(query, 0, channel, channels)) distance++;
      output[row] = distance;
    }
  };
}
