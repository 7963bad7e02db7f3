/** `init`: looks at a person's images, or recordings of events, and writes a small complete recipe for them, with comments on what to change. */
import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import { UsageError } from '../../errors.js';
import { writeNodeFile } from '../../interop/nodeFile.js';
import { defaultModality, type ModalityName, modalityNames } from '../../modalities/names.js';
import { openRecipe } from '../../training/recipeFiles.js';
import { suggestEventRecipe, surveyRecordings } from '../../training/suggestEventRecipe.js';
import { type SuggestedRecipe, suggestRecipe } from '../../training/suggestRecipe.js';
import { type DataSurvey, type ImageSize, surveyData } from '../../training/surveyData.js';
import type { Io } from '../io.js';
import { attentionSchema, neuronSchema, oneOf, parseOptions } from '../options.js';
import { checkOutput } from '../outputFile.js';
import {
  addReadingOptions,
  applyReadingOptions,
  damagedField,
  readingOptions,
  reportDamaged,
} from '../readingOptions.js';
import type { Session } from '../session.js';
import { counted, oneLine, printNotes } from '../text.js';

const schema = z.strictObject({
  ...readingOptions,
  output: z.string().default('recipe.json'),
  attention: attentionSchema.default('sdsa3'),
  neuron: neuronSchema.default('lif'),
  modality: oneOf(modalityNames).default(defaultModality),
  force: z.boolean().default(false),
  json: z.boolean().default(false),
});

type Options = z.output<typeof schema>;

export function registerInit(program: Command, session: Session): void {
  const command = program
    .command('init')
    .description('look at your images or recordings and write a recipe to train on them')
    .argument('<DIR>', 'images: a folder, a .tar(.gz) of one, CIFAR binaries or idx files');
  addReadingOptions(command)
    .option('--output <FILE>', 'the recipe to write (default: recipe.json)')
    .option(
      '--attention <NAME>',
      'what attention is: sdsa3 (default), or sdsa1, which counts where K and V fire together',
    )
    .option('--neuron <NAME>', 'what neurons are: lif (default), if (no leak), or relu, the float twin')
    .option('--modality <NAME>', `what the data is: ${modalityNames.join(', ')} (default: ${defaultModality})`)
    .option('--force', 'overwrite the recipe that is there')
    .option('--json', 'print one JSON document')
    .action((directory: string, typed: Record<string, unknown>) =>
      run(session.io, directory, parseOptions(schema, typed)),
    );
}

async function run(io: Io, directory: string, options: Options): Promise<void> {
  applyReadingOptions(options);
  const { output, attention, neuron, force, json } = options;
  await checkOutput(output, [{ path: directory, role: 'data' }]);
  if (!force && (await stat(output).catch(() => undefined))) {
    throw new UsageError(`--output ${output}: exists already; give --force to overwrite it, or another --output`);
  }
  const name = basename(resolve(directory)).replace(/\.(tar|tgz|tar\.gz)$/, '') || 'recipe';
  const { notes, recipe, found, lines } = await suggesting[options.modality](directory, name, { attention, neuron });
  printNotes(io, notes);
  reportDamaged(io, options);
  await writeNodeFile(output, [new TextEncoder().encode(recipe.text)]);
  // What was written is what `train` will read.
  await openRecipe(resolve(output), []);
  const next = `spikeformer train --recipe ${quoted(output)} --data ${quoted(directory)} --output ${quoted(`runs/${name}`)}`;
  const { text: _text, ...chosen } = recipe;
  const document = { command: 'init', data: { directory, ...found }, recipe: { file: output, ...chosen }, next };
  if (json) io.stdout.write(`${JSON.stringify({ ...document, ...damagedField(options) }, null, 2)}\n`);
  else for (const line of [...lines(output), `next: ${next}`]) io.stdout.write(`${oneLine(line)}\n`);
}

/** What was found in the data, and what is proposed for it. */
interface Suggestion {
  readonly notes: readonly string[];
  readonly found: object;
  readonly recipe: { readonly text: string };
  lines(output: string): readonly string[];
}

type Kinds = Pick<Options, 'attention' | 'neuron'>;

/** A line for each modality. */
const suggesting: Readonly<
  Record<ModalityName, (directory: string, name: string, kinds: Kinds) => Promise<Suggestion>>
