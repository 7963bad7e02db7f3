/** `predict`: what a model sees in images or recordings, one after the other, and what its network did on the first of them. */
import type { Command } from 'commander';
import { z } from 'zod';
import type { ImageSource, ImageView, Model, Outputs, RunOptions, SampleSource } from '../../api/model.js';
import type { RgbImage } from '../../data/image.js';
import { MetaSpikeformerError } from '../../errors.js';
import { type FieldTensor, loadModel } from '../../index.js';
import { stageActivity } from '../../insight/stageActivity.js';
import { inputOf } from '../../modalities/inputs.js';
import { modalityNamed } from '../../modalities/registry.js';
import { type AnyTask, taskNamed } from '../../tasks/registry.js';
import type { Original, Reading } from '../../tasks/task.js';
import { Drawings, overImage, pixelsOver } from '../drawing.js';
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
  oneOf,
  onlyWithCheckpoint,
  parseOptions,
  runningOptions,
  share,
  sourceOptions,
  wholeNumber,
} from '../options.js';
import { standardInput } from '../pictures.js';
import {
  type Answered,
  type Details,
  printDetails,
  printResult,
  type SampleResult,
  textStyle,
} from '../predictText.js';
import {
  addReadingOptions,
  applyReadingOptions,
  damagedField,
  readingOptions,
  reportDamaged,
} from '../readingOptions.js';
import { samplesOf } from '../samples.js';
import { type DrawingForm, drawingForms } from '../sequenceDrawings.js';
import { exitCodes, type Session } from '../session.js';
import { oneLine, saidOnce } from '../text.js';
import { applyChoices } from '../tunedModel.js';
import { addViewOptions, describedView, oneView, oneViewHelp, viewOf, viewOptions } from '../viewOptions.js';

const schema = z
  .strictObject({
    ...sourceOptions,
    ...runningOptions,
    ...readingOptions,
    ...viewOptions,
    imageSize: imageSizeOption,
    top: wholeNumber(1, 100_000).optional(),
    threshold: share().optional(),
    labels: z.string().optional(),
    draw: z.string().min(1).optional(),
    drawAs: oneOf(drawingForms).optional(),
    vector: z.boolean().default(false),
    details: z.boolean(),
    json: z.boolean().default(false),
  })
  .refine(atMostOne('model', 'checkpoint'), 'give either --model or --checkpoint, not both')
  .refine(onlyWithCheckpoint('weights', 'size', 'depths'), needsCheckpoint)
  .refine(
    ({ draw, drawAs }) => draw !== undefined || drawAs === undefined,
    '--draw-as: says how --draw draws; give both',
  )
  .refine(oneView, oneViewHelp)
  .refine(({ draw, vector }) => draw !== undefined || !vector, '--vector: says how --draw draws; give both');

type Options = z.output<typeof schema>;

/** Under the modality's noun it has the name. */
interface Failure {
  readonly message: string;
}

/** What `--json` prints, with the results under `images` or `recordings`; docs/cli.md describes it. */
interface Predicted {
  readonly model: ModelNote & { readonly threads: number };
  readonly results: readonly SampleResult[];
  readonly errors: readonly Failure[];
  readonly details: Details | null;
}

const defaultTop = 5;

const imagenetNote = 'classes are named as in ImageNet-1K, in its usual order; --labels FILE names them otherwise';

