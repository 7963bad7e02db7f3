/** NeuroBench's counts while images flow: which pairs of activation and weight are both not zero, for every layer as it is trained. */
import { type CountedLayer, countedLayers } from '../energy/layers.js';
import {
  activeInputs,
  allActive,
  channelsByTap,
  connectionSparsity,
  effectiveOperations,
  footprintBytes,
  type MissingConnections,
  missingConnectionsOf,
  type NeuroBenchOperations,
  reachedBySpikes,
  weightsOf,
} from '../energy/neuroBench.js';
import { multiplicationsOfConvolution } from '../energy/synapticOperations.js';
import type { ConvolutionGeometry } from '../engines/kernels.js';
import { metaSpikeformer } from '../models/metaSpikeformer.js';
import type { FieldTensor, Model } from './model.js';

export interface NeuroBenchFigures {
  readonly footprintBytes: number;
  readonly connectionSparsity: number;
  /** Share of neurons, over images and time steps, that did not fire. */
  readonly activationSparsity: number;
  readonly synapticOperations: NeuroBenchOperations;
  /** Additions of SDSA's products per image, which the benchmark does not see. */
  readonly attentionAdditions: number;
}

/** The spikes of a neuron layer for one image and time step. */
export type WordsOf = (source: string) => Uint32Array;

interface MeteredLayer {
  readonly layer: CountedLayer;
  readonly missing: readonly MissingConnections[];
  /** Per image and time step. */
  readonly dense: number;
  /** A depthwise convolution on spikes right before it, whose sums it reads. */
  readonly depthwise: { readonly geometry: ConvolutionGeometry; readonly masks: Uint32Array } | undefined;
  /** Operations when every input counts as active; of layers behind a batch norm. */
  readonly whenAllActive: number;
}

export class NeuroBenchMeter {
  readonly #layers: readonly MeteredLayer[];
  readonly #model: Model;
  #macs = 0;
  #acs = 0;

  constructor(model: Model, size: readonly [number, number]) {
    this.#model = model;
    const layers = countedLayers(metaSpikeformer(model.configuration), size, 'trained');
    const byName = new Map(layers.map((layer) => [layer.name, layer]));
    this.#layers = layers
      .filter(({ kind }) => kind !== 'attention')
      .map((layer) => {
        const geometry = layer.geometry!;
        const missing = missingConnectionsOf(geometry, weightsOf(layer, model.parameters)!);
        const before = byName.get(layer.input);
        const depthwise = before?.spikeFed && before.geometry!.groups > 1 ? depthwiseOf(before, model) : undefined;
        const unknown = !layer.spikeFed && layer.sources.length > 0 && !depthwise;
        const whenAllActive = unknown ? effectiveOperations(allActive(geometry), geometry, missing) : 0;
        return { layer, missing, dense: multiplicationsOfConvolution(geometry), depthwise, whenAllActive };
      });
  }

  /** Counts one image at one time step. @param pixels `[C, H, W]`. */
  count(pixels: Float32Array, wordsOf: WordsOf): void {
    for (const { layer, missing, depthwise, whenAllActive } of this.#layers) {
      const geometry = layer.geometry!;
      const [source] = layer.sources;
      if (layer.spikeFed) {
        this.#acs += effectiveOperations(wordsOf(source!), geometry, missing);
      } else if (source === undefined) {
        const active = activeInputs(pixels, geometry.inputChannels, geometry.inputHeight * geometry.inputWidth);
        this.#macs += effectiveOperations(active, geometry, missing);
      } else if (depthwise) {
        const active = reachedBySpikes(wordsOf(source), depthwise.geometry, depthwise.masks);
        this.#macs += effectiveOperations(active, geometry, missing);
      } else {
        this.#macs += whenAllActive;
      }
    }
  }

  /** @param attentionAdditions Over all images and time steps. */
  result(images: number, firingRate: number, attentionAdditions: number): NeuroBenchFigures {
    const { parameters, configuration } = this.#model;
    const dense = this.#layers.reduce((sum, layer) => sum + layer.dense, 0);
    return {
      footprintBytes: footprintBytes(parameters),
      connectionSparsity: connectionSparsity(
        this.#layers.map(({ layer }) => layer),
        parameters,
      ),
      activationSparsity: 1 - firingRate,
      synapticOperations: {
        effectiveMacs: this.#macs / images,
        effectiveAcs: this.#acs / images,
        dense: dense * configuration.timeSteps,
      },
      attentionAdditions: attentionAdditions / images,
    };
  }
}

function depthwiseOf(layer: CountedLayer, model: Model): MeteredLayer['depthwise'] {
  const geometry = layer.geometry!;
  return { geometry, masks: channelsByTap(geometry, weightsOf(layer, model.parameters)!) };
}

/** The pixels of one image at one time step, of a batch `[B, C, H, W]` shown at every step or of frames `[T, B, C, H, W]`. */
export function pixelsOf({ shape, data }: FieldTensor, timeStep: number, image: number): Float32Array {
  const length = shape.slice(-3).reduce((a, b) => a * b, 1);
  const batch = shape.at(-4)!;
  const index = shape.length === 5 ? timeStep * batch + image : image;
  return data.subarray(index * length, (index + 1) * length);
}
