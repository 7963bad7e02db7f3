/** A whole recording of a file of Node. */
import { openNodeSource } from './nodeSource.js';
import { type OpenEventsOptions, type Recording, readEvents } from './openEvents.js';

/** @throws DataError naming the file, as `readEvents`. */
export async function readEventFile(path: string, options: OpenEventsOptions = {}): Promise<Recording> {
  const source = await openNodeSource(path);
  try {
    return await readEvents(source, options);
  } finally {
    await source.close();
  }
}
