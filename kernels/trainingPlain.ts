/**
 * Gradients of a convolution of any grouping by the definition, one number after the other, weights as PyTorch stores them.
 * They serve the geometries that no fast kernel covers (grouped; depthwise with a stride) and are slow. Sums are float64.
 */
import { ConvolutionWord as Word } from '../src/engines/wasm/instructionSet';
import { TrainingConvolutionWord as Extra } from '../src/engines/wasm/trainingInstructionSet';
import { claimStart } from './threads';

/** `input` is the output's gradient, `output` the input's; tasks are input pixels. */
export function plainInputGradient(instruction: usize, from: u32, until: u32): void {
  const inputHeight = load<u32>(instruction + Word.inputHeight * 4);
  const inputWidth = load<u32>(instruction + Word.inputWidth * 4);
  const inputChannels = load<u32>(instruction + Word.inputChannels * 4);
  const outputHeight = load<u32>(instruction + Word.outputHeight * 4);
  const outputWidth = load<u32>(instruction + Word.outputWidth * 4);
  const outputChannels = load<u32>(instruction + Word.outputChannels * 4);
  const kernelHeight = load<u32>(instruction + Word.kernelHeight * 4);
  const kernelWidth = load<u32>(instruction + Word.kernelWidth * 4);
  const strideHeight = load<u32>(instruction + Word.strideHeight * 4);
  const strideWidth = load<u32>(instruction + Word.strideWidth * 4);
  const paddingHeight = load<u32>(instruction + Word.paddingHeight * 4);
  const paddingWidth = load<u32>(instruction + Word.paddingWidth * 4);
  const groups = load<u32>(instruction + Word.groups * 4);
  const gradient: usize = load<u32>(instruction + Word.input * 4);
  const target: usize = load<u32>(instruction + Word.output * 4);
  const weights: usize = load<u32>(instruction + Word.weights * 4);
  const accumulate = load<u32>(instruction + Extra.accumulate * 4) != 0;
  const groupInputs = inputChannels / groups;
  const groupOutputs = outputChannels / groups;
  const pixels = load<u32>(instruction + Word.images * 4) * inputHeight * inputWidth;
  const last = claimStart(pixels, until);
  for (let pixel = claimStart(pixels, from); pixel < last; pixel++) {
    const x = (pixel % inputWidth) + paddingWidth;
    const y = ((pixel / inputWidth) % inputHeight) + paddingHeight;
    const image = pixel / inputWidth / inputHeight;
    for (let channel: u32 = 0; channel < inputChannels; channel++) {
      const firstOutput = (channel / groupInputs) * groupOutputs;
      const at = target + (pixel * inputChannels + channel) * 4;
      let sum: f64 = accumulate ? <f64>load<f32>(at) : 0;
      for (let tapY: u32 = 0; tapY < kernelHeight; tapY++) {
        if (y < tapY || (y - tapY) % strideHeight != 0 || (y - tapY) / strideHeight >= outputHeight) continue;
        for (let tapX: u32 = 0; tapX < kernelWidth; tapX++) {
          if (x < tapX || (x - tapX) % strideWidth != 0 || (x - tapX) / strideWidth >= outputWidth) continue;
          const position = (image * outputHeight + (y - tapY) / strideHeight) * outputWidth + (x - tapX) / strideWidth;
          for (let output = firstOutput; output < firstOutput + groupOutputs; output++) {
            const weight = ((output * groupInputs + (channel % groupInputs)) * kernelHeight + tapY) * kernelWidth + tapX;
            sum += <f64>load<f32>(weights + weight * 4) * <f64>load<f32>(gradient + (position * outputChannels + output) * 4);
          }
        }
      }
      store<f32>(at, <f32>sum);
    }
  }
}

// @ts-ignore: decorator
@inline
function element(input: usize, pixel: u32, channels: u32, channel: u32, spikes: bool): f32 {
  if (!spikes) return load<f32>(input + (pixel * channels + channel) * 4);
  const word = load<u32>(input + (pixel * ((channels + 31) >>> 5) + (channel >>> 5)) * 4);
  return <f32>((word >>> (channel & 31)) & 1);
}

/** `output` is the output's gradient, `packed` the weights'; tasks are weights. */
export function plainWeightGradient(instruction: usize, from: u32, until: u32): void {
  const images = load<u32>(instruction + Word.images * 4);
  const inputHeight = load<u32>(instruction + Word.inputHeight * 4);
  const inputWidth = load<u32>(instruction + Word.inputWidth * 4);
  const inputChannels = load<u32>(instruction + Word.inputChannels * 4);
  const outputHeight = load<u32>(instruction + Word.outputHeight * 4);
  const outputWidth = load<u32>(instruction + Word.outputWidth * 4);
  const outputChannels = load<u32>(instruction + Word.outputChannels * 4);
  const kernelHeight = load<u32>(instruction + Word.kernelHeight * 4);
  const kernelWidth = load<u32>(instruction + Word.kernelWidth * 4);
  const strideHeight = load<u32>(instruction + Word.strideHeight * 4);
  const strideWidth = load<u32>(instruction + Word.strideWidth * 4);
  const paddingHeight = load<u32>(instruction + Word.paddingHeight * 4);
  const paddingWidth = load<u32>(instruction + Word.paddingWidth * 4);
  const groups = load<u32>(instruction + Word.groups * 4);
  const spikes = load<u32>(instruction + Word.spikes * 4) != 0;
  const input: usize = load<u32>(instruction + Word.input * 4);
  const gradient: usize = load<u32>(instruction + Word.output * 4);
  const target: usize = load<u32>(instruction + Extra.packed * 4);
  const groupInputs = inputChannels / groups;
  const groupOutputs = outputChannels / groups;
  const weights = outputChannels * groupInputs * kernelHeight * kernelWidth;
  const last = claimStart(weights, until);
  for (let weight = claimStart(weights, from); weight < last; weight++) {
    const tapX = weight % kernelWidth;
    const tapY = (weight / kernelWidth) % kernelHeight;
    const output = weight / kernelWidth / kernelHeight / groupInputs;
    const channel = (output / groupOutputs) * groupInputs + ((weight / kernelWidth / kernelHeight) % groupInputs);
    let sum: f64 = 0;
    for (let image: u32 = 0; image < images; image++) {
      for (let y: u32 = 0; y < outputHeight; y++) {
        const inputY = y * strideHeight + tapY - paddingHeight;
        if (inputY >= inputHeight) continue;
        for (let x: u32 = 0; x < outputWidth; x++) {
          const inputX = x * strideWidth + tapX - paddingWidth;
          if (inputX >= inputWidth) continue;
          const value = element(input, (image * inputHeight + inputY) * inputWidth + inputX, inputChannels, channel, spikes);
          const position = (image * outputHeight + y) * outputWidth + x;
          sum += <f64>value * <f64>load<f32>(gradient + (position * outputChannels + output) * 4);
        }
      }
    }
    store<f32>(target + weight * 4, <f32>(<f64>load<f32>(target + weight * 4) + sum));
  }
}
