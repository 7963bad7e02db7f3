/** `eval`: how often a model is right about labelled images, in one piece or in shards that add up exactly. */
import type { Command } from 'commander';
import { z } from 'zod';
import { askAll, type EvaluatedPart, runAll } from '../../api/evaluate.js';
import { openTaskEvaluationData, type TaskEvaluationData, type WholeSample } from '../../api/evaluationData.js';
import { modelFingerprint } from '../../api/fingerprint.js';
import type { ImageView, Model, Outputs, RunResult } from '../../api/model.js';
import { modelForClasses } from '../../api/shippedModels.js';
import type { RgbImage } from '../../data/image.js';
import { protocols } from '../../data/skeletons/protocols.js';
import { loadModel } from '../../index.js';
import type { SampleBatch } from '../../loader/loader.js';
import type { Shard } from '../../loader/shard.js';
import { type AnyEvaluation, type AnyTask, taskNamed } from '../../tasks/registry.js';
import { looksHelp, looksOption } from '../describing.js';
import { Drawings } from '../drawing.js';
import { checkMembers, membersFingerprint, together, withAnswers, withLooks } from '../ensemble.js';
import {
  type EvaluationDocument,
  evaluationDocument,
  fieldsIn,
  mergeEvaluations,
  namesIn,
  taskOf,
} from '../evaluationDocument.js';
import type { Io } from '../io.js';
import { classNames, imagenet } from '../labels.js';
import { modelNote, printModelNote, printWarnings } from '../modelNote.js';
import {
  addEngineOptions,
  addNetworkOptions,
  addSourceOptions,
  atMostOne,
  defaultBatch,
  given,
  imageSizeOption,
  loadingOptions,
  needsCheckpoint,
  OptionError,
  onlyWithCheckpoint,
  parseOptions,
  runningOptions,
  sourceOptions,
  wholeNumber,
} from '../options.js';
import { startProgress } from '../progress.js';
import {
  addReadingOptions,
  applyReadingOptions,
  damagedField,
  readingOptions,
  reportDamaged,
  skipBadHelp,
} from '../readingOptions.js';
import { exitCodes, type Session } from '../session.js';
import { dataOfSource } from '../sourceTask.js';
import { counted, oneLine, printNotes, roughDuration } from '../text.js';
import { addViewOptions, describedView, oneView, oneViewHelp, viewOf, viewOptions } from '../viewOptions.js';
import { defaultWorst, mostWorst, WorstSamples } from '../worstSamples.js';

const shardSchema = z
  .string()
  .regex(/^\d{1,6}\/\d{1,6}$/, 'expected i/n with 0 ≤ i < n, such as 0/4')
  .transform((text): Shard => {
    const [index, count] = text.split('/').map(Number) as [number, number];
    return { index, count };
  })
  .refine(({ index, count }) => index < count, 'expected i/n with 0 ≤ i < n, such as 0/4');

/** Where the worst are drawn when nothing else is said. */
const worstFolder = 'worst';

const viewNames = z
  .string()
  .transform((text) => text.split(','))
  .refine(
    (names) => names.length > 1 && names.every((name) => name.length > 0),
    'expected two names, such as drone,satellite',
  );

const settingsShape = {
  ...sourceOptions,
  ...runningOptions,
  ...readingOptions,
  ...viewOptions,
  imageSize: imageSizeOption,
  data: z.string().optional(),
  batch: wholeNumber(1, 1024).optional(),
  shard: shardSchema.optional(),
  labels: z.string().optional(),
  protocol: z.enum(protocols).optional(),
  views: viewNames.optional(),
  altitude: z.string().min(1).max(100).optional(),
  rerank: z.boolean().default(false),
  looks: looksOption,
  skipBad: z.boolean().default(false),
  ensemble: z.array(z.string().min(1)).max(64).optional(),
  draw: z.string().min(1).optional(),
  saveWorst: wholeNumber(1, mostWorst).optional(),
};

