/** The counting that a model's runs have asked for: plans by image size, and which recording counts what. */

import type { Parameters } from '../graph/graph.js';
import type { Shape } from '../graph/shape.js';
import type { MetaSpikeformerConfiguration } from '../models/metaSpikeformer.js';
import type { Executable } from '../runtime/compile.js';
import { type CountingPlan, countingPlan } from './countingPlan.js';
import { SpikeCounting, type SpikeCounts } from './spikeCounting.js';

/** As many sizes as a model keeps recordings of. */
const mostPlans = 4;

export class Countings {
  readonly #model: { readonly configuration: MetaSpikeformerConfiguration; readonly parameters: Parameters };
  readonly #plans = new Map<string, CountingPlan>();
  readonly #ofExecutables = new WeakMap<Executable, SpikeCounting>();

  constructor(model: { readonly configuration: MetaSpikeformerConfiguration; readonly parameters: Parameters }) {
    this.#model = model;
  }

  /** @param shape Of the input, `[T, B, H, W, C]`. @param compileWith Records the network with the calls that count. */
  compiled(
    shape: Shape,
    input: string,
    compileWith: (options: Pick<SpikeCounting, 'observe'>) => Executable,
  ): Executable {
    const counting = new SpikeCounting(this.#plan(shape[2]!, shape[3]!), input);
    const executable = compileWith({ observe: counting.observe });
    this.#ofExecutables.set(executable, counting);
    return executable;
  }

  /** What the last run counted; undefined when it was not asked to. */
  async read(executable: Executable): Promise<SpikeCounts | undefined> {
    return this.#ofExecutables.get(executable)?.read(executable.program);
  }

  /** Looking for weights of zero takes longer than a small network. */
  #plan(height: number, width: number): CountingPlan {
    const key = `${height} × ${width}`;
    const { configuration, parameters } = this.#model;
    const plan = this.#plans.get(key) ?? countingPlan(configuration, parameters, [height, width]);
    if (this.#plans.size >= mostPlans) this.#plans.clear();
    this.#plans.set(key, plan);
    return plan;
  }
}
