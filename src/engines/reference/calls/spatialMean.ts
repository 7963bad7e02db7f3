/** Sums are float64 and rounded to float32 once. */
import type { SpatialMeanCall, SpatialMeanGradientCall } from '../../calls/spatialMean.js';
import { realView } from '../memory.js';

export function spatialMean(call: SpatialMeanCall): () => void {
  const { name, images, positions, channels } = call;
  const input = realView(name, call.input);
  const output = realView(name, call.output);
  return () => {
    for (let image = 0; image < images; image++) {
      for (let channel = 0; channel < channels; channel++) {
        let sum = 0;
        for (let p = 0; p < positions; p++) sum += input[(image * positions + p) * channels + channel]!;
        output[image * channels + channel] = sum / positions;
      }
    }
  };
}

export function spatialMeanGradient(call: SpatialMeanGradientCall): () => void {
  const { name, images, positions, channels } = call;
  const outputGradient = realView(name, call.outputGradient);
  const inputGradient = realView(name, call.inputGradient);
  return () => {
    for (let row = 0; row < images * positions; row++) {
      const image = Math.floor(row / positions);
      for (let channel = 0; channel < channels; channel++) {
        inputGradient[row * channels + channel] = outputGradient[image * channels + channel]! / positions;
      }
    }
  };
}