export function registerPredict(program: Command, session: Session): void {
  const command = program
    .command('predict')
    .description('classify images, or recordings of events')
    .argument(
      '<IMAGE...>',
      'JPEG, PNG, WebP, GIF, TIFF or AVIF files, folders of them, http addresses of this machine, or - for standard input; for a model of events recordings in any format that is read',
    );
  addViewOptions(addReadingOptions(addEngineOptions(addNetworkOptions(addSourceOptions(command)))))
    .option('--image-size <N>', 'side of the square that images become (default: what the model says, else 224)')
    .option('--top <K>', `how many classes to name (default: ${defaultTop})`)
    .option('--threshold <P>', 'name only classes of at least this probability, 0 to 1')
    .option(
      '--labels <FILE>',
      `names of the classes: a text file with one a line, a JSON file, or ${imagenet} (default: what the model says, else ImageNet's for 1,000 classes)`,
    )
    .option('--draw <DIR>', 'write each image with its answers over it to a folder, as SVG; masks and boxes as PNG')
    .option('--vector', 'draw masks and boxes as SVG too')
    .option(
      '--draw-as <FORM>',
      `how sequences of skeletons are drawn: ${drawingForms.join(' or ')} (default: ${drawingForms[0]})`,
    )
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
    drawAs,
    vector,
    details,
    json,
    whole,
    window,
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
    checkDrawing(model, drawAs);
    const view = viewOf({ whole, window }, task);
    if (view !== undefined) describedView(view, model);
    if (vector && !task.telling.coversPicture)
      throw new OptionError(`--vector: says nothing to a model for ${task.name}, which is drawn so; leave it out`);
    const names = await classNames(model, labels);
    const reading = { labels: names.labels, top: topOf(wanted, model, task.telling), threshold: threshold ?? 0 };
    const drawings = draw === undefined ? undefined : await Drawings.in(draw);
    const { noun } = inputOf(model.modality);
    const loadMilliseconds = performance.now() - start;
    const asked = {
      model,
      noun,
      task,
      names,
      reading,
      view,
      drawings,
      drawAs,
      vector,
      details,
      loadMilliseconds,
      steps: json,
    };
    const { results, ...rest } = await answer(session.io, asked, images, json);
    if (rest.errors.length > 0) session.exitCode = exitCodes.refused;
    const { model: note, errors, details: doings } = rest;
    const document = { command: 'predict', model: note, [`${asked.noun}s`]: results, errors, details: doings };
    if (json && results.length > 0)
      session.io.stdout.write(`${JSON.stringify({ ...document, ...damagedField(options) }, null, 2)}\n`);
    reportDamaged(session.io, options);
  } finally {
    await model.dispose();
  }
}

