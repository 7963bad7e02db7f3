/** NeuroBench's figures of a model, from what was counted while images flowed. */

import { countedLayers } from './layers.js';
import type { MeteredModel } from './meteredModel.js';
import { connectionSparsity, footprintBytes, type NeuroBenchOperations } from './neuroBench.js';
import { multiplicationsOfConvolution } from './synapticOperations.js';

export interface NeuroBenchFigures {
  readonly footprintBytes: number;
  readonly connectionSparsity: number;
  /** Share of neurons, over images and time steps, that did not fire. */
  readonly activationSparsity: number;
  readonly synapticOperations: NeuroBenchOperations;
  /** Additions of SDSA's products per image, which the benchmark does not see. */
  readonly attentionAdditions: number;
}

/** Sums over all images and time steps. */
export interface NeuroBenchSums {
  readonly images: number;
  readonly firingRate: number;
  readonly effectiveAcs: number;
  readonly effectiveMacs: number;
  readonly attentionAdditions: number;
}

/** Whose figures are told. */
type MeasuredWeights = Pick<MeteredModel, 'configuration' | 'graph' | 'parameters'>;

/** What of the figures follows from the weights alone. */
interface Fixed {
  readonly size: string;
  readonly footprintBytes: number;
  readonly connectionSparsity: number;
  readonly dense: number;
}

/** Looking at all weights takes longer than a small network; a page shows these figures with every frame. */
const lastFixed = new WeakMap<object, Fixed>();

function fixedOf(model: MeasuredWeights, [height, width]: readonly [number, number]): Fixed {
  const size = `${height} × ${width}`;
  const known = lastFixed.get(model);
  if (known?.size === size) return known;
  const { parameters, configuration, graph } = model;
  const layers = countedLayers(graph, [height, width], 'trained').filter(({ kind }) => kind !== 'attention');
  const { timeSteps } = configuration;
  const dense = layers.reduce(
    (total, { geometry, once }) => total + (once ? 1 : timeSteps) * multiplicationsOfConvolution(geometry!),
    0,
  );
  const fixed = {
    size,
    footprintBytes: footprintBytes(parameters),
    connectionSparsity: connectionSparsity(layers, parameters),
    dense,
  };
  lastFixed.set(model, fixed);
  return fixed;
}

export function neuroBenchFigures(
  model: MeasuredWeights,
  size: readonly [number, number],
  { images, firingRate, effectiveAcs, effectiveMacs, attentionAdditions }: NeuroBenchSums,
): NeuroBenchFigures {
  const { dense, ...fixed } = fixedOf(model, size);
  return {
    footprintBytes: fixed.footprintBytes,
    connectionSparsity: fixed.connectionSparsity,
    activationSparsity: 1 - firingRate,
    synapticOperations: { effectiveMacs: effectiveMacs / images, effectiveAcs: effectiveAcs / images, dense },
    attentionAdditions: attentionAdditions / images,
  };
}
