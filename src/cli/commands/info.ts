/** `info`: a network in numbers, without running it: parameters, sizes and operations by stage, and which layers multiply. */
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { z } from 'zod';
import { defaultModelName, registeredModel, weightsAddress } from '../../api/shippedModels.js';
import { figureSize, type Graph, spaceAxes } from '../../graph/graph.js';
import { type NetworkSummary, stageOf, summarise } from '../../insight/summary.js';
import { openCheckpointFile } from '../../interop/checkpointFiles.js';
import { type CheckpointOptions, type ChosenWeights, recogniseCheckpoint } from '../../interop/loadParameters.js';
import { trainedAt, warningsOf } from '../../interop/warnings.js';
import { inputOf } from '../../modalities/inputs.js';
import { defaultModality, type ModalityName, modalityOfCheckpoint } from '../../modalities/names.js';
import type { UnseenOptions } from '../../models/configurations.js';
import {
  architectureOf,
  describeNetwork,
  type NetworkDescription,
  publishedAs,
  publishedNetwork,
} from '../../models/registry.js';
import { chooseEngine, type EngineChoice } from '../../runtime/engines.js';
import { repConvNames } from '../../runtime/prepare.js';
import { askedGraph, defaultTask, knownTasks, taskOfCheckpoint } from '../../tasks/registry.js';
import type { Io } from '../io.js';
import {
  addNetworkOptions,
  addSourceOptions,
  atMostOne,
  describingOptions,
  given,
  loadingOptions,
  onlyWithCheckpoint,
  parseOptions,
  sourceOptions,
} from '../options.js';
import type { Session } from '../session.js';
import { giga, grouped, oneLine, table } from '../text.js';

const schema = z
  .strictObject({
    ...sourceOptions,
    ...describingOptions,
    json: z.boolean().default(false),
  })
  .refine(atMostOne('model', 'checkpoint'), 'give either --model or --checkpoint, not both')
  .refine(atMostOne('model', 'size'), 'give either --model or --size, not both')
  .refine(atMostOne('model', 'depths'), 'give --depths with --checkpoint or --size, not with --model')
  .refine(onlyWithCheckpoint('weights'), '--weights names weights of a checkpoint: give --checkpoint FILE with it')
  .refine(
    ({ depths, size, checkpoint }) => depths === undefined || size !== undefined || checkpoint !== undefined,
    '--depths: give --checkpoint FILE or --size NAME with it',
  );

type Options = z.output<typeof schema>;

/** A network and where its description comes from. */
interface Described extends Required<NetworkDescription> {
  readonly name: string;
  readonly description: string;
  readonly randomWeights: boolean | null;
  readonly task: string;
  readonly modality: ModalityName;
  readonly imageSize: readonly [number, number];
  readonly trainedTimeSteps?: number;
  /** The names of its classes, where its file has them. */
  readonly labels?: readonly string[];
  /** Of a checkpoint's weights, those that would be taken; null without a checkpoint. */
  readonly weights: ChosenWeights | null;
  readonly notes: readonly string[];
}

const defaultImageSize = [224, 224] as const;
const mostNames = 60;
/** Of networks that no file describes. */
const imageClassifier = { task: defaultTask, modality: defaultModality } as const;

export function registerInfo(program: Command, session: Session): void {
  const command = program.command('info').description('describe a network: parameters, stages, operations');
  addNetworkOptions(addSourceOptions(command))
    .option('--image-size <N>', 'side of the input images (default: what the model says, else 224)')
    .option('--json', 'print one JSON document')
    .action((typed: Record<string, unknown>) => info(session, parseOptions(schema, typed)));
}

async function info({ io }: Session, options: Options): Promise<void> {
  const found = await describe(options);
  const graph = askedGraph(found);
  const imageSize = figureSize(graph, options.imageSize, found.imageSize);
  const described = { ...found, imageSize };
  const { configuration } = described;
  const summary = summarise(graph, imageSize);
  const warnings = warningsOf({ provenance: given(described), configuration });
  const engine = await chooseEngine();
  for (const warning of warnings) io.stderr.write(`note: ${oneLine(warning)}\n`);
  if (options.json)
    io.stdout.write(`${JSON.stringify({ ...documentOf(described, summary, warnings, graph), engine }, null, 2)}\n`);
  else printSummary(io, described, summary, graph, engine);
}

