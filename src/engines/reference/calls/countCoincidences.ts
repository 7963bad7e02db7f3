import type { CoincidenceCountCall } from '../../calls/countCoincidences.js';
import type { ReferenceContext } from '../context.js';
import { spikeAt, spikeView } from '../memory.js';

export function countCoincidences(call: CoincidenceCountCall, { countersOf }: ReferenceContext): () => void {
  const { name, timeSteps, tokens, channels, heads } = call;
  const [one, other] = [spikeView(name, call.one), spikeView(name, call.other)];
  const counters = countersOf(name, call.counters);
  const width = channels / heads;
  return () => {
    for (let token = 0; token < timeSteps * tokens; token++)
      for (let first = 0; first < channels; first += width)
        for (let a = first; a < first + width; a++)
          for (let b = first; b < first + width; b++)
            counters[Math.floor(token / tokens)]! +=
              spikeAt(one, token, a, channels) * spikeAt(other, token, b, channels);
  };
}
