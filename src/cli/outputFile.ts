/** Checks on a file to be written, made before any work is done for it. The writing itself is `interop`'s. */
import { access, constants, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { UsageError } from '../errors.js';

/**
 * @param inputs Files that must not be overwritten, with what they are.
 * @param option What the file was given with.
 * @throws UsageError when the folder is missing or not writable, or the path is a folder or one of the inputs.
 */
export async function checkOutput(
  path: string,
  inputs: readonly { readonly path: string; readonly role: string }[],
  option = '--output',
): Promise<void> {
  const folder = dirname(path);
  const folderStatus = await stat(folder).catch(() => undefined);
  if (!folderStatus?.isDirectory()) {
    throw new UsageError(`${option} ${path}: there is no folder ${folder}; create it or choose another`);
  }
  const status = await stat(path).catch(() => undefined);
  if (status && !status.isFile()) {
    throw new UsageError(`${option} ${path}: is not a file but a folder or a device; name a file`);
  }
  await access(folder, constants.W_OK).catch((cause) => {
    throw new UsageError(`${option} ${path}: the folder ${folder} cannot be written to; choose another`, { cause });
  });
  for (const input of inputs) {
    if (await isSameFile(path, input.path)) {
      throw new UsageError(
        `${option} ${path}: is the ${input.role} itself, which would be overwritten; name another file`,
      );
    }
  }
}

/** By place, through links of both kinds. */
async function isSameFile(a: string, b: string): Promise<boolean> {
  const [statusA, statusB] = await Promise.all([a, b].map((path) => stat(path).catch(() => undefined)));
  if (statusA && statusB) return statusA.dev === statusB.dev && statusA.ino === statusB.ino;
  const [placeA, placeB] = await Promise.all([a, b].map(placeOf));
  return placeA === placeB;
}

async function placeOf(path: string): Promise<string> {
  return join(await realpath(dirname(path)).catch(() => dirname(path)), basename(path));
}
