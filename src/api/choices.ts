/**
 * What `tune` measured, kept between runs of the program: one small JSON file for each network, image size, precision and number of threads, in a
 * folder of the user's. For Node. A file that is damaged, foreign or of another version is as good as none: it is only a measurement.
 */
import { access, constants, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { UsageError } from '../errors.js';
import { checkForms, checkRates } from '../inference/forms.js';
import type { Tuning } from '../inference/tune.js';
import { writeNodeFile } from '../interop/nodeFile.js';
import { defaultArchitectureName } from '../models/registry.js';
import type { RepConvForm } from '../runtime/passes/mergeRepConv.js';
import { modelFingerprint } from './fingerprint.js';
import type { Model } from './model.js';

const format = 'meta-spikeformer choices 1';

/** Of a network of a thousand layers a file has a fifth of a megabyte. */
const maximumBytes = 16 * 1024 * 1024;

const schema = z.strictObject({
  format: z.literal(format),
  model: z.strictObject({ name: z.string(), fingerprint: z.string() }),
  imageSize: z.tuple([z.int().positive(), z.int().positive()]),
  timeSteps: z.int().positive(),
  engine: z.string(),
  threads: z.int().positive(),
  measured: z.strictObject({ date: z.string(), processor: z.string(), rounds: z.int().positive() }),
  layers: z
    .array(
      z.strictObject({
        layer: z.string(),
        channels: z.int().positive(),
        firingRate: z.number().min(0).max(1),
        milliseconds: z.strictObject({ none: z.number().nonnegative(), full: z.number().nonnegative() }),
        form: z.enum(['none', 'full']),
      }),
    )
    .max(10_000),
  /** This and the next were added later: files that were kept before have none. */
  neurons: z
    .array(z.strictObject({ layer: z.string(), firingRate: z.number().min(0).max(1) }))
    .max(10_000)
    .default([]),
  kernels: z
    .array(z.strictObject({ layer: z.string(), method: z.string() }))
    .max(10_000)
    .default([]),
});

/** Choices and what they hold for. */
export type Choices = z.output<typeof schema>;

/** The folder where choices are kept, or undefined where the environment names none. */
export function choicesFolder(environment: Readonly<Record<string, string | undefined>>): string | undefined {
  const { SPIKEFORMER_CACHE, XDG_CACHE_HOME, LOCALAPPDATA, HOME } = environment;
  if (SPIKEFORMER_CACHE === 'off') return undefined;
  if (SPIKEFORMER_CACHE) return SPIKEFORMER_CACHE;
  const base = XDG_CACHE_HOME || LOCALAPPDATA || (HOME ? join(HOME, '.cache') : undefined);
  return base === undefined ? undefined : join(base, 'meta-spikeformer');
}

/** What a set of choices holds for, as the start of its file's name; the fingerprint completes it. */
function settingsKey(model: Model): string {
  const { architecture, configuration, input, engine } = model;
  // Every configuration begins with its widths; the names are for people who look into the folder.
  const widths = Object.values(configuration).find(Array.isArray) as readonly number[] | undefined;
  const words = [
    ...(architecture === defaultArchitectureName ? [] : [architecture]),
    ...(widths ? [widths.join('.')] : []),
    input.size.join('x'),
    `T${configuration.timeSteps}`,
    engine.name,
    `${engine.threads}threads`,
  ];
  return `${words.join('-').replace(/[^\w.-]+/g, '_')}-`;
}

function fileName(model: Model, fingerprint = modelFingerprint(model)): string {
  return `${settingsKey(model)}${fingerprint.replace('sha256:', '').slice(0, 16)}.json`;
}

/** What there is in the folder for a network: choices, or a file that is as good as none and why. */
export type KeptChoices = { readonly choices: Choices } | { readonly file: string; readonly unusable: string };

/**
 * @returns what was measured for this network under these settings, or undefined. Weights are read only when a file may fit.
 */
export async function savedChoices(folder: string, model: Model): Promise<KeptChoices | undefined> {
  const key = settingsKey(model);
  const names = await readdir(folder).catch(() => []);
  if (!names.some((name) => name.startsWith(key))) return undefined;
  const fingerprint = modelFingerprint(model);
  const file = join(folder, fileName(model, fingerprint));
  try {
    const text = await textOf(file);
    return text === undefined ? undefined : { choices: fitting(text, model, fingerprint) };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { file, unusable: error.message };
  }
}

/** Undefined where there is none. @throws UsageError for what cannot be read, or is no file of choices by its size. */
async function textOf(path: string): Promise<string | undefined> {
  try {
    const status = await stat(path);
    if (!status.isFile()) throw new UsageError('is not a file');
    if (status.size > maximumBytes) throw new UsageError(`has ${status.size} bytes, more than ${maximumBytes}`);
    return await readFile(path, 'utf8');
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new UsageError(`cannot be read: ${message}`, { cause });
  }
}

/** @throws UsageError saying what in the text is not what was measured for this model. */
function fitting(text: string, model: Model, fingerprint: string): Choices {
  const parsed = schema.safeParse(parsedJson(text));
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    throw new UsageError(`${path.join('.') || 'the whole'}: ${message}`);
  }
  const choices = parsed.data;
  const { configuration, input, engine } = model;
  const facts = [
    ['another network', choices.model.fingerprint, fingerprint],
    ['another image size', choices.imageSize.join('×'), input.size.join('×')],
    ['other time steps', choices.timeSteps, configuration.timeSteps],
    ['another engine', choices.engine, engine.name],
    ['other threads', choices.threads, engine.threads],
  ] as const;
  const other = facts.find(([, found, expected]) => found !== expected);
  if (other) throw new UsageError(`was measured for ${other[0]}`);
  checkForms(model.graph, formsOf(choices));
  checkRates(model.graph, ratesOf(choices));
  return choices;
}