async function describe(options: Options): Promise<Described> {
  const { timeSteps, heads, strides, attention, neuron } = options;
  const unseen = given({ timeSteps, heads, strides, attention, neuron });
  return options.checkpoint === undefined
    ? describeNamed(options, unseen)
    : describeCheckpoint(options.checkpoint, { ...unseen, ...loadingOptions(options) });
}

async function describeNamed({ model, size, depths }: Options, unseen: UnseenOptions): Promise<Described> {
  if (size !== undefined) {
    const { architecture, configuration, inputSize } = publishedNetwork(size);
    return {
      name: size,
      description: `the paper's ${size} network for ImageNet-1K, without weights`,
      randomWeights: null,
      ...describeNetwork(architecture, { ...configuration, ...given({ depths }), ...unseen }),
      ...imageClassifier,
      imageSize: inputSize,
      weights: null,
      notes: [],
    };
  }
  const registered = registeredModel(model ?? defaultModelName);
  if (registered.kind === 'trained') {
    return {
      ...(await describeCheckpoint(fileURLToPath(weightsAddress(registered.name)), unseen)),
      name: registered.name,
    };
  }
  return {
    name: registered.name,
    description: registered.description,
    randomWeights: true,
    ...describeNetwork(registered.architecture, { ...registered.configuration, ...unseen }),
    ...imageClassifier,
    imageSize: registered.preprocessing.crop,
    weights: null,
    notes: [],
  };
}

/** Reads names and shapes only; weights stay in the file. */
async function describeCheckpoint(path: string, options: CheckpointOptions): Promise<Described> {
  const checkpoint = await openCheckpointFile(path);
  try {
    const recognised = recogniseCheckpoint(checkpoint, options, knownTasks);
    const { architecture, configuration, task, modality, description, weights, notes } = recognised;
    return {
      name: path,
      description: description.description ?? `weights from ${path}`,
      randomWeights: false,
      architecture,
      configuration,
      task: taskOfCheckpoint(path, task),
      modality: modalityOfCheckpoint(path, modality),
      ...trainedAt(description),
      ...given({ labels: description.labels }),
      imageSize: sizeOf(path, modalityOfCheckpoint(path, modality), description.preprocessing),
      weights,
      notes,
    };
  } finally {
    await checkpoint.close();
  }
}

/** Of a checkpoint that says nothing, ImageNet's. */
function sizeOf(path: string, modality: ModalityName, preprocessing: object | undefined): Described['imageSize'] {
  const input = inputOf(modality);
  return preprocessing === undefined ? defaultImageSize : input.sizeOf(input.parse(preprocessing, path));
}

/** A network over joints whose checkpoint names no modality takes rows of joints, and nothing says whose. */
function inputIn({ modality }: Described, graph: Graph): ModalityName | null {
  return spaceAxes(graph) === 1 && modality === defaultModality ? null : modality;
}

function documentOf(described: Described, summary: NetworkSummary, notes: readonly string[], graph: Graph): object {
  const { name, description, randomWeights, architecture, task, configuration, imageSize, weights } = described;
  const { parameters, spikeFedOperations, realFedOperations, stages, realFedLayers } = summary;
  return {
    command: 'info',
    model: { name, description, randomWeights, trainedTimeSteps: described.trainedTimeSteps ?? null },
    weights: weights && { name: weights.name, others: weights.others },
    architecture,
    task,
    modality: inputIn(described, graph),
    size: publishedAs(described)?.name ?? null,
    notes,
    configuration,
    imageSize,
    parameters,
    labels: described.labels ?? null,
    operationsPerTimeStep: { spikeFed: spikeFedOperations, realFed: realFedOperations },
    stages,
    realFedLayers,
  };
}

/** As many as a screen has room for. */
function listedNames(labels: readonly string[]): string {
  const shown = labels.slice(0, mostNames).map(oneLine);
  return `${shown.join(', ')}${labels.length > mostNames ? ` and ${labels.length - mostNames} more` : ''}`;
}

