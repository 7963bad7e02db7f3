/**
 * Opens a recording of an event camera: recognises its format by its content, then by its extension, and checks what its reader hands out, once for all formats. A stream is
 * read in bounded memory, whatever its length; `readEvents` holds a small one whole.
 */
import { DataError } from '../errors.js';
import type { ByteSource } from './byteSource.js';
import {
  type EventFormatName,
  type EventReader,
  type Events,
  nothingSkipped,
  type Sensor,
  type Skipped,
} from './events.js';
import type { Convention, EventFormat } from './format.js';
import { eventFormats } from './formats.js';
import { Inlet } from './inlet.js';
import type { TableOptions } from './tableColumns.js';

export interface OpenEventsOptions {
  /** The format, instead of what content and extension say. */
  readonly format?: EventFormatName | undefined;
  /** The sensor, instead of what the file says. */
  readonly sensor?: Sensor | undefined;
  /**
   * What AEDAT 2 means by its bits: handed out as stored, or as jAER shows them (DVS128: `x = 127 - x`, a bit of 0 is ON; DAVIS: `x = width - 1 - x`). Other formats have one
   * meaning and do not ask.
   */
  readonly convention?: Convention | undefined;
  /** Order of columns and unit of times, where a table does not say them. */
  readonly table?: TableOptions | undefined;
  /** The first fault (see {@link Skipped}) is an error. */
  readonly strict?: boolean | undefined;
}

/** How many bytes are waited for before a format is looked for; a live source may send no more for a long time. */
const headBytes = 512;

/** @throws DataError when no format fits, or the header cannot be used. */
export async function openEvents(source: ByteSource, options: OpenEventsOptions = {}): Promise<EventReader> {
  const inlet = new Inlet(source.stream());
  await inlet.fill(headBytes);
  const format = recognised(source.name, inlet.bytes.subarray(inlet.start, inlet.end), options.format);
  const skipped = nothingSkipped();
  const opened = await format.open({
    source,
    inlet,
    variant: options.format,
    convention: options.convention ?? 'stored',
    table: options.table ?? {},
    skipped,
  });
  const sensor = options.sensor ?? opened.sensor;
  return {
    name: source.name,
    format: opened.format,
    sensor,
    skipped,
    chunks: () => checked(source.name, opened.chunks(), skipped, sensor, options.strict ?? false),
  };
}

function recognised(name: string, head: Uint8Array, asked: EventFormatName | undefined): EventFormat {
  if (asked !== undefined) {
    const format = eventFormats.find(({ names }) => names.includes(asked));
    if (format) return format;
    throw new DataError(`${name}: format ${asked} is not known; use one of ${knownNames()}`);
  }
  if (head.length === 0)
    throw new DataError(`${name}: is empty; a recording has at least a header or an event, copy it again`);
  const lower = name.toLowerCase();
  const format =
    eventFormats.find(({ recognises }) => recognises?.(head)) ??
    eventFormats.find(({ extensions }) => extensions.some((extension) => lower.endsWith(extension)));
  if (format) return format;
  throw new DataError(`${name}: is no recording of a known format; name the format if it is one of ${knownNames()}`);
}

function knownNames(): string {
  return eventFormats.flatMap(({ names }) => names).join(', ');
}

async function* checked(
  name: string,
  chunks: AsyncIterable<Events>,
  skipped: Skipped,
  sensor: Sensor | undefined,
  strict: boolean,
): AsyncGenerator<Events, void, undefined> {
  const { width, height } = sensor ?? { width: Infinity, height: Infinity };
  let last = -Infinity;
  for await (const events of chunks) {
    const { length, t, x, y } = events;
    let stepsBack = 0;
    let outside = 0;
    for (let i = 0; i < length; i++) {
      const time = t[i]!;
      if (time < last) stepsBack++;
      if (x[i]! >= width || y[i]! >= height) outside++;
      last = time;
    }
    skipped.stepsBack += stepsBack;
    skipped.outsideSensor += outside;
    if (strict) refuseFaults(name, skipped, sensor);
    yield events;
  }
  if (strict) refuseFaults(name, skipped, sensor);
}

function refuseFaults(name: string, skipped: Skipped, sensor: Sensor | undefined): void {
  const { truncatedBytes, damagedBytes, damagedRows, stepsBack, outsideSensor, beforeFirstTime } = skipped;
  const fault =
    (damagedBytes > 0 && `${damagedBytes} bytes that do not unpack or make no sense`) ||
    (damagedRows > 0 && `${damagedRows} rows that are no event`) ||
    (beforeFirstTime > 0 && `${beforeFirstTime} events in front of the first time`) ||
    (stepsBack > 0 && `${stepsBack} events earlier than the event in front of them`) ||
    (outsideSensor > 0 && `${outsideSensor} events outside the sensor of ${sensor?.width} × ${sensor?.height}`) ||
    (truncatedBytes > 0 && `${truncatedBytes} bytes at the end that are no whole record`);
  if (fault) throw new DataError(`${name}: has ${fault}; mend the recording, or read it without strict`);
}

/** A whole recording in memory. */
export interface Recording extends Events {
  readonly name: string;
  readonly format: EventFormatName;
  readonly sensor: Sensor | undefined;
  readonly skipped: Readonly<Skipped>;
}

/** Events that {@link readEvents} takes unless told otherwise: 13 bytes each, and twice that for a moment. */
export const defaultEventLimit = 20_000_000;

/**
 * Everything at once, for small recordings. Columns are exactly as long as there are events and belong to the caller.
 *
 * @param options.limit The most events that are taken.
 * @throws DataError when there are more, and for what {@link openEvents} and the reader refuse.
 */
export async function readEvents(
  source: ByteSource,
  options: OpenEventsOptions & { readonly limit?: number | undefined } = {},
): Promise<Recording> {
  const limit = options.limit ?? defaultEventLimit;
  const reader = await openEvents(source, options);
  const { name, format, sensor, skipped } = reader;
  const runs: Events[] = [];
  let length = 0;
  for await (const events of reader.chunks()) {
    length += events.length;
    if (length > limit)
      throw new DataError(`${name}: holds more than ${limit} events; read it as a stream, or cut it into parts`);
    runs.push(copied(events));
  }
  return { name, format, sensor, skipped, ...joined(runs, length) };
}

function copied({ length, t, x, y, p }: Events): Events {
  return { length, t: t.slice(0, length), x: x.slice(0, length), y: y.slice(0, length), p: p.slice(0, length) };
}

function joined(runs: readonly Events[], length: number): Events {
  const all = {
    length,
    t: new Float64Array(length),
    x: new Uint16Array(length),
    y: new Uint16Array(length),
    p: new Uint8Array(length),
  };
  let at = 0;
  for (const { length: count, t, x, y, p } of runs) {
    all.t.set(t, at);
    all.x.set(x, at);
    all.y.set(y, at);
    all.p.set(p, at);
    at += count;
  }
  return all;
}
