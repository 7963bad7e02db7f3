/**
 * What one step does to one neuron, in plain numbers. Engines without kernels of their own, calibration and traces of membranes use these functions, so that they agree
 * with each other to the bit. States are rounded to float32 after each operation, in PyTorch's order, because one that lands exactly on the threshold must
 * fire here as it does there.
 */

/** A neuron with its constants. */
export interface NeuronDynamics {
  /** h, the state after the input came in and before the neuron answers. @param before The state that the last step left; 0 before the first. */
  charge(before: number, input: number): number;
  /** What the neuron gives out: 1 or 0 if it spikes. */
  output(charged: number): number;
  /** The state that is left for the next step. */
  after(charged: number): number;
}

/**
 * `h = v + (x − v)/τ`, `s = [h ≥ θ]`, `v = (1 − s)·h`: spikingjelly 0.0.0.0.12, `MultiStepLIFNode` with `decay_input` and hard reset to 0.
 *
 * @param constants τ in time steps; θ in units of the input.
 */
export function leakyIntegrateAndFireDynamics(constants: {
  readonly tau: number;
  readonly threshold: number;
}): NeuronDynamics {
  const tau = Math.fround(constants.tau);
  return {
    charge: (before, input) => Math.fround(before + Math.fround(Math.fround(input - before) / tau)),
    ...hardReset(constants.threshold),
  };
}

/** `h = v + x`, `s = [h ≥ θ]`, `v = (1 − s)·h`: `MultiStepIFNode` with hard reset to 0. */
export function integrateAndFireDynamics({ threshold }: { readonly threshold: number }): NeuronDynamics {
  return { charge: (before, input) => Math.fround(before + input), ...hardReset(threshold) };
}

/** `max(0, x)`: nothing is left for the next step. */
export const reluDynamics: NeuronDynamics = {
  charge: (_before, input) => Math.fround(input),
  output: (charged) => Math.max(0, charged),
  after: () => 0,
};

/** Fires at the threshold and starts again from 0. */
function hardReset(constant: number): Pick<NeuronDynamics, 'output' | 'after'> {
  const threshold = Math.fround(constant);
  return {
    output: (charged) => (charged >= threshold ? 1 : 0),
    after: (charged) => (charged >= threshold ? 0 : charged),
  };
}
