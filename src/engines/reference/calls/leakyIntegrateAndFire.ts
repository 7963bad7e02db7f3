/**
 * Leaky integrate-and-fire neurons, step by step in time, and their gradient by a surrogate. Not trainable themselves: τ and θ
 * are constants. Formula: `MultiStepLIFNode` of spikingjelly 0.0.0.0.12 with `decay_input` and hard reset to zero. Membranes
 * are float32 after each operation (`neuronDynamics.ts`); gradients are float64, rounded once.
 */
import type {
  LeakyIntegrateAndFireGradientCall,
  Surrogate,
  TrainableLeakyIntegrateAndFireCall,
} from '../../calls/leakyIntegrateAndFire.js';
import { leakyIntegrateAndFireDynamics } from '../../neuronDynamics.js';
import { spikeWords } from '../../tensor.js';
import { realView, spikeView } from '../memory.js';
import { normalisation } from './batchNorm.js';

export function leakyIntegrateAndFire(call: TrainableLeakyIntegrateAndFireCall): () => void {
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

/** Forwards through time for the membranes, then backwards. */
export function leakyIntegrateAndFireGradient(call: LeakyIntegrateAndFireGradientCall): () => void {
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
