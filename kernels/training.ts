/** Which kernel carries out which instruction of `trainingInstructionSet.ts`. */
import { TrainingOpcode as Opcode } from '../src/engines/wasm/trainingInstructionSet';
import { attentionGradient } from './trainingAttention';
import {
  addColumnSums,
  batchGradient,
  batchGradientSums,
  batchStatistics,
  borderValues,
  columnSums,
  finishGradientSums,
  finishStatistics,
  normalise,
} from './trainingBatchNorm';
import { addDepthwiseWeightGradient, depthwiseWeightGradient } from './trainingDepthwise';
import { addConstant, crop, spatialMeanGradient, timeMeanGradient, zero } from './trainingElements';
import { inputGradient } from './trainingInputGradient';
import { neuronGradient, normalisedNeurons } from './trainingNeuron';
import { packDepthwise, packInputGradient, packPanels, packSpikeRows } from './trainingPacking';
import { plainInputGradient, plainWeightGradient } from './trainingPlain';
import { spikeWeightGradient } from './trainingSpikeWeightGradient';
import { addWeightGradient, denseWeightGradient } from './trainingWeightGradient';
import { packWinograd, winogradInputGradient } from './trainingWinograd';

export function train1(instruction: usize, scratch: usize, from: u32, until: u32): void {
  switch (load<u32>(instruction)) {
    case Opcode.packSpikeRows:
      return packSpikeRows(instruction, from, until);
    case Opcode.packPanels:
      return packPanels(instruction, from, until);
    case Opcode.packDepthwise:
      return packDepthwise(instruction, from, until);
    case Opcode.packInputGradient:
      return packInputGradient(instruction, from, until);
    case Opcode.inputGradient:
      return inputGradient(instruction, scratch, from, until);
    case Opcode.plainInputGradient:
      return plainInputGradient(instruction, from, until);
    case Opcode.denseWeightGradient:
      return denseWeightGradient(instruction, scratch, from, until);
    case Opcode.spikeWeightGradient:
      return spikeWeightGradient(instruction, scratch, from, until);
    case Opcode.depthwiseWeightGradient:
      return depthwiseWeightGradient(instruction, scratch, from, until);
    case Opcode.plainWeightGradient:
      return plainWeightGradient(instruction, from, until);
    case Opcode.addWeightGradient:
      return addWeightGradient(instruction, from, until);
    case Opcode.addDepthwiseWeightGradient:
      return addDepthwiseWeightGradient(instruction, from, until);
    case Opcode.columnSums:
      return columnSums(instruction, from, until);
    case Opcode.addColumnSums:
      return addColumnSums(instruction, from, until);
    case Opcode.batchStatistics:
      return batchStatistics(instruction, from, until);
    case Opcode.finishStatistics:
      return finishStatistics(instruction, from, until);
    case Opcode.normalise:
      return normalise(instruction, from, until);
    case Opcode.batchGradientSums:
      return batchGradientSums(instruction, scratch, from, until);
    case Opcode.finishGradientSums:
      return finishGradientSums(instruction, from, until);
    case Opcode.batchGradient:
      return batchGradient(instruction, from, until);
    case Opcode.borderValues:
      return borderValues(instruction, from, until);
    case Opcode.crop:
      return crop(instruction, from, until);
    case Opcode.neuronGradient:
      return neuronGradient(instruction, scratch, from, until);
    case Opcode.normalisedNeurons:
      return normalisedNeurons(instruction, from, until);
    case Opcode.attentionGradient:
      return attentionGradient(instruction, scratch, from, until);
    case Opcode.spatialMeanGradient:
      return spatialMeanGradient(instruction, from, until);
    case Opcode.timeMeanGradient:
      return timeMeanGradient(instruction, from, until);
    case Opcode.zero:
      return zero(instruction, from, until);
    case Opcode.addConstant:
      return addConstant(instruction, from, until);
    case Opcode.packWinograd:
      return packWinograd(instruction, scratch, from, until);
    case Opcode.winogradInputGradient:
      return winogradInputGradient(instruction, scratch, from, until);
  }
}
