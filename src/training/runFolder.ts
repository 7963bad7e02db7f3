/** The folder of a run, looked at before anything is computed: that it can be made and that nothing is in the way of what will be written. */
import { access, constants, mkdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { isSystemError, reasonOf } from '../interop/fileReasons.js';
import { TrainingError } from './errors.js';

/** What a run writes by whole files. */
export const runFiles = [
  'state.safetensors',
  'last.safetensors',
  'best.safetensors',
  'metrics.jsonl',
  'curve.svg',
  'recipe.json',
  'run.lock',
] as const;

/**
 * Looks at the place of a run without touching it.
 *
 * @throws TrainingError when there can be no folder, or something that is no file has the name of a file to be written.
 */
export async function checkFolder(output: string): Promise<void> {
  const place = await nearestExisting(output);
  if (!(await stat(place)).isDirectory()) {
    const what = place === resolve(output) ? 'is a file, not a folder' : `is inside ${place}, which is a file`;
    throw new TrainingError(`--output ${output}: ${what}; give another folder for the run`);
  }
  await access(place, constants.W_OK | constants.X_OK).catch((cause: Error) => {
    throw new TrainingError(`--output ${output}: ${place} cannot be written to: ${reasonOf(cause)}`, { cause });
  });
  for (const name of runFiles) {
    const path = join(output, name);
    const found = await stat(path).catch(() => undefined);
    if (found && !found.isFile()) {
      const what = found.isDirectory() ? 'a folder' : 'not a regular file';
      throw new TrainingError(
        `${path}: is ${what}, and the run writes a file of this name; move it or give another --output`,
      );
    }
  }
}

/** @throws TrainingError as `checkFolder`, and when the folder cannot be made. */
export async function prepareFolder(output: string): Promise<void> {
  await checkFolder(output);
  try {
    await makeFolder(resolve(output));
  } catch (cause) {
    throw new TrainingError(`--output ${output}: the folder cannot be made: ${reasonOf(cause as Error)}`, { cause });
  }
}

/** One folder after the other: Node's own way never ends where a file system (`/proc`) denies that there is a parent. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    const parent = dirname(path);
    const isParentMissing = code === 'ENOENT' && parent !== path && !(await stat(parent).catch(() => undefined));
    if (!isParentMissing) throw error;
    await makeFolder(parent);
    await mkdir(path);
  }
}

/** The path itself or the first folder above it that is there. */
async function nearestExisting(path: string): Promise<string> {
  let place = resolve(path);
  while (!(await stat(place).catch(() => undefined)) && dirname(place) !== place) place = dirname(place);
  return place;
}

/** Runs a write and turns what the operating system reports (a full disk, a quota) into a TrainingError. */
export async function writing<T>(path: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (cause) {
    if (!isSystemError(cause)) throw cause;
    throw new TrainingError(`${path}: cannot write: ${reasonOf(cause)}`, { cause });
  }
}
