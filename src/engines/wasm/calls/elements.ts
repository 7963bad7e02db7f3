/** Instructions of the kernels that go once over their data: `kernels/elements.ts` and `kernels/trainingElements.ts`. */
import { elementCount } from '../../../graph/shape.js';
import type { AddCall, AddConstantCall } from '../../calls/add.js';
import type { CropCall, PadCall, PadWithStatisticsCall } from '../../calls/pad.js';
import type { RepeatCall } from '../../calls/repeat.js';
import type { ScaleShiftCall } from '../../calls/scaleShift.js';
import type { SpatialMeanCall, SpatialMeanGradientCall } from '../../calls/spatialMean.js';
import type { TimeMeanCall, TimeMeanGradientCall } from '../../calls/timeMean.js';
import type { ZeroCall } from '../../calls/zero.js';
import { byteLengthOf } from '../../tensor.js';
import { ElementWord } from '../instructionSet.js';
import { doubleWords } from '../numbers.js';
import { Opcode } from '../opcodes.generated.js';
import { roundUp } from '../packing.js';
import type { Recording } from '../recording.js';
import { BatchNormWord } from '../trainingInstructionSet.js';

export function scaleShift(recording: Recording, call: ScaleShiftCall): void {
  recording.append(call.name, 'scaleShift', '', Opcode.scaleShift, {
    [ElementWord.input]: recording.address(call.name, call.input),
    [ElementWord.output]: recording.address(call.name, call.output),
    [ElementWord.second]: recording.engine.constants.perChannel(call.scale, `the scale of ${call.name}`),
    [ElementWord.third]: recording.engine.constants.perChannel(call.shift, `the shift of ${call.name}`),
    [ElementWord.rows]: call.rows,
    [ElementWord.channels]: call.channels,
  });
}

export function pad(recording: Recording, call: PadCall): void {
  recording.append(call.name, 'pad', '', Opcode.pad, {
    [ElementWord.input]: recording.address(call.name, call.input),
    [ElementWord.output]: recording.address(call.name, call.output),
    [ElementWord.second]: recording.engine.constants.perChannel(call.values, `the padding of ${call.name}`),
    [ElementWord.rows]: call.images,
    [ElementWord.channels]: call.channels,
    [ElementWord.inputHeight]: call.inputHeight,
    [ElementWord.inputWidth]: call.inputWidth,
    [ElementWord.padding]: call.padding,
  });
}

export function padWithStatistics(recording: Recording, call: PadWithStatisticsCall): void {
  const { name, channels, tensors } = call;
  recording.shared.need(4 * roundUp(channels, 16));
  const values = recording.append(name, 'pad', 'values', Opcode.borderValues, {
    [BatchNormWord.channels]: channels,
    [BatchNormWord.weight]: recording.address(name, tensors.weight),
    [BatchNormWord.bias]: recording.address(name, tensors.bias),
    [BatchNormWord.runningMean]: recording.address(name, tensors.runningMean),
    [BatchNormWord.runningVariance]: recording.address(name, tensors.runningVariance),
    ...doubleWords(BatchNormWord.epsilon, call.epsilon),
  });
  recording.shared.refer(values, BatchNormWord.output);
  const pad = recording.append(name, 'pad', '', Opcode.pad, {
    [ElementWord.input]: recording.address(name, call.input),
    [ElementWord.output]: recording.address(name, call.output),
    [ElementWord.rows]: call.images,
    [ElementWord.channels]: channels,
    [ElementWord.inputHeight]: call.inputHeight,
    [ElementWord.inputWidth]: call.inputWidth,
    [ElementWord.padding]: call.padding,
  });
  recording.shared.refer(pad, ElementWord.second);
}

export function crop(recording: Recording, call: CropCall): void {
  recording.append(call.name, 'crop', '', Opcode.crop, {
    [ElementWord.input]: recording.address(call.name, call.input),
    [ElementWord.output]: recording.address(call.name, call.output),
    [ElementWord.rows]: call.images,
    [ElementWord.channels]: call.channels,
    [ElementWord.inputHeight]: call.outputHeight,
    [ElementWord.inputWidth]: call.outputWidth,
    [ElementWord.padding]: call.padding,
  });
}

export function add(recording: Recording, call: AddCall): void {
  recording.append(call.name, 'add', '', Opcode.add, {
    [ElementWord.input]: recording.address(call.name, call.a),
    [ElementWord.second]: recording.address(call.name, call.b),
    [ElementWord.output]: recording.address(call.name, call.output),
    [ElementWord.elements]: elementCount(call.output.shape),
    [ElementWord.inputElements]: elementCount(call.a.shape),
    [ElementWord.secondElements]: elementCount(call.b.shape),
  });
}

export function spatialMean(recording: Recording, call: SpatialMeanCall): void {
  recording.append(call.name, 'spatialMean', '', Opcode.spatialMean, {
    [ElementWord.input]: recording.address(call.name, call.input),
    [ElementWord.output]: recording.address(call.name, call.output),
    [ElementWord.rows]: call.images,
    [ElementWord.positions]: call.positions,
    [ElementWord.channels]: call.channels,
  });
}

export function timeMean(recording: Recording, call: TimeMeanCall): void {
  recording.append(call.name, 'timeMean', '', Opcode.timeMean, {
    [ElementWord.input]: recording.address(call.name, call.input),
    [ElementWord.output]: recording.address(call.name, call.output),
    [ElementWord.timeSteps]: call.timeSteps,
    [ElementWord.elements]: call.elements,
  });
}

export function repeat(recording: Recording, call: RepeatCall): void {
  const inputWords = byteLengthOf(call.input.shape, call.input.storage) / 4;
  recording.append(call.name, 'repeat', '', Opcode.repeat, {
    [ElementWord.input]: recording.address(call.name, call.input),
    [ElementWord.output]: recording.address(call.name, call.output),
    [ElementWord.elements]: inputWords * call.times,
    [ElementWord.inputElements]: inputWords,
  });
}

export function spatialMeanGradient(recording: Recording, call: SpatialMeanGradientCall): void {
  recording.append(call.name, 'spatialMeanGradient', '', Opcode.spatialMeanGradient, {
    [ElementWord.input]: recording.address(call.name, call.outputGradient),
    [ElementWord.output]: recording.address(call.name, call.inputGradient),
    [ElementWord.rows]: call.images,
    [ElementWord.positions]: call.positions,
    [ElementWord.channels]: call.channels,
  });
}

export function timeMeanGradient(recording: Recording, call: TimeMeanGradientCall): void {
  recording.append(call.name, 'timeMeanGradient', '', Opcode.timeMeanGradient, {
    [ElementWord.input]: recording.address(call.name, call.outputGradient),
    [ElementWord.output]: recording.address(call.name, call.inputGradient),
    [ElementWord.timeSteps]: call.timeSteps,
    [ElementWord.elements]: call.elements,
  });
}

export function addConstant(recording: Recording, call: AddConstantCall): void {
  recording.append(call.name, 'addConstant', '', Opcode.addConstant, {
    [ElementWord.output]: recording.address(call.name, call.tensor),
    [ElementWord.second]: recording.address(call.name, call.value),
    [ElementWord.elements]: elementCount(call.tensor.shape),
  });
}

export function zero(recording: Recording, { name, tensor }: ZeroCall): void {
  recording.append(name, 'zero', '', Opcode.zero, {
    [ElementWord.output]: recording.address(name, tensor),
    [ElementWord.elements]: elementCount(tensor.shape),
  });
}
