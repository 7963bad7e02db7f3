/** Which instruction carries out a convolution with constant parameters, and what it needs. */
import type { ConvolutionCall } from '../../calls/convolution.js';
import { convolutionOperands, packingKey, wantsBytes } from '../convolutionOperands.js';
import { denseScratchBytes, depthwiseScratchBytes, planDense } from '../densePlan.js';
import { ConvolutionWord } from '../instructionSet.js';
import { Opcode } from '../opcodes.generated.js';
import {
  depthwiseLength,
  integerPanelsLength,
  integerRowLength,
  packDepthwise,
  packIntegerPanels,
  packPanels,
  panelsLength,
  roundUp,
} from '../packing.js';
import { quantiseDenseWeights } from '../quantise.js';
import type { Recording } from '../recording.js';
import { spikeConvolution } from '../spikeConvolution.js';

const leastChannelsForIntegers = 192;
/** Of an image. */
const leastPositionsForIntegers = 100;

export function convolution(recording: Recording, call: ConvolutionCall): void {
  const { inputChannels, outputChannels, groups } = call.geometry;
  const addsRows = call.input.storage === 'spikes' && recording.engine.spikeKernel === 'table';
  if (groups === 1 && addsRows) spikeConvolution(recording, call);
  else if (groups === inputChannels && groups === outputChannels) depthwiseConvolution(recording, call);
  else if (groups === 1 && wantsIntegers(recording, call)) integerConvolution(recording, call);
  else if (groups === 1) denseConvolution(recording, call);
  else plainConvolution(recording, call);
}

function depthwiseConvolution(recording: Recording, call: ConvolutionCall): void {
  const { geometry, weight, name } = call;
  recording.needScratch(depthwiseScratchBytes(geometry));
  const weights = recording.engine.constants.pack(
    weight,
    packingKey('depthwise', call),
    depthwiseLength(geometry),
    `the weights of ${name}`,
    (target) => packDepthwise(target, weight, geometry),
  );
  const operands = convolutionOperands(recording, call, weights);
  recording.append(name, 'depthwiseConvolution', call.input.storage, Opcode.depthwiseConvolution, operands);
}

function denseConvolution(recording: Recording, call: ConvolutionCall): void {
  const { geometry, weight, name } = call;
  const rowBytes = geometry.kernelHeight * geometry.kernelWidth * geometry.inputChannels * 4;
  const positions = geometry.images * geometry.outputHeight * geometry.outputWidth;
  const plan = planDense(positions, rowBytes);
  recording.needScratch(denseScratchBytes(plan, rowBytes));
  const weights = recording.engine.constants.pack(
    weight,
    packingKey('panels', call),
    panelsLength(geometry),
    `the weights of ${name}`,
    (target) => packPanels(target, weight, geometry),
  );
  const method = call.input.storage === 'spikes' ? '4×8 tiles, spikes as numbers' : '4×8 tiles';
  recording.append(name, 'denseConvolution', method, Opcode.denseConvolution, {
    ...convolutionOperands(recording, call, weights),
    [ConvolutionWord.blocks]: plan.blocks,
  });
}

/** Only where the multiplication is long: small layers (in a network for CIFAR at most 160 channels, or 8 × 8 positions) would gain less than rounding is worth. */
function wantsIntegers(recording: Recording, { geometry, input }: ConvolutionCall): boolean {
  const { kernelHeight, kernelWidth, strideHeight, strideWidth, paddingHeight, paddingWidth } = geometry;
  const positions = geometry.outputHeight * geometry.outputWidth;
  const pixels = [kernelHeight, kernelWidth, strideHeight, strideWidth].every((length) => length === 1);
  const whole = pixels && paddingHeight === 0 && paddingWidth === 0;
  const large = geometry.inputChannels >= leastChannelsForIntegers && positions >= leastPositionsForIntegers;
  return whole && large && input.storage === 'real' && wantsBytes(recording, geometry);
}

/** Integers whose sums cannot overflow, in panels, and their scales. */
function integerConvolution(recording: Recording, call: ConvolutionCall): void {
  const { geometry, weight, name } = call;
  const { constants } = recording.engine;
  const rowBytes = 2 * integerRowLength(geometry);
  const plan = planDense(geometry.images * geometry.outputHeight * geometry.outputWidth, rowBytes);
  recording.needScratch(plan.positions * (rowBytes + 4));
  // Scales first, as many as the panels have channels.
  const scaleLength = roundUp(geometry.outputChannels, 16);
  const length = integerPanelsLength(geometry);
  const scales = constants.pack(
    weight,
    packingKey('integer panels', call),
    scaleLength + length / 2,
    `the weights of ${name}`,
    (target) => {
      const quantised = quantiseDenseWeights(weight, geometry);
      target.fill(0);
      target.set(quantised.scales);
      const panels = new Int16Array(target.buffer, target.byteOffset + 4 * scaleLength, length);
      packIntegerPanels(panels, quantised.weight, geometry);
    },
  );
  recording.append(name, 'denseConvolution', '4×8 tiles, i16', Opcode.integerConvolution, {
    ...convolutionOperands(recording, call, scales + 4 * scaleLength),
    [ConvolutionWord.blocks]: plan.blocks,
    [ConvolutionWord.scales]: scales,
  });
}

function plainConvolution(recording: Recording, call: ConvolutionCall): void {
  const { weight, name } = call;
  const weights = recording.engine.constants.pack(
    weight,
    'as given',
    weight.length,
    `the weights of ${name}`,
    (target) => target.set(weight),
  );
  const operands = convolutionOperands(recording, call, weights);
  recording.append(name, 'plainConvolution', call.input.storage, Opcode.plainConvolution, operands);
}
