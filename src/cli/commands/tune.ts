/**
 * `tune`: how often neurons fire for the images that come, and which form of each RepConv is faster on this machine then; the answer is kept, and `predict` goes by it.
 */
import { cpus } from 'node:os';
import type { Command } from 'commander';
import { z } from 'zod';
import {
  type Choices,
  checkFolder,
  choicesFolder,
  choicesOf,
  forgetChoices,
  saveChoices,
  savedChoices,
} from '../../api/choices.js';
import type { FieldTensor, Model } from '../../api/model.js';
import { UsageError } from '../../errors.js';
import { loadModel } from '../../index.js';
import { defaultTuneRounds } from '../../inference/tune.js';
import { createEngine } from '../../runtime/engines.js';
import type { Io } from '../io.js';
import { printModelNote, printWarnings } from '../modelNote.js';
import {
  addEngineOptions,
  addNetworkOptions,
  addSourceOptions,
  atMostOne,
  given,
  imageSizeOption,
  needsCheckpoint,
  onlyWithCheckpoint,
  parseOptions,
  runningOptions,
  sourceOptions,
  wholeNumber,
} from '../options.js';
import { bundledPhotographs } from '../photographs.js';
import { startProgress } from '../progress.js';
import {
  addReadingOptions,
  applyReadingOptions,
  damagedField,
  readingOptions,
  reportDamaged,
} from '../readingOptions.js';
import { samplesOf } from '../samples.js';
import type { Session } from '../session.js';
import { percent, table } from '../text.js';

const schema = z
  .strictObject({
    ...sourceOptions,
    ...runningOptions,
    ...readingOptions,
    imageSize: imageSizeOption,
    rounds: wholeNumber(1, 1000).optional(),
    show: z.boolean().default(false),
    forget: z.boolean().default(false),
    json: z.boolean().default(false),
  })
  .refine(atMostOne('model', 'checkpoint'), 'give either --model or --checkpoint, not both')
  .refine(onlyWithCheckpoint('weights', 'size', 'depths'), needsCheckpoint)
  .refine(({ show, forget }) => !(show && forget), 'give either --show or --forget, not both');

type Options = z.output<typeof schema>;

export function registerTune(program: Command, session: Session): void {
  const command = program
    .command('tune')
    .description('measure which form of each RepConv is faster on this machine, and keep the result')
    .argument(
      '[IMAGE...]',
      'images like those to be classified later (default: the photographs that come with the program)',
    );
  addReadingOptions(addEngineOptions(addNetworkOptions(addSourceOptions(command))))
    .option('--image-size <N>', 'side of the square that images become (default: what the model says, else 224)')
    .option('--rounds <N>', `measurements of each form, taken in turn (default: ${defaultTuneRounds})`)
    .option('--show', 'print what was measured before')
    .option('--forget', 'delete what was measured before')
    .option('--json', 'print one JSON document')
    .action((images: string[], typed: Record<string, unknown>) => tune(session, images, parseOptions(schema, typed)));
}

async function tune({ io }: Session, images: readonly string[], options: Options): Promise<void> {
  const {
    model: name,
    checkpoint,
    show,
    forget,
    json,
    rounds = defaultTuneRounds,
    ...settings
  } = applyReadingOptions(options);
  const folder = choicesFolder(io.environment);
  if (folder === undefined)
    throw new UsageError('tune: no folder to keep the choices in; set SPIKEFORMER_CACHE to one (and not to "off")');
  const model = await loadModel(given({ model: name, checkpoint }), given(settings));
  try {
    printWarnings(io, model);
    if (!json) printModelNote(io, model);
    if (forget) return print(io, json, { command: 'tune', forgotten: await forgetChoices(folder, model) });
    if (show) {
      return print(io, json, { command: 'tune', ...(await shownChoices(folder, model)) });
    }
    // Before anything is measured, which would be lost.
    await checkFolder(folder);
    const inputs = await inputsOf(io, model, images.length > 0 ? images : await bundledPhotographs(model));
    const choices = await measure(io, model, inputs, settings, rounds);
    const file = await saveChoices(folder, model, choices);
    print(io, json, { command: 'tune', ...choices, ...damagedField(options), file });
    reportDamaged(io, options);
  } finally {
    await model.dispose();
  }
}

