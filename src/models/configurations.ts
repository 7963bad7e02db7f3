/**
 * Published sizes of Meta-SpikeFormer, and how to tell a network's configuration from the shapes in a checkpoint: what the authors
 * save holds weights, not the architecture.
 */
import { UsageError } from '../errors.js';
import { checkNames, type OptionNames } from '../optionNames.js';
import {
  type MetaSpikeformerConfiguration,
  type MetaSpikeformerOptions,
  metaSpikeformerConfigurationSchema,
} from './metaSpikeformer.js';

/** The three sizes of the paper's table 2 for ImageNet-1K, named by their parameters. */
export const metaSpikeformerSizes = {
  '15M': { embedDim: [64, 128, 256, 360] },
  '31M': { embedDim: [96, 192, 384, 480] },
  '55M': { embedDim: [128, 256, 512, 640] },
} as const satisfies Record<string, MetaSpikeformerOptions>;

export type MetaSpikeformerSize = keyof typeof metaSpikeformerSizes;

const optionNames = Object.keys(metaSpikeformerConfigurationSchema.shape);

/** Checks options and fills in the defaults; throws UsageError naming the option and what it may be. */
export function resolveConfiguration(options: MetaSpikeformerOptions): MetaSpikeformerConfiguration {
  checkNames('configuration', options, optionNames);
  const result = metaSpikeformerConfigurationSchema.safeParse(options);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw new UsageError(`configuration: ${issue.path.join('.') || 'options'}: ${issue.message}`);
}

/** Shapes by parameter name, as a checkpoint gives them. */
export type ParameterShapes = ReadonlyMap<string, readonly number[]>;

/** Settings that leave no trace in the shapes and may be given beside a checkpoint. */
export type UnseenOptions = Partial<
  Pick<MetaSpikeformerConfiguration, 'heads' | 'strides' | 'timeSteps' | 'tau' | 'threshold' | 'attentionThreshold'>
>;

export const unseenOptionNames: OptionNames<UnseenOptions> = {
  heads: true,
  strides: true,
  timeSteps: true,
  tau: true,
  threshold: true,
  attentionThreshold: true,
};

/**
 * Reads the configuration off the shapes of a Meta-SpikeFormer's parameters. Heads (8), strides, time steps and neuron
 * constants leave no trace in them and come from `unseen` or the defaults. Returns undefined when these are not the parameters of a
 * Meta-SpikeFormer at all; a single missing or wrong parameter is left to be named by the caller's comparison.
 */
export function recogniseConfiguration(
  shapes: ParameterShapes,
  unseen: UnseenOptions = {},
): MetaSpikeformerConfiguration | undefined {
  const stem = shapes.get('downsample1_1.encode_conv.weight');
  const outputs = ['downsample1_2', 'downsample2', 'downsample3', 'downsample4'].map(
    (name) => shapes.get(`${name}.encode_conv.weight`)?.[0] ?? shapes.get(`${name}.encode_bn.weight`)?.[0],
  );
  if (stem?.length !== 4 || outputs.some((channels) => channels === undefined)) return undefined;
  const embedDim = outputs as [number, number, number, number];
  const classes = shapes.get('head.weight')?.[0] ?? shapes.get('head.bias')?.[0];
  return resolveConfiguration({
    embedDim,
    stemKernel: stem[2]!,
    inputChannels: stem[1]!,
    depths: [
      countBlocks(shapes, (index) => `ConvBlock1_1.${index}.`),
      countBlocks(shapes, (index) => `ConvBlock1_2.${index}.`),
      countBlocks(shapes, (index) => `ConvBlock2_${index + 1}.0.`),
      countBlocks(shapes, (index) => `block3.${index}.`),
      countBlocks(shapes, (index) => `block4.${index}.`),
    ],
    mlpRatio: mlpRatioOf(shapes, embedDim),
    ...(classes === undefined ? {} : { classes }),
    distillation: shapes.has('head_kd.weight'),
    ...unseen,
  });
}

function countBlocks(shapes: ParameterShapes, prefix: (index: number) => string): number {
  const names = [...shapes.keys()];
  let count = 0;
  while (names.some((name) => name.startsWith(prefix(count)))) count++;
  return count;
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