const schema = z
  .strictObject({
    ...settingsShape,
    merge: z.array(z.string()).optional(),
    json: z.boolean().default(false),
  })
  .refine(atMostOne('model', 'checkpoint'), 'give either --model or --checkpoint, not both')
  .refine(oneView, oneViewHelp)
  .refine(onlyWithCheckpoint('weights', 'size', 'depths'), needsCheckpoint)
  .refine(
    (options) => options.data !== undefined || options.merge !== undefined,
    '--data: give a folder or an archive of labelled images',
  )
  .refine(
    (options) => options.merge === undefined || Object.keys(settingsShape).every((key) => !Reflect.get(options, key)),
    '--merge only combines results; --json is the only other option it takes',
  );

type Options = z.output<typeof schema>;

export function registerEval(program: Command, session: Session): void {
  const command = program
    .command('eval')
    .description('measure accuracy on labelled images')
    .option(
      '--data <DIR>',
      'images: a folder of class folders, a .tar(.gz) of one, CIFAR binaries or idx files; for a model of events recordings, see docs/events.md',
    );
  addViewOptions(addReadingOptions(addEngineOptions(addNetworkOptions(addSourceOptions(command)))))
    .option('--image-size <N>', 'side of the square that images become (default: what the model says, else 224)')
    .option('--batch <N>', `images at once, 1 to 1024 (default: ${defaultBatch})`)
    .option('--labels <FILE>', `names of the classes, to match the folders’ names: a text or JSON file, or ${imagenet}`)
    .option('--views <a,b>', 'of places: the views that look for each other (default: drone,satellite)')
    .option('--altitude <NAME>', 'of places taken from several altitudes: the folder of one, such as 150')
    .option('--looks <N>', `of places: ${looksHelp}`)
    .option('--rerank', 'of places: figures after re-ranking by k-reciprocal neighbours too')
    .option('--protocol <NAME>', `how sequences of skeletons are divided: ${protocols.join(', ')}`)
    .option('--skip-bad', skipBadHelp)
    .option('--ensemble <FILE...>', 'checkpoints that answer together with the model: the mean of their probabilities')
    .option('--draw <DIR>', 'write the images that masks or boxes are worst on to a folder, truth and answer, as PNG')
    .option(
      '--save-worst <N>',
      `how many of them, 1 to ${mostWorst} (default: ${defaultWorst}); without --draw to the folder ${worstFolder}`,
    )
    .option('--shard <i/n>', 'evaluate only every n-th image, starting with image i; --merge combines the results')
    .option('--merge <FILE...>', 'combine the JSON results of all shards instead of evaluating')
    .option('--json', 'print one JSON document')
    .action((typed: Record<string, unknown>) => run(session, parseOptions(schema, typed)));
}

async function run(session: Session, options: Options): Promise<void> {
  applyReadingOptions(options);
  const document = options.merge
    ? await mergeEvaluations(options.merge)
    : await evaluateData(session, options.data!, options);
  if (document.partial) session.exitCode = exitCodes.interrupted;
  reportDamaged(session.io, options);
  if (options.json) session.io.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  else printResult(session.io, document);
}

