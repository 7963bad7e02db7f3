/** The counting of a model's runs, as an observer of them: plans by image size, each used by every recording of that size. */

import type { Graph, Parameters } from '../graph/graph.js';
import type { Shape } from '../graph/shape.js';
import type { Observation, Observer } from '../inference/observer.js';
import { type CountingPlan, countingPlan } from './countingPlan.js';
import { SpikeCounting, type SpikeCounts } from './spikeCounting.js';

/** As many sizes as a model keeps recordings of. */
const mostPlans = 4;

export class Countings implements Observer<SpikeCounts> {
  readonly #model: { readonly graph: Graph; readonly parameters: Parameters };
  readonly #plans = new Map<string, CountingPlan>();

  constructor(model: { readonly graph: Graph; readonly parameters: Parameters }) {
    this.#model = model;
  }

  begin(shape: Shape, input: string): Observation<SpikeCounts> {
    return new SpikeCounting(this.#plan(shape[2]!, shape[3]!), input);
  }

  /** Looking for weights of zero takes longer than a small network. */
  #plan(height: number, width: number): CountingPlan {
    const key = `${height} × ${width}`;
    const { graph, parameters } = this.#model;
    const plan = this.#plans.get(key) ?? countingPlan(graph, parameters, [height, width]);
    if (this.#plans.size >= mostPlans) this.#plans.clear();
    this.#plans.set(key, plan);
    return plan;
  }
}
