/** How somebody who knows more than a network's outputs looks on while it runs, with kernel calls of their own: energy counts spikes so. */
import type { Program } from '../engines/kernels.js';
import type { Shape } from '../graph/shape.js';
import type { Observe } from '../runtime/compile.js';
import type { TimedNetwork } from './network.js';

export interface Observer<Observed> {
  /**
   * Called for each recording of the network.
   *
   * @param shape Of the input, `[T or 1, B, H, W, C]`.
   * @param input The name of the network's input.
   * @param timeSteps How many the recording runs: those of the network, or one, where frames come one by one.
   */
  begin(shape: Shape, input: string, timeSteps: 'all' | 'one'): Observation<Observed>;
  /** Who looks on at a graph that is asked after this one; nobody where it is absent. */
  behind?(network: TimedNetwork): Observer<Observed>;
  /** What was seen of a run together. @param later Of the graphs that were asked after the first, in their order. */
  together?(first: Observed, later: readonly (readonly [graph: string, observed: Observed])[]): Observed;
}

/** The looking on of one recording. */
export interface Observation<Observed> {
  /** For `compile`. */
  readonly observe: Observe;
  /** What the program's last run showed. */
  read(program: Program): Promise<Observed>;
}
