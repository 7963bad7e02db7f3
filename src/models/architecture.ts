/**
 * What the rest of the project knows of a network's architecture: how its configuration is checked, which sizes were published, how its
 * graph is built, and how it is recognised in a checkpoint. One file per architecture implements it; `registry.ts` knows them all.
 */
import type { ZodType } from 'zod';
import { UsageError } from '../errors.js';
import type { Graph } from '../graph/graph.js';
import { checkNames } from '../optionNames.js';
import type { AttentionName } from './attentions.js';
import type { DetectionStrides, Head } from './head.js';
import type { NeuronName } from './neurons.js';

/** Shapes by parameter name, as a checkpoint gives them. */
export type ParameterShapes = ReadonlyMap<string, readonly number[]>;

/** What every configuration says, whatever the architecture; the rest is the architecture's own. */
export interface NetworkConfiguration {
  readonly timeSteps: number;
  readonly classes: number;
  readonly inputChannels: number;
  // Where the architecture has them:
  /** A second head that learns from a teacher. */
  readonly distillation?: boolean;
  readonly heads?: number;
  readonly strides?: readonly number[];
  readonly attention?: AttentionName;
  readonly neuron?: NeuronName;
  readonly tau?: number;
  readonly threshold?: number;
  readonly attentionThreshold?: number;
  /** Channels of the feature pyramid of dense tasks. */
  readonly pyramidChannels?: number | undefined;
  /** Of a detector with regions: the width of the head that classifies them. */
  readonly regionChannels?: number | undefined;
  readonly detectionStrides?: DetectionStrides | undefined;
}

/** A schema of options by name. */
export type ConfigurationSchema<C> = ZodType<C> & { readonly shape: Readonly<Record<string, ZodType>> };

/** What the pixels of an image become before a network sees them: `(value − mean)/std` for each of red, green and blue, on the scale 0..1. */
export interface Normalisation {
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

/** Mean and deviation of ImageNet's images, as torchvision has them. */
export const imagenetNormalisation: Normalisation = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/** A published network of an architecture. */
export interface Variant<C> {
  /** What makes it this variant; everything else has its default. */
  readonly configuration: Partial<C>;
  /** Where its figures come from. */
  readonly provenance: string;
  /** Height and width of the images it was made for. */
  readonly inputSize: readonly [height: number, width: number];
  readonly normalisation: Normalisation;
}

/** How an architecture's parameters are called, so that they are found in files behind the names of wrappers and beside other things. */
export interface ParameterNames {
  /** Parameters of which every set of weights has at least one, though others are missing. Matches whole names. */
  readonly anchor: RegExp;
  /** First parts of names, up to a dot: the modules that a network consists of. A pattern without anchors and capturing groups. */
  readonly modules: RegExp;
  /** Parameters that belong to the head: with another number of classes they begin anew. Matches the beginning of names. */
  readonly head: RegExp;
  /** Parameters without which nothing is recognised. */
  readonly frame: readonly string[];
}

export interface Architecture<C extends NetworkConfiguration = NetworkConfiguration> {
  /** As files, recipes and options call it. */
  readonly name: string;
  /** As its authors call it. */
  readonly title: string;
  /** Everything that distinguishes one network from another; fills defaults in. */
  readonly schema: ConfigurationSchema<C>;
  /** Published variants by name; the names of all architectures differ. */
  readonly sizes: Readonly<Record<string, Variant<C>>>;
  readonly parameterNames: ParameterNames;
  /** Settings that leave no trace in the shapes of parameters. */
  readonly unseen: readonly (keyof C & string)[];
  /**
   * @param configuration Valid: as it came through `schema`.
   * @param head What stands behind the backbone; by default the architecture's own classifier.
   */
  build(configuration: C, head?: Head): Graph;
  /**
   * The configuration of a network with parameters of these names and shapes. What leaves no trace in them has its default.
   *
   * @param given What a person says of the network: it wins over what the shapes say, so that what is missing is called missing.
   * @returns undefined when these are not the parameters of such a network at all.
   * @throws UsageError when a network of that configuration cannot be.
   */
  recognise(shapes: ParameterShapes, given?: Partial<C>): C | undefined;
  /** What a person should know of a network that was recognised by its shapes alone, a line each. */
  notes?(configuration: C): readonly string[];
  /** Batch norm scales that the authors start with, where they are not PyTorch's 1: by parameter name. */
  startingScales?(configuration: C): ReadonlyMap<string, number>;
}

/** Checks options and fills in the defaults. @throws UsageError naming the option and what it may be. */
export function resolved<C>(schema: ConfigurationSchema<C>, options: unknown): C {
  checkNames('configuration', options, Object.keys(schema.shape));
  const result = schema.safeParse(options);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw new UsageError(`configuration: ${issue.path.join('.') || 'options'}: ${issue.message}`);
}
