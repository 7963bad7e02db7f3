/** What `predict` takes for a sequence of skeletons: a file, a folder of them, or standard input. The format is told by the content. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { locate, readFolder, systemPath } from '../data/fileNames.js';
import { compareCodePoints, hasExtension, isMacDouble } from '../data/names.js';
import type { SkeletonSample } from '../data/skeletons/preparations.js';
import { parseSkeletons } from '../data/skeletons/readSkeleton.js';
import { readSkeletonFile } from '../data/skeletons/sequenceStore.js';
import { UsageError } from '../errors.js';
import type { Io } from './io.js';
import { standardInput } from './pictures.js';

const extensions = ['.json', '.skeleton'];
/** Of what comes by standard input. */
const mostBytes = 256 * 2 ** 20;

/**
 * The sequences that an argument names, in order: those of a folder by name, without its sub-folders.
 *
 * @throws UsageError when a folder has none.
 */
export async function sequencesOf(argument: string): Promise<readonly string[]> {
  if (argument === standardInput) return [argument];
  const place = await locate(argument);
  const status = await stat(systemPath(place)).catch(() => undefined);
  if (!status?.isDirectory()) return [place];
  const { files } = await readFolder(place).catch((cause: NodeJS.ErrnoException) => {
    throw new UsageError(`${argument}: cannot be read as a folder (${cause.code}); check its permissions`, { cause });
  });
  const sequences = files
    .filter((name) => hasExtension(name, extensions) && !isMacDouble(name))
    .sort(compareCodePoints);
  if (sequences.length > 0) return sequences.map((name) => join(place, name));
  throw new UsageError(`${argument}: holds no sequences of skeletons; name another, folders in it are not searched`);
}

/** @throws DataError naming the file when it is no sequence of skeletons. */
export async function readSkeletons({ stdin }: Io, source: string): Promise<SkeletonSample> {
  if (source !== standardInput) return readSkeletonFile(source);
  if (!stdin) throw new UsageError('standard input: is a terminal; send a sequence, as in: predict - < walk.json');
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of stdin as AsyncIterable<Uint8Array>) {
    length += part.length;
    if (length > mostBytes) throw new UsageError(`standard input: has more than ${mostBytes} bytes; name a file`);
    parts.push(part);
  }
  return parseSkeletons(Buffer.concat(parts), 'standard input');
}
