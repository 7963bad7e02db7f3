/**
 * What `tune` measured, kept between runs of the program: one small JSON file for each network, image size, precision and number of threads, in a
 * folder of the user's. For Node. A file that is damaged or of another version is as good as none: it is only a measurement.
 */
import { access, constants, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { UsageError } from '../errors.js';
import { writeNodeFile } from '../interop/nodeFile.js';
import type { Tuning } from '../runtime/tune.js';
import { modelFingerprint } from './fingerprint.js';
import type { Model } from './model.js';

const format = 'meta-spikeformer choices 1';

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
  const { configuration, preprocessing, engine } = model;
  const words = [
    configuration.embedDim.join('.'),
    preprocessing.crop.join('x'),
    `T${configuration.timeSteps}`,
    engine.name,
    `${engine.threads}threads`,
  ];
  return `${words.join('-').replace(/[^\w.-]+/g, '_')}-`;
}

function fileName(model: Model, fingerprint = modelFingerprint(model)): string {
  return `${settingsKey(model)}${fingerprint.replace('sha256:', '').slice(0, 16)}.json`;
}

/**
 * @returns what was measured for this network under these settings, or undefined. Weights are read only when a file may fit.
 */
export async function savedChoices(folder: string, model: Model): Promise<Choices | undefined> {
  const key = settingsKey(model);
  const names = await readdir(folder).catch(() => []);
  if (!names.some((name) => name.startsWith(key))) return undefined;
  const fingerprint = modelFingerprint(model);
  const text = await readFile(join(folder, fileName(model, fingerprint)), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const parsed = schema.safeParse(parsedJson(text));
  return parsed.success && parsed.data.model.fingerprint === fingerprint ? parsed.data : undefined;
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
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
  const { configuration, preprocessing, engine, provenance } = model;
  return {
    format,
    model: { name: provenance.name, fingerprint: modelFingerprint(model) },
    imageSize: [...preprocessing.crop] as [number, number],
    timeSteps: configuration.timeSteps,
    engine: engine.name,
    threads: engine.threads,
    measured,
    layers: repConvs.map((choice) => ({ ...choice })),
    neurons: [...firingRates].map(([layer, firingRate]) => ({ layer, firingRate })),
    kernels: [...kernels].map(([layer, method]) => ({ layer, method })),
  };
}