/** @throws UsageError where nothing usable is kept. */
async function shownChoices(folder: string, model: Model): Promise<Choices> {
  const kept = await savedChoices(folder, model);
  if (!kept) throw new UsageError('tune: nothing was measured for this network and these settings; leave out --show');
  if ('choices' in kept) return kept.choices;
  throw new UsageError(`${kept.file}: ${kept.unusable}; run tune without --show, or with --forget`);
}

async function measure(
  io: Io,
  model: Model,
  inputs: readonly FieldTensor[],
  settings: Pick<Options, 'threads' | 'engine' | 'precision'>,
  rounds: number,
): Promise<Choices> {
  const { threads, engine: kind, precision } = settings;
  const engine = await createEngine(given({ threads, engine: kind, precision }));
  const progress = startProgress(io, `tune ${model.provenance.name}`, rounds, 'rounds');
  try {
    const tuning = await model.tune(inputs, engine, { rounds, onRound: (round) => progress.update(round) });
    const processor = cpus()[0]?.model ?? 'unknown';
    return choicesOf(model, tuning, { date: new Date().toISOString(), processor, rounds });
  } finally {
    progress.stop();
    await engine.dispose();
  }
}

/** One sample each: what is tuned is the answer to one. */
async function inputsOf(io: Io, model: Model, paths: readonly string[]): Promise<readonly FieldTensor[]> {
  const inputs: FieldTensor[] = [];
  const { read } = samplesOf(model.modality);
  for (const path of paths) inputs.push(await model.inputOf([await read(io, path)]));
  return inputs;
}

type Document =
  | ({ readonly command: 'tune'; readonly file?: string; readonly damaged?: number } & Choices)
  | { readonly command: 'tune'; readonly forgotten: boolean };

function print(io: Io, json: boolean, document: Document): void {
  if (json) io.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  else if ('forgotten' in document)
    io.stdout.write(document.forgotten ? 'forgotten\n' : 'nothing was measured for these settings\n');
  else printChoices(io, document);
}

function printChoices(io: Io, { layers, kernels, measured, file }: Choices & { readonly file?: string }): void {
  const { bold, dim } = io.colours;
  const rows = layers.map(({ layer, channels, firingRate, milliseconds: { none, full }, form }) => [
    layer,
    String(channels),
    percent(firingRate),
    `${none.toFixed(3)} ms`,
    `${full.toFixed(3)} ms`,
    form === 'full' ? 'one 3×3' : 'three layers',
  ]);
  const [head, ...body] = table([
    ['RepConv', 'channels', 'firing rate (%)', 'three layers (ms)', 'one 3×3 (ms)', 'chosen'],
    ...rows,
  ]);
  io.stdout.write(`\n${bold(head!)}\n`);
  for (const line of body) io.stdout.write(`${line}\n`);
  const all = (pick: (layer: Choices['layers'][number]) => number) =>
    layers.reduce((sum, layer) => sum + pick(layer), 0);
  const chosen = all(({ form, milliseconds }) => milliseconds[form]);
  io.stdout.write(
    `\n${chosen.toFixed(2)} ms as chosen, ${all(({ milliseconds }) => milliseconds.none).toFixed(2)} ms if none were merged, ` +
      `${all(({ milliseconds }) => milliseconds.full).toFixed(2)} ms if all were\n`,
  );
  const methods = new Map<string, number>();
  for (const { method } of kernels) methods.set(method, (methods.get(method) ?? 0) + 1);
  const counts = [...methods].map(([method, count]) => `${count} ${method}`).sort();
  if (counts.length > 0) io.stdout.write(`${kernels.length} layers fed by spikes: ${counts.join('; ')}\n`);
  io.stdout.write(dim(`measured ${measured.date} on ${measured.processor}, medians of ${measured.rounds}`));
  io.stdout.write(file === undefined ? '\n' : dim(`; kept in ${file}\n`));
}