interface Asked {
  readonly model: Model;
  /** What a sample is called. */
  readonly noun: string;
  /** Whether the decision after every time step is asked for. */
  readonly steps: boolean;
  readonly task: AnyTask;
  readonly names: ClassNames;
  readonly reading: Reading;
  /** How all of an image is seen; undefined: as the preprocessing shows it. */
  readonly view: ImageView | undefined;
  readonly drawings: Drawings | undefined;
  /** Of samples that move; undefined: the first there is. */
  readonly drawAs: DrawingForm | undefined;
  /** Whether what covers the picture is drawn as SVG all the same. */
  readonly vector: boolean;
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

/** @throws OptionError when samples are not drawn in one form or another. */
function checkDrawing({ modality }: Model, drawAs: DrawingForm | undefined): void {
  if (drawAs !== undefined && samplesOf(modality).drawn === undefined)
    throw new OptionError(`--draw-as: says nothing to a model of ${inputOf(modality).noun}s; leave it out`);
}

function topOf(wanted: number | undefined, model: Model, { most }: AnyTask['telling']): number {
  const { classes } = model.configuration;
  const limit = most ?? classes;
  if (wanted !== undefined && wanted > limit) {
    const why = most === undefined ? `the model has ${classes} classes` : `an image has at most ${most} answers`;
    throw new OptionError(`--top: found "${wanted}", but ${why}; expected 1 to ${limit}`);
  }
  return wanted ?? most ?? Math.min(defaultTop, classes);
}

/** A file that cannot be used is reported and the others are answered all the same. */
async function answer(io: Io, asked: Asked, named: readonly string[], quiet: boolean): Promise<Predicted> {
  const results: SampleResult[] = [];
  const errors: Failure[] = [];
  let details: Details | null = null;
  const { noun } = asked;
  const failed = (sample: string, error: unknown) => {
    if (!(error instanceof MetaSpikeformerError)) throw error;
    const message = saidOnce(oneLine(error.message));
    errors.push({ [noun]: sample, message });
    io.stderr.write(`spikeformer: ${message}\n`);
  };
  if (!quiet) printModelNote(io, asked.model);
  if (!quiet && asked.names.source === 'imagenet') io.stdout.write(`${io.colours.dim(imagenetNote)}\n`);
  for (const argument of named) {
    const samples = await samplesOf(asked.model.modality)
      .listed(argument)
      .catch((error: unknown) => failed(argument, error));
    for (const sample of samples ?? []) {
      try {
        const first = asked.details && details === null;
        const answered: Answered = await answerOne(io, asked, sample, first);
        details ??= answered.details;
        results.push(answered.result);
        if (!quiet) printResult(io, answered);
      } catch (error) {
        failed(sample, error);
      }
    }
  }
  if (!quiet && details) printDetails(io, details, results[0]!, asked);
  return {
    model: { ...modelNote(asked.model), threads: asked.model.engine.threads },
    results,
    errors,
    details,
  };
}

async function answerOne(
  io: Io,
  { model, noun, task, reading, view, drawings, drawAs, vector, details, loadMilliseconds, steps }: Asked,
  path: string,
  first: boolean,
): Promise<Answered> {
  const start = performance.now();
  const samples = samplesOf(model.modality);
  const sample: SampleSource = await samples.read(io, path);
  const decoded = performance.now();
  // Every sample is recorded alike: another set of kept values would be another plan.
  const options = { record: { firingRates: details } };
  const seen = view === undefined ? await runOnce(model, sample, options) : await runOver(model, sample, view, options);
  const { input, compile } = seen;
  const around = performance.now() - decoded - seen.milliseconds - compile;
  const { telling } = task;
  const picture = modalityNamed(model.modality).picture(sample);
  const original = view === undefined ? originalOf(picture, sample, model) : sizeOf(picture);
  const [answer] = telling.decode(seen.outputs, [original], reading);
  const moves = drawings !== undefined && samples.drawn !== undefined;
  const decided = (steps || moves) && model.input.frames !== undefined ? await decisionsOf(model, input) : [];
  const decisions = decided.map((outputs) => telling.decode(outputs, [original], reading)[0]);
  const result = {
    [noun]: path,
    ...samples.facts(sample),
    ...telling.json(answer),
    ...(steps && decisions.length > 0 ? { steps: decisions.map((decision) => telling.json(decision)) } : {}),
    milliseconds: {
      decode: decoded - start,
      preprocess: around,
      network: seen.milliseconds,
    },
  };
  if (drawings !== undefined) {
    const leading = telling.leading === undefined ? [] : decisions.map((decision) => telling.leading!(decision));
    const shown = { form: drawAs ?? drawingForms[0], preprocessing: model.input.preprocessing, leading };
    const over = telling.coversPicture && !vector ? pixelsOver : overImage;
    const drawn = samples.drawn?.(sample, shown) ?? (await over(picture, telling.draw(answer, original)));
    await drawings.write(path, drawn);
  }
  const lines = telling.print(answer, textStyle(io));
  const answered = { path, facts: samples.words(sample), result, lines };
  if (!first) return { ...answered, details: null };
  // Measured on a second run, so that layer times are those of a plan already in use.
  const measured = await model.run(input, { record: { firingRates: true, timings: true } });
  const stages = stageActivity(model.graph, input.shape, measured);
  const times = { load: loadMilliseconds, compile };
  return { ...answered, details: { [noun]: path, input: input.shape, stages, milliseconds: times } };
}

interface Seen {
  readonly outputs: Outputs;
  /** What the network was shown, of windows the first. */
  readonly input: FieldTensor;
  /** Of the network, and of what made it ready. */
  readonly milliseconds: number;
  readonly compile: number;
}

async function runOnce(model: Model, sample: SampleSource, options: RunOptions): Promise<Seen> {
  const input = await model.inputOf([sample]);
  const preprocessed = performance.now();
  const { outputs, milliseconds } = await model.run(input, options);
  return { outputs, input, milliseconds, compile: performance.now() - preprocessed - milliseconds };
}

async function runOver(model: Model, sample: SampleSource, view: ImageView, options: RunOptions): Promise<Seen> {
  const { compileMilliseconds, ...seen } = await model.view(sample as ImageSource, view, options);
  return { ...seen, compile: compileMilliseconds };
}

function sizeOf({ width, height }: RgbImage): Original {
  return { width, height };
}

/** The sample as answers about it are brought into its pixels. */
function originalOf({ width, height }: RgbImage, sample: SampleSource, { modality, input }: Model): Original {
  return { width, height, placement: inputOf(modality).placed?.(sample, input.preprocessing) };
}

/** The outputs after every time step: means over the steps so far. */
async function decisionsOf(model: Model, { shape, data }: FieldTensor): Promise<readonly Outputs[]> {
  const [frames, ...frame] = shape as [number, ...number[]];
  const length = data.length / frames;
  const decisions: Outputs[] = [];
  for (let t = 0; t < frames; t++) {
    const step = await model.step({ shape: frame, data: data.slice(t * length, (t + 1) * length) });
    decisions.push(step.meanOutputs);
  }
  await model.resetState();
  return decisions;
}
