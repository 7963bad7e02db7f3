/** `init`: looks at a person's images and writes a small complete recipe for them, with comments on what to change. */
import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import { UsageError } from '../../errors.js';
import { writeNodeFile } from '../../interop/nodeFile.js';
import { openRecipe } from '../../training/recipeFiles.js';
import { type SuggestedRecipe, suggestRecipe } from '../../training/suggestRecipe.js';
import { type DataSurvey, type ImageSize, surveyData } from '../../training/surveyData.js';
import type { Io } from '../io.js';
import { attentionSchema, neuronSchema, parseOptions } from '../options.js';
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
  force: z.boolean().default(false),
  json: z.boolean().default(false),
});

type Options = z.output<typeof schema>;

export function registerInit(program: Command, session: Session): void {
  const command = program
    .command('init')
    .description('look at your images and write a recipe to train on them')
    .argument('<DIR>', 'images: a folder, a .tar(.gz) of one, CIFAR binaries or idx files');
  addReadingOptions(command)
    .option('--output <FILE>', 'the recipe to write (default: recipe.json)')
    .option(
      '--attention <NAME>',
      'what attention is: sdsa3 (default), or sdsa1, which counts where K and V fire together',
    )
    .option('--neuron <NAME>', 'what neurons are: lif (default), if (no leak), or relu, the float twin')
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
  const survey = await surveyData(directory);
  printNotes(io, survey.notes);
  reportDamaged(io, options);
  const name = basename(resolve(directory)).replace(/\.(tar|tgz|tar\.gz)$/, '') || 'recipe';
  const recipe = suggestRecipe(survey, name, { attention, neuron });
  await writeNodeFile(output, [new TextEncoder().encode(recipe.text)]);
  // What was written is what `train` will read.
  await openRecipe(resolve(output), []);
  const next = `spikeformer train --recipe ${quoted(output)} --data ${quoted(directory)} --output ${quoted(`runs/${name}`)}`;
  if (json)
    io.stdout.write(
      `${JSON.stringify({ ...documentOf(directory, output, survey, recipe, next), ...damagedField(options) }, null, 2)}\n`,
    );
  else print(io, directory, output, survey, recipe, next);
}

function documentOf(directory: string, file: string, survey: DataSurvey, recipe: SuggestedRecipe, next: string) {
  const { text: _text, ...chosen } = recipe;
  const { mean: _mean, std: _std, decodedImages, ...found } = survey;
  return { command: 'init', data: { directory, ...found, decodedImages }, recipe: { file, ...chosen }, next };
}

const mostNamed = 8;

function print(
  io: Io,
  directory: string,
  output: string,
  survey: DataSurvey,
  recipe: SuggestedRecipe,
  next: string,
): void {
  const { classes, trainingImages, testImages, sizes, colour } = survey;
  const named = classes.slice(0, mostNamed).map(({ name, images }) => `${name} ${images}`);
  const more = classes.length > mostNamed ? [`and ${classes.length - mostNamed} more`] : [];
  const test = testImages === null ? 'no test or validation split' : `${counted(testImages, 'test image')}`;
  const print = (line: string) => io.stdout.write(`${oneLine(line)}\n`);
  print(`${directory}: ${counted(trainingImages, 'training image')}, ${test}`);
  print(`${counted(classes.length, 'class').replace(/classs$/, 'classes')}: ${[...named, ...more].join(', ')}`);
  print(`${sizeText(sizes)} pixels, ${colour ? 'colour' : 'grey'}`);
  const held = recipe.heldOut > 0 ? `, ${recipe.heldOut} held out` : '';
  print(
    `${output}: images of ${pixels([recipe.imageSize, recipe.imageSize])}, batches of ${recipe.batchSize}, ${recipe.epochs} epochs, ${recipe.steps} steps${held}; comments in it say what to change`,
  );
  if (classes.length === 1) print('one class is not enough for training: give the folder that holds the class folders');
  print(`next: ${next}`);
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
