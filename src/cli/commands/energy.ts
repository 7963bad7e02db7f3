/** `energy`: what a network would cost on hardware that adds for a spike: counted from spikes that flowed, or from given rates. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { z } from 'zod';
import { defaultEnergyConstants } from '../../energy/constants.js';
import { type CountedLayer, countedLayers } from '../../energy/layers.js';
import { type PaperEnergy, paperEnergy, parseRates } from '../../energy/paperConvention.js';
import { UsageError } from '../../errors.js';
import { loadModel } from '../../index.js';
import { type EnergyMeasurement, EnergyMeter } from '../../library/energy.js';
import { openEvaluationData } from '../../library/evaluationData.js';
import type { Model } from '../../library/model.js';
import { metaSpikeformerSizes, resolveConfiguration } from '../../models/configurations.js';
import { type MetaSpikeformerConfiguration, metaSpikeformer } from '../../models/metaSpikeformer.js';
import type { Io } from '../io.js';
import {
  addEngineOptions,
  addNetworkOptions,
  addSourceOptions,
  atMostOne,
  given,
  imageSizeOption,
  oneOf,
  parseOptions,
  runningOptions,
  sourceOptions,
  wholeNumber,
} from '../options.js';
import { startProgress } from '../progress.js';
import type { Session } from '../session.js';
import { counted, giga, oneLine, table } from '../text.js';

const schema = z
  .strictObject({
    ...sourceOptions,
    ...runningOptions,
    imageSize: imageSizeOption,
    size: oneOf(['15M', '31M', '55M']).optional(),
    data: z.string().optional(),
    rates: z.string().optional(),
    images: wholeNumber(1, 10_000_000).optional(),
    proof: z.boolean().default(false),
    json: z.boolean().default(false),
  })
  .refine(atMostOne('model', 'checkpoint', 'size'), 'give only one of --model, --checkpoint and --size')
  .refine(atMostOne('data', 'rates'), 'give either --data or --rates, not both')
  .refine(
    ({ size, rates, proof }) => size === undefined || rates !== undefined || proof,
    '--size has no weights and so no spikes: give --rates FILE, or --proof, or a model or checkpoint',
  );

type Options = z.output<typeof schema>;

const batchSize = 16;
const defaultImageSize = [224, 224] as const;
const largestRatesFile = 1_000_000;

/** The last pointwise of SepConv is real-fed as the authors wrote it. */
const knownReasons: readonly (readonly [RegExp, string, string])[] = [
  [/^downsample1_1\./, 'the first convolution receives pixels', 'a spike code of the image, or an event camera'],
  [
    /\.Conv\.pwconv2$/,
    'the depthwise convolution before it has no neurons and hands on sums',
    'merging both into one 7×7 convolution fed by spikes (they are linear), at more operations',
  ],
];

export function registerEnergy(program: Command, session: Session): void {
  const command = program.command('energy').description('count operations and energy from spikes that flow');
  addEngineOptions(addNetworkOptions(addSourceOptions(command)))
    .option('--size <NAME>', "one of the paper's sizes, with --rates: 15M, 31M or 55M")
    .option('--image-size <N>', 'side of the square that images become (default: what the model says, else 224)')
    .option('--data <DIR>', 'labelled images, as eval takes them (default: the bundled photographs)')
    .option('--images <N>', 'at most so many of them')
    .option('--rates <FILE>', 'the paper’s convention from firing rates in a JSON file; nothing is run')
    .option('--proof', 'which layers are fed by spikes and which multiply; exit code 1 if one should not')
    .option('--json', 'print one JSON document')
    .action((typed: Record<string, unknown>) => run(session, parseOptions(schema, typed)));
}

interface Subject {
  readonly name: string;
  readonly configuration: MetaSpikeformerConfiguration;
  readonly imageSize: readonly [number, number];
}

