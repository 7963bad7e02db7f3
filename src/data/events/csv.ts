/**
 * Events as text, one a line: the columns named by a header, or in the order that was asked for (t, x, y, p by default, as in the text files of the Robotics and Perception
 * Group, Zurich). Times are seconds where they have fractions, else microseconds. Lines that are no event are counted; empty lines and those that begin with #, % or // are
 * passed over. A first line of two whole numbers is the sensor's width and height.
 */
import { DataError } from '../errors.js';
import { chunkEvents } from './columns.js';
import { RowParser } from './csvRow.js';
import type { Events, Sensor, Skipped } from './events.js';
import type { EventFormat } from './format.js';
import type { Inlet } from './inlet.js';
import {
  type ColumnName,
  columnNames,
  columnOf,
  defaultOrder,
  missingColumns,
  type RawColumns,
  RowsToEvents,
  rawColumns,
  type TableOptions,
} from './tableColumns.js';

const newline = 10;
/** Longer lines are no events; their bytes are dropped as they arrive. */
const longestLine = 1 << 16;
/** Lines in front of the first event that are looked at for names and for the size of the sensor. */
const mostPreamble = 1000;

export const csv: EventFormat = {
  names: ['csv'],
  extensions: ['.csv', '.txt', '.tsv'],
  recognises,
  open: async ({ source, inlet, table, skipped }) => {
    const { sensor, fields } = await readPreamble(source.name, inlet, table);
    const rest = inlet.bytes.subarray(inlet.start, inlet.end);
    if (rest.length > 0 && !hasRow(rest, fields))
      throw new DataError(
        `${source.name}: is no recording of a known format: as text it has no line of four numbers; name the format, or convert the file`,
      );
    return { format: 'csv', sensor, chunks: () => lines(inlet, fields, table, skipped) };
  },
};

/** For each field of a line, the column that it is. */
type Fields = readonly (ColumnName | undefined)[];

/** Text whose first line with content is four numbers, or names all columns. */
function recognises(head: Uint8Array): boolean {
  if (head.some((code) => code < 9 || (code > 13 && code < 32))) return false;
  const text = new TextDecoder().decode(head);
  // The last line may be cut off, unless there is no other.
  const whole = text.includes('\n') ? text.slice(0, text.lastIndexOf('\n')) : text;
  for (const line of whole.split('\n')) {
    if (fieldsOfHeader(line)) return true;
    if (isPassedOver(line) || sensorOf(line)) continue;
    return isRow(line);
  }
  return false;
}

function isRow(line: string, fields: Fields = defaultOrder): boolean {
  const bytes = new TextEncoder().encode(line);
  return parserFor(fields, rawColumns(1)).parse(bytes, 0, bytes.length, 0);
}

function parserFor(fields: Fields, raw: RawColumns): RowParser {
  const last = fields.findLastIndex((field) => field !== undefined);
  return new RowParser(fields.slice(0, last + 1).map((field) => field && raw[field]));
}

/** Whether some of the lines are rows. */
function hasRow(bytes: Uint8Array, fields: Fields): boolean {
  const lines = new TextDecoder().decode(bytes.subarray(0, longestLine)).split('\n');
  // A line that is too long may be followed by good ones.
  return (lines.length === 1 && bytes.length > longestLine) || lines.some((line) => isRow(line, fields));
}

