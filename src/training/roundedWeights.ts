/**
 * Weights that are trained as they ship (`scripts/ship-model.mjs`): before every forward pass those of layers that spikes feed are rounded to whole steps of a byte, those
 * of other layers to float16, while the optimizer changes what is behind them in float32 (quantisation-aware training; Jacob et al., "Quantization and Training of Neural Networks
 * for Efficient Integer-Arithmetic-Only Inference", CVPR 2018). So spikes that rounding flips are learned with.
 */
import { layersOfAll } from '../energy/layers.js';
import type { Graph } from '../graph/graph.js';
import { roundToFloat16 } from '../interop/dtype.js';
import { roundToGrid } from '../interop/steppedTensors.js';
import type { ParameterSlot } from './trainingPlanTypes.js';

/**
 * Names of the weights that are whole steps where a network ships: of layers that spikes feed, each as it is trained. The head of a classifier, one position per
 * image, is float32 in every precision.
 *
 * @param size Height and width of the input.
 * @throws GraphError when the size does not fit the network.
 */
export function gridWeights(graph: Graph, size: readonly [number, number]): Set<string> {
  return new Set(
    layersOfAll(graph, size, undefined, 'trained')
      .filter(({ spikeFed, kind, name }) => spikeFed && kind !== 'attention' && !/^head/.test(name))
      .map(({ parameterPrefix }) => `${parameterPrefix}.weight`),
  );
}

/** Rounds a vector of parameters in place and gives back what it was. What has one dimension is few numbers, ships as float32 and stays. */
export class RoundedWeights {
  readonly #slots: readonly ParameterSlot[];
  readonly #onGrid: ReadonlySet<string>;
  #exact = new Float32Array(0);

  /**
   * @param places Of the input: height and width, or a row.
   * @param slots Of all trained parameters; the first axis of a weight is its output channels.
   */
  constructor(graph: Graph, places: readonly number[], slots: readonly ParameterSlot[]) {
    const [height = 1, width = 1] = places.length === 1 ? [1, ...places] : places;
    this.#onGrid = gridWeights(graph, [height, width]);
    this.#slots = slots.filter(({ spec }) => spec.shape.length > 1);
  }

  /** A rounded copy. */
  rounded(weights: Float32Array): Float32Array {
    const copy = weights.slice();
    this.#roundSlots(copy);
    return copy;
  }

  /** Rounds the vector until `restore`. */
  round(weights: Float32Array): void {
    if (this.#exact.length !== weights.length) this.#exact = new Float32Array(weights.length);
    this.#exact.set(weights);
    this.#roundSlots(weights);
  }

  /** The vector as it was before `round`. */
  restore(weights: Float32Array): void {
    weights.set(this.#exact);
  }

  #roundSlots(weights: Float32Array): void {
    for (const { spec, offset, length } of this.#slots) {
      const own = weights.subarray(offset, offset + length);
      if (this.#onGrid.has(spec.name)) roundToGrid(own, spec.shape[0]!, own);
      else roundToFloat16(own);
    }
  }
}
