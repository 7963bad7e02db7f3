/** The counting of a model's runs, as an observer of them: plans by image size, each used by every recording of that size. */

import type { Shape } from '../graph/shape.js';
import type { TimedNetwork } from '../inference/network.js';
import type { Observation, Observer } from '../inference/observer.js';
import { type CountingPlan, countingPlan } from './countingPlan.js';
import { SpikeCounting, type SpikeCounts } from './spikeCounting.js';

/** As many sizes as a model keeps recordings of. */
const mostPlans = 4;

export class Countings implements Observer<SpikeCounts> {
  readonly #model: TimedNetwork;
  readonly #plans = new Map<string, CountingPlan>();

  constructor(model: TimedNetwork) {
    this.#model = model;
  }

  begin(shape: Shape, input: string, timeSteps: 'all' | 'one'): Observation<SpikeCounts> {
    return new SpikeCounting(this.#plan(shape[2]!, shape[3]!, timeSteps), input);
  }

  /** Looking for weights of zero takes longer than a small network. */
  #plan(height: number, width: number, timeSteps: 'all' | 'one'): CountingPlan {
    const key = `${height} × ${width}, ${timeSteps}`;
    const { graph, parameters, oneStep } = this.#model;
    const plan =
      this.#plans.get(key) ?? countingPlan(timeSteps === 'all' ? graph : oneStep(), parameters, [height, width]);
    if (this.#plans.size >= mostPlans) this.#plans.clear();
    this.#plans.set(key, plan);
    return plan;
  }
}
