/** Meta-SpikeFormer as the registry knows it: its graph, its published sizes, and how its parameters are told from others. */
import type { Architecture, Variant } from './architecture.js';
import { metaSpikeformerSizes, recogniseConfiguration } from './configurations.js';
import {
  type MetaSpikeformerConfiguration,
  metaSpikeformer,
  metaSpikeformerConfigurationSchema,
} from './metaSpikeformer.js';

const published = (embedDim: readonly [number, number, number, number]): Variant<MetaSpikeformerConfiguration> => ({
  configuration: { embedDim: [...embedDim] },
  provenance: 'Yao et al., Spike-driven Transformer V2, ICLR 2024, table 2: ImageNet-1K',
  inputSize: [224, 224],
});

export const metaSpikeformerArchitecture: Architecture<MetaSpikeformerConfiguration> = {
  name: 'meta-spikeformer',
  schema: metaSpikeformerConfigurationSchema,
  sizes: Object.fromEntries(
    Object.entries(metaSpikeformerSizes).map(([size, { embedDim }]) => [size, published(embedDim)]),
  ),
  build: metaSpikeformer,
  recognise: (shapes) => recogniseConfiguration(shapes),
};
