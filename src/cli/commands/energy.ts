/** `energy`: what a network would cost on hardware that adds for a spike: counted from spikes that flowed, or from given rates. */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { z } from 'zod';
import type { Model } from '../../api/model.js';
import {
  defaultEnergyConstants,
  type EnergyConstants,
  energyConstantsShape,
  energyTable,
  parseEnergyConstants,
} from '../../energy/constants.js';
import { countsOf, type EnergyDocument, type EnergySubject, energyCsv, energyDocument } from '../../energy/document.js';
import { type FormProof, formNames, proveSpikeDriven } from '../../energy/edges.js';
import { type CountedLayer, countedLayers, layersOfAll, ratesOfSpikes } from '../../energy/layers.js';
import { paperEnergy, parseRates } from '../../energy/paperConvention.js';
import { energyReport } from '../../energy/report.js';
import { joules, numbersFed, operations } from '../../energy/reportText.js';
import { UsageError } from '../../errors.js';
import { figureSize } from '../../graph/graph.js';
import { loadModel } from '../../index.js';
import { writeNodeFile } from '../../interop/nodeFile.js';
import { describeNetwork, graphOf, publishedNetwork } from '../../models/registry.js';
import { spikeValues } from '../../runtime/spikeValues.js';
import { dataOfUnnamed, measure } from '../energyMeasurement.js';
import type { Io } from '../io.js';
import { printWarnings } from '../modelNote.js';
import {
  addEngineOptions,
  addNetworkOptions,
  addSourceOptions,
  atMostOne,
  defaultBatch,
  given,
  imageSizeOption,
  loadingOptions,
  onlyWithCheckpoint,
  parseOptions,
  runningOptions,
  sourceOptions,
  wholeNumber,
} from '../options.js';
import { checkOutput } from '../outputFile.js';
import {
  addReadingOptions,
  applyReadingOptions,
  damagedField,
  readingOptions,
  reportDamaged,
} from '../readingOptions.js';
import { reportOrigin } from '../reportOrigin.js';
import type { Session } from '../session.js';
import { counted, giga, oneLine, table } from '../text.js';
import { programVersion } from '../version.js';

const schema = z
  .strictObject({
    ...sourceOptions,
    ...runningOptions,
    ...readingOptions,
    imageSize: imageSizeOption,
    data: z.string().optional(),
    rates: z.string().optional(),
    images: wholeNumber(1, 10_000_000).optional(),
    batch: wholeNumber(1, 1024).default(defaultBatch),
    constants: z.string().optional(),
    report: z.string().optional(),
    csv: z.string().optional(),
    proof: z.boolean().default(false),
    json: z.boolean().default(false),
  })
  .refine(atMostOne('model', 'checkpoint'), 'give either --model or --checkpoint, not both')
  .refine(atMostOne('model', 'size'), 'give either --model or --size, not both')
  .refine(
    onlyWithCheckpoint('weights', 'depths'),
    '--weights and --depths say what a checkpoint holds: give --checkpoint FILE with them',
  )
  .refine(atMostOne('data', 'rates'), 'give either --data or --rates, not both')
  .refine(
    ({ proof, report, csv }) => !proof || (report === undefined && csv === undefined),
    '--proof cannot be combined with --report or --csv; leave it out (the report has the proof)',
  )
  .refine(
    ({ size, checkpoint, rates, proof }) =>
      size === undefined || checkpoint !== undefined || rates !== undefined || proof,
    '--size has no weights, so nothing can be run: add --rates FILE or --proof, or give a model or checkpoint instead',
  );

type Options = z.output<typeof schema>;

const largestSettingsFile = 1_000_000;

