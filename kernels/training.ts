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

export function train1(instruction: usize, scratch: usize, thread: u32, threads: u32): void {
  switch (load<u32>(instruction)) {
    case Opcode.packSpikeRows:
      return packSpikeRows(instruction, thread, threads);
    case Opcode.packPanels:
      return packPanels(instruction, thread, threads);
    case Opcode.packDepthwise:
      return packDepthwise(instruction, thread, threads);
    case Opcode.packInputGradient:
      return packInputGradient(instruction, thread, threads);
    case Opcode.inputGradient:
      return inputGradient(instruction, scratch, thread, threads);
    case Opcode.plainInputGradient:
      return plainInputGradient(instruction, thread, threads);
    case Opcode.denseWeightGradient:
      return denseWeightGradient(instruction, scratch, thread, threads);
    case Opcode.spikeWeightGradient:
      return spikeWeightGradient(instruction, scratch, thread, threads);
    case Opcode.depthwiseWeightGradient:
      return depthwiseWeightGradient(instruction, scratch, thread, threads);
    case Opcode.plainWeightGradient:
      return plainWeightGradient(instruction, thread, threads);
    case Opcode.addWeightGradient:
      return addWeightGradient(instruction, thread, threads);
    case Opcode.addDepthwiseWeightGradient:
      return addDepthwiseWeightGradient(instruction, thread, threads);
    case Opcode.columnSums:
      return columnSums(instruction, thread, threads);
    case Opcode.addColumnSums:
      return addColumnSums(instruction, thread, threads);
    case Opcode.batchStatistics:
      return batchStatistics(instruction, thread, threads);
    case Opcode.finishStatistics:
      return finishStatistics(instruction, thread, threads);
    case Opcode.normalise:
      return normalise(instruction, thread, threads);
    case Opcode.batchGradientSums:
      return batchGradientSums(instruction, scratch, thread, threads);
    case Opcode.finishGradientSums:
      return finishGradientSums(instruction, thread, threads);
    case Opcode.batchGradient:
      return batchGradient(instruction, thread, threads);
    case Opcode.borderValues:
      return borderValues(instruction, thread, threads);
    case Opcode.crop:
      return crop(instruction, thread, threads);
    case Opcode.neuronGradient:
      return neuronGradient(instruction, scratch, thread, threads);
    case Opcode.normalisedNeurons:
      return normalisedNeurons(instruction, thread, threads);
    case Opcode.attentionGradient:
      return attentionGradient(instruction, scratch, thread, threads);
    case Opcode.spatialMeanGradient:
      return spatialMeanGradient(instruction, thread, threads);
    case Opcode.timeMeanGradient:
      return timeMeanGradient(instruction, thread, threads);
    case Opcode.zero:
      return zero(instruction, thread, threads);
    case Opcode.addConstant:
      return addConstant(instruction, thread, threads);
    case Opcode.packWinograd:
      return packWinograd(instruction, scratch, thread, threads);
    case Opcode.winogradInputGradient:
      return winogradInputGradient(instruction, scratch, thread, threads);
  }
}
