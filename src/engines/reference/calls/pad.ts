import type { CropCall, PadCall, PadWithStatisticsCall } from '../../calls/pad.js';
import { realView } from '../memory.js';

export function pad(call: PadCall): () => void {
  const { name, images, inputHeight, inputWidth, channels, padding, values } = call;
  const height = inputHeight + 2 * padding;
  const width = inputWidth + 2 * padding;
  const input = realView(name, call.input);
  const output = realView(name, call.output);
  return () => {
    for (let pixel = 0; pixel < images * height * width; pixel++) {
      const column = (pixel % width) - padding;
      const row = (Math.floor(pixel / width) % height) - padding;
      const image = Math.floor(pixel / (width * height));
      const inside = row >= 0 && row < inputHeight && column >= 0 && column < inputWidth;
      const source = ((image * inputHeight + row) * inputWidth + column) * channels;
      for (let channel = 0; channel < channels; channel++) {
        output[pixel * channels + channel] = inside ? input[source + channel]! : values[channel]!;
      }
    }
  };
}

/** Padding with values that each run computes anew. */
export function padWithStatistics(call: PadWithStatisticsCall): () => void {
  const { name, channels, epsilon, tensors, ...rest } = call;
  const weight = realView(name, tensors.weight);
  const bias = realView(name, tensors.bias);
  const runningMean = realView(name, tensors.runningMean);
  const runningVariance = realView(name, tensors.runningVariance);
  const values = new Float32Array(channels);
  const surround = pad({ ...rest, name, channels, values });
  return () => {
    for (let channel = 0; channel < channels; channel++) {
      const scale = weight[channel]! / Math.sqrt(runningVariance[channel]! + epsilon);
      values[channel] = bias[channel]! - runningMean[channel]! * scale;
    }
    surround();
  };
}

export function crop(call: CropCall): () => void {
  const { name, images, outputHeight, outputWidth, channels, padding } = call;
  const height = outputHeight + 2 * padding;
  const width = outputWidth + 2 * padding;
  const input = realView(name, call.input);
  const output = realView(name, call.output);
  const rowLength = outputWidth * channels;
  return () => {
    for (let image = 0; image < images; image++) {
      for (let row = 0; row < outputHeight; row++) {
        const source = ((image * height + row + padding) * width + padding) * channels;
        const target = (image * outputHeight + row) * rowLength;
        for (let i = 0; i < rowLength; i++) output[target + i] = input[source + i]!;
      }
    }
  };
}