export function registerEnergy(program: Command, session: Session): void {
  const command = program
    .command('energy')
    .description('estimate energy from counted spikes or from given firing rates');
  addReadingOptions(addEngineOptions(addNetworkOptions(addSourceOptions(command))))
    .option('--image-size <N>', 'side of the square that images become (default: what the model says, else 224)')
    .option('--data <DIR>', 'labelled images, as eval takes them (default: the bundled photographs)')
    .option('--images <N>', 'run at most N of them')
    .option('--batch <N>', `images at once, 1 to 1024 (default: ${defaultBatch})`)
    .option('--rates <FILE>', 'run nothing; compute the paper’s convention from firing rates in a JSON file')
    .option(
      '--constants <NAME|FILE>',
      `picojoules: ${Object.keys(energyTable).join(', ')}, or a JSON file; fields that it leaves out are as in ${energyConstantsShape}`,
    )
    .option('--report <FILE>', 'write a report to read, print and cite: one HTML file')
    .option('--csv <FILE>', 'write the table of layers')
    .option(
      '--proof',
      'show which layers are fed by spikes and which multiply; exit code 1 if one multiplies that should not',
    )
    .option('--json', 'print one JSON document')
    .action((typed: Record<string, unknown>) => run(session, parseOptions(schema, typed)));
}

async function run(session: Session, options: Options): Promise<void> {
  applyReadingOptions(options);
  const { report, csv, checkpoint, data, rates, constants: constantsFile } = options;
  const inputs = Object.entries(given({ checkpoint, data, rates, 'file of constants': constantsFile })).map(
    ([role, path]) => ({ role, path }),
  );
  if (report !== undefined) await checkOutput(report, inputs, '--report');
  if (csv !== undefined)
    await checkOutput(csv, report === undefined ? inputs : [...inputs, { role: 'report', path: report }], '--csv');
  const constants = await chosenConstants(options.constants);
  if (options.size !== undefined && checkpoint === undefined) {
    const { timeSteps, heads, strides, attention, neuron, imageSize } = options;
    const unseen = given({ timeSteps, heads, strides, attention, neuron });
    const { architecture, configuration, inputSize } = publishedNetwork(options.size);
    const network = describeNetwork(architecture, { ...configuration, ...unseen });
    const size = imageSize === undefined ? inputSize : ([imageSize, imageSize] as const);
    return withoutImages(session, { name: options.size, ...network, imageSize: size }, options, constants);
  }
  const opened = options.proof ? undefined : await dataOfUnnamed(options);
  const {
    model: name = opened?.model,
    threads,
    engine,
    precision,
    timeSteps,
    heads,
    strides,
    attention,
    neuron,
    imageSize,
  } = options;
  const settings = given({ threads, engine, precision, timeSteps, heads, strides, attention, neuron, imageSize });
  const model = await loadModel(given({ model: name, checkpoint }), { ...settings, ...loadingOptions(options) });
  try {
    printWarnings(session.io, model);
    const { trainedTimeSteps } = model.provenance;
    const subject = {
      name: model.provenance.name,
      architecture: model.architecture,
      graph: model.graph,
      configuration: model.configuration,
      imageSize: figureSize(model.graph, imageSize, model.input.size),
      ...(trainedTimeSteps === undefined ? {} : { trainedTimeSteps }),
    };
    if (options.rates !== undefined || options.proof) return await withoutImages(session, subject, options, constants);
    const { measured, data, noun, correct } = await measure(session.io, model, options, constants, opened?.data);
    const accuracy = correct === undefined ? {} : { accuracy: correct / measured.images };
    const source = { source: data, images: measured.images, ...(noun === 'image' ? {} : { noun }) };
    const found = { subject, constants, data: source, paper: measured.paper, measured, ...accuracy };
    await publish(session.io, subject, energyDocument(found), options, model);
  } finally {
    await model.dispose();
  }
}

async function chosenConstants(chosen: string | undefined): Promise<EnergyConstants> {
  if (chosen === undefined) return defaultEnergyConstants;
  if (Object.hasOwn(energyTable, chosen)) return energyTable[chosen as keyof typeof energyTable];
  if (!chosen.endsWith('.json'))
    throw new UsageError(
      `--constants ${chosen}: expected ${Object.keys(energyTable).join(', ')} or a file whose name ends with .json`,
    );
  return parseEnergyConstants(await readJson(chosen, energyConstantsShape), chosen);
}