/** The data is looked at first: it is where mistakes are found soonest. */
async function evaluateData({ io }: Session, directory: string, options: Options): Promise<EvaluationDocument> {
  const { task: asked, ...about } = await dataOfSource(options);
  const { protocol, views, altitude, skipBad } = options;
  const view = viewOf(options, asked);
  const { rerank, looks = 1 } = options;
  if (looks > 1 && asked.evaluating.combineLooks === undefined)
    throw new OptionError(`--looks: for ${asked.name} there is one look; leave it out`);
  if (rerank && asked.evaluating.reranks !== true)
    throw new OptionError(`--rerank: looks at rankings, ${asked.name} gives none; leave it out`);
  if (protocol !== undefined && about.modality !== 'skeletons')
    throw new OptionError('--protocol: divides sequences of skeletons, this model takes others; leave it out');
  const reading = { ...about.reading, ...given({ protocol, views, altitude }) };
  const opened = await openTaskEvaluationData(asked, directory, { ...about, reading, skipBad });
  const { names, noun, size, fingerprint, notes } = opened;
  printNotes(io, notes);
  const { checkpoint, threads, engine, precision, timeSteps, heads, strides, attention, neuron, imageSize } = options;
  const name = checkpoint === undefined ? (options.model ?? modelForClasses(names)) : undefined;
  const settings = given({ threads, engine, precision, timeSteps, heads, strides, attention, neuron, imageSize });
  const model = await loadModel(given({ model: name, checkpoint }), { ...settings, ...loadingOptions(options) });
  const others: Model[] = [];
  try {
    for (const file of options.ensemble ?? [])
      others.push(await loadModel({ checkpoint: file }, given({ threads, engine, precision })));
    checkMembers(model, others);
    for (const member of [model, ...others]) printWarnings(io, member);
    const named = options.labels === undefined ? model : await namedClasses(model, options.labels);
    const task = taskNamed(model.task);
    if (task.evaluating.needsAll && options.shard !== undefined)
      throw new OptionError(`--shard: ${task.name} compares every image with all others; leave it out`);
    const { labels, hasLabels, configuration: network } = named;
    const seen = view === undefined ? undefined : describedView(view, model);
    const evaluation = task.evaluating.begin({ network, labels, hasLabels }, { name: directory, names }, { rerank });
    printNotes(io, evaluation.notes);
    const { saveWorst = defaultWorst } = options;
    const draw = options.draw ?? (options.saveWorst === undefined ? undefined : worstFolder);
    const worst = draw === undefined ? undefined : new WorstSamples(saveWorst, { model, task, labels: names });
    const drawings = draw === undefined ? undefined : await Drawings.in(draw);
    const asked = { model, others, looks, task, evaluation, worst, view };
    const { complete, images, milliseconds } = await watched(io, opened, asked, options);
    if (worst && drawings) {
      const written = await worst.write(drawings);
      printNotes(io, [`${counted(written, 'picture')} in ${draw}`]);
    }
    const parts = {
      task,
      model: { ...noteOf(model), fingerprint: membersFingerprint(model, others), ...membersField(others) },
      data: { directory, images: size, ...(noun === 'image' ? {} : { noun }), fingerprint },
      names,
      shard: options.shard ?? null,
      view: seen,
      looks: looks > 1 ? looks : undefined,
      partial: !complete,
      images,
      ...damagedField(options),
      timing: { seconds: milliseconds / 1000, threads: model.engine.threads },
    };
    return evaluationDocument(parts, evaluation.fields());
  } finally {
    for (const member of [model, ...others]) await member.dispose();
  }
}

/** The model's classes under the names of `--labels`. */
async function namedClasses(model: Model, labels: string) {
  const { configuration } = model;
  return { labels: (await classNames(model, labels)).labels, hasLabels: true, configuration };
}

function membersField(others: readonly Model[]) {
  if (others.length === 0) return {};
  const ensemble = others.map((model) => ({ name: model.provenance.name, fingerprint: modelFingerprint(model) }));
  return { ensemble };
}

function noteOf(model: Model) {
  const { imageSize, warnings, ...note } = modelNote(model);
  return { ...note, imageSize: [...imageSize] as [number, number], warnings: [...warnings] };
}

/** A batch that keeps the network busy for longer is not waited for after Ctrl-C. */
const longestWait = 500;

/** A first batch with more images and time steps than this may be a long one. */
const surelyShort = 64;

/**
 * The batches, listening for Ctrl-C between them. While the network is at work nothing can be heard, so where that may take long the
 * system's own way of ending a process is left in place.
 *
 * @param imagesAndSteps Of the first batch.
 */
async function* interruptible<Batch>(
  batches: AsyncIterable<Batch>,
  { listen, ignore: first }: { readonly listen: () => () => void; readonly ignore: () => void },
  imagesAndSteps: number,
): AsyncGenerator<Batch, void, undefined> {
  let ignore = first;
  let slow = imagesAndSteps > surelyShort;
  try {
    for await (const batch of batches) {
      if (slow) {
        // A signal that came before is heard first.
        await new Promise((turn) => setImmediate(turn));
        ignore();
      }
      const start = performance.now();
      yield batch;
      if (slow) ignore = listen();
      slow = performance.now() - start > longestWait;
    }
  } finally {
    ignore();
  }
}

