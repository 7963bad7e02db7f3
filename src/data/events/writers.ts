/** The formats that recordings can be written in. A new one is one line here. */
import { DataError } from '../errors.js';
import type { EventFormatName, EventReader } from './events.js';
import { type EventSink, LimitCheck, type RecordingFacts, type WritableFormat } from './eventWriter.js';
import { hdf5 } from './writeHdf5.js';
import { npz } from './writeNpz.js';
import { aedat3, aedat4 } from './writePackets.js';
import { aedat2, csv, dat, nmnist, npy } from './writeRecords.js';
import { es, evt2, evt3 } from './writeWords.js';

export const writableFormats: readonly WritableFormat[] = [
  ...[evt2, evt3, dat, aedat2, aedat3, aedat4, nmnist, es, npy, npz, csv, hdf5],
];

export const writableFormatNames: readonly EventFormatName[] = writableFormats.map(({ name }) => name);

/**
 * The format of a file to be written: as asked for, else by its extension.
 *
 * @throws DataError when neither says one; `.raw` is EVT3's unless EVT2 is asked for.
 */
export function formatToWrite(path: string, asked?: EventFormatName): WritableFormat {
  const lower = path.toLowerCase();
  const byExtension = writableFormats.filter(({ extensions }) => extensions.some((end) => lower.endsWith(end)));
  const format = asked === undefined ? byExtension.at(-1) : writableFormats.find(({ name }) => name === asked);
  if (format) return format;
  throw new DataError(
    `${path}: ${asked === undefined ? 'its extension names no format that can be written' : `${asked} cannot be written`}; use one of ${writableFormatNames.join(', ')}`,
  );
}

/**
 * Copies a recording into a sink, in bounded memory.
 *
 * @param onEvents Told how many events were written so far.
 * @throws DataError for what the format cannot hold, and for what the reader refuses; the sink then holds a part, to be thrown away.
 */
export async function writeEvents(
  reader: Pick<EventReader, 'chunks'>,
  sink: EventSink,
  format: WritableFormat,
  facts: RecordingFacts,
  onEvents: (events: number) => void = () => {},
): Promise<void> {
  if (format.needsSensor && !facts.sensor)
    throw new DataError(
      `${sink.name}: cannot be written: ${format.name} says the sensor, which is not known; name it, such as 346x260`,
    );
  if (format.needsCount && facts.events === undefined)
    throw new DataError(`${sink.name}: cannot be written: ${format.name} needs the number of events before the first`);
  const check = new LimitCheck(sink.name, format);
  const writer = await format.start(sink, facts);
  let events = 0;
  try {
    for await (const run of reader.chunks()) {
      check.check(run);
      await writer.write(run);
      events += run.length;
      onEvents(events);
    }
  } catch (error) {
    writer.abandon?.();
    throw error;
  }
  await writer.end();
}
