/**
 * Published sizes of Meta-SpikeFormer, and how to tell a network's configuration from the shapes in a checkpoint: what the authors
 * save holds weights, not the architecture.
 */
import { UsageError } from '../errors.js';
import type { OptionNames } from '../optionNames.js';
import { type ParameterShapes, resolved } from './architecture.js';
import {
  type MetaSpikeformerConfiguration,
  type MetaSpikeformerOptions,
  metaSpikeformerConfigurationSchema,
} from './metaSpikeformer.js';
import { boxNumbers } from './pointHead.js';

/** The three sizes of the paper's table 2 for ImageNet-1K, named by their parameters. */
export const metaSpikeformerSizes = {
  '15M': { embedDim: [64, 128, 256, 360] },
  '31M': { embedDim: [96, 192, 384, 480] },
  '55M': { embedDim: [128, 256, 512, 640] },
} as const satisfies Record<string, MetaSpikeformerOptions>;

export type MetaSpikeformerSize = keyof typeof metaSpikeformerSizes;

export const sizeNames = Object.keys(metaSpikeformerSizes) as readonly MetaSpikeformerSize[];

/** The stages that have blocks, as the authors call them, in the order of `depths`. */
export const stageNames = ['ConvBlock1_1', 'ConvBlock1_2', 'ConvBlock2', 'block3', 'block4'] as const;

/** Checks options and fills in the defaults; throws UsageError naming the option and what it may be. */
export function resolveConfiguration(options: MetaSpikeformerOptions): MetaSpikeformerConfiguration {
  return resolved(metaSpikeformerConfigurationSchema, options);
}

/** Settings that leave no trace in the shapes and may be given beside a checkpoint. */
export type UnseenOptions = Partial<
  Pick<
    MetaSpikeformerConfiguration,
    | 'heads'
    | 'strides'
    | 'timeSteps'
    | 'attention'
    | 'neuron'
    | 'tau'
    | 'threshold'
    | 'attentionThreshold'
    | 'detectionStrides'
  >
>;

export const unseenOptionNames: OptionNames<UnseenOptions> = {
  heads: true,
  strides: true,
  timeSteps: true,
  attention: true,
  neuron: true,
  tau: true,
  threshold: true,
  attentionThreshold: true,
  detectionStrides: true,
};

/** Blocks in the stages 1_1, 1_2, 2, 3 and 4. */
export type Depths = MetaSpikeformerConfiguration['depths'];

/** Blocks of every published network. */
export const publishedDepths: Depths = resolveConfiguration(metaSpikeformerSizes['15M']).depths;

/** What a person says a checkpoint holds: then what is not there is missing, instead of another network being there. */
export interface ExpectedArchitecture {
  /** The name of a published network, of any architecture. */
  readonly size?: MetaSpikeformerSize | (string & {});
  readonly depths?: Depths;
}

/** The settings that an expectation fixes. */
export function expectedSettings({ size, depths }: ExpectedArchitecture): Partial<MetaSpikeformerOptions> {
  if (size === undefined) return depths === undefined ? {} : { depths };
  const published = sizeNames.find((name) => name === size);
  if (!published) throw new UsageError(`size: found ${String(size)}, expected ${sizeNames.join(', ')}`);
  return { embedDim: [...metaSpikeformerSizes[published].embedDim], depths: depths ?? publishedDepths };
}

/**
 * Reads the configuration off the shapes of a Meta-SpikeFormer's parameters. Heads (8), strides, time steps and neuron
 * constants leave no trace in them and come from `unseen` or the defaults. Returns undefined when these are not the parameters of a
 * Meta-SpikeFormer at all; a single missing or wrong parameter is left to be named by the caller's comparison.
 */
export function recogniseConfiguration(
  shapes: ParameterShapes,
  unseen: UnseenOptions = {},
  expected: ExpectedArchitecture = {},
): MetaSpikeformerConfiguration | undefined {
  return recogniseWith(shapes, { ...expectedSettings(expected), ...unseen });
}