/** As `Model.chooseForms` takes them. */
export function formsOf({ layers }: Choices): ReadonlyMap<string, RepConvForm> {
  return new Map(layers.map(({ layer, form }) => [layer, form]));
}

/** As `Model.chooseForms` takes them. */
export function ratesOf({ neurons }: Choices): ReadonlyMap<string, number> {
  return new Map(neurons.map(({ layer, firingRate }) => [layer, firingRate]));
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError('is not JSON');
  }
}

/**
 * Makes the folder if it is not there.
 *
 * @throws UsageError when it cannot be made or written to.
 */
export async function checkFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    await access(folder, constants.W_OK);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(
      `${folder}: choices cannot be kept there (${reason}); set SPIKEFORMER_CACHE to another folder`,
      { cause },
    );
  }
}

/** @returns the path of the file, which replaces the one before. */
export async function saveChoices(folder: string, model: Model, choices: Choices): Promise<string> {
  const path = join(folder, fileName(model, choices.model.fingerprint));
  await writeNodeFile(path, [new TextEncoder().encode(`${JSON.stringify(choices, undefined, 2)}\n`)]);
  return path;
}

/** @returns whether there was anything to forget. */
export async function forgetChoices(folder: string, model: Model): Promise<boolean> {
  const path = join(folder, fileName(model));
  try {
    await rm(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw new UsageError(`${path}: cannot be removed (${(error as Error).message})`, { cause: error });
  }
}

/** Makes the document of a measurement. */
export function choicesOf(
  model: Model,
  { repConvs, firingRates, kernels }: Tuning,
  measured: Choices['measured'],
): Choices {
  const { configuration, input, engine, provenance } = model;
  return {
    format,
    model: { name: provenance.name, fingerprint: modelFingerprint(model) },
    imageSize: [...input.size] as [number, number],
    timeSteps: configuration.timeSteps,
    engine: engine.name,
    threads: engine.threads,
    measured,
    layers: repConvs.map((choice) => ({ ...choice })),
    neurons: [...firingRates].map(([layer, firingRate]) => ({ layer, firingRate })),
    kernels: [...kernels].map(([layer, method]) => ({ layer, method })),
  };
}
