import type { SpikeWeighingCall } from '../../calls/weighSpikes.js';
import type { ReferenceContext } from '../context.js';
import { spikeAt, spikeView } from '../memory.js';

export function weighSpikes(call: SpikeWeighingCall, { countersOf }: ReferenceContext): () => void {
  const { name, images, channels, classes, weights } = call;
  const words = spikeView(name, call.input);
  const counters = countersOf(name, call.counters);
  return () => {
    for (let image = 0; image < images; image++)
      for (const [position, index] of classes.entries())
        for (let channel = 0; channel < channels; channel++)
          counters[0]! +=
            spikeAt(words, image * classes.length + position, channel, channels) * weights[index * channels + channel]!;
  };
}
