/** `predict`: what a model sees in images, one after the other, and what its network did on the first of them. */
import type { Command } from 'commander';
import { z } from 'zod';
import type { Model } from '../../api/model.js';
import { MetaSpikeformerError } from '../../errors.js';
import { formatShape, type Shape } from '../../graph/shape.js';
import { loadModel } from '../../index.js';
import { type StageActivity, stageActivity } from '../../insight/stageActivity.js';
import { type AnyTask, taskNamed } from '../../tasks/registry.js';
import type { Reading, TextStyle } from '../../tasks/task.js';
import { Drawings } from '../drawing.js';
import type { Io } from '../io.js';
import { type ClassNames, classNames, imagenet } from '../labels.js';
import { type ModelNote, modelNote, printModelNote, printWarnings } from '../modelNote.js';
import {
  addEngineOptions,
  addNetworkOptions,
  addSourceOptions,
  atMostOne,
  given,
  imageSizeOption,
  needsCheckpoint,
  OptionError,
  onlyWithCheckpoint,
  parseOptions,
  runningOptions,
  share,
  sourceOptions,
  wholeNumber,
} from '../options.js';
import { picturesOf, readPicture, standardInput } from '../pictures.js';
import {
  addReadingOptions,
  applyReadingOptions,
  damagedField,
  readingOptions,
  reportDamaged,
} from '../readingOptions.js';
import { exitCodes, type Session } from '../session.js';
import { bar, milliseconds, oneLine, percent, saidOnce, table } from '../text.js';
import { applyChoices } from '../tunedModel.js';

const schema = z
  .strictObject({
    ...sourceOptions,
    ...runningOptions,
    ...readingOptions,
    imageSize: imageSizeOption,
    top: wholeNumber(1, 100_000).optional(),
    threshold: share().optional(),
    labels: z.string().optional(),
    draw: z.string().min(1).optional(),
    details: z.boolean(),
    json: z.boolean().default(false),
  })
  .refine(atMostOne('model', 'checkpoint'), 'give either --model or --checkpoint, not both')
  .refine(onlyWithCheckpoint('weights', 'size', 'depths'), needsCheckpoint);

type Options = z.output<typeof schema>;

/** Beside these it has what the task says of the image: for classification `predictions`. */
interface ImageResult {
  readonly image: string;
  readonly width: number;
  readonly height: number;
  readonly milliseconds: { readonly decode: number; readonly preprocess: number; readonly network: number };
}

/** The network's doings on the first image. */
interface Details {
  readonly image: string;
  /** `[B, C, H, W]`. */
  readonly input: Shape;
  readonly stages: readonly StageActivity[];
  readonly milliseconds: { readonly load: number; readonly compile: number };
}

interface Failure {
  readonly image: string;
  readonly message: string;
}

/** The one document that `--json` prints; docs/cli.md describes it. */
interface PredictDocument {
  readonly command: 'predict';
  readonly model: ModelNote & { readonly threads: number };
  readonly images: readonly ImageResult[];
  readonly errors: readonly Failure[];
  readonly details: Details | null;
}

const defaultTop = 5;

const imagenetNote = 'classes are named as in ImageNet-1K, in its usual order; --labels FILE names them otherwise';

export function registerPredict(program: Command, session: Session): void {
  const command = program
    .command('predict')
    .description('classify images')
    .argument(
      '<IMAGE...>',
      'JPEG, PNG, WebP, GIF, TIFF or AVIF files, folders of them, http addresses of this machine, or - for standard input',
    );
  addReadingOptions(addEngineOptions(addNetworkOptions(addSourceOptions(command))))
    .option('--image-size <N>', 'side of the square that images become (default: what the model says, else 224)')
    .option('--top <K>', `how many classes to name (default: ${defaultTop})`)
    .option('--threshold <P>', 'name only classes of at least this probability, 0 to 1')
    .option(
      '--labels <FILE>',
      `names of the classes: a text file with one a line, a JSON file, or ${imagenet} (default: what the model says, else ImageNet's for 1,000 classes)`,
    )
    .option('--draw <DIR>', 'write each image with its answers over it to a folder, as SVG')
    .option('--no-details', 'leave out stages, firing rates and times of the first image')
    .option('--json', 'print one JSON document')
    .action((images: string[], typed: Record<string, unknown>) =>
      predict(session, images, parseOptions(schema, typed)),
    );
}

