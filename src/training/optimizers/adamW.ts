/**
 * AdamW (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019) as `torch.optim.AdamW` computes it, without
 * AMSGrad. Parameters and moments are float32, everything between is float64.
 */
import { type OptimizedParameter, type Optimizer, OptimizerMemory, requireRange, type VectorOf } from './optimizer.js';

export interface AdamWSettings {
  readonly firstMomentDecay?: number;
  readonly secondMomentDecay?: number;
  readonly epsilon?: number;
  readonly weightDecay?: number;
}

/** PyTorch's defaults. */
export const adamWDefaults: Required<AdamWSettings> = {
  firstMomentDecay: 0.9,
  secondMomentDecay: 0.999,
  epsilon: 1e-8,
  weightDecay: 0.01,
};

/**
 * At step k, with η the learning rate (times the parameter's own) and λ the weight decay (0 for parameters that do not decay):
 *
 *     p ← (1 − ηλ) p
 *     m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²
 *     p ← p − η · m/(1 − β₁ᵏ) / (√(v/(1 − β₂ᵏ)) + ε)
 *
 * @param vectors Where `firstMoment` and `secondMoment` lie, if not in arrays of the optimizer's own.
 * @throws TrainingError when a setting is out of range or the layout is impossible.
 */
export function createAdamW(
  parameters: readonly OptimizedParameter[],
  settings: AdamWSettings = {},
  vectors?: VectorOf,
): AdamW {
  return new AdamW(parameters, { ...adamWDefaults, ...settings }, vectors);
}

/** The numbers of one step, the same for all parameters of one rate. */
export interface AdamWStep {
  readonly firstDecay: number;
  readonly firstShare: number;
  readonly secondDecay: number;
  readonly secondShare: number;
  /** 1 − ηλ: what parameters that decay are multiplied by. */
  readonly keep: number;
  /** η / (1 − β₁ᵏ) */
  readonly stepSize: number;
  /** 1 / √(1 − β₂ᵏ) */
  readonly rootScale: number;
  readonly epsilon: number;
}

export class AdamW implements Optimizer {
  readonly name = 'adamw';
  readonly #settings: Required<AdamWSettings>;
  readonly #memory: OptimizerMemory;

  constructor(parameters: readonly OptimizedParameter[], settings: Required<AdamWSettings>, vectors?: VectorOf) {
    requireMomentSettings('AdamW', settings);
    this.#settings = settings;
    this.#memory = new OptimizerMemory(parameters, ['firstMoment', 'secondMoment'], vectors);
  }

  step(parameters: Float32Array, gradients: Float32Array, learningRate: number): void {
    this.#memory.check(parameters, gradients, learningRate);
    const numbersOf = this.next(learningRate);
    const first = this.#memory.quantities[0]!.values;
    const second = this.#memory.quantities[1]!.values;
    let step = numbersOf(1);
    let lastRate = 1;
    for (const { offset, length, decay, rate = 1 } of this.#memory.parameters) {
      if (rate !== lastRate) step = numbersOf(rate);
      lastRate = rate;
      updateRange(
        parameters,
        gradients,
        first,
        second,
        offset,
        offset + length,
        step.firstDecay,
        step.secondDecay,
        decay ? step.keep : 1,
        step.stepSize,
        step.rootScale,
        step.epsilon,
      );
    }
  }

  /**
   * Counts a step that somebody else takes, and says its numbers, by what the learning rate of parameters is multiplied by.
   *
   * @throws TrainingError when the learning rate is not a number ≥ 0.
   */
  next(learningRate: number): (rate: number) => AdamWStep {
    requireRange('learning rate', learningRate, 0, Number.MAX_VALUE);
    const { firstMomentDecay, secondMomentDecay, epsilon, weightDecay } = this.#settings;
    const steps = ++this.#memory.steps;
    return (rate) => ({
      firstDecay: firstMomentDecay,
      firstShare: 1 - firstMomentDecay,
      secondDecay: secondMomentDecay,
      secondShare: 1 - secondMomentDecay,
      keep: 1 - rate * learningRate * weightDecay,
      stepSize: (rate * learningRate) / (1 - firstMomentDecay ** steps),
      rootScale: 1 / Math.sqrt(1 - secondMomentDecay ** steps),
      epsilon,
    });
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

/** The settings that Adam's family shares. */
export function requireMomentSettings(optimizer: string, settings: Required<AdamWSettings>): void {
  const belowOne = 1 - Number.EPSILON;
  requireRange(`${optimizer} firstMomentDecay`, settings.firstMomentDecay, 0, belowOne);
  requireRange(`${optimizer} secondMomentDecay`, settings.secondMomentDecay, 0, belowOne);
  requireRange(`${optimizer} epsilon`, settings.epsilon, 0, Number.MAX_VALUE);
  requireRange(`${optimizer} weightDecay`, settings.weightDecay, 0, Number.MAX_VALUE);
}

/** The whole step for elements start … end − 1; scalars as arguments keep the loop free of property reads. */
function updateRange(
  parameters: Float32Array,
  gradients: Float32Array,
  first: Float32Array,
  second: Float32Array,
  start: number,
  end: number,
  firstDecay: number,
  secondDecay: number,
  keep: number,
  stepSize: number,
  rootScale: number,
  epsilon: number,
): void {
  const firstShare = 1 - firstDecay;
  const secondShare = 1 - secondDecay;
  for (let i = start; i < end; i++) {
    const gradient = gradients[i]!;
    const m = firstDecay * first[i]! + firstShare * gradient;
    const v = secondDecay * second[i]! + secondShare * gradient * gradient;
    first[i] = m;
    second[i] = v;
    parameters[i] = keep * parameters[i]! - (stepSize * m) / (Math.sqrt(v) * rootScale + epsilon);
  }
}
