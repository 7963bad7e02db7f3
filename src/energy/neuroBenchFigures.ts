/** NeuroBench's figures of a model, from what was counted while images flowed. */

import { layersOfAll } from './layers.js';
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
  /** How often a layer runs for an image in the mean, by name; others once. */
  readonly perImage: ReadonlyMap<string, number>;
}

/** Whose figures are told. */
type MeasuredWeights = Pick<MeteredModel, 'configuration' | 'graph' | 'parameters'>;

/** What of the figures follows from the weights alone. */
interface Fixed {
  readonly size: string;
  readonly footprintBytes: number;
  readonly connectionSparsity: number;
  /** Operations of each layer, of one region where it looks at some. */
  readonly dense: readonly { readonly name: string; readonly operations: number }[];
}

/** Looking at all weights takes longer than a small network; a page shows these figures with every frame. */
const lastFixed = new WeakMap<object, Fixed>();

function fixedOf(model: MeasuredWeights, [height, width]: readonly [number, number]): Fixed {
  const size = `${height} × ${width}`;
  const known = lastFixed.get(model);
  if (known?.size === size) return known;
  const { parameters, configuration, graph } = model;
  const layers = layersOfAll(graph, [height, width], undefined, 'trained').filter(({ kind }) => kind !== 'attention');
  const { timeSteps } = configuration;
  const dense = layers.map(({ name, geometry, once }) => ({
    name,
    operations: (once ? 1 : timeSteps) * multiplicationsOfConvolution(geometry!),
  }));
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
  { images, firingRate, effectiveAcs, effectiveMacs, attentionAdditions, perImage }: NeuroBenchSums,
): NeuroBenchFigures {
  const { dense: layers, ...fixed } = fixedOf(model, size);
  const dense = layers.reduce((total, { name, operations }) => total + (perImage.get(name) ?? 1) * operations, 0);
  return {
    footprintBytes: fixed.footprintBytes,
    connectionSparsity: fixed.connectionSparsity,
    activationSparsity: 1 - firingRate,
    synapticOperations: { effectiveMacs: effectiveMacs / images, effectiveAcs: effectiveAcs / images, dense },
    attentionAdditions: attentionAdditions / images,
  };
}