async function withoutImages(
  session: Session,
  subject: EnergySubject,
  options: Options,
  constants: EnergyConstants,
): Promise<void> {
  const graph = subject.graph ?? graphOf(subject);
  if (options.proof) return printProof(session, subject, options.json);
  const layers = countedLayers(graph, subject.imageSize);
  const neurons = spikeValues(graph);
  const rates = options.rates!;
  const rateOf = parseRates(await readJson(rates, '{"LIF name": rate, "default": rate}'), neurons, rates);
  const paper = paperEnergy(layers, ratesOfSpikes(graph, rateOf), subject.configuration.timeSteps, constants);
  await publish(session.io, subject, energyDocument({ subject, constants, data: { rates }, paper }), options);
}

/** Files first: what is printed says that they are there. */
async function publish(
  io: Io,
  subject: EnergySubject,
  document: EnergyDocument,
  options: Options,
  model?: Model,
): Promise<void> {
  const { report, csv, json } = options;
  const encoder = new TextEncoder();
  if (report !== undefined) {
    const proof = proveSpikeDriven(subject.graph ?? graphOf(subject));
    await writeNodeFile(report, [
      encoder.encode(energyReport(document, proof, programVersion(), reportOrigin(options, model))),
    ]);
  }
  if (csv !== undefined) await writeNodeFile(csv, [encoder.encode(energyCsv(document))]);
  reportDamaged(io, options);
  if (json) io.stdout.write(`${JSON.stringify({ ...document, ...damagedField(options) }, null, 2)}\n`);
  else {
    print(io, document);
    if (report !== undefined) io.stdout.write(`report: ${oneLine(report)}\n`);
    if (csv !== undefined) io.stdout.write(`table: ${oneLine(csv)}\n`);
  }
}

/** @param shape What a person should write instead. */
async function readJson(path: string, shape: string): Promise<unknown> {
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    throw new UsageError(`${path}: cannot be read (${cause.code ?? cause.message})`, { cause });
  });
  const text = new TextDecoder().decode(bytes);
  if (text.length > largestSettingsFile)
    throw new UsageError(`${path}: has ${text.length} characters; a small JSON file was expected`);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new UsageError(`${path}: is not JSON; expected ${shape}`, { cause });
  }
}

function print(io: Io, document: EnergyDocument): void {
  const { model, data, constants, paper, exact, neuroBench, memory, accuracy } = document;
  const { bold, dim } = io.colours;
  const source =
    'images' in data ? `${counted(data.images, data.noun ?? 'image')} of ${data.source}` : `rates of ${data.rates}`;
  io.stdout.write(
    `${bold(oneLine(model.name))} ${dim(`T = ${model.timeSteps}, ${oneLine(source)}, ${oneLine(constants.name)}`)}\n`,
  );
  const mean = (values: readonly number[]) => (values.reduce((a, b) => a + b, 0) / 1e6).toFixed(3);
  const rows = paper.layers.map(({ name, operations: dense, firingRate, millijoules }, index) => {
    const counts = countsOf(document, index);
    return [
      name,
      giga(dense),
      firingRate === null ? numbersFed(index, data) : `${(100 * firingRate).toFixed(1)} %`,
      `${(1000 * millijoules).toFixed(2)} µJ`,
      ...(counts ? [mean(counts.additions), mean(counts.multiplications)] : []),
    ];
  });
  const head = [
    'layer',
    'operations (10⁹)',
    'firing rate (%)',
    'paper (µJ)',
    ...(exact ? ['additions (10⁶)', 'multiplications (10⁶)'] : []),
  ];
  for (const line of table([head, ...rows])) io.stdout.write(`${line}\n`);
  io.stdout.write(bold(`paper's convention  ${paper.millijoules.toFixed(4)} mJ`));
  io.stdout.write(`, as an ANN ${paper.annMillijoules.toFixed(4)} mJ: ${paper.annRatio.toFixed(1)} times as much\n`);
  if (exact) io.stdout.write(`${bold(`counted             ${exact.millijoules.toFixed(4)} mJ`)}\n`);
  if (memory) {
    io.stdout.write(bold(`with memory         ${memory.millijoules.toFixed(4)} mJ`));
    const accesses = `${joules(memory.accessMillijoules)} for accesses: ${oneLine(constants.memory.name)}`;
    const { ann } = memory;
    const ratio = (ann.millijoules / memory.millijoules).toFixed(1);
    io.stdout.write(`, including ${accesses}; as an ANN ${ann.millijoules.toFixed(4)} mJ: ${ratio} times as much\n`);
  }
  const found = Object.entries(document.regions ?? {}).map(([head, count]) => `${head} ${count.toFixed(1)}`);
  if (found.length > 0) io.stdout.write(`regions of an image  ${found.join(', ')}\n`);
  if (neuroBench) io.stdout.write(`${neuroBenchLine(neuroBench)}\n`);
  if (accuracy !== null) io.stdout.write(`top-1 ${(100 * accuracy).toFixed(2)} %\n`);
}

