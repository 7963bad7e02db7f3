import type { IntegrateAndFireCall, IntegrateAndFireGradientCall } from '../../calls/integrateAndFire.js';
import { NeuronWord } from '../instructionSet.js';
import { bitsOf, widestRegister } from '../numbers.js';
import { Opcode } from '../opcodes.generated.js';
import type { Recording } from '../recording.js';
import { NeuronGradientWord, SurrogateKind } from '../trainingInstructionSet.js';

export function integrateAndFire(recording: Recording, call: IntegrateAndFireCall): void {
  recording.append(call.name, 'integrateAndFire', '', Opcode.integrateAndFire, {
    [NeuronWord.input]: recording.address(call.name, call.input),
    [NeuronWord.output]: recording.address(call.name, call.output),
    [NeuronWord.timeSteps]: call.timeSteps,
    [NeuronWord.positions]: call.positions,
    [NeuronWord.channels]: call.channels,
    [NeuronWord.inputTimeSteps]: call.inputTimeSteps,
    [NeuronWord.threshold]: bitsOf(call.threshold),
    [NeuronWord.membrane]: call.membrane ? recording.address(call.name, call.membrane) : 0,
  });
}

export function integrateAndFireGradient(recording: Recording, call: IntegrateAndFireGradientCall): void {
  const { name, surrogate } = call;
  recording.needScratch(widestRegister * call.timeSteps);
  recording.append(name, 'integrateAndFireGradient', surrogate.kind, Opcode.integrateAndFireGradient, {
    [NeuronGradientWord.input]: recording.address(name, call.input),
    [NeuronGradientWord.outputGradient]: recording.address(name, call.outputGradient),
    [NeuronGradientWord.inputGradient]: recording.address(name, call.inputGradient),
    [NeuronGradientWord.timeSteps]: call.timeSteps,
    [NeuronGradientWord.neurons]: call.positions * call.channels,
    [NeuronGradientWord.accumulate]: call.accumulate ? 1 : 0,
    [NeuronGradientWord.threshold]: bitsOf(call.threshold),
    [NeuronGradientWord.surrogate]: SurrogateKind[surrogate.kind],
    [NeuronGradientWord.alpha]: bitsOf(surrogate.alpha),
    [NeuronGradientWord.detachReset]: call.detachReset ? 1 : 0,
  });
}