function isPassedOver(line: string): boolean {
  return /^\s*($|#|%|\/\/)/.test(line);
}

function sensorOf(line: string): Sensor | undefined {
  const [, width, height] = /^\s*(\d{1,5})\s*[\s,;x]\s*(\d{1,5})\s*$/.exec(line) ?? [];
  if (width === undefined || Number(width) === 0 || Number(height) === 0) return undefined;
  return { width: Number(width), height: Number(height) };
}

/** Names may stand behind the mark of a comment. */
function fieldsOfHeader(line: string): Fields | undefined {
  const fields = namesIn(line).map(columnOf);
  const isComplete = columnNames.every((name) => fields.filter((field) => field === name).length === 1);
  return isComplete ? fields : undefined;
}

function namesIn(line: string): string[] {
  const text = line.replace(/^\ufeff?\s*(#|%|\/\/)?/, '');
  const names = /[,;\t]/.test(text) ? text.split(/[,;\t]/) : text.trim().split(/\s+/);
  return names.map((name) => name.trim().replace(/^(["'])(.*)\1$/, '$2'));
}

/** Takes lines from the inlet until the next is an event (or wrong). */
async function readPreamble(
  name: string,
  inlet: Inlet,
  { order }: TableOptions,
): Promise<{ readonly sensor: Sensor | undefined; readonly fields: Fields }> {
  let sensor: Sensor | undefined;
  let fields: Fields | undefined;
  for (let count = 0; count < mostPreamble; count++) {
    const line = await peekLine(inlet);
    if (line === undefined) break;
    const named = fieldsOfHeader(line.text);
    if (named) fields = named;
    else if (!sensor && sensorOf(line.text)) sensor = sensorOf(line.text);
    else if (!isPassedOver(line.text)) {
      // Words where numbers are expected are names, but not those of events.
      if (count === 0 && !fields && !order && /^\W*[a-z_]\w*\W+[a-z_]/i.test(line.text))
        throw missingColumns(name, namesIn(line.text));
      break;
    }
    inlet.start += line.bytes;
  }
  return { sensor, fields: order ?? fields ?? defaultOrder };
}

/** The next line, which stays in the inlet; undefined at the end and for a line that is too long. */
async function peekLine(inlet: Inlet): Promise<{ readonly text: string; readonly bytes: number } | undefined> {
  for (let wanted = 256; ; wanted *= 4) {
    const isThere = await inlet.fill(wanted);
    const bytes = inlet.bytes.subarray(inlet.start, inlet.end);
    const end = bytes.indexOf(newline);
    if (end < 0 && isThere && wanted <= longestLine) continue;
    if (bytes.length === 0 || (end < 0 && isThere)) return undefined;
    const length = end < 0 ? bytes.length : end;
    return { text: new TextDecoder().decode(bytes.subarray(0, length)), bytes: end < 0 ? length : length + 1 };
  }
}

async function* lines(
  inlet: Inlet,
  fields: Fields,
  table: TableOptions,
  skipped: Skipped,
): AsyncGenerator<Events, void, undefined> {
  const raw = rawColumns(chunkEvents);
  const parser = parserFor(fields, raw);
  const converter = new RowsToEvents(skipped, table, false, chunkEvents);
  let isInLongLine = false;
  while (await inlet.fill(inlet.length + 1).then((more) => more || inlet.length > 0)) {
    let count = 0;
    let { start } = inlet;
    const { bytes, end, ended } = inlet;
    while (count < chunkEvents && start < end) {
      let until = bytes.indexOf(newline, start);
      if (until < 0 || until >= end) {
        if (!ended) break;
        until = end;
      }
      if (isInLongLine) isInLongLine = false;
      else if (parser.parse(bytes, start, until, count)) count++;
      else if (!isEmpty(bytes, start, until)) skipped.damagedRows++;
      start = Math.min(until + 1, end);
    }
    inlet.start = start;
    if (count === 0 && inlet.length > longestLine) {
      if (!isInLongLine) skipped.damagedRows++;
      isInLongLine = true;
      inlet.start = inlet.end;
    }
    const events = converter.convert(raw, count);
    if (events.length > 0) yield events;
  }
}

/** Blank, or a comment. */
function isEmpty(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at < end && (bytes[at] === 32 || bytes[at] === 9 || bytes[at] === 13)) at++;
  return at === end || bytes[at] === 35 || bytes[at] === 37 || (bytes[at] === 47 && bytes[at + 1] === 47);
}

/** @throws DataError for a text that names an order wrongly. */
export function orderError(text: string): DataError {
  return new DataError(`order ${text}: expected each of t, x, y and p once, such as txyp or x,y,t,p`);
}
