/** Meta-SpikeFormer as the registry knows it: its graph, its published sizes, and how its parameters are told from others. */
import { type Architecture, imagenetNormalisation, type Variant } from './architecture.js';
import {
  metaSpikeformerSizes,
  publishedDepths,
  recogniseWith,
  sizeNames,
  stageNames,
  unseenOptionNames,
} from './configurations.js';
import {
  type MetaSpikeformerConfiguration,
  metaSpikeformer,
  metaSpikeformerConfigurationSchema,
} from './metaSpikeformer.js';

const published = (embedDim: readonly [number, number, number, number]): Variant<MetaSpikeformerConfiguration> => ({
  configuration: { embedDim: [...embedDim], depths: [...publishedDepths] },
  provenance: 'Yao et al., Spike-driven Transformer V2, ICLR 2024, table 2: ImageNet-1K',
  inputSize: [224, 224],
  normalisation: imagenetNormalisation,
});

/**
 * Nothing for a network with the depths of the published ones, whatever its widths: of those nothing can be missing. Shapes cannot tell a
 * shallow network from a deep one of which a part is missing.
 */
function notes({ embedDim, depths }: MetaSpikeformerConfiguration): readonly string[] {
  if (depths.join() === publishedDepths.join()) return [];
  const size = sizeNames.find((name) => metaSpikeformerSizes[name].embedDim.join() === embedDim.join());
  const whose = size === undefined ? 'the published networks have' : `${size} of the same widths has`;
  const empty = stageNames.filter((_, index) => depths[index] === 0);
  const holes = empty.map((stage) => `; ${stage} has no blocks`).join('');
  const remedy = size === undefined ? '--depths' : `--size ${size} or --depths`;
  return [
    `this is no published network: its shapes say ${depths.join(',')} blocks, ${whose} ${publishedDepths.join(',')}${holes}; if a part may be missing, give ${remedy} to say what should be there`,
  ];
}

export const metaSpikeformerArchitecture: Architecture<MetaSpikeformerConfiguration> = {
  name: 'meta-spikeformer',
  title: 'Meta-SpikeFormer',
  schema: metaSpikeformerConfigurationSchema,
  sizes: Object.fromEntries(
    Object.entries(metaSpikeformerSizes).map(([size, { embedDim }]) => [size, published(embedDim)]),
  ),
  parameterNames: {
    anchor: /^downsample(?:1_1\.encode_conv\.weight|(?:1_2|2|3|4)\.encode_(?:conv|bn)\.weight)$/,
    modules:
      /downsample(?:1_1|1_2|\d+)|ConvBlock\d+_\d+|block\d+|head|head_kd|neck|decode_head|point_head|rpn_head|roi_head/,
    head: /^(?:head(?:_kd)?|neck|decode_head|point_head|rpn_head|roi_head)\./,
    frame: ['1_1', '1_2', '2', '3', '4'].map((stage) => `downsample${stage}.encode_conv.weight`),
  },
  unseen: Object.keys(unseenOptionNames) as (keyof typeof unseenOptionNames)[],
  build: metaSpikeformer,
  recognise: (shapes, given) => recogniseWith(shapes, given),
  notes,
};