async function predict(session: Session, images: readonly string[], options: Options): Promise<void> {
  const {
    model: name,
    checkpoint,
    top: wanted,
    threshold,
    labels,
    draw,
    details,
    json,
    ...settings
  } = applyReadingOptions(options);
  if (images.filter((image) => image === standardInput).length > 1)
    throw new OptionError(`${standardInput}: standard input holds one image; name it once`);
  const start = performance.now();
  const model = await loadModel(given({ model: name, checkpoint }), given(settings));
  try {
    printWarnings(session.io, model);
    await applyChoices(session.io, model);
    const task = taskNamed(model.task);
    checkReading(task, { top: wanted, threshold });
    const names = await classNames(model, labels);
    const reading = { labels: names.labels, top: topOf(wanted, model), threshold: threshold ?? 0 };
    const drawings = draw === undefined ? undefined : await Drawings.in(draw);
    const asked = { model, task, names, reading, drawings, details, loadMilliseconds: performance.now() - start };
    const document = await answer(session.io, asked, images, json);
    if (document.errors.length > 0) session.exitCode = exitCodes.refused;
    if (json && document.images.length > 0)
      session.io.stdout.write(`${JSON.stringify({ ...document, ...damagedField(options) }, null, 2)}\n`);
    reportDamaged(session.io, options);
  } finally {
    await model.dispose();
  }
}

interface Asked {
  readonly model: Model;
  readonly task: AnyTask;
  readonly names: ClassNames;
  readonly reading: Reading;
  readonly drawings: Drawings | undefined;
  readonly details: boolean;
  readonly loadMilliseconds: number;
}

/** @throws OptionError for an option that says nothing to the model's task. */
function checkReading({ name, telling }: AnyTask, options: Readonly<Record<'top' | 'threshold', unknown>>): void {
  for (const option of ['top', 'threshold'] as const) {
    if (options[option] !== undefined && !telling.takes.includes(option))
      throw new OptionError(`--${option}: says nothing to a model for ${name}; leave it out`);
  }
}

function topOf(wanted: number | undefined, model: Model): number {
  const { classes } = model.configuration;
  if (wanted !== undefined && wanted > classes) {
    throw new OptionError(`--top: found "${wanted}", but the model has ${classes} classes; expected 1 to ${classes}`);
  }
  return wanted ?? Math.min(defaultTop, classes);
}

/** A file that cannot be used is reported and the others are answered all the same. */
async function answer(io: Io, asked: Asked, named: readonly string[], quiet: boolean): Promise<PredictDocument> {
  const results: ImageResult[] = [];
  const errors: Failure[] = [];
  let details: Details | null = null;
  const failed = (image: string, error: unknown) => {
    if (!(error instanceof MetaSpikeformerError)) throw error;
    const message = saidOnce(oneLine(error.message));
    errors.push({ image, message });
    io.stderr.write(`spikeformer: ${message}\n`);
  };
  if (!quiet) printModelNote(io, asked.model);
  if (!quiet && asked.names.source === 'imagenet') io.stdout.write(`${io.colours.dim(imagenetNote)}\n`);
  for (const argument of named) {
    const images = await picturesOf(argument).catch((error: unknown) => failed(argument, error));
    for (const image of images ?? []) {
      try {
        const first = asked.details && details === null;
        const answered: Answered = await answerOne(io, asked, image, first);
        details ??= answered.details;
        results.push(answered.result);
        if (!quiet) printResult(io, answered);
      } catch (error) {
        failed(image, error);
      }
    }
  }
  if (!quiet && details) printDetails(io, details, results[0]!);
  return {
    command: 'predict',
    model: { ...modelNote(asked.model), threads: asked.model.engine.threads },
    images: results,
    errors,
    details,
  };
}

interface Answered {
  readonly result: ImageResult;
  /** What the task prints of it. */
  readonly lines: readonly string[];
  readonly details: Details | null;
}