function printSummary(io: Io, described: Described, summary: NetworkSummary, graph: Graph, engine: EngineChoice): void {
  const { bold, dim } = io.colours;
  const { configuration: c, imageSize } = described;
  const print = (line: string) => io.stdout.write(`${line}\n`);
  print(`${bold(oneLine(described.name))} ${dim(oneLine(described.description))}`);
  print(`${architectureOf(described).title}, ${described.task}, input: ${inputIn(described, graph) ?? 'joints'}`);
  const size = publishedAs(described)?.name;
  const lists = Object.entries(c).filter(([, value]) => Array.isArray(value));
  const facts = [
    size === undefined ? 'no published size' : `as published: ${size}`,
    `${grouped(summary.parameters)} parameters`,
    ...lists.map(([name, values]) => `${name} ${values.join(',')}`),
    ...(c.heads === undefined ? [] : [`${c.heads} heads`]),
    `${c.classes} classes`,
    `T = ${c.timeSteps}`,
    ...(c.attention === undefined ? [] : [`attention: ${c.attention}`]),
    ...(c.neuron === undefined ? [] : [`neurons: ${c.neuron}`]),
    ...(c.distillation ? ['distillation head'] : []),
  ];
  print(facts.join(', '));
  const { labels = [] } = described;
  if (labels.length > 0) print(`names: ${listedNames(labels)}`);
  if (described.weights && described.weights.name !== '.')
    print(
      `weights: ${oneLine([described.weights.name, ...described.weights.others.map((name) => `also ${name}`)].join(', '))}`,
    );
  print('');
  const rows = summary.stages.map((stage) => [
    stage.name,
    `${stage.size[0]}×${stage.size[1]}`,
    grouped(stage.tokens),
    grouped(stage.channels),
    grouped(stage.parameters),
    giga(stage.spikeFedOperations),
    giga(stage.realFedOperations),
  ]);
  const totals = [
    'total',
    '',
    '',
    '',
    grouped(summary.parameters),
    giga(summary.spikeFedOperations),
    giga(summary.realFedOperations),
  ];
  const [head, ...body] = table([
    ['stage', 'size (pixels)', 'tokens', 'channels', 'parameters', 'spike-fed (10⁹ MAC)', 'real-fed (10⁹ MAC)'],
    ...rows,
    totals,
  ]);
  print(bold(head!));
  for (const line of body) print(line);
  print(
    dim(
      `multiply-accumulates of a dense implementation per ${spaceAxes(graph) === 1 ? `frame of ${imageSize[1]} joints` : `${imageSize[0]}×${imageSize[1]} image`} and time step, with every layer as the authors wrote it (RepConv not merged); spike-fed ones are additions, made only where there are spikes`,
    ),
  );
  print('');
  print(bold(`${summary.realFedLayers.length} layers are fed by real numbers`));
  const realFed = table([['layer', 'how many', 'operations (10⁹ MAC)'], ...realFedRows(summary, graph)]);
  for (const line of realFed) print(`  ${line}`);
  if (repConvNames(graph).length > 0)
    print(dim('the parts of RepConv (body) merge exactly into 3×3 convolutions that are fed by spikes'));
  print('');
  print(`engine: ${engine.name} (${oneLine(engine.why)})`);
}

/** Layers that differ only in the number of their block or in q, k, v share a row. */
function realFedRows({ realFedLayers }: NetworkSummary, graph: Graph): string[][] {
  const groups = new Map<string, { count: number; operations: number }>();
  for (const { name, operations } of realFedLayers) {
    const stage = stageOf(name, graph) ?? '';
    const rest = name.startsWith(stage) ? name.slice(stage.length) : name;
    const pattern = (name === rest ? name : stage.replace(/\.\d+$/, '.*') + rest).replace(/\.[qkv]_/, '.{q,k,v}_');
    const group = groups.get(pattern) ?? { count: 0, operations: 0 };
    groups.set(pattern, { count: group.count + 1, operations: group.operations + operations });
  }
  return [...groups].map(([pattern, { count, operations }]) => [pattern, String(count), giga(operations)]);
}
