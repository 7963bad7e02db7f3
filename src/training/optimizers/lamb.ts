/**
 * LAMB (You et al., "Large Batch Optimization for Deep Learning", ICLR 2020) in the variant of timm 0.5.4, the authors' optimizer:
 * gradients clipped by their global norm first, weight decay inside the update, and the trust ratio only for parameters that decay.
 * Parameters and moments are float32, everything between is float64 and summed in the order of the elements.
 */
import { requireMomentSettings } from './adamW.js';
import { globalNorm } from './gradients.js';
import { type OptimizedParameter, type Optimizer, OptimizerMemory, requireRange } from './optimizer.js';

export interface LambSettings {
  readonly firstMomentDecay?: number;
  readonly secondMomentDecay?: number;
  readonly epsilon?: number;
  readonly weightDecay?: number;
  /** Gradients are divided by max(1, global norm / this); `Infinity` leaves them as they are. */
  readonly maximumGradientNorm?: number;
  /** No trust ratio above 1 (LAMBC; Fong et al., "Improving Layer-wise Adaptive Rate Methods using Trust Ratio Clipping", 2020). */
  readonly trustClip?: boolean;
  /** Trust ratio for parameters without weight decay too. */
  readonly alwaysAdapt?: boolean;
}

/** timm's defaults. */
export const lambDefaults: Required<LambSettings> = {
  firstMomentDecay: 0.9,
  secondMomentDecay: 0.999,
  epsilon: 1e-6,
  weightDecay: 0.01,
  maximumGradientNorm: 1,
  trustClip: false,
  alwaysAdapt: false,
};

/**
 * At step k, with η the learning rate (times the parameter's own), λ the weight decay (0 for parameters that do not decay) and N the largest norm:
 *
 *     g ← g / max(1, ‖all g‖/N)
 *     m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²
 *     u = m/(1 − β₁ᵏ) / (√v/√(1 − β₂ᵏ) + ε) + λ p
 *     r = ‖p‖/‖u‖ where λ ≠ 0 or alwaysAdapt, and both norms are positive; else 1;   with trustClip r ← min(r, 1)
 *     p ← p − η r u
 *
 * @throws TrainingError when a setting is out of range or the layout is impossible.
 */
export function createLamb(parameters: readonly OptimizedParameter[], settings: LambSettings = {}): Optimizer {
  return new Lamb(parameters, { ...lambDefaults, ...settings });
}

class Lamb implements Optimizer {
  readonly name = 'lamb';
  readonly #settings: Required<LambSettings>;
  readonly #memory: OptimizerMemory;
  /** The update of one parameter; it must be complete before its norm, and so the first changed weight, is known. */
  readonly #update: Float64Array;
  /** ‖p‖² and ‖u‖² of the parameter whose update was prepared last. */
  readonly #squares = new Float64Array(2);

  constructor(parameters: readonly OptimizedParameter[], settings: Required<LambSettings>) {
    requireMomentSettings('LAMB', settings);
    requireRange('LAMB maximumGradientNorm', settings.maximumGradientNorm, Number.MIN_VALUE, Number.POSITIVE_INFINITY);
    this.#settings = settings;
    this.#memory = new OptimizerMemory(parameters, ['firstMoment', 'secondMoment']);
    this.#update = new Float64Array(parameters.reduce((longest, { length }) => Math.max(longest, length), 0));
  }

  step(parameters: Float32Array, gradients: Float32Array, learningRate: number): void {
    this.#memory.check(parameters, gradients, learningRate);
    const { firstMomentDecay, secondMomentDecay, epsilon, weightDecay, alwaysAdapt } = this.#settings;
    const scale = this.#gradientScale(gradients);
    const steps = ++this.#memory.steps;
    const firstScale = 1 / (1 - firstMomentDecay ** steps);
    const rootScale = 1 / Math.sqrt(1 - secondMomentDecay ** steps);
    const first = this.#memory.quantities[0]!.values;
    const second = this.#memory.quantities[1]!.values;
    for (const { offset, length, decay, rate = 1 } of this.#memory.parameters) {
      const lambda = decay ? weightDecay : 0;
      prepareUpdate(
        parameters,
        gradients,
        first,
        second,
        this.#update,
        this.#squares,
        offset,
        length,
        scale,
        firstMomentDecay,
        secondMomentDecay,
        firstScale,
        rootScale,
        epsilon,
        lambda,
      );
      const ratio = lambda !== 0 || alwaysAdapt ? this.#trustRatio() : 1;
      applyUpdate(parameters, this.#update, offset, length, rate * learningRate * ratio);
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

  #gradientScale(gradients: Float32Array): number {
    const { maximumGradientNorm } = this.#settings;
    if (maximumGradientNorm === Number.POSITIVE_INFINITY) return 1;
    return 1 / Math.max(1, globalNorm(gradients, this.#memory.parameters) / maximumGradientNorm);
  }

  #trustRatio(): number {
    const weightNorm = Math.sqrt(this.#squares[0]!);
    const updateNorm = Math.sqrt(this.#squares[1]!);
    const ratio = weightNorm > 0 && updateNorm > 0 ? weightNorm / updateNorm : 1;
    return this.#settings.trustClip ? Math.min(ratio, 1) : ratio;
  }
}

/**
 * Moves the moments, writes the update u and both sums of squares. One sweep: sums that wait for their last addition cost nothing
 * beside the root and the division (39 ms with sweeps of their own for 3.5 million parameters in V8).
 */
function prepareUpdate(
  parameters: Float32Array,
  gradients: Float32Array,
  first: Float32Array,
  second: Float32Array,
  update: Float64Array,
  squares: Float64Array,
  offset: number,
  length: number,
  scale: number,
  firstDecay: number,
  secondDecay: number,
  firstScale: number,
  rootScale: number,
  epsilon: number,
  lambda: number,
): void {
  const firstShare = 1 - firstDecay;
  const secondShare = 1 - secondDecay;
  let weightSquares = 0;
  let updateSquares = 0;
  for (let i = 0; i < length; i++) {
    const at = offset + i;
    const gradient = scale * gradients[at]!;
    const m = firstDecay * first[at]! + firstShare * gradient;
    const v = secondDecay * second[at]! + secondShare * gradient * gradient;
    first[at] = m;
    second[at] = v;
    const weight = parameters[at]!;
    const change = (firstScale * m) / (Math.sqrt(v) * rootScale + epsilon) + lambda * weight;
    update[i] = change;
    weightSquares += weight * weight;
    updateSquares += change * change;
  }
  squares[0] = weightSquares;
  squares[1] = updateSquares;
}

function applyUpdate(
  parameters: Float32Array,
  update: Float64Array,
  offset: number,
  length: number,
  rate: number,
): void {
  for (let i = 0; i < length; i++) parameters[offset + i] = parameters[offset + i]! - rate * update[i]!;
}
