/**
 * `run`: tensors in, tensors out, for comparing with other implementations: reads `input` from a safetensors file and writes `logits` and every
 * other output of the network, and on request every spike and every stage's output, under the names of the authors' modules.
 */
import type { Command } from 'commander';
import { z } from 'zod';
import type { FieldTensor, Model, RunOptions, RunResult } from '../../api/model.js';
import { MetaSpikeformerError, UsageError } from '../../errors.js';
import { spaceAxes } from '../../graph/graph.js';
import { formatShape } from '../../graph/shape.js';
import { loadModel, openCheckpointFile, writeSafetensors } from '../../index.js';
import type { CheckpointTensor } from '../../interop/checkpoint.js';
import { CheckpointError } from '../../interop/errors.js';
import { recogniseCheckpoint } from '../../interop/loadParameters.js';
import type { TensorData } from '../../interop/tensorData.js';
import type { UnseenOptions } from '../../models/configurations.js';
import { knownTasks } from '../../tasks/registry.js';
import type { Io } from '../io.js';
import { printWarnings } from '../modelNote.js';
import {
  addEngineOptions,
  addNetworkOptions,
  given,
  loadingOptions,
  parseOptions,
  runningOptions,
  wholeNumber,
} from '../options.js';
import { checkOutput } from '../outputFile.js';
import type { Session } from '../session.js';
import { counted, milliseconds, oneLine } from '../text.js';

const recordable = ['spikes', 'activations'];

const schema = z.strictObject({
  ...runningOptions,
  checkpoint: z.string(),
  input: z.string(),
  output: z.string(),
  record: z
    .string()
    .transform((text) => text.split(',').map((word) => word.trim()))
    .refine(
      (words) => words.every((word) => recordable.includes(word)),
      `expected ${recordable.join(' or ')}, or both separated by a comma`,
    )
    .default([]),
  candidates: wholeNumber(1, 10_000).optional(),
  proposals: wholeNumber(1, 10_000).optional(),
});

type Options = z.output<typeof schema>;

export function registerRun(program: Command, session: Session): void {
  const command = program
    .command('run')
    .description('run tensors through a network and write its outputs, for comparison with other implementations')
    .requiredOption('--checkpoint <FILE>', 'weights: .pth, .pth.tar or .safetensors')
    .requiredOption(
      '--input <FILE>',
      'safetensors file with `input` [B,3,H,W] or [T,B,3,H,W], normalised; of joints [T,B,C,V]',
    )
    .requiredOption('--output <FILE>', 'safetensors file to write');
  addEngineOptions(addNetworkOptions(command))
    .option('--record <WHAT>', 'also write spikes, activations, or spikes,activations')
    .option('--candidates <N>', 'of a detector with regions: proposals of a level that are compared (default: 1000)')
    .option('--proposals <N>', 'of a detector with regions: proposals of an image that are kept (default: 1000)')
    .action((typed: Record<string, unknown>) => run(session, parseOptions(schema, typed)));
}

async function run({ io }: Session, options: Options): Promise<void> {
  await checkOutput(options.output, [
    { path: options.input, role: 'input' },
    { path: options.checkpoint, role: 'checkpoint' },
  ]);
  const { input, rois, maskRois } = await readInput(options.input);
  const model = await load(options, input);
  try {
    printWarnings(io, model);
    const record = {
      spikes: options.record.includes('spikes'),
      activations: options.record.includes('activations'),
    };
    const { candidates, proposals } = options;
    const regions = given({ regions: rois, maskRegions: maskRois, candidates, proposals });
    const asked = { record, ...(Object.keys(regions).length > 0 ? { regions } : {}) };
    const result = await runNamed(model, input, asked, options.input);
    await writeSafetensors(options.output, tensorsOf(result), { spike_shapes: spikeShapes(result) });
    printRun(io, options.output, result);
  } finally {
    await model.dispose();
  }
}

const floatTypes: readonly string[] = ['float64', 'float32', 'float16', 'bfloat16'];

interface RunInput {
  readonly input: FieldTensor;
  /** Of a detector, what its heads are asked about in place of what it proposes and finds. */
  readonly rois: FieldTensor | undefined;
  readonly maskRois: FieldTensor | undefined;
}

