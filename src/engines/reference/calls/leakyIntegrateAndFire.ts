/**
 * Leaky integrate-and-fire neurons and their gradient by a surrogate. Not trainable themselves: τ and θ
 * are constants. Formula: `MultiStepLIFNode` of spikingjelly 0.0.0.0.12 with `decay_input` and hard reset to zero. Membranes
 * are float32 after each operation (`neuronDynamics.ts`); gradients are float64, rounded once.
 */
import type {
  LeakyIntegrateAndFireGradientCall,
  TrainableLeakyIntegrateAndFireCall,
} from '../../calls/leakyIntegrateAndFire.js';
import { leakyIntegrateAndFireDynamics } from '../../neuronDynamics.js';
import { runNeuronGradient, runNeurons } from '../neurons.js';
import { normalisation } from './batchNorm.js';

export function leakyIntegrateAndFire(call: TrainableLeakyIntegrateAndFireCall): () => void {
  return runNeurons(call, leakyIntegrateAndFireDynamics(call), normaliseOf(call));
}

/** What becomes of an input's number of a channel on its way to the neuron. */
function normaliseOf(call: TrainableLeakyIntegrateAndFireCall | LeakyIntegrateAndFireGradientCall) {
  return call.normalisation ? normalisation(call.name, call.normalisation) : (value: number) => value;
}

export function leakyIntegrateAndFireGradient(call: LeakyIntegrateAndFireGradientCall): () => void {
  const tau = Math.fround(call.tau);
  const dynamics = leakyIntegrateAndFireDynamics(call);
  return runNeuronGradient(call, dynamics, { inflow: 1 / tau, decay: 1 - 1 / tau }, normaliseOf(call));
}
