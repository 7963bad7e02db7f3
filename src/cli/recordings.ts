/** What `predict` takes for a recording of events: a file, a folder of them, or standard input. The format is told by the content. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isRecordingName } from '../data/events/datasets/layout.js';
import { sourceFromStream } from '../data/events/nodeSource.js';
import { type Recording, readEvents } from '../data/events/openEvents.js';
import { readEventFile } from '../data/events/readEventFile.js';
import { locate, readFolder, systemPath } from '../data/fileNames.js';
import { isMacDouble } from '../data/names.js';
import { UsageError } from '../errors.js';
import type { Io } from './io.js';
import { standardInput } from './pictures.js';

/**
 * The recordings that an argument names, in order: those of a folder by name, without its sub-folders.
 *
 * @throws UsageError when a folder has none.
 */
export async function recordingsOf(argument: string): Promise<readonly string[]> {
  if (argument === standardInput) return [argument];
  const place = await locate(argument);
  const status = await stat(systemPath(place)).catch(() => undefined);
  if (!status?.isDirectory()) return [place];
  const { files } = await readFolder(place).catch((cause: NodeJS.ErrnoException) => {
    throw new UsageError(`${argument}: cannot be read as a folder (${cause.code}); check its permissions`, { cause });
  });
  const recordings = files.filter((name) => isRecordingName(name) && !isMacDouble(name)).sort();
  if (recordings.length > 0) return recordings.map((name) => join(place, name));
  throw new UsageError(`${argument}: holds no recordings of events; name another, folders in it are not searched`);
}

/** @throws DataError naming the file when it is no recording. */
export async function readRecordingFile({ stdin }: Io, source: string): Promise<Recording> {
  if (source !== standardInput) return readEventFile(source);
  if (!stdin) throw new UsageError('standard input: is a terminal; send a recording, as in: predict - < three.bin');
  return readEvents(sourceFromStream(stdin, 'standard input'));
}