/** The model, those that answer with it, and who counts. */
interface AskedTogether {
  readonly model: Model;
  readonly others: readonly Model[];
  /** How many looks at each sample. */
  readonly looks: number;
  readonly task: AnyTask;
  readonly evaluation: AnyEvaluation;
  readonly worst: WorstSamples | undefined;
  /** How all of an image is seen; undefined: as the preprocessing shows it. */
  readonly view: ImageView | undefined;
}

type Answered = SampleBatch & { readonly answers: readonly Outputs[] };

/** Evaluates under a progress bar; Ctrl-C ends it with what is done. */
async function watched(
  io: Io,
  data: TaskEvaluationData,
  asked: AskedTogether,
  { batch: most = defaultBatch, shard, json }: Options,
): Promise<EvaluatedPart> {
  const { model, view } = asked;
  const { index, count } = shard ?? { index: 0, count: 1 };
  const total = Math.max(0, Math.ceil((data.size - index) / count));
  const batch = view === undefined ? most : 1;
  const abort = new AbortController();
  const listen = () => io.onInterrupt(() => abort.abort());
  // From the first word on: who sees the evaluation begin can end it.
  const ignore = listen();
  if (!json) printModelNote(io, model);
  const progress = startProgress(io, 'eval', total, `${data.noun}s`);
  try {
    const imagesAndSteps = Math.min(batch, total) * model.configuration.timeSteps;
    const interrupting = <Batch>(batches: AsyncIterable<Batch>) =>
      interruptible(batches, { listen, ignore }, imagesAndSteps);
    // A shard's samples are numbered among themselves.
    const nameOf = (i: number) => data.sampleName(index + i * count);
    const watching = { signal: abort.signal, onProgress: (images: number) => progress.update(images) };
    if (view !== undefined) return await wholeImages(interrupting(data.wholes!(shard)), view, asked, nameOf, watching);
    const images = data.batches({ batch, preprocess: model.input.preprocessing, ...(shard ? { shard } : {}) });
    const answered =
      asked.looks > 1
        ? withLooks(interrupting(images), model, asked.looks)
        : withAnswers(interrupting(images), asked.others, data, { batch, shard });
    const judge = ({ outputs: own }: RunResult, { answers, ...drawn }: Answered) => {
      const outputs = together(asked.task, own, answers);
      asked.evaluation.add(outputs, drawn);
      asked.worst?.add(outputs, drawn, nameOf);
    };
    return await runAll(model, answered, judge, watching);
  } finally {
    progress.stop();
  }
}

/** Image after image, all of it, judged in its own pixels. */
function wholeImages(
  samples: AsyncIterable<WholeSample>,
  view: ImageView,
  { model, evaluation, worst }: AskedTogether,
  nameOf: (i: number) => string,
  watching: Parameters<typeof askAll>[2],
): Promise<EvaluatedPart> {
  const ask = async ({ sample, ...target }: WholeSample) => {
    const { outputs } = await model.view(sample as RgbImage, view);
    evaluation.add(outputs, target);
    worst?.add(outputs, { ...target, picture: sample as RgbImage }, nameOf);
    return 1;
  };
  return askAll(samples, ask, watching);
}

function printResult(io: Io, document: EvaluationDocument): void {
  const { bold, dim, yellow } = io.colours;
  const { images, data, shard, partial, timing } = document;
  const { holds, lines } = taskOf(document).evaluating;
  const print = (line: string) => io.stdout.write(`${line}\n`);
  const { noun = 'image' } = data;
  const part = shard ? `shard ${shard.index}/${shard.count} of ` : '';
  if (partial) print(yellow(`partial result: interrupted after ${counted(images, noun)}`));
  print(`${oneLine(data.directory)}: ${counted(images, noun)} of ${part}${data.images}${holds(namesIn(document))}`);
  if (document.looks !== undefined) print(`descriptors are means over ${document.looks} looks at each ${noun}`);
  for (const line of lines(fieldsIn(document), images)) print(bold(line));
  const speed = timing.imagesPerSecond === null ? 'no' : timing.imagesPerSecond.toFixed(1);
  const machines = timing.threads === null ? ' over all shards' : '';
  print(dim(`${speed} ${noun}s/s, decoding included; ${roughDuration(timing.seconds)}${machines}`));
}
