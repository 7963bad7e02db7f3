/**
 * The small kernels: scale and shift, padding and cropping, addition, means and their gradients, repetition. Formulas are
 * those beside the calls in `engines/kernels.ts` and `engines/trainingKernels.ts`. Not fused with anything; sums are float64 and rounded to float32 once.
 */
import { elementCount } from '../../graph/shape.js';
import { EngineError } from '../errors.js';
import type {
  AddCall,
  PadCall,
  RepeatCall,
  ScaleShiftCall,
  SpatialMeanCall,
  Tensor,
  TimeMeanCall,
} from '../kernels.js';
import type { AddConstantCall, CropCall, SpatialMeanGradientCall, TimeMeanGradientCall } from '../trainingKernels.js';
import {
  expectApart,
  expectApartOrSame,
  expectFraction,
  expectLength,
  expectSize,
  expectWhole,
  realView,
  wordView,
} from './memory.js';

export function scaleShift(call: ScaleShiftCall): () => void {
  const { name, rows, channels, scale, shift } = call;
  expectWhole(name, { rows, channels });
  expectSize(name, 'input', call.input, rows * channels, channels);
  expectSize(name, 'output', call.output, rows * channels, channels);
  expectLength(name, 'scale', scale, channels);
  expectLength(name, 'shift', shift, channels);
  expectApartOrSame(name, call.output, [call.input]);
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

export function pad(call: PadCall): () => void {
  const { name, images, inputHeight, inputWidth, channels, padding, values } = call;
  const height = inputHeight + 2 * padding;
  const width = inputWidth + 2 * padding;
  expectWhole(name, { images, inputHeight, inputWidth, channels });
  expectWhole(name, { padding }, 0);
  expectSize(name, 'input', call.input, images * inputHeight * inputWidth * channels, channels);
  expectSize(name, 'output', call.output, images * height * width * channels, channels);
  expectLength(name, 'values', values, channels);
  expectApart(name, call.output, [call.input]);
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

export function crop(call: CropCall): () => void {
  const { name, images, outputHeight, outputWidth, channels, padding } = call;
  const height = outputHeight + 2 * padding;
  const width = outputWidth + 2 * padding;
  expectWhole(name, { images, outputHeight, outputWidth, channels });
  expectWhole(name, { padding }, 0);
  expectSize(name, 'input', call.input, images * height * width * channels, channels);
  expectSize(name, 'output', call.output, images * outputHeight * outputWidth * channels, channels);
  expectApart(name, call.output, [call.input]);
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

/** Throws EngineError. */
export function addConstant({ name, tensor, value }: AddConstantCall): () => void {
  expectSize(name, 'value', value, 1, 1);
  expectApart(name, tensor, [value]);
  const values = realView(name, tensor);
  const constant = realView(name, value);
  return () => {
    for (let i = 0; i < values.length; i++) values[i]! += constant[0]!;
  };
}

/** Fills a real tensor with zeros. Throws EngineError. */
export function zero(tensor: Tensor): () => void {
  const values = realView('zero', tensor);
  return () => {
    values.fill(0);
  };
}

export function add(call: AddCall): () => void {
  const { name } = call;
  const output = realView(name, call.output);
  const a = realView(name, call.a);
  const b = realView(name, call.b);
  expectFraction(name, 'a', call.a, output.length);
  expectFraction(name, 'b', call.b, output.length);
  expectApartOrSame(name, call.output, [call.a, call.b]);
  return () => {
    for (let i = 0; i < output.length; i++) output[i] = a[i % a.length]! + b[i % b.length]!;
  };
}

export function spatialMean(call: SpatialMeanCall): () => void {
  const { name, images, positions, channels } = call;
  expectWhole(name, { images, positions, channels });
  expectSize(name, 'input', call.input, images * positions * channels, channels);
  expectSize(name, 'output', call.output, images * channels, channels);
  expectApart(name, call.output, [call.input]);
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
  expectWhole(name, { images, positions, channels });
  expectSize(name, 'outputGradient', call.outputGradient, images * channels, channels);
  expectSize(name, 'inputGradient', call.inputGradient, images * positions * channels, channels);
  expectApart(name, call.inputGradient, [call.outputGradient]);
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

export function timeMean(call: TimeMeanCall): () => void {
  const { name, timeSteps, elements } = call;
  expectWhole(name, { timeSteps, elements });
  expectSize(name, 'input', call.input, timeSteps * elements, elements);
  expectSize(name, 'output', call.output, elements, elements);
  expectApart(name, call.output, [call.input]);
  const input = realView(name, call.input);
  const output = realView(name, call.output);
  return () => {
    for (let j = 0; j < elements; j++) {
      let sum = 0;
      for (let step = 0; step < timeSteps; step++) sum += input[step * elements + j]!;
      output[j] = sum / timeSteps;
    }
  };
}

export function timeMeanGradient(call: TimeMeanGradientCall): () => void {
  const { name, timeSteps, elements } = call;
  expectWhole(name, { timeSteps, elements });
  expectSize(name, 'outputGradient', call.outputGradient, elements, elements);
  expectSize(name, 'inputGradient', call.inputGradient, timeSteps * elements, elements);
  expectApart(name, call.inputGradient, [call.outputGradient]);
  const outputGradient = realView(name, call.outputGradient);
  const inputGradient = realView(name, call.inputGradient);
  return () => {
    for (let step = 0; step < timeSteps; step++) {
      for (let j = 0; j < elements; j++) inputGradient[step * elements + j] = outputGradient[j]! / timeSteps;
    }
  };
}

/** Copies words, so it repeats spikes as well as real numbers. */
export function repeat(call: RepeatCall): () => void {
  const { name, times } = call;
  expectWhole(name, { times });
  const input = wordView(name, call.input);
  const output = wordView(name, call.output);
  if (call.input.storage !== call.output.storage || output.length !== times * input.length) {
    throw new EngineError(
      `${name}: ${elementCount(call.input.shape)} ${call.input.storage} cannot become ${elementCount(call.output.shape)} ${call.output.storage} by showing them ${times} times`,
    );
  }
  expectApart(name, call.output, [call.input]);
  return () => {
    for (let time = 0; time < times; time++) output.set(input, time * input.length);
  };
}