async function readInput(path: string): Promise<RunInput> {
  const file = await openCheckpointFile(path);
  try {
    if (file.format !== 'safetensors') {
      throw new CheckpointError(`${path}: is a PyTorch file; save the input as safetensors`);
    }
    const tensor = file.tensors.get('input');
    if (!tensor) {
      const names = [...file.tensors.keys()].slice(0, 8).join(', ') || 'nothing';
      throw new CheckpointError(`${path}: has no tensor named input; it holds ${names}; rename the tensor`);
    }
    const [rois, maskRois] = [file.tensors.get('rois'), file.tensors.get('mask_rois')];
    return {
      input: await floats(path, 'input', tensor),
      rois: rois && (await floats(path, 'rois', rois)),
      maskRois: maskRois && (await floats(path, 'mask_rois', maskRois)),
    };
  } finally {
    await file.close();
  }
}

async function floats(path: string, name: string, tensor: CheckpointTensor): Promise<FieldTensor> {
  if (!floatTypes.includes(tensor.dtype)) {
    const expected = name === 'input' ? 'normalised pixels' : 'pixels';
    throw new CheckpointError(`${path}: ${name} has the element type ${tensor.dtype}; expected ${expected} as float32`);
  }
  return { shape: tensor.shape, data: await tensor.readFloat32() };
}

/** A sequence of frames says itself how many time steps there are. */
async function load(options: Options, { shape }: FieldTensor): Promise<Model> {
  const { checkpoint, heads, strides, attention, neuron, threads, engine, precision } = options;
  const unseen = given({ heads, strides, attention, neuron });
  const timeSteps = options.timeSteps ?? ((await isFrames(options, unseen, shape)) ? shape[0] : undefined);
  const settings = { ...unseen, ...given({ threads, engine, precision, timeSteps }) };
  return loadModel({ checkpoint }, { ...settings, ...loadingOptions(options) });
}

/** Five axes are frames of maps; four are images, or frames of what has one axis of space, which the checkpoint's network knows. */
async function isFrames(options: Options, unseen: UnseenOptions, shape: readonly number[]): Promise<boolean> {
  if (shape.length !== 4) return shape.length === 5;
  const checkpoint = await openCheckpointFile(options.checkpoint);
  try {
    const { graph } = recogniseCheckpoint(checkpoint, { ...unseen, ...loadingOptions(options) }, knownTasks);
    return shape.length === spaceAxes(graph) + 3;
  } finally {
    await checkpoint.close();
  }
}

/** The library does not know the file that an input came from. */
async function runNamed(model: Model, input: FieldTensor, options: RunOptions, path: string): Promise<RunResult> {
  try {
    return await model.run(input, options);
  } catch (cause) {
    if (!(cause instanceof MetaSpikeformerError) || !/^(?:input|regions):/.test(cause.message)) throw cause;
    throw new UsageError(`${path}: ${cause.message}`, { cause });
  }
}

/** Named and shaped as the golden files are: bits lie in one dimension, the neurons' shapes are in the metadata. */
function tensorsOf({ outputs, spikes, activations }: RunResult): ReadonlyMap<string, TensorData> {
  const tensors = new Map<string, TensorData>();
  for (const [name, output] of outputs) tensors.set(name, { dtype: 'float32', ...output });
  for (const [name, { shape, data }] of activations ?? [])
    tensors.set(`act.${name}`, { dtype: 'float32', shape, data });
  for (const [name, { bits }] of spikes ?? []) {
    tensors.set(`spikes.${name}`, { dtype: 'uint8', shape: [bits.length], data: bits });
  }
  return tensors;
}

function spikeShapes({ spikes }: RunResult): string {
  return JSON.stringify(Object.fromEntries([...(spikes ?? [])].map(([name, { shape }]) => [name, shape])));
}

function printRun(io: Io, output: string, { outputs, spikes, activations, milliseconds: time }: RunResult): void {
  const parts = [
    ...[...outputs].map(([name, { shape }]) => `${name} ${formatShape(shape)}`),
    ...(spikes ? [`spikes of ${counted(spikes.size, 'layer')}`] : []),
    ...(activations ? [`activations of ${counted(activations.size, 'stage')}`] : []),
  ];
  io.stdout.write(`wrote ${oneLine(output)}: ${parts.join(', ')}; the network took ${milliseconds(time)}\n`);
}