async function run(session: Session, options: Options): Promise<void> {
  const { io } = session;
  if (options.size !== undefined) {
    const { timeSteps, heads, strides, imageSize } = options;
    const unseen = given({ timeSteps, heads, strides });
    const configuration = resolveConfiguration({ ...metaSpikeformerSizes[options.size], ...unseen });
    const size = imageSize === undefined ? defaultImageSize : ([imageSize, imageSize] as const);
    return withoutImages(session, { name: options.size, configuration, imageSize: size }, options);
  }
  const { model: name, checkpoint, threads, engine, precision, timeSteps, heads, strides, imageSize } = options;
  const settings = given({ threads, engine, precision, timeSteps, heads, strides, imageSize });
  const model = await loadModel(given({ model: name, checkpoint }), settings);
  try {
    const subject = {
      name: model.provenance.name,
      configuration: model.configuration,
      imageSize: model.preprocessing.crop,
    };
    if (options.rates !== undefined || options.proof) return await withoutImages(session, subject, options);
    const measured = await measure(io, model, options);
    print(io, subject, options, measured.energy.paper, measured);
  } finally {
    await model.dispose();
  }
}

async function withoutImages(session: Session, subject: Subject, options: Options): Promise<void> {
  const graph = metaSpikeformer(subject.configuration);
  const layers = countedLayers(graph, subject.imageSize);
  if (options.proof) return printProof(session, subject, layers, options.json);
  const neurons = graph.nodes.filter(({ operator }) => operator === 'lif').map(({ name }) => name);
  const rateOf = parseRates(await readJson(options.rates!), neurons, options.rates!);
  const energy = paperEnergy(layers, rateOf, subject.configuration.timeSteps, defaultEnergyConstants);
  print(session.io, subject, options, energy);
}

async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new UsageError(`${path}: cannot be read (${cause.code ?? cause.message})`, { cause });
  });
  if (text.length > largestRatesFile) throw new UsageError(`${path}: is larger than a file of firing rates can be`);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new UsageError(`${path}: is not JSON`, { cause });
  }
}

interface Measured {
  readonly energy: EnergyMeasurement;
  readonly data: string;
  /** Undefined without labels. */
  readonly correct: number | undefined;
}

async function measure(io: Io, model: Model, options: Options): Promise<Measured> {
  const meter = new EnergyMeter(model, defaultEnergyConstants);
  if (options.data === undefined) {
    const folder = fileURLToPath(new URL('../../../assets/photographs/', import.meta.url));
    const names = (await readdir(folder)).filter((file) => /\.jpg$/.test(file)).sort();
    for (const name of names.slice(0, options.images)) await meter.run(await model.inputOf([join(folder, name)]));
    return { energy: meter.result(), data: 'the bundled photographs', correct: undefined };
  }
  const data = await openEvaluationData(options.data);
  const total = Math.min(data.size, options.images ?? data.size);
  const progress = startProgress(io, 'energy', total, 'images');
  const named = model.hasLabels && data.classes.every((name) => model.labels.includes(name));
  let [done, correct] = [0, 0];
  try {
    for await (const { input, labels } of data.batches({ batch: batchSize, preprocess: model.preprocessing })) {
      const batch = Math.min(labels.length, total - done);
      const length = input.length / labels.length;
      const shape = [batch, 3, ...model.preprocessing.crop];
      const logits = await meter.run({ shape, data: input.subarray(0, batch * length) });
      const classes = logits.data.length / batch;
      for (let image = 0; image < batch; image++) {
        const [best] = model.rank(logits.data.subarray(image * classes, (image + 1) * classes), 1);
        if (best!.label === data.classes[labels[image]!]) correct++;
      }
      done += batch;
      progress.update(done);
      if (done >= total) break;
    }
  } finally {
    progress.stop();
  }
  return { energy: meter.result(), data: options.data, correct: named ? correct : undefined };
}

