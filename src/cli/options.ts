/**
 * Options as they are typed, checked: each command has one zod schema made of these pieces, and nothing that was typed goes further
 * without passing it. Bounds that depend on the model (top, image folders) are checked where the model is known.
 */
import type { Command } from 'commander';
import { z } from 'zod';
import { defaultModelName, modelNames } from '../api/shippedModels.js';
import { attentionNames } from '../models/attentions.js';
import { detectionStridesNames } from '../models/head.js';
import type { NeuronName } from '../models/neurons.js';
import { publishedNames } from '../models/registry.js';
import { engineNames, maximumThreads } from '../runtime/engines.js';
import { given, oneOf, wholeNumber } from './optionParsing.js';

export * from './optionParsing.js';

const sizeWords = publishedNames() as readonly [string, ...string[]];

const stridesSchema = z
  .string()
  .regex(/^[1-4](,[1-4]){4}$/, 'expected five strides from 1 to 4 separated by commas, such as 1,2,2,1,1')
  .transform((text) => text.split(',').map(Number) as [number, number, number, number, number]);

/** Images that `eval` and `energy` run at once. */
export const defaultBatch = 8;

export const imageSizeOption = wholeNumber(8, 2048).optional();

const depthsSchema = z
  .string()
  .regex(
    /^(?:[0-9]|[1-5]\d|6[0-4])(?:,(?:[0-9]|[1-5]\d|6[0-4])){4}$/,
    'expected five numbers of blocks separated by commas, such as 1,1,2,6,2',
  )
  .transform((text) => text.split(',').map(Number) as [number, number, number, number, number]);

/** What a checkpoint should hold, and which of its weights are meant. */
const expectationOptions = {
  weights: z.string().min(1, 'expected the name of weights in the checkpoint').optional(),
  size: oneOf(sizeWords).optional(),
  depths: depthsSchema.optional(),
};

/** How weights of a detector are understood. */
const detectorOptions = { detectionStrides: oneOf(detectionStridesNames).optional() };

const loadingSchemas = { ...expectationOptions, ...detectorOptions };

/** Options by which a command's model is loaded, from what was typed; only those that were given. */
export function loadingOptions(
  options: {
    readonly [Key in keyof typeof loadingSchemas]?: z.output<(typeof loadingSchemas)[Key]>;
  },
) {
  const { weights, size, depths, detectionStrides } = options;
  return given({ weights, size, depths, detectionStrides });
}

/** For `refine` on a whole schema. */
export function onlyWithCheckpoint(...keys: readonly (keyof typeof expectationOptions)[]) {
  return (options: object) =>
    Reflect.get(options, 'checkpoint') !== undefined || keys.every((key) => Reflect.get(options, key) === undefined);
}

export const needsCheckpoint =
  '--weights, --size and --depths say what a checkpoint holds: give --checkpoint FILE with them';

/** Neurons by the words that people type. */
const neuronWords = { lif: 'lif', if: 'integrateAndFire', relu: 'relu' } as const satisfies Record<string, NeuronName>;
export const neuronSchema = oneOf(['lif', 'if', 'relu']).transform((word): NeuronName => neuronWords[word]);

export const attentionSchema = oneOf(attentionNames);

/** A network's settings that its weights do not tell. */
const networkOptions = {
  ...loadingSchemas,
  timeSteps: wholeNumber(1, 16).optional(),
  heads: wholeNumber(1, 256).optional(),
  strides: stridesSchema.optional(),
  attention: attentionSchema.optional(),
  neuron: neuronSchema.optional(),
};

const engineOptions = {
  threads: wholeNumber(1, maximumThreads).optional(),
  engine: oneOf(engineNames).optional(),
  precision: oneOf(['f32', 'i16']).optional(),
};

/** Options of every command that runs a network. */
export const runningOptions = { ...networkOptions, ...engineOptions };

/** Options of `info`, which runs nothing. */
export const describingOptions = { ...networkOptions, imageSize: imageSizeOption };

export const attentionHelp =
  'what attention is: sdsa3, or sdsa1, which counts where K and V fire together (default: what the model says, else sdsa3)';

export const neuronHelp =
  'what neurons are: lif, if (no leak), or relu, the float twin (default: what the model says, else lif)';

export function addNetworkOptions(command: Command): Command {
  return command
    .option('--weights <NAME>', 'which weights to take from a checkpoint that has several, such as model_ema')
    .option('--size <NAME>', `the checkpoint must hold this network completely: ${sizeWords.join(', ')}`)
    .option('--depths <a,b,c,d,e>', 'the checkpoint must hold these numbers of blocks in its five stages')
    .option('--time-steps <T>', 'time steps, 1 to 16 (default: what the model says, else 1)')
    .option('--heads <N>', 'attention heads, if the checkpoint does not say (default: 8)')
    .option(
      '--strides <a,b,c,d,e>',
      'strides of the five downsamplings, if the checkpoint does not say (default: 2,2,2,2,1)',
    )
    .option('--attention <NAME>', attentionHelp)
    .option('--neuron <NAME>', neuronHelp)
    .option(
      '--detection-strides <NAME>',
      'of a detector with regions, where its anchors lie: real (default) or published, as in the authors’ configuration',
    );
}

export function addEngineOptions(command: Command): Command {
  return command
    .option('--threads <N>', `threads, 1 to ${maximumThreads} (default: as many as there are processors)`)
    .option(
      '--engine <NAME>',
      'native (default where it was built), wasm, or reference: plain loops on one thread, slow, for comparison',
    )
    .option(
      '--precision <NAME>',
      'f32 (default), exact; or i16: weights of spike-fed layers in 8 bits, sums in 16, faster',
    );
}

function listOfModels(): string {
  return modelNames()
    .map((name) => (name === defaultModelName ? `${name} (default)` : name))
    .join(', ');
}

/** `--model` or `--checkpoint`, not both. */
export function addSourceOptions(command: Command): Command {
  return command
    .option('--model <NAME>', `a model that comes with this program: ${listOfModels()}`)
    .option('--checkpoint <FILE>', 'weights: .pth, .pth.tar or .safetensors');
}

export const sourceOptions = { model: z.string().optional(), checkpoint: z.string().optional() };
