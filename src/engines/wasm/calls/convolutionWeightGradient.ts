/** Which instructions carry out the gradients of a convolution's parameters: partial sums, then their addition. */
import { elementCount } from '../../../graph/shape.js';
import type { ConvolutionGeometry, ConvolutionWeightGradientCall } from '../../calls/convolution.js';
import type { Tensor } from '../../tensor.js';
import { ConvolutionWord, Width } from '../instructionSet.js';
import { Opcode } from '../opcodes.generated.js';
import { depthwiseLength, roundUp } from '../packing.js';
import { appendShared, partialSums } from '../partialSums.js';
import type { Operands, Recording } from '../recording.js';
import { planSpikeWeightGradient } from '../spikeWeightGradientPlan.js';
import { isDepthwise, patchBytes, positionsOf, tapsOf, tensorOperands } from '../trainingConvolutions.js';
import { BatchNormWord, TrainingConvolutionWord } from '../trainingInstructionSet.js';

/** Parts with sums of their own: enough for several threads, in not too much memory. */
const mostParts = 8;
const mostPartialBytes = 64 * 2 ** 20;

export function convolutionWeightGradient(recording: Recording, call: ConvolutionWeightGradientCall): void {
  const { name, geometry, input } = call;
  const operands = tensorOperands(recording, name, geometry, input, call.outputGradient);
  const target = recording.address(name, call.weightGradient);
  if (isDepthwise(geometry)) depthwiseWeightGradient(recording, name, geometry, operands, target);
  else if (geometry.groups === 1 && input.storage === 'spikes' && geometry.strideHeight * geometry.strideWidth === 1)
    spikeWeightGradient(recording, name, geometry, operands, target);
  else if (geometry.groups === 1) denseWeightGradient(recording, name, geometry, operands, target);
  else {
    recording.append(name, 'weightGradient', 'plain', Opcode.plainWeightGradient, {
      ...operands,
      [TrainingConvolutionWord.packed]: target,
    });
  }
  if (call.biasGradient) addColumnSums(recording, name, call.outputGradient, call.biasGradient);
}

function denseWeightGradient(
  recording: Recording,
  name: string,
  geometry: ConvolutionGeometry,
  operands: Operands,
  target: number,
): void {
  const elements = roundUp(tapsOf(geometry) * geometry.inputChannels, 4);
  const perBlock = Math.max(16, Math.min(256, Math.floor(patchBytes / (4 * elements))));
  recording.needScratch(perBlock * Width.panel * 4 + elements * 4 + 64 + (elements / 4) * (perBlock * 16 + 64));
  const chunkBytes = elements * Width.panel * 4;
  const partBytes = Math.ceil(geometry.outputChannels / Width.panel) * chunkBytes;
  partialWeightGradient(recording, name, '4×8 tiles', Opcode.denseWeightGradient, target, {
    ...operands,
    [TrainingConvolutionWord.parts]: partsOf(Math.ceil(positionsOf(geometry) / perBlock), partBytes),
    [TrainingConvolutionWord.partBytes]: partBytes,
    [TrainingConvolutionWord.chunkBytes]: chunkBytes,
    [TrainingConvolutionWord.width]: Width.panel,
    [TrainingConvolutionWord.positionsPerBlock]: perBlock,
  });
}

function spikeWeightGradient(
  recording: Recording,
  name: string,
  geometry: ConvolutionGeometry,
  operands: Operands,
  target: number,
): void {
  const plan = planSpikeWeightGradient(geometry);
  const { rows } = plan;
  recording.needScratch(plan.scratchBytes);
  partialWeightGradient(recording, name, 'selections', Opcode.spikeWeightGradient, target, {
    ...operands,
    [ConvolutionWord.images]: rows.images,
    [ConvolutionWord.inputHeight]: rows.inputHeight,
    [ConvolutionWord.inputWidth]: rows.inputWidth,
    [ConvolutionWord.outputHeight]: rows.outputHeight,
    [ConvolutionWord.outputWidth]: rows.outputWidth,
    [TrainingConvolutionWord.inputPixels]: geometry.images * geometry.inputHeight * geometry.inputWidth,
    [TrainingConvolutionWord.outputPixels]: positionsOf(geometry),
    [TrainingConvolutionWord.unitRows]: plan.unitRows,
    [TrainingConvolutionWord.unitsPerImage]: plan.unitsPerImage,
    [TrainingConvolutionWord.unitsPerBlock]: plan.unitsPerBlock,
    [TrainingConvolutionWord.marginRows]: plan.marginRows,
    [TrainingConvolutionWord.startBytes]: plan.endBytes,
    [TrainingConvolutionWord.wordBytes]: plan.wordBytes,
    [TrainingConvolutionWord.listBytes]: plan.listBytes,
    [TrainingConvolutionWord.width]: plan.width,
    [TrainingConvolutionWord.chunkBytes]: plan.chunkBytes,
    [TrainingConvolutionWord.partBytes]: plan.partBytes,
    [TrainingConvolutionWord.parts]: partsOf(plan.blocks, plan.partBytes),
  });
}

/** A kernel that leaves partial sums, then their addition to the gradient. */
function partialWeightGradient(
  recording: Recording,
  name: string,
  method: string,
  opcode: Opcode,
  target: number,
  operands: Operands,
  addition: Opcode = Opcode.addWeightGradient,
): void {
  const { parts, partBytes, packed } = TrainingConvolutionWord;
  recording.shared.need(operands[parts]! * operands[partBytes]!);
  recording.shared.refer(recording.append(name, 'weightGradient', method, opcode, operands), packed);
  const words = recording.append(name, 'addWeightGradient', '', addition, {
    ...operands,
    [ConvolutionWord.output]: target,
  });
  recording.shared.refer(words, packed);
}

function depthwiseWeightGradient(
  recording: Recording,
  name: string,
  geometry: ConvolutionGeometry,
  operands: Operands,
  target: number,
): void {
  const { kernelHeight, inputWidth, paddingWidth, outputWidth, images } = geometry;
  const ringBytes = kernelHeight * (inputWidth + 2 * paddingWidth) * Width.depthwise * 4;
  recording.needScratch(ringBytes + outputWidth * Width.depthwise * 4);
  const partBytes = depthwiseLength(geometry) * 4;
  partialWeightGradient(
    recording,
    name,
    'depthwise',
    Opcode.depthwiseWeightGradient,
    target,
    {
      ...operands,
      [TrainingConvolutionWord.parts]: partsOf(images, partBytes),
      [TrainingConvolutionWord.partBytes]: partBytes,
    },
    Opcode.addDepthwiseWeightGradient,
  );
}

function addColumnSums(recording: Recording, name: string, rows: Tensor, target: Tensor): void {
  const channels = elementCount(target.shape);
  const count = elementCount(rows.shape) / channels;
  const operands = partialSums(
    recording,
    { [BatchNormWord.input]: recording.address(name, rows), [BatchNormWord.channels]: channels },
    count,
    channels,
  );
  appendShared(recording, name, 'biasGradient', 'sums', Opcode.columnSums, operands);
  appendShared(recording, name, 'biasGradient', '', Opcode.addColumnSums, {
    ...operands,
    [BatchNormWord.output]: recording.address(name, target),
  });
}

function partsOf(units: number, partBytes: number): number {
  return Math.max(1, Math.min(mostParts, units, Math.floor(mostPartialBytes / partBytes)));
}
