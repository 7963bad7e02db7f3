/** What one step of a sequence cost, quickly: the operations of `EnergyMeter.result().exactMillijoules`, without what a report needs beside them. */
import type { Graph } from '../graph/graph.js';
import { type EnergyConstants, parseEnergyConstants } from './constants.js';
import { countedLayers } from './layers.js';
import type { SpikeCounts } from './spikeCounting.js';
import { multiplicationsOfConvolution } from './synapticOperations.js';

/** Of a network of one time step on inputs of one size. */
export class StepEnergy {
  readonly #constants: EnergyConstants;
  readonly #spikeFed: readonly string[];
  /** Of layers that are fed by numbers, at every step. */
  readonly #multiplications: number;

  /**
   * @param size Height and width of the input.
   * @throws UsageError naming the field of the constants that is wrong or unknown.
   */
  constructor(graph: Graph, size: readonly [height: number, width: number], constants: EnergyConstants) {
    this.#constants = parseEnergyConstants(constants, 'StepEnergy: constants');
    const layers = countedLayers(graph, size);
    this.#spikeFed = layers.filter(({ spikeFed }) => spikeFed).map(({ name }) => name);
    this.#multiplications = layers
      .filter(({ spikeFed }) => !spikeFed)
      .reduce(
        (total, { geometry, operations }) => total + (geometry ? multiplicationsOfConvolution(geometry) : operations),
        0,
      );
  }

  /** @returns millijoules per sample. */
  of({ additions, images }: SpikeCounts): number {
    const { accumulate, multiplyAccumulate } = this.#constants;
    let added = 0;
    for (const name of this.#spikeFed) for (const count of additions.get(name)!) added += count;
    return (accumulate * (added / images) + multiplyAccumulate * this.#multiplications) * 1e-9;
  }
}