function print(io: Io, subject: Subject, options: Options, paper: PaperEnergy, measured?: Measured): void {
  const { timeSteps } = subject.configuration;
  const exact = measured?.energy;
  if (options.json) {
    const document = {
      command: 'energy',
      model: { name: subject.name, timeSteps, imageSize: subject.imageSize },
      constants: defaultEnergyConstants,
      data: measured ? { source: measured.data, images: measured.energy.images } : { rates: options.rates },
      accuracy: measured?.correct === undefined ? null : measured.correct / measured.energy.images,
      paper: { millijoules: paper.millijoules, annMillijoules: paper.annMillijoules, layers: paper.layers },
      exact: exact ? { millijoules: exact.exactMillijoules, neurons: exact.neurons, layers: exact.layers } : null,
    };
    io.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
    return;
  }
  const { bold, dim } = io.colours;
  const source = measured
    ? `${counted(measured.energy.images, 'image')} of ${measured.data}`
    : `rates of ${options.rates}`;
  io.stdout.write(`${bold(oneLine(subject.name))} ${dim(`T = ${timeSteps}, ${oneLine(source)}`)}\n`);
  const operations = new Map(exact?.layers.map((layer) => [layer.name, layer]));
  const mean = (values: readonly number[] | undefined) =>
    values && exact ? (values.reduce((a, b) => a + b, 0) / exact.images / 1e6).toFixed(3) : '';
  const rows = paper.layers.map(({ name, operations: dense, firingRate, millijoules }) => [
    name,
    giga(dense),
    firingRate === null ? 'pixels' : `${(100 * firingRate).toFixed(1)} %`,
    `${(1000 * millijoules).toFixed(2)} µJ`,
    ...(exact ? [mean(operations.get(name)?.additions), mean(operations.get(name)?.multiplications)] : []),
  ]);
  const head = [
    'layer',
    'operations',
    'firing rate',
    'paper',
    ...(exact ? ['additions (M)', 'multiplications (M)'] : []),
  ];
  for (const line of table([head, ...rows])) io.stdout.write(`${line}\n`);
  const ratio = paper.annMillijoules / paper.millijoules;
  io.stdout.write(bold(`paper's convention  ${paper.millijoules.toFixed(4)} mJ`));
  io.stdout.write(`, as an ANN ${paper.annMillijoules.toFixed(4)} mJ: ${ratio.toFixed(1)} times as much\n`);
  if (exact) io.stdout.write(`${bold(`counted             ${exact.exactMillijoules.toFixed(4)} mJ`)}\n`);
  if (measured?.correct !== undefined)
    io.stdout.write(`top-1 ${((100 * measured.correct) / measured.energy.images).toFixed(2)} %\n`);
}

function printProof(session: Session, subject: Subject, layers: readonly CountedLayer[], json: boolean): void {
  const { io } = session;
  const fed = layers.filter(({ spikeFed }) => spikeFed);
  const others = layers
    .filter(({ spikeFed }) => !spikeFed)
    .map(({ name, operations }) => {
      const known = knownReasons.find(([pattern]) => pattern.test(name));
      return { name, operations, why: known?.[1] ?? null, remedy: known?.[2] ?? null };
    });
  const unexplained = others.filter(({ why }) => why === null);
  if (unexplained.length > 0) session.exitCode = 1;
  if (json) {
    const document = {
      command: 'energy',
      proof: { model: subject.name, spikeFed: fed.map(({ name }) => name), multiplies: others },
    };
    io.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
    return;
  }
  const operations = (list: readonly { readonly operations: number }[]) =>
    list.reduce((sum, layer) => sum + layer.operations, 0);
  io.stdout.write(
    `${counted(fed.length, 'layer')} fed by spikes alone: ${giga(operations(fed))} operations a step, additions only\n`,
  );
  io.stdout.write(`${counted(others.length, 'layer')} fed by numbers: ${giga(operations(others))}\n`);
  for (const { name, operations: count, why, remedy } of others)
    io.stdout.write(
      `  ${name} ${giga(count)}: ${why ?? 'no reason is known: this layer should be fed by spikes'}${remedy ? `; would be additions with ${remedy}` : ''}\n`,
    );
}
