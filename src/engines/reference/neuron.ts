/**
 * Leaky integrate-and-fire neurons, step by step in time, and their gradient by a surrogate. Not trainable themselves: τ and θ
 * are constants. Formula: `MultiStepLIFNode` of spikingjelly 0.0.0.0.12 with `decay_input` and hard reset to zero. Membranes
 * are float32 after each operation (`neuronDynamics.ts`); gradients are float64, rounded once.
 */
import { EngineError } from '../errors.js';
import { type LeakyIntegrateAndFireCall, spikeWords } from '../kernels.js';
import { leakyIntegrateAndFireDynamics } from '../neuronDynamics.js';
import type {
  LeakyIntegrateAndFireGradientCall,
  Surrogate,
  TrainableLeakyIntegrateAndFireCall,
} from '../trainingKernels.js';
import { normalisation } from './batchNorm.js';
import { expectApart, expectApartOrSame, expectSize, expectWhole, realView, spikeView } from './memory.js';

/** Checks the call and returns what runs it. Throws EngineError. */
export function leakyIntegrateAndFire(call: TrainableLeakyIntegrateAndFireCall): () => void {
  checkNeuron(call);
  checkNormalisation(call);
  const { timeSteps, positions, channels } = call;
  const input = realView(call.name, call.input);
  const output = spikeView(call.name, call.output);
  const words = spikeWords(channels);
  const dynamics = leakyIntegrateAndFireDynamics(call);
  const neurons = positions * channels;
  const normalise = normaliseOf(call);
  const membrane = call.membrane ? realView(call.name, call.membrane) : new Float32Array(neurons);

  return () => {
    if (!call.membrane) membrane.fill(0);
    output.fill(0);
    for (let step = 0; step < timeSteps; step++) {
      for (let neuron = 0; neuron < neurons; neuron++) {
        const x = normalise(input[(step * neurons + neuron) % input.length]!, neuron % channels);
        const h = dynamics.charge(membrane[neuron]!, x);
        membrane[neuron] = dynamics.after(h);
        if (dynamics.output(h) === 0) continue;
        const channel = neuron % channels;
        const position = step * positions + (neuron - channel) / channels;
        const word = position * words + (channel >>> 5);
        output[word] = output[word]! | (1 << (channel & 31));
      }
    }
  };
}

/** What becomes of an input's number of a channel on its way to the neuron. */
function normaliseOf(call: TrainableLeakyIntegrateAndFireCall | LeakyIntegrateAndFireGradientCall) {
  return call.normalisation ? normalisation(call.name, call.normalisation) : (value: number) => value;
}

/** Checks the call and returns what runs it: forwards through time for the membranes, then backwards. Throws EngineError. */
export function leakyIntegrateAndFireGradient(call: LeakyIntegrateAndFireGradientCall): () => void {
  checkNeuronGradient(call);
  const { timeSteps, detachReset, accumulate } = call;
  const input = realView(call.name, call.input);
  const outputGradient = realView(call.name, call.outputGradient);
  const inputGradient = realView(call.name, call.inputGradient);
  const tau = Math.fround(call.tau);
  const threshold = Math.fround(call.threshold);
  const dynamics = leakyIntegrateAndFireDynamics(call);
  const derivative = surrogateDerivative(call.surrogate);
  const neurons = call.positions * call.channels;
  const membranes = new Float32Array(timeSteps);
  const normalise = normaliseOf(call);

  return () => {
    for (let neuron = 0; neuron < neurons; neuron++) {
      let v = 0;
      for (let step = 0; step < timeSteps; step++) {
        const h = dynamics.charge(v, normalise(input[step * neurons + neuron]!, neuron % call.channels));
        membranes[step] = h;
        v = dynamics.after(h);
      }
      let afterReset = 0;
      for (let step = timeSteps - 1; step >= 0; step--) {
        const index = step * neurons + neuron;
        const h = membranes[step]!;
        const reachesSpike = detachReset ? outputGradient[index]! : outputGradient[index]! - afterReset * h;
        const beforeReset = reachesSpike * derivative(h - threshold) + (h >= threshold ? 0 : afterReset);
        const gradient = beforeReset / tau;
        inputGradient[index] = accumulate ? inputGradient[index]! + gradient : gradient;
        afterReset = beforeReset * (1 - 1 / tau);
      }
    }
  };
}

/** g'(u), with u the distance of the membrane from the threshold. */
function surrogateDerivative({ kind, alpha }: Surrogate): (u: number) => number {
  switch (kind) {
    case 'sigmoid':
      return (u) => {
        const sigmoid = 1 / (1 + Math.exp(-alpha * u));
        return alpha * sigmoid * (1 - sigmoid);
      };
    case 'arctangent':
      return (u) => alpha / 2 / (1 + ((Math.PI / 2) * alpha * u) ** 2);
    case 'rectangular':
      return (u) => (Math.abs(u) < 1 / (2 * alpha) ? alpha : 0);
  }
}

function checkNeuron(call: LeakyIntegrateAndFireCall): void {
  const { name, timeSteps, inputTimeSteps, positions, channels, tau, threshold } = call;
  expectWhole(name, { timeSteps, inputTimeSteps, positions, channels });
  if (inputTimeSteps !== timeSteps && inputTimeSteps !== 1) {
    throw new EngineError(`${name}: the input has ${inputTimeSteps} time steps, expected ${timeSteps} or 1`);
  }
  checkConstants(name, tau, threshold);
  expectSize(name, 'input', call.input, inputTimeSteps * positions * channels, channels);
  expectSize(name, 'output', call.output, timeSteps * positions * channels, channels);
  expectApart(name, call.output, [call.input]);
  if (call.membrane) {
    expectSize(name, 'membrane', call.membrane, positions * channels, channels);
    expectApart(name, call.membrane, [call.input, call.output]);
  }
}

function checkConstants(name: string, tau: number, threshold: number): void {
  if (!(tau > 0) || !Number.isFinite(threshold)) {
    throw new EngineError(
      `${name}: tau is ${tau} and the threshold ${threshold}, expected tau > 0, a finite threshold`,
    );
  }
}

function checkNeuronGradient(call: LeakyIntegrateAndFireGradientCall): void {
  const { name, timeSteps, positions, channels, surrogate } = call;
  expectWhole(name, { timeSteps, positions, channels });
  checkConstants(name, call.tau, call.threshold);
  if (!(surrogate.alpha > 0) || !Number.isFinite(surrogate.alpha)) {
    throw new EngineError(`${name}: the surrogate's alpha is ${surrogate.alpha}, expected a finite number above 0`);
  }
  const count = timeSteps * positions * channels;
  expectSize(name, 'input', call.input, count, channels);
  expectSize(name, 'outputGradient', call.outputGradient, count, channels);
  expectSize(name, 'inputGradient', call.inputGradient, count, channels);
  expectApart(name, call.inputGradient, [call.input]);
  expectApartOrSame(name, call.inputGradient, [call.outputGradient]);
  checkNormalisation(call);
}

function checkNormalisation(call: TrainableLeakyIntegrateAndFireCall | LeakyIntegrateAndFireGradientCall): void {
  const { name, timeSteps, channels } = call;
  if (!call.normalisation) return;
  if (timeSteps > 1) throw new EngineError(`${name}: ${timeSteps} time steps, expected 1 with a normalisation`);
  for (const [role, tensor] of Object.entries(call.normalisation)) expectSize(name, role, tensor, channels, 1);
}
