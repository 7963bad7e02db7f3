/** Which instructions carry out the gradient of a convolution's input. */
import type { ConvolutionGeometry, ConvolutionInputGradientCall } from '../../calls/convolution.js';
import { ConvolutionWord, Width } from '../instructionSet.js';
import { Opcode } from '../opcodes.generated.js';
import { roundUp } from '../packing.js';
import type { Operands, Recording } from '../recording.js';
import {
  depthwise,
  isDepthwise,
  multiply,
  packWeights,
  positionsOf,
  tapsOf,
  tensorOperands,
  turnAround,
} from '../trainingConvolutions.js';
import { TrainingConvolutionWord } from '../trainingInstructionSet.js';

/** Transformed tiles and their products that are worked on at a time. */
const winogradBytes = 512 * 1024;
const winogradPositions = 36;

export function convolutionInputGradient(recording: Recording, call: ConvolutionInputGradientCall): void {
  const { name, geometry } = call;
  const operands: Operands = {
    ...tensorOperands(recording, name, geometry, call.outputGradient, call.inputGradient),
    [TrainingConvolutionWord.accumulate]: call.accumulate ? 1 : 0,
    [ConvolutionWord.weights]: recording.address(name, call.weight),
  };
  if (isDepthwise(geometry) && turnsAround(geometry)) depthwiseInputGradient(recording, call);
  else if (isWinograd(geometry)) winogradInputGradient(recording, name, geometry, operands);
  else if (geometry.groups === 1) denseInputGradient(recording, name, geometry, operands);
  else recording.append(name, 'inputGradient', 'plain', Opcode.plainInputGradient, operands);
}

function depthwiseInputGradient(recording: Recording, call: ConvolutionInputGradientCall): void {
  const { name, geometry } = call;
  const turned = turnAround(geometry);
  const target = recording.address(name, call.inputGradient);
  const operands: Operands = {
    ...tensorOperands(recording, name, turned, call.outputGradient, call.inputGradient),
    [ConvolutionWord.bias]: recording.engine.constants.zeros(geometry.inputChannels, `the bias of ${name}`),
    [ConvolutionWord.residual]: call.accumulate ? target : 0,
    [ConvolutionWord.residualPositions]: positionsOf(turned),
  };
  depthwise(recording, name, turned, operands, recording.address(name, call.weight), true);
}

function denseInputGradient(
  recording: Recording,
  name: string,
  geometry: ConvolutionGeometry,
  operands: Operands,
): void {
  const { inputChannels, outputChannels } = geometry;
  const length = roundUp(inputChannels, Width.panel) * tapsOf(geometry) * outputChannels;
  packWeights(recording, name, Opcode.packInputGradient, length, operands);
  multiply(recording, name, 'inputGradient', geometry, operands);
}

/** In tiles of 6×6; see `kernels/trainingWinograd.ts`. */
function winogradInputGradient(
  recording: Recording,
  name: string,
  geometry: ConvolutionGeometry,
  operands: Operands,
): void {
  const { inputChannels, outputChannels } = geometry;
  const panelled = roundUp(inputChannels, Width.panel);
  const tileBytes = winogradPositions * 4 * (roundUp(outputChannels, 4) + panelled);
  const perBlock = Math.max(4, Math.min(64, 4 * Math.floor(winogradBytes / tileBytes / 4)));
  // The last products of a block may be of tiles that are not there: up to three rows are read beyond those written.
  recording.needScratch(40 * 16 + 160 + 4 * roundUp(outputChannels, 16) + perBlock * tileBytes);
  packWeights(recording, name, Opcode.packWinograd, winogradPositions * panelled * outputChannels, operands);
  const words = recording.append(name, 'inputGradient', 'Winograd', Opcode.winogradInputGradient, {
    ...operands,
    [TrainingConvolutionWord.positionsPerBlock]: perBlock,
  });
  recording.shared.refer(words, TrainingConvolutionWord.packed);
}

/** 3×3 of stride 1, and large enough that tiles of 4×4 are not mostly border. */
function isWinograd(g: ConvolutionGeometry): boolean {
  const square = g.kernelHeight === 3 && g.kernelWidth === 3 && g.strideHeight * g.strideWidth === 1;
  return (
    square && g.groups === 1 && g.paddingHeight < 3 && g.paddingWidth < 3 && Math.min(g.inputHeight, g.inputWidth) >= 3
  );
}

/** Whether the input gradient is a convolution of its own: of stride 1, and with padding that is not negative. */
function turnsAround(g: ConvolutionGeometry): boolean {
  return g.strideHeight * g.strideWidth === 1 && g.paddingHeight < g.kernelHeight && g.paddingWidth < g.kernelWidth;
}
