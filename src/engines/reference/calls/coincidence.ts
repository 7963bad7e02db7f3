import type { CoincidenceCall, CoincidenceGradientCall } from '../../calls/coincidence.js';
import { realView, spikeAt, spikeView } from '../memory.js';

export function coincidence(call: CoincidenceCall): () => void {
  const { name, images, tokens, channels } = call;
  const [key, value] = [spikeView(name, call.key), spikeView(name, call.value)];
  const output = realView(name, call.output);
  return () => {
    output.fill(0);
    for (let position = 0; position < images * tokens; position++) {
      const image = Math.floor(position / tokens);
      for (let channel = 0; channel < channels; channel++) {
        output[image * channels + channel]! +=
          spikeAt(key, position, channel, channels) * spikeAt(value, position, channel, channels);
      }
    }
  };
}

export function coincidenceGradient(call: CoincidenceGradientCall): () => void {
  const { name, images, tokens, channels } = call;
  const [key, value] = [spikeView(name, call.key), spikeView(name, call.value)];
  const outputGradient = realView(name, call.outputGradient);
  const [keyGradient, valueGradient] = [realView(name, call.keyGradient), realView(name, call.valueGradient)];
  return () => {
    for (let position = 0; position < images * tokens; position++) {
      const image = Math.floor(position / tokens);
      for (let channel = 0; channel < channels; channel++) {
        const arriving = outputGradient[image * channels + channel]!;
        const index = position * channels + channel;
        keyGradient[index] = spikeAt(value, position, channel, channels) === 1 ? arriving : 0;
        valueGradient[index] = spikeAt(key, position, channel, channels) === 1 ? arriving : 0;
      }
    }
  };
}