function neuroBenchLine(figures: NonNullable<EnergyDocument['neuroBench']>): string {
  const { effectiveMacs, effectiveAcs, dense } = figures.synapticOperations;
  return [
    `NeuroBench (as trained)  footprint ${(figures.footprintBytes / 1e6).toFixed(2)} MB`,
    `connection sparsity ${figures.connectionSparsity.toFixed(4)}`,
    `activation sparsity ${figures.activationSparsity.toFixed(4)}`,
    `effective MACs ${operations(effectiveMacs)}, ACs ${operations(effectiveAcs)}, dense ${operations(dense)}`,
    `attention (not in the benchmark) ${operations(figures.attentionAdditions)}`,
  ].join('; ');
}

function printProof(session: Session, subject: EnergySubject, json: boolean): void {
  const { io } = session;
  const proof = proveSpikeDriven(subject.graph ?? graphOf(subject));
  const layers = layersOfAll(subject.graph ?? graphOf(subject), subject.imageSize);
  const merged = proof.find(({ form }) => form === 'merged')!;
  const reasons = new Map(merged.layers.map((layer) => [layer.name, layer]));
  const fed = layers.filter(({ spikeFed }) => spikeFed);
  const others = layers
    .filter(({ spikeFed }) => !spikeFed)
    .map(({ name, operations: count }) => {
      const { why = null, remedy = null } = reasons.get(name) ?? {};
      return { name, operations: count, why, remedy };
    });
  if (others.some(({ why }) => why === null)) session.exitCode = 1;
  if (json) {
    const document = {
      command: 'energy',
      proof: { model: subject.name, spikeFed: fed.map(({ name }) => name), multiplies: others, forms: proof },
    };
    io.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
    return;
  }
  for (const form of proof) io.stdout.write(`${formLine(form)}\n`);
  const total = (list: readonly { readonly operations: number }[]) =>
    list.reduce((sum, layer) => sum + layer.operations, 0);
  io.stdout.write(
    `${counted(fed.length, 'layer')} fed by spikes alone: ${giga(total(fed))} G operations a step, additions only\n`,
  );
  for (const [does, count] of attentionsOf(fed))
    io.stdout.write(`  of them ${counted(count, 'product')} of attention: ${does}\n`);
  io.stdout.write(`${counted(others.length, 'layer')} fed by numbers: ${giga(total(others))} G\n`);
  for (const { name, operations: count, why, remedy } of others)
    io.stdout.write(
      `  ${name} ${giga(count)}: ${why ?? 'no reason is known: this layer should be fed by spikes'}${remedy ? `; would be additions with ${remedy}` : ''}\n`,
    );
}

/** What attentions do, and how many layers do it. */
function attentionsOf(layers: readonly CountedLayer[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const { sums } of layers) {
    if (!sums) continue;
    const selects = sums.some((sum) => sum.of === 'rows');
    const does = selects
      ? 'Kᵀ V counts coincidences, and spikes of Q add up counts, which are integers'
      : 'coincidences of K and V are counted, channel by channel';
    found.set(does, (found.get(does) ?? 0) + 1);
  }
  return found;
}

function formLine({ form, edges, layers }: FormProof): string {
  const kinds = (['binary', 'integer', 'real'] as const).map(
    (kind) => `${edges.filter(({ carries }) => carries === kind).length} ${kind}`,
  );
  const fed = layers.filter(({ fedBy }) => fedBy === 'binary').length;
  return `${formNames[form].padEnd(18)} edges: ${kinds.join(', ')}; ${fed} of ${layers.length} layers fed by spikes`;
}
