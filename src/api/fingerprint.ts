/**
 * SHA-256 fingerprints that tell whether two evaluations asked the same model about the same data, wherever their files lay. For Node.
 */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { relative, sep } from 'node:path';
import { ImageError } from '../data/errors.js';
import { systemPath } from '../data/fileNames.js';
import type { FoundFolder } from '../data/imageFolder.js';
import { defaultArchitectureName } from '../models/registry.js';
import type { Model } from './model.js';

/** Of everything that decides a model's answers: configuration, preprocessing, labels and every weight. Not of the file's format. */
export function modelFingerprint(model: Model): string {
  const hash = createHash('sha256');
  const { architecture, configuration, input } = model;
  const { preprocessing } = input;
  // Fingerprints of before architectures were named are those of the one that there was.
  const named = architecture === defaultArchitectureName ? {} : { architecture };
  const settings = { ...named, configuration, preprocessing, labels: model.hasLabels ? model.labels : null };
  hash.update(JSON.stringify(settings, sortedKeys));
  const parameters = [...model.parameters].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, values] of parameters) hash.update(`\n${name} ${values.length}\n`).update(values);
  return `sha256:${hash.digest('hex')}`;
}

/** Files asked about at once. */
const together = 256;

/**
 * Of the class names and of every image's place and size in bytes; pixels are not read.
 *
 * @throws ImageError for a file that has gone.
 */
export async function folderFingerprint(folder: FoundFolder): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(folder.classes));
  for (let first = 0; first < folder.samples.length; first += together) {
    const samples = folder.samples.slice(first, first + together);
    const sizes = await Promise.all(samples.map(({ path }) => sizeOf(path)));
    for (const [index, { path, label }] of samples.entries()) {
      const place = relative(folder.directory, path).split(sep).join('/');
      hash.update(`\n${JSON.stringify([label, place, sizes[index]])}`);
    }
  }
  return `sha256:${hash.digest('hex')}`;
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(systemPath(path))).size;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ImageError(`${path}: cannot be read (${reason}); check the path and its permissions`, { cause });
  }
}

/** A replacer that makes JSON independent of the order in which properties were set. */
function sortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