> = { image: forImages, events: forRecordings, eventPictures: forPictures, skeletons: forSkeletons };

async function forImages(directory: string, name: string, kinds: Kinds): Promise<Suggestion> {
  const survey = await surveyData(directory);
  const recipe = suggestRecipe(survey, name, kinds);
  const { mean: _mean, std: _std, decodedImages, ...found } = survey;
  const lines = (output: string) => imageLines(directory, output, survey, recipe);
  return { notes: survey.notes, found: { ...found, decodedImages }, recipe, lines };
}

async function forRecordings(directory: string, name: string, { attention, neuron }: Kinds): Promise<Suggestion> {
  if (attention !== 'sdsa3') throw new UsageError('--attention: is chosen for images only; change the recipe instead');
  const { notes, ...found } = await surveyRecordings(directory);
  const recipe = suggestEventRecipe({ notes, ...found }, name, neuron);
  const { classes, trainingRecordings, testRecordings, sensor, seconds, events } = found;
  const { size, timeSteps, batchSize, epochs, steps, heldOut } = recipe;
  const test = testRecordings === null ? 'no test split' : counted(testRecordings, 'test recording');
  const held = heldOut > 0 ? `, ${heldOut} held out` : '';
  const lines = (output: string) => [
    `${directory}: ${counted(trainingRecordings, 'training recording')}, ${test}`,
    classLine(classes.map(({ name: called, recordings }) => `${called} ${recordings}`)),
    `${pixels(sensor)} pixels, mostly around ${counted(events, 'event')} in ${seconds.toPrecision(3)} s`,
    `${output}: ${timeSteps} frames of ${pixels(size)}, batches of ${batchSize}, ${epochs} epochs, ${steps} steps${held}; comments in it say what to change`,
  ];
  return { notes, found: { ...found, notes }, recipe, lines };
}

/** There is one data set of them, and its recipe comes with the program. */
async function forPictures(): Promise<Suggestion> {
  throw new UsageError(
    '--modality eventPictures: there is nothing to look up in the data; begin with `spikeformer train --recipe hardvs`, and change it by --set',
  );
}

/** As for pictures. */
async function forSkeletons(): Promise<Suggestion> {
  throw new UsageError(
    '--modality skeletons: there is nothing to look up in the data; begin with `spikeformer train --recipe nw-ucla` (or ntu60, ntu120), and change it by --set',
  );
}

const mostNamed = 8;

function classLine(named: readonly string[]): string {
  const more = named.length > mostNamed ? [`and ${named.length - mostNamed} more`] : [];
  const count = counted(named.length, 'class').replace(/classs$/, 'classes');
  return `${count}: ${[...named.slice(0, mostNamed), ...more].join(', ')}`;
}

function imageLines(directory: string, output: string, survey: DataSurvey, recipe: SuggestedRecipe): readonly string[] {
  const { classes, trainingImages, testImages, sizes, colour } = survey;
  const test = testImages === null ? 'no test or validation split' : `${counted(testImages, 'test image')}`;
  const held = recipe.heldOut > 0 ? `, ${recipe.heldOut} held out` : '';
  return [
    `${directory}: ${counted(trainingImages, 'training image')}, ${test}`,
    classLine(classes.map(({ name, images }) => `${name} ${images}`)),
    `${sizeText(sizes)} pixels, ${colour ? 'colour' : 'grey'}`,
    `${output}: images of ${pixels([recipe.imageSize, recipe.imageSize])}, batches of ${recipe.batchSize}, ${recipe.epochs} epochs, ${recipe.steps} steps${held}; comments in it say what to change`,
    ...(classes.length === 1
      ? ['one class is not enough for training: give the folder that holds the class folders']
      : []),
  ];
}

function sizeText({ smallest, median, largest }: DataSurvey['sizes']): string {
  const same = pixels(smallest) === pixels(largest);
  return same ? pixels(median) : `${pixels(smallest)} to ${pixels(largest)}, mostly around ${pixels(median)}`;
}

function pixels([height, width]: ImageSize): string {
  return `${width}×${height}`;
}

/** As a shell takes it. */
function quoted(argument: string): string {
  return /^[\w./@%+=:,-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}
