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
  readonly #isLater: boolean;

  /** @param isLater Whether it is a graph that is asked after another, at each of its time steps. */
  constructor(model: TimedNetwork, isLater = false) {
    this.#model = model;
    this.#isLater = isLater;
  }

  behind(network: TimedNetwork): Countings {
    return new Countings(network, true);
  }

  together(first: SpikeCounts, later: readonly (readonly [graph: string, counts: SpikeCounts])[]): SpikeCounts {
    return { ...first, later: later.map(([graph, counts]) => ({ graph, counts })) };
  }

  begin(shape: Shape, input: string, timeSteps: 'all' | 'one'): Observation<SpikeCounts> {
    return new SpikeCounting(this.#plan(shape[2]!, shape[3]!, timeSteps), input);
  }

  /** Looking for weights of zero takes longer than a small network. */
  #plan(height: number, width: number, timeSteps: 'all' | 'one'): CountingPlan {
    const key = `${height} × ${width}, ${timeSteps}`;
    const { graph, parameters, oneStep, timeSteps: all } = this.#model;
    const asked = timeSteps === 'all' ? graph : oneStep();
    const plan =
      this.#plans.get(key) ?? countingPlan(asked, parameters, [height, width], ...(this.#isLater ? [all] : []));
    if (this.#plans.size >= mostPlans) this.#plans.clear();
    this.#plans.set(key, plan);
    return plan;
  }
}
