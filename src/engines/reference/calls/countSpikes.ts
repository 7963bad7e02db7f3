import type { SpikeCountCall } from '../../calls/countSpikes.js';
import { classCountOf } from '../../checks.js';
import type { ReferenceContext } from '../context.js';
import { spikeAt, spikeView } from '../memory.js';

export function countSpikes(call: SpikeCountCall, { countersOf }: ReferenceContext): () => void {
  const { name, timeSteps, images, channels, rowClasses, columnClasses } = call;
  const words = spikeView(name, call.input);
  const counters = countersOf(name, call.counters);
  const columns = classCountOf(columnClasses);
  const classes = classCountOf(rowClasses) * columns;
  return () => {
    let position = 0;
    for (let step = 0; step < timeSteps; step++)
      for (let image = 0; image < images; image++)
        for (const row of rowClasses)
          for (const column of columnClasses) {
            for (let channel = 0; channel < channels; channel++)
              counters[step * classes + row * columns + column]! += spikeAt(words, position, channel, channels);
            position++;
          }
  };
}
