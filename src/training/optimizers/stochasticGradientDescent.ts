/**
 * Stochastic gradient descent with momentum (Polyak 1964; Nesterov's form after Sutskever et al., ICML 2013) as `torch.optim.SGD`
 * computes it with dampening 0. Parameters and velocities are float32, everything between is float64.
 */
import { TrainingError } from '../errors.js';
import { type OptimizedParameter, type Optimizer, OptimizerMemory, requireRange } from './optimizer.js';

export interface StochasticGradientDescentSettings {
  readonly momentum?: number;
  readonly nesterov?: boolean;
  readonly weightDecay?: number;
}

/** The usual momentum of image classification; PyTorch's own default is none. */
export const stochasticGradientDescentDefaults: Required<StochasticGradientDescentSettings> = {
  momentum: 0.9,
  nesterov: false,
  weightDecay: 0,
};

/**
 * With η the learning rate (times the parameter's own), μ the momentum and λ the weight decay (0 for parameters that do not decay):
 *
 *     d = g + λ p,   b ← μ b + d        (b = 0 before the first step)
 *     p ← p − η b,   or with nesterov   p ← p − η (d + μ b)
 *
 * @throws TrainingError when a setting is out of range or the layout is impossible.
 */
export function createStochasticGradientDescent(
  parameters: readonly OptimizedParameter[],
  settings: StochasticGradientDescentSettings = {},
): Optimizer {
  return new StochasticGradientDescent(parameters, { ...stochasticGradientDescentDefaults, ...settings });
}

class StochasticGradientDescent implements Optimizer {
  readonly name = 'sgd';
  readonly #settings: Required<StochasticGradientDescentSettings>;
  readonly #memory: OptimizerMemory;

  constructor(parameters: readonly OptimizedParameter[], settings: Required<StochasticGradientDescentSettings>) {
    requireRange('SGD momentum', settings.momentum, 0, 1);
    requireRange('SGD weightDecay', settings.weightDecay, 0, Number.MAX_VALUE);
    if (settings.nesterov && settings.momentum === 0)
      throw new TrainingError('SGD nesterov: momentum is 0, expected more; set a momentum or leave nesterov out');
    this.#settings = settings;
    this.#memory = new OptimizerMemory(parameters, settings.momentum === 0 ? [] : ['velocity']);
  }

  step(parameters: Float32Array, gradients: Float32Array, learningRate: number): void {
    this.#memory.check(parameters, gradients, learningRate);
    const { momentum, nesterov, weightDecay } = this.#settings;
    const velocity = this.#memory.quantities[0]?.values;
    this.#memory.steps++;
    for (const { offset, length, decay, rate: ownRate = 1 } of this.#memory.parameters) {
      const lambda = decay ? weightDecay : 0;
      const end = offset + length;
      const rate = ownRate * learningRate;
      if (velocity === undefined) descend(parameters, gradients, offset, end, lambda, rate);
      else if (nesterov) lookAhead(parameters, gradients, velocity, offset, end, lambda, rate, momentum);
      else roll(parameters, gradients, velocity, offset, end, lambda, rate, momentum);
    }
  }

  state(): Map<string, Float32Array> {
    return this.#memory.state();
  }

  counters(): { readonly steps: number } {
    return { steps: this.#memory.steps };
  }

  restore(state: ReadonlyMap<string, Float32Array>, counters: { readonly steps: number }): void {
    this.#memory.restore(state, counters.steps);
  }
}

function descend(
  parameters: Float32Array,
  gradients: Float32Array,
  start: number,
  end: number,
  lambda: number,
  rate: number,
): void {
  for (let i = start; i < end; i++) parameters[i] = parameters[i]! - rate * (gradients[i]! + lambda * parameters[i]!);
}

function roll(
  parameters: Float32Array,
  gradients: Float32Array,
  velocity: Float32Array,
  start: number,
  end: number,
  lambda: number,
  rate: number,
  momentum: number,
): void {
  for (let i = start; i < end; i++) {
    const moved = momentum * velocity[i]! + gradients[i]! + lambda * parameters[i]!;
    velocity[i] = moved;
    parameters[i] = parameters[i]! - rate * moved;
  }
}

function lookAhead(
  parameters: Float32Array,
  gradients: Float32Array,
  velocity: Float32Array,
  start: number,
  end: number,
  lambda: number,
  rate: number,
  momentum: number,
): void {
  for (let i = start; i < end; i++) {
    const slope = gradients[i]! + lambda * parameters[i]!;
    const moved = momentum * velocity[i]! + slope;
    velocity[i] = moved;
    parameters[i] = parameters[i]! - rate * (slope + momentum * moved);
  }
}
