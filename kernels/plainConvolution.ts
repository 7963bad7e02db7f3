/**
 * Convolution of any grouping on spikes or real numbers, by the definition: one output after the other, weights as
 * PyTorch stores them. It serves the geometries that no fast kernel covers (grouped, but not depthwise) and is slow.
 */
import { ConvolutionWord as Word } from '../src/engines/wasm/instructionSet';
import { claimStart } from './threads';

function element(instruction: usize, image: u32, y: u32, x: u32, channel: u32): f32 {
  const inputHeight = load<u32>(instruction + Word.inputHeight * 4);
  const inputWidth = load<u32>(instruction + Word.inputWidth * 4);
  const inputChannels = load<u32>(instruction + Word.inputChannels * 4);
  const kernelHeight = load<u32>(instruction + Word.kernelHeight * 4);
  const kernelWidth = load<u32>(instruction + Word.kernelWidth * 4);
  const groups = load<u32>(instruction + Word.groups * 4);
  const spikes = load<u32>(instruction + Word.spikes * 4) != 0;
  const input: usize = load<u32>(instruction + Word.input * 4);
  const groupInputs = inputChannels / groups;
  const group = channel / (load<u32>(instruction + Word.outputChannels * 4) / groups);
  const taps = kernelHeight * kernelWidth;
  const weights: usize = load<u32>(instruction + Word.weights * 4) + channel * groupInputs * taps * 4;
  const words = (inputChannels + 31) >>> 5;
  const top = <i32>(y * load<u32>(instruction + Word.strideHeight * 4)) - <i32>load<u32>(instruction + Word.paddingHeight * 4);
  const left = <i32>(x * load<u32>(instruction + Word.strideWidth * 4)) - <i32>load<u32>(instruction + Word.paddingWidth * 4);
  let sum = load<f32>(load<u32>(instruction + Word.bias * 4) + channel * 4);
  for (let tapY: u32 = 0; tapY < kernelHeight; tapY++) {
    const inputY = <u32>(top + <i32>tapY);
    if (inputY >= inputHeight) continue;
    for (let tapX: u32 = 0; tapX < kernelWidth; tapX++) {
      const inputX = <u32>(left + <i32>tapX);
      if (inputX >= inputWidth) continue;
      const pixel = (image * inputHeight + inputY) * inputWidth + inputX;
      for (let inner: u32 = 0; inner < groupInputs; inner++) {
        const weight = load<f32>(weights + (inner * taps + tapY * kernelWidth + tapX) * 4);
        const from = group * groupInputs + inner;
        if (spikes) {
          if ((load<u32>(input + (pixel * words + (from >>> 5)) * 4) >>> (from & 31)) & 1) sum += weight;
        } else {
          sum += weight * load<f32>(input + (pixel * inputChannels + from) * 4);
        }
      }
    }
  }
  return sum;
}

export function plainConvolution(instruction: usize, from: u32, until: u32): void {
  const outputHeight = load<u32>(instruction + Word.outputHeight * 4);
  const outputWidth = load<u32>(instruction + Word.outputWidth * 4);
  const outputChannels = load<u32>(instruction + Word.outputChannels * 4);
  const output: usize = load<u32>(instruction + Word.output * 4);
  const residual: usize = load<u32>(instruction + Word.residual * 4);
  const residualPositions = load<u32>(instruction + Word.residualPositions * 4);
  const positions = load<u32>(instruction + Word.images * 4) * outputHeight * outputWidth;
  const last = claimStart(positions, until);
  for (let position = claimStart(positions, from); position < last; position++) {
    const x = position % outputWidth;
    const y = (position / outputWidth) % outputHeight;
    const image = position / outputWidth / outputHeight;
    for (let channel: u32 = 0; channel < outputChannels; channel++) {
      let sum = element(instruction, image, y, x, channel);
      if (residual != 0) sum += load<f32>(residual + ((position % residualPositions) * outputChannels + channel) * 4);
      store<f32>(output + (position * outputChannels + channel) * 4, sum);
    }
  }
}
