import type { GateCall, GateGradientCall } from '../../calls/gate.js';
import { spikeWords } from '../../tensor.js';
import { realView, spikeAt, spikeView } from '../memory.js';

export function gate(call: GateCall): () => void {
  const { name, images, tokens } = call;
  const [input, gates, output] = [
    spikeView(name, call.input),
    spikeView(name, call.gate),
    spikeView(name, call.output),
  ];
  const words = spikeWords(call.channels);
  return () => {
    for (let position = 0; position < images * tokens; position++) {
      const image = Math.floor(position / tokens);
      for (let word = 0; word < words; word++) {
        output[position * words + word] = input[position * words + word]! & gates[image * words + word]!;
      }
    }
  };
}

/** Sums are float64 and rounded to float32 once. */
export function gateGradient(call: GateGradientCall): () => void {
  const { name, images, tokens, channels } = call;
  const [input, gates] = [spikeView(name, call.input), spikeView(name, call.gate)];
  const outputGradient = realView(name, call.outputGradient);
  const [inputGradient, gatesGradient] = [realView(name, call.inputGradient), realView(name, call.gateGradient)];
  return () => {
    for (let image = 0; image < images; image++) {
      for (let channel = 0; channel < channels; channel++) {
        const isOpen = spikeAt(gates, image, channel, channels) === 1;
        let sum = 0;
        for (let position = image * tokens; position < (image + 1) * tokens; position++) {
          const index = position * channels + channel;
          const arriving = outputGradient[index]!;
          if (spikeAt(input, position, channel, channels) === 1) sum += arriving;
          inputGradient[index] = isOpen ? arriving : 0;
        }
        gatesGradient[image * channels + channel] = sum;
      }
    }
  };
}