async function answerOne(
  io: Io,
  { model, task, reading, drawings, details, loadMilliseconds }: Asked,
  path: string,
  first: boolean,
): Promise<Answered> {
  const start = performance.now();
  const pixels = await readPicture(io, path);
  const decoded = performance.now();
  const input = await model.inputOf([pixels]);
  const preprocessed = performance.now();
  // Every image is recorded alike: another set of kept values would be another plan.
  const recorded = await model.run(input, { record: { firingRates: details } });
  const compile = performance.now() - preprocessed - recorded.milliseconds;
  const { telling } = task;
  const [answer] = telling.decode(recorded.outputs, [pixels], reading);
  const result = {
    image: path,
    width: pixels.width,
    height: pixels.height,
    ...telling.json(answer),
    milliseconds: {
      decode: decoded - start,
      preprocess: preprocessed - decoded,
      network: recorded.milliseconds,
    },
  };
  await drawings?.write(path, pixels, telling.draw(answer, pixels));
  const lines = telling.print(answer, textStyle(io));
  if (!first) return { result, lines, details: null };
  // Measured on a second run, so that layer times are those of a plan already in use.
  const measured = await model.run(input, { record: { firingRates: true, timings: true } });
  const stages = stageActivity(model.graph, input.shape, measured);
  const times = { load: loadMilliseconds, compile };
  return { result, lines, details: { image: path, input: input.shape, stages, milliseconds: times } };
}

const barWidth = 24;

function textStyle({ colours: { bold, dim, cyan } }: Io): TextStyle {
  return { bold, dim, cyan, bar: (share) => bar(share, barWidth) };
}

function printResult(io: Io, { result, lines }: Answered): void {
  const { bold, dim } = io.colours;
  const { decode, preprocess, network } = result.milliseconds;
  const time = `${milliseconds(decode + preprocess + network)} (network ${milliseconds(network)})`;
  io.stdout.write(`\n${bold(oneLine(result.image))} ${dim(`${result.width}×${result.height} pixels, ${time}`)}\n`);
  for (const line of lines) io.stdout.write(`  ${line}\n`);
}

function printDetails(io: Io, details: Details, result: ImageResult): void {
  const { bold, dim } = io.colours;
  const { stages, milliseconds: times } = details;
  const timed = stages.some((stage) => stage.milliseconds !== undefined);
  const rows = stages.map(({ name, shape, firingRate, milliseconds: time }) => [
    name,
    formatShape(shape),
    firingRate === undefined ? 'no neurons' : percent(firingRate),
    ...(timed ? [milliseconds(time ?? 0)] : []),
  ]);
  const [head, ...body] = table([
    ['stage', 'output [T, B, C, H, W]', 'firing rate (%)', ...(timed ? ['time (ms)'] : [])],
    ['input', formatShape([1, ...details.input]), 'pixels', ...(timed ? [''] : [])],
    ...rows,
  ]);
  io.stdout.write(`\nwhat the network did on ${oneLine(details.image)}\n`);
  io.stdout.write(`${[bold(head!), ...body].join('\n')}\n`);
  io.stdout.write(`mean firing rate ${percent(meanRate(stages))} of ${neuronsOf(stages)} neurons per time step\n`);
  const { decode, preprocess, network } = result.milliseconds;
  const parts = [
    `load the weights ${milliseconds(times.load)}`,
    `lay out the network ${milliseconds(times.compile)}`,
    `decode ${milliseconds(decode)}`,
    `resize and normalise ${milliseconds(preprocess)}`,
    `run the network ${milliseconds(network)}`,
  ];
  io.stdout.write(`${dim(`where the time went: ${parts.join(', ')}`)}\n`);
}

function neuronsOf(stages: readonly StageActivity[]): string {
  return stages.reduce((sum, stage) => sum + stage.neurons, 0).toLocaleString('en-US');
}

function meanRate(stages: readonly StageActivity[]): number {
  const neurons = stages.reduce((sum, stage) => sum + stage.neurons, 0);
  return stages.reduce((sum, stage) => sum + stage.neurons * (stage.firingRate ?? 0), 0) / neurons;
}
