/**
 * Names of classes that the weights do not bring along: from a file of the user's, or ImageNet's for a model of a thousand classes. They are for reading; what a
 * model answers does not change.
 */
import { readFile, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Model } from '../api/model.js';
import { UsageError } from '../errors.js';

/** What `--labels` takes for the list that comes with the program. */
export const imagenet = 'imagenet';

const imagenetFile = fileURLToPath(new URL('../../assets/imagenet-classes.txt', import.meta.url));

/** A name has a few dozen letters, and there are at most 100,000 of them. */
const maximumBytes = 16 * 1024 * 1024;

/** What of a model matters here. */
type Classes = Pick<Model, 'labels' | 'hasLabels' | 'configuration'>;

/** Names in the order of the classes, and whether the model or somebody else gave them. */
export interface ClassNames {
  readonly labels: readonly string[];
  readonly source: 'model' | 'file' | 'imagenet' | 'none';
}

/**
 * @param chosen `imagenet`, or a file: a name a line, or JSON.
 * @throws UsageError when the file has no names, or not as many as the model has classes.
 */
export async function classNames(model: Classes, chosen: string | undefined): Promise<ClassNames> {
  const { classes } = model.configuration;
  if (chosen !== undefined) {
    const labels = chosen === imagenet ? await imagenetNames() : await readLabels(chosen);
    if (labels.length !== classes) {
      throw new UsageError(
        `--labels ${chosen}: names ${labels.length} classes, but the model has ${classes}; name each of them once`,
      );
    }
    return { labels, source: chosen === imagenet ? 'imagenet' : 'file' };
  }
  if (model.hasLabels) return { labels: model.labels, source: 'model' };
  if (classes === 1000) return { labels: await imagenetNames(), source: 'imagenet' };
  return { labels: model.labels, source: 'none' };
}

/** The thousand classes of ImageNet-1K in the usual order, that of its folders sorted by name. */
export async function imagenetNames(): Promise<readonly string[]> {
  return linesOf(await readFile(imagenetFile, 'utf8'));
}

async function readLabels(path: string): Promise<readonly string[]> {
  const text = (await textOf(path)).replace(/^\uFEFF/, '');
  const json = /^\s*[[{]/.test(text) ? parsedJson(text, path) : undefined;
  const labels = json === undefined ? linesOf(text) : labelsOf(json, path);
  if (labels.length === 0) throw new UsageError(`--labels ${path}: is empty; one name a line was expected`);
  const empty = labels.findIndex((label) => label.trim() === '');
  if (empty >= 0) throw new UsageError(`--labels ${path}: class ${empty} has no name; one name a line was expected`);
  return labels;
}

async function textOf(path: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    const status = await stat(path);
    if (status.isDirectory()) throw new UsageError(`--labels ${path}: is a folder; name a file`);
    if (status.size > maximumBytes)
      throw new UsageError(
        `--labels ${path}: has ${status.size}bytes, too many for a list of names; name a text or JSON file`,
      );
    bytes = await readFile(path);
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? 'no such file' : message;
    throw new UsageError(`--labels ${path}: cannot be read (${reason}); name a text or JSON file`, { cause });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new UsageError(`--labels ${path}: is not a text in UTF-8; one name a line was expected`, { cause });
  }
}

/** Line ends of every system; empty lines at the end are none. */
function linesOf(text: string): readonly string[] {
  const trimmed = text.trimEnd();
  return trimmed === '' ? [] : trimmed.split(/\r\n|\n|\r/).map((line) => line.trim());
}

/** Undefined for a text that only looks like JSON, unless it is called so. */
function parsedJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    if (!/\.json$/i.test(path)) return undefined;
    throw new UsageError(`--labels ${path}: is not JSON (${(cause as Error).message})`, { cause });
  }
}

/** `["cat", "dog"]`, `{"0": "cat", "1": "dog"}`, `{"0": ["n02123045", "cat"]}`, `{"cat": 0, "dog": 1}`, or a configuration with one of them as `id2label`. */
function labelsOf(value: unknown, path: string): readonly string[] {
  if (Array.isArray(value)) return value.map((name, index) => nameOf(name, index, path));
  const { id2label } = value as { readonly id2label?: unknown };
  const pairs = Object.entries(typeof id2label === 'object' && id2label !== null ? id2label : (value as object));
  const byName = pairs.every(([, number]) => typeof number === 'number');
  const labels = new Map<number, string>();
  for (const [key, content] of pairs) {
    const index = byName ? (content as number) : Number(key);
    if (!Number.isInteger(index) || index < 0 || index >= pairs.length || labels.has(index)) {
      throw new UsageError(
        `--labels ${path}: found "${byName ? String(content) : key}" for a class; expected the numbers 0 to ${pairs.length - 1}, each once`,
      );
    }
    labels.set(index, byName ? key : nameOf(content, index, path));
  }
  return Array.from({ length: labels.size }, (_, index) => labels.get(index)!);
}

function nameOf(value: unknown, index: number, path: string): string {
  const name: unknown = Array.isArray(value) ? value.at(-1) : value;
  if (typeof name === 'string') return name;
  throw new UsageError(`--labels ${path}: the name of class ${index} is not a text`);
}
