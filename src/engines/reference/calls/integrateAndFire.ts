/** Integrate-and-fire neurons and their gradient by a surrogate. Formula: `MultiStepIFNode` of spikingjelly 0.0.0.0.12 with hard reset to zero. */
import type { IntegrateAndFireCall, IntegrateAndFireGradientCall } from '../../calls/integrateAndFire.js';
import { integrateAndFireDynamics } from '../../neuronDynamics.js';
import { runNeuronGradient, runNeurons } from '../neurons.js';

export function integrateAndFire(call: IntegrateAndFireCall): () => void {
  return runNeurons(call, integrateAndFireDynamics(call));
}

export function integrateAndFireGradient(call: IntegrateAndFireGradientCall): () => void {
  return runNeuronGradient(call, integrateAndFireDynamics(call), { inflow: 1, decay: 1 });
}
