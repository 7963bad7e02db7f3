/**
 * What the instructions of a convolution's three products share in training. Weights are packed at every run into memory that all layers share, so packing and its use follow each
 * other directly. Nothing here depends on the number of threads.
 */
import type { ConvolutionGeometry } from '../calls/convolution.js';
import type { Tensor } from '../tensor.js';
import { depthwiseScratchBytes } from './densePlan.js';
import { ConvolutionWord } from './instructionSet.js';
import { Opcode } from './opcodes.generated.js';
import { depthwiseLength, roundUp } from './packing.js';
import type { Operands, Recording } from './recording.js';
import { TrainingConvolutionWord } from './trainingInstructionSet.js';

/** Patches that are copied at a time should fit the L2 cache beside a panel. */
export const patchBytes = 256 * 1024;
const positionsPerDenseBlock = 128;
/** Numbers of a patch that a 4×8 tile goes through at a time: its panel then fits the L1 cache. */
const patchSlice = 512;

/** Geometry, and the two tensors whose positions it relates: `input` and `output` of the instruction. */
export function tensorOperands(
  recording: Recording,
  name: string,
  geometry: ConvolutionGeometry,
  input: Tensor,
  output: Tensor,
): Operands {
  const operands: Operands = {
    [ConvolutionWord.input]: recording.address(name, input),
    [ConvolutionWord.output]: recording.address(name, output),
    [ConvolutionWord.spikes]: input.storage === 'spikes' ? 1 : 0,
  };
  for (const [key, value] of Object.entries(geometry)) {
    operands[ConvolutionWord[key as keyof ConvolutionGeometry]] = value;
  }
  return operands;
}

export function packWeights(
  recording: Recording,
  name: string,
  opcode: Opcode,
  length: number,
  operands: Operands,
): void {
  recording.shared.need(length * 4);
  const words = recording.append(name, 'pack', Opcode[opcode] ?? '', opcode, operands);
  recording.shared.refer(words, TrainingConvolutionWord.packed);
}

/** The product with packed transposed weights. */
export function multiply(
  recording: Recording,
  name: string,
  kernel: string,
  geometry: ConvolutionGeometry,
  operands: Operands,
): void {
  const { inputChannels, outputChannels } = geometry;
  const tapsPerSlice = Math.max(1, Math.floor(patchSlice / outputChannels));
  const rowBytes = Math.min(tapsPerSlice, tapsOf(geometry)) * outputChannels * 4;
  const perBlock = Math.max(8, Math.min(positionsPerDenseBlock, 4 * Math.floor(patchBytes / rowBytes / 4)));
  const besides = 64 + 4 * (roundUp(outputChannels, 16) + roundUp(inputChannels, 16) + roundUp(perBlock + 3, 16));
  recording.needScratch(besides + roundUp(perBlock, 4) * rowBytes);
  const words = recording.append(name, kernel, '4×8 tiles', Opcode.inputGradient, {
    ...operands,
    [TrainingConvolutionWord.positionsPerBlock]: perBlock,
    [TrainingConvolutionWord.tapsPerSlice]: tapsPerSlice,
  });
  recording.shared.refer(words, TrainingConvolutionWord.packed);
}

/** The forward kernel, also for the input gradient, whose kernel is turned around. */
export function depthwise(
  recording: Recording,
  name: string,
  geometry: ConvolutionGeometry,
  operands: Operands,
  weights: number,
  turned: boolean,
): void {
  recording.needScratch(depthwiseScratchBytes(geometry));
  packWeights(recording, name, Opcode.packDepthwise, depthwiseLength(geometry), {
    ...operands,
    [ConvolutionWord.weights]: weights,
    [TrainingConvolutionWord.tapsPerSlice]: turned ? 1 : 0,
  });
  const kernel = turned ? 'inputGradient' : 'depthwiseConvolution';
  const words = recording.append(name, kernel, 'depthwise', Opcode.depthwiseConvolution, operands);
  recording.shared.refer(words, ConvolutionWord.weights);
}

export function tapsOf(geometry: ConvolutionGeometry): number {
  return geometry.kernelHeight * geometry.kernelWidth;
}

export function positionsOf(geometry: ConvolutionGeometry): number {
  return geometry.images * geometry.outputHeight * geometry.outputWidth;
}

export function isDepthwise({ groups, inputChannels, outputChannels }: ConvolutionGeometry): boolean {
  return groups === inputChannels && groups === outputChannels && groups > 1;
}

export function turnAround(g: ConvolutionGeometry): ConvolutionGeometry {
  return {
    ...g,
    inputHeight: g.outputHeight,
    inputWidth: g.outputWidth,
    inputChannels: g.outputChannels,
    outputHeight: g.inputHeight,
    outputWidth: g.inputWidth,
    outputChannels: g.inputChannels,
    paddingHeight: g.kernelHeight - 1 - g.paddingHeight,
    paddingWidth: g.kernelWidth - 1 - g.paddingWidth,
  };
}
