/** Instructions of neurons: their own, or a part of the instruction of the convolution that feeds them. */
import type { NormalisationTensors } from '../../calls/batchNorm.js';
import type {
  LeakyIntegrateAndFireCall,
  LeakyIntegrateAndFireGradientCall,
  TrainableLeakyIntegrateAndFireCall,
} from '../../calls/leakyIntegrateAndFire.js';
import { ConvolutionWord, NeuronWord } from '../instructionSet.js';
import { bitsOf, isPowerOfTwo, widestRegister } from '../numbers.js';
import { Opcode } from '../opcodes.generated.js';
import type { Recording } from '../recording.js';
import { spikePlanOperands } from '../spikePlan.js';
import { NeuronGradientWord, NormalisedNeuronWord, SurrogateKind } from '../trainingInstructionSet.js';

export function leakyIntegrateAndFire(recording: Recording, call: TrainableLeakyIntegrateAndFireCall): void {
  if (call.normalisation) {
    normalisedNeurons(recording, call, call.normalisation);
    return;
  }
  // A product by the reciprocal equals the quotient bit for bit only for powers of two.
  const divide = !isPowerOfTwo(Math.fround(call.tau));
  const operands = {
    [NeuronWord.input]: recording.address(call.name, call.input),
    [NeuronWord.output]: recording.address(call.name, call.output),
    [NeuronWord.timeSteps]: call.timeSteps,
    [NeuronWord.positions]: call.positions,
    [NeuronWord.channels]: call.channels,
    [NeuronWord.inputTimeSteps]: call.inputTimeSteps,
    [NeuronWord.factor]: bitsOf(divide ? call.tau : 1 / call.tau),
    [NeuronWord.divide]: divide ? 1 : 0,
    [NeuronWord.threshold]: bitsOf(call.threshold),
    [NeuronWord.membrane]: call.membrane ? recording.address(call.name, call.membrane) : 0,
  };
  if (fuse(recording, call, operands)) return;
  const method = divide ? 'division' : 'multiplication';
  recording.append(call.name, 'leakyIntegrateAndFire', method, Opcode.leakyIntegrateAndFire, operands);
}

/**
 * Lets the neurons fire in the instruction of the convolution that feeds them, block by block while the currents are in the cache: when that is the
 * instruction before, membranes begin empty, and the spikes do not take the place of something that the convolution still reads.
 */
function fuse(recording: Recording, call: LeakyIntegrateAndFireCall, operands: Record<number, number>): boolean {
  const { feeder } = recording;
  if (!feeder || call.membrane || call.inputTimeSteps !== call.timeSteps) return false;
  const { input, residual, output, geometry: g } = feeder.call;
  const positions = g.images * g.outputHeight * g.outputWidth;
  const isFed =
    recording.address(call.name, call.input) === recording.address(call.name, output) &&
    call.channels === g.outputChannels &&
    call.positions * call.timeSteps === positions;
  if (!isFed || recording.overlaps(call.output, input) || (residual && recording.overlaps(call.output, residual)))
    return false;
  const plan = feeder.replan(call.timeSteps);
  const keepsCurrents = !call.isOnlyReader || residual !== undefined;
  recording.needScratch(plan.scratchBytes + (keepsCurrents ? 0 : plan.currentBytes));
  const fused: Record<number, number> = {
    ...spikePlanOperands(plan),
    [ConvolutionWord.neurons]: operands[NeuronWord.output]!,
    [ConvolutionWord.timeSteps]: call.timeSteps,
    [ConvolutionWord.factor]: operands[NeuronWord.factor]!,
    [ConvolutionWord.divide]: operands[NeuronWord.divide]!,
    [ConvolutionWord.threshold]: operands[NeuronWord.threshold]!,
    [ConvolutionWord.currents]: keepsCurrents ? 0 : plan.scratchBytes,
  };
  for (const [index, value] of Object.entries(fused)) feeder.words[Number(index)] = value;
  const last = recording.instructions.at(-1)!;
  recording.instructions[recording.instructions.length - 1] = { ...last, method: `${last.method}, neurons` };
  recording.feeder = undefined;
  return true;
}

function normalisedNeurons(
  recording: Recording,
  call: TrainableLeakyIntegrateAndFireCall,
  normalisation: NormalisationTensors,
): void {
  const { name, tau } = call;
  const divide = !isPowerOfTwo(Math.fround(tau));
  recording.append(name, 'leakyIntegrateAndFire', 'normalised', Opcode.normalisedNeurons, {
    [NormalisedNeuronWord.input]: recording.address(name, call.input),
    [NormalisedNeuronWord.output]: recording.address(name, call.output),
    [NormalisedNeuronWord.positions]: call.positions,
    [NormalisedNeuronWord.channels]: call.channels,
    [NormalisedNeuronWord.factor]: bitsOf(divide ? tau : 1 / tau),
    [NormalisedNeuronWord.divide]: divide ? 1 : 0,
    [NormalisedNeuronWord.threshold]: bitsOf(call.threshold),
    [NormalisedNeuronWord.batchMean]: recording.address(name, normalisation.batchMean),
    [NormalisedNeuronWord.batchInverseDeviation]: recording.address(name, normalisation.batchInverseDeviation),
    [NormalisedNeuronWord.weight]: recording.address(name, normalisation.weight),
    [NormalisedNeuronWord.bias]: recording.address(name, normalisation.bias),
  });
}

export function leakyIntegrateAndFireGradient(recording: Recording, call: LeakyIntegrateAndFireGradientCall): void {
  const { name, tau, surrogate, normalisation } = call;
  const divide = !isPowerOfTwo(Math.fround(tau));
  recording.needScratch(widestRegister * call.timeSteps);
  const method = `${surrogate.kind}${normalisation ? ', normalised' : ''}`;
  recording.append(name, 'leakyIntegrateAndFireGradient', method, Opcode.neuronGradient, {
    [NeuronGradientWord.input]: recording.address(name, call.input),
    [NeuronGradientWord.outputGradient]: recording.address(name, call.outputGradient),
    [NeuronGradientWord.inputGradient]: recording.address(name, call.inputGradient),
    [NeuronGradientWord.timeSteps]: call.timeSteps,
    [NeuronGradientWord.neurons]: call.positions * call.channels,
    [NeuronGradientWord.accumulate]: call.accumulate ? 1 : 0,
    [NeuronGradientWord.factor]: bitsOf(divide ? tau : 1 / tau),
    [NeuronGradientWord.divide]: divide ? 1 : 0,
    [NeuronGradientWord.threshold]: bitsOf(call.threshold),
    [NeuronGradientWord.inflow]: bitsOf(1 / tau),
    [NeuronGradientWord.decay]: bitsOf(1 - 1 / tau),
    [NeuronGradientWord.surrogate]: SurrogateKind[surrogate.kind],
    [NeuronGradientWord.alpha]: bitsOf(surrogate.alpha),
    [NeuronGradientWord.detachReset]: call.detachReset ? 1 : 0,
    [NeuronGradientWord.channels]: call.channels,
    ...(normalisation && {
      [NeuronGradientWord.batchMean]: recording.address(name, normalisation.batchMean),
      [NeuronGradientWord.batchInverseDeviation]: recording.address(name, normalisation.batchInverseDeviation),
      [NeuronGradientWord.weight]: recording.address(name, normalisation.weight),
      [NeuronGradientWord.bias]: recording.address(name, normalisation.bias),
    }),
  });
  recording.neuronsBefore = { call, instructions: recording.instructions.length };
}