/** As `recogniseConfiguration`, for any settings that a person gives. */
export function recogniseWith(
  shapes: ParameterShapes,
  settings: Partial<MetaSpikeformerOptions> = {},
): MetaSpikeformerConfiguration | undefined {
  const stem = shapes.get('downsample1_1.encode_conv.weight');
  const outputs = ['downsample1_2', 'downsample2', 'downsample3', 'downsample4'].map(
    (name, index) =>
      settings.embedDim?.[index] ??
      shapes.get(`${name}.encode_conv.weight`)?.[0] ??
      shapes.get(`${name}.encode_bn.weight`)?.[0],
  );
  const hasStem = stem?.length === 4;
  if ((!hasStem && settings.embedDim === undefined) || outputs.some((channels) => channels === undefined))
    return undefined;
  const embedDim = outputs as [number, number, number, number];
  const classes = classesOf(shapes);
  const pyramidChannels = shapes.get('neck.lateral_convs.0.1.0.conv.weight')?.[0];
  const regionChannels = shapes.get('roi_head.bbox_head.shared_fcs.0.1.0.weight')?.[0];
  return resolveConfiguration({
    embedDim,
    ...(hasStem ? { stemKernel: stem[2]!, inputChannels: stem[1]! } : {}),
    depths: depthsOf(shapes.keys()),
    mlpRatio: mlpRatioOf(shapes, embedDim),
    ...(classes === undefined ? {} : { classes }),
    ...(pyramidChannels === undefined ? {} : { pyramidChannels }),
    ...(regionChannels === undefined ? {} : { regionChannels }),
    distillation: shapes.has('head_kd.weight'),
    ...settings,
  });
}

/** Of whatever head there is. */
function classesOf(shapes: ParameterShapes): number | undefined {
  const layers = ['head', 'decode_head.conv_seg', 'descriptor_head.proj'];
  const names = layers.flatMap((layer) => [`${layer}.weight`, `${layer}.bias`]);
  const found = names.map((name) => shapes.get(name)?.[0]).find((count) => count !== undefined);
  const numbers = shapes.get('point_head.levels.0.points.weight')?.[0];
  // Beside the classes a region may show nothing of them.
  const withBackground = shapes.get('roi_head.bbox_head.fc_cls.weight')?.[0];
  return (
    found ??
    (numbers === undefined ? undefined : numbers - boxNumbers) ??
    (withBackground === undefined ? undefined : withBackground - 1)
  );
}

/** A block's name: its stage and its number, which stage 2 counts from 1 and has in the stage's name. */
const BLOCK = /^(?:(ConvBlock1_1|ConvBlock1_2|block3|block4)\.(0|[1-9]\d{0,8})\.|(ConvBlock2)_([1-9]\d{0,8})\.0\.)/;

/** Up to the last block of each stage in one pass: a block that is missing before it is left to be named by the caller's comparison. */
function depthsOf(names: Iterable<string>): [number, number, number, number, number] {
  const depths: [number, number, number, number, number] = [0, 0, 0, 0, 0];
  for (const name of names) {
    const [, stage, index, secondStage, number] = BLOCK.exec(name) ?? [];
    const found = stage ?? secondStage;
    if (found === undefined) continue;
    const at = stageNames.indexOf(found as (typeof stageNames)[number]);
    depths[at] = Math.max(depths[at]!, stage === undefined ? Number(number) : Number(index) + 1);
  }
  return depths;
}

/** Hidden over plain channels of the first block that tells both. */
function mlpRatioOf(shapes: ParameterShapes, embedDim: readonly [number, number, number, number]): number {
  const candidates: readonly [string, number][] = [
    ['block3.0.mlp.fc1_conv.weight', embedDim[2]],
    ['block4.0.mlp.fc1_conv.weight', embedDim[3]],
    ['ConvBlock1_2.0.conv1.weight', embedDim[0]],
    ['ConvBlock1_1.0.conv1.weight', embedDim[0] / 2],
    ['ConvBlock2_1.0.conv1.weight', embedDim[1]],
  ];
  for (const [name, channels] of candidates) {
    const hidden = shapes.get(name)?.[0];
    if (hidden !== undefined) return hidden / channels;
  }
  return 4;
}
