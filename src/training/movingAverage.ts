/**
 * The exponential moving average of weights (Polyak averaging as in Tarvainen and Valpola, "Mean teachers", NeurIPS 2017): a second
 * set of weights that follows training smoothly and is evaluated in its stead. Running statistics of batch norms need one of their own.
 */
import { TrainingError } from './errors.js';
import { requireEntry, requireRange } from './optimizers/optimizer.js';

export interface MovingAverageSettings {
  /** d: the share of the old average that each update keeps. */
  readonly decay: number;
  /** Lets the average follow quickly at first: update k (from 0) keeps min(d, (1 + k)/(10 + k)), as TensorFlow's `num_updates`. */
  readonly warmUp?: boolean;
}

/** Kept in float32, like the weights; each update is `average ← d · average + (1 − d) · weights`, in float64. */
export class MovingAverage {
  /** The averaged weights, same layout as the weights; changed in place by `update`. */
  readonly average: Float32Array;
  readonly #settings: MovingAverageSettings;
  #updates = 0;

  /**
   * @param weights where the average begins; copied.
   * @throws TrainingError when the decay is not within 0 … 1.
   */
  constructor(weights: Float32Array, settings: MovingAverageSettings) {
    requireRange('moving average decay', settings.decay, 0, 1);
    this.average = Float32Array.from(weights);
    this.#settings = settings;
  }

  /** The share that the next update keeps. */
  get nextDecay(): number {
    const { decay, warmUp } = this.#settings;
    return warmUp ? Math.min(decay, (1 + this.#updates) / (10 + this.#updates)) : decay;
  }

  /** @throws TrainingError when the number of weights differs. */
  update(weights: Float32Array): void {
    if (weights.length !== this.average.length)
      throw new TrainingError(`moving average: got ${weights.length} weights, expected ${this.average.length}`);
    mix(this.average, weights, this.nextDecay);
    this.#updates++;
  }

  /** A view (not a copy) of the average. */
  state(): Map<string, Float32Array> {
    return new Map([['average', this.average]]);
  }

  counters(): { readonly updates: number } {
    return { updates: this.#updates };
  }

  /** @throws TrainingError, before anything is changed, when the state is not that of as many weights. */
  restore(state: ReadonlyMap<string, Float32Array>, counters: { readonly updates: number }): void {
    const { updates } = counters;
    if (!Number.isInteger(updates) || updates < 0)
      throw new TrainingError(`moving average: has ${updates} updates, expected a whole number ≥ 0`);
    this.average.set(requireEntry(state, 'average', this.average.length));
    this.#updates = updates;
  }
}

function mix(average: Float32Array, weights: Float32Array, decay: number): void {
  const share = 1 - decay;
  for (let i = 0; i < average.length; i++) average[i] = decay * average[i]! + share * weights[i]!;
}
