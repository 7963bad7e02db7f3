/**
 * Spiking neurons of any dynamics, step by step in time, and their gradient by a surrogate. Membranes are float32 after each operation
 * (`neuronDynamics.ts`); gradients are float64, rounded once.
 */
import type { Surrogate } from '../calls/leakyIntegrateAndFire.js';
import type { NeuronDynamics } from '../neuronDynamics.js';
import { spikeWords, type Tensor } from '../tensor.js';
import { realView, spikeView } from './memory.js';

/** @see LeakyIntegrateAndFireCall */
export interface NeuronsCall {
  readonly name: string;
  readonly timeSteps: number;
  readonly positions: number;
  readonly channels: number;
  readonly input: Tensor;
  readonly output: Tensor;
  readonly membrane?: Tensor;
}

/** What happens to an input's number of a channel on its way to the neuron. */
export type OnTheWay = (value: number, channel: number) => number;

const asItIs: OnTheWay = (value) => value;

export function runNeurons(call: NeuronsCall, dynamics: NeuronDynamics, onTheWay: OnTheWay = asItIs): () => void {
  const { timeSteps, positions, channels } = call;
  const input = realView(call.name, call.input);
  const output = spikeView(call.name, call.output);
  const words = spikeWords(channels);
  const neurons = positions * channels;
  const membrane = call.membrane ? realView(call.name, call.membrane) : new Float32Array(neurons);

  return () => {
    if (!call.membrane) membrane.fill(0);
    output.fill(0);
    for (let step = 0; step < timeSteps; step++) {
      for (let neuron = 0; neuron < neurons; neuron++) {
        const x = onTheWay(input[(step * neurons + neuron) % input.length]!, neuron % channels);
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

/** @see LeakyIntegrateAndFireGradientCall */
export interface NeuronGradientCall {
  readonly name: string;
  readonly timeSteps: number;
  readonly positions: number;
  readonly channels: number;
  readonly input: Tensor;
  readonly outputGradient: Tensor;
  readonly inputGradient: Tensor;
  readonly accumulate: boolean;
  readonly threshold: number;
  readonly surrogate: Surrogate;
  readonly detachReset: boolean;
}

/** How h depends on what came before: `∂h/∂x` and `∂h[t+1]/∂v[t]`. */
export interface Slopes {
  readonly inflow: number;
  readonly decay: number;
}

/** Forwards through time for the membranes, then backwards. */
export function runNeuronGradient(
  call: NeuronGradientCall,
  dynamics: NeuronDynamics,
  { inflow, decay }: Slopes,
  onTheWay: OnTheWay = asItIs,
): () => void {
  const { timeSteps, channels, detachReset, accumulate } = call;
  const input = realView(call.name, call.input);
  const outputGradient = realView(call.name, call.outputGradient);
  const inputGradient = realView(call.name, call.inputGradient);
  const threshold = Math.fround(call.threshold);
  const derivative = surrogateDerivative(call.surrogate);
  const neurons = call.positions * channels;
  const membranes = new Float32Array(timeSteps);

  return () => {
    for (let neuron = 0; neuron < neurons; neuron++) {
      let v = 0;
      for (let step = 0; step < timeSteps; step++) {
        const h = dynamics.charge(v, onTheWay(input[step * neurons + neuron]!, neuron % channels));
        membranes[step] = h;
        v = dynamics.after(h);
      }
      let afterReset = 0;
      for (let step = timeSteps - 1; step >= 0; step--) {
        const index = step * neurons + neuron;
        const h = membranes[step]!;
        const reachesSpike = detachReset ? outputGradient[index]! : outputGradient[index]! - afterReset * h;
        const beforeReset = reachesSpike * derivative(h - threshold) + (h >= threshold ? 0 : afterReset);
        const gradient = beforeReset * inflow;
        inputGradient[index] = accumulate ? inputGradient[index]! + gradient : gradient;
        afterReset = beforeReset * decay;
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
