/** Instructions of batch normalisation with the statistics of the batch: sums in parts, then what is made of them. */
import type { BatchNormAgainCall, BatchNormCall, BatchNormGradientCall } from '../../calls/batchNorm.js';
import type { Tensor } from '../../tensor.js';
import { doubleWords } from '../numbers.js';
import { Opcode } from '../opcodes.generated.js';
import { roundUp } from '../packing.js';
import { appendShared, partialBytes, partialSums, partsOf } from '../partialSums.js';
import type { Operands, Recording } from '../recording.js';
import { BatchNormWord, NeuronGradientWord } from '../trainingInstructionSet.js';

export function batchNorm(recording: Recording, call: BatchNormCall): void {
  const operands = batchNormOperands(recording, call);
  const partial = partialSums(recording, operands, call.rows, 2 * call.channels);
  appendShared(recording, call.name, 'batchNorm', 'sums', Opcode.batchStatistics, partial);
  appendShared(recording, call.name, 'batchNorm', 'statistics', Opcode.finishStatistics, {
    ...partial,
    ...doubleWords(BatchNormWord.epsilon, call.epsilon),
    ...doubleWords(BatchNormWord.momentum, call.momentum),
  });
  if (!call.output) return;
  recording.append(call.name, 'batchNorm', 'output', Opcode.normalise, {
    ...operands,
    [BatchNormWord.output]: recording.address(call.name, call.output),
  });
}

export function batchNormAgain(recording: Recording, call: BatchNormAgainCall): void {
  recording.append(call.name, 'batchNormAgain', '', Opcode.normalise, {
    ...batchNormOperands(recording, call),
    [BatchNormWord.output]: recording.address(call.name, call.output),
  });
}

export function batchNormGradient(recording: Recording, call: BatchNormGradientCall): void {
  const { name, rows, channels } = call;
  const partial: Operands = partialSums(
    recording,
    {
      ...batchNormOperands(recording, call),
      [BatchNormWord.outputGradient]: recording.address(name, call.outputGradient),
      [BatchNormWord.output]: recording.address(name, call.inputGradient),
      [BatchNormWord.weightGradient]: recording.address(name, call.weightGradient),
      [BatchNormWord.biasGradient]: recording.address(name, call.biasGradient),
    },
    rows,
    2 * channels,
  );
  const sumBytes = partialBytes(rows, 2 * channels);
  recording.shared.need(sumBytes + 8 * roundUp(channels, 4));
  const operands = { ...partial, [BatchNormWord.means]: sumBytes };
  recording.needScratch(8 * roundUp(channels, 4));
  if (!neuronsSumFor(recording, call)) {
    appendShared(recording, name, 'batchNormGradient', 'sums', Opcode.batchGradientSums, operands);
  }
  appendShared(recording, name, 'batchNormGradient', 'parameters', Opcode.finishGradientSums, operands);
  appendShared(recording, name, 'batchNormGradient', 'input', Opcode.batchGradient, operands);
}

/**
 * Where the instruction before is the gradient of neurons that read through this very normalisation, it makes the sums on its way:
 * what it writes need not be read again for them.
 */
function neuronsSumFor(
  recording: Recording,
  { rows, channels, input, outputGradient, tensors }: BatchNormGradientCall,
): boolean {
  const { instructions } = recording;
  const before = recording.neuronsBefore;
  if (before?.instructions !== instructions.length) return false;
  const { call } = before;
  const { normalisation } = call;
  const same =
    normalisation !== undefined &&
    call.channels === channels &&
    call.positions === rows &&
    sameMemory(call.input, input) &&
    sameMemory(call.inputGradient, outputGradient) &&
    sameMemory(normalisation.batchMean, tensors.batchMean) &&
    sameMemory(normalisation.batchInverseDeviation, tensors.batchInverseDeviation);
  if (!same) return false;
  const instruction = instructions.at(-1)!;
  instructions[instructions.length - 1] = { ...instruction, method: `${instruction.method}, sums` };
  instruction.words[NeuronGradientWord.parts] = partsOf(rows);
  recording.shared.refer(instruction.words, NeuronGradientWord.sums);
  return true;
}

function batchNormOperands(recording: Recording, call: Omit<BatchNormAgainCall, 'epsilon' | 'output'>): Operands {
  const { name, tensors } = call;
  return {
    [BatchNormWord.input]: recording.address(name, call.input),
    [BatchNormWord.rows]: call.rows,
    [BatchNormWord.channels]: call.channels,
    [BatchNormWord.weight]: recording.address(name, tensors.weight),
    [BatchNormWord.bias]: recording.address(name, tensors.bias),
    [BatchNormWord.runningMean]: recording.address(name, tensors.runningMean),
    [BatchNormWord.runningVariance]: recording.address(name, tensors.runningVariance),
    [BatchNormWord.batchMean]: recording.address(name, tensors.batchMean),
    [BatchNormWord.batchInverseDeviation]: recording.address(name, tensors.batchInverseDeviation),
  };
}

function sameMemory(a: Tensor, b: Tensor): boolean {
  return a.block === b.block && a.byteOffset === b.byteOffset;
}
