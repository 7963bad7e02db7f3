/** `events`: what is in a recording of an event camera, in numbers and as a plot of its rate; and its conversion into another format. */
import type { Command } from 'commander';
import { z } from 'zod';
import type { ByteSource } from '../../data/events/byteSource.js';
import {
  type EventReader,
  type Events,
  eventFormatNames,
  type Sensor,
  type Skipped,
} from '../../data/events/events.js';
import { writeNodeRecording } from '../../data/events/nodeSink.js';
import { type NodeSource, openNodeSource, sourceFromStream } from '../../data/events/nodeSource.js';
import { type OpenEventsOptions, openEvents } from '../../data/events/openEvents.js';
import { type Flip, flipped, RecordingSummary } from '../../data/events/summary.js';
import { parseOrder, timeUnits } from '../../data/events/tableColumns.js';
import { formatToWrite, writableFormatNames, writeEvents } from '../../data/events/writers.js';
import { UsageError } from '../../errors.js';
import { ColumnDigests } from '../eventDigests.js';
import type { Io } from '../io.js';
import { given, oneOf, parseOptions } from '../optionParsing.js';
import { checkOutput } from '../outputFile.js';
import { startProgress } from '../progress.js';
import type { Session } from '../session.js';
import { grouped, oneLine, percent } from '../text.js';

const largestSide = 0xffff;

const sensorSchema = z
  .string()
  .regex(/^[1-9]\d{0,4}x[1-9]\d{0,4}$/, 'expected width and height in pixels, such as 346x260')
  .transform((text): Sensor => {
    const [width, height] = text.split('x').map(Number) as [number, number];
    return { width, height };
  })
  .refine(({ width, height }) => Math.max(width, height) <= largestSide, `expected sides of at most ${largestSide}`);

const flipSchema = z
  .string()
  .regex(/^[xyp](,?[xyp]){0,2}$/, 'expected some of x, y and p, such as x,p')
  .transform((text): Flip => ({ x: text.includes('x'), y: text.includes('y'), p: text.includes('p') }));

const orderSchema = z.string().transform((text, context) => {
  const order = parseOrder(text);
  if (order) return order;
  context.addIssue({ code: 'custom', message: 'expected each of t, x, y and p once, such as x,y,t,p' });
  return z.NEVER;
});

const schema = z
  .strictObject({
    convert: z.string().min(1, 'name the file to write').optional(),
    format: oneOf(writableFormatNames as unknown as readonly [string, ...string[]]).optional(),
    from: oneOf(eventFormatNames).optional(),
    sensor: sensorSchema.optional(),
    order: orderSchema.optional(),
    timeUnit: oneOf(timeUnits).optional(),
    dataset: z.string().min(1, 'name a group or a dataset of the file').optional(),
    flip: flipSchema.optional(),
    strict: z.boolean().default(false),
    json: z.boolean().default(false),
  })
  .refine(({ convert, format }) => format === undefined || convert !== undefined, '--format is for --convert OUT');

type Options = z.output<typeof schema>;

export function registerEvents(program: Command, session: Session): void {
  program
    .command('events')
    .description('say what is in a recording of an event camera, or convert it')
    .argument('<FILE>', 'a recording, or - for standard input')
    .option('--convert <FILE>', 'write it in another format')
    .option('--format <NAME>', `format to write (default: by the extension): ${writableFormatNames.join(', ')}`)
    .option('--from <NAME>', 'format of the recording (default: by its content, then by its extension)')
    .option('--sensor <WxH>', 'size of the sensor in pixels (default: what the recording says)')
    .option('--order <LIST>', 'order of columns that have no names (default: t,x,y,p)')
    .option(
      '--time-unit <UNIT>',
      'unit of the times of a table (default: microseconds; seconds where there are fractions)',
    )
    .option('--dataset <PATH>', 'where the events are in an HDF5 file (default: looked for)')
    .option('--flip <LIST>', 'mirror columns (x), rows (y), polarities (p)')
    .option('--strict', 'end at the first fault')
    .option('--json', 'print one JSON document, with digests of the columns')
    .action((file: string, typed: Record<string, unknown>) => events(session, file, parseOptions(schema, typed)));
}

async function events({ io }: Session, file: string, options: Options): Promise<void> {
  const { convert } = options;
  const output = convert === undefined ? undefined : formatToWrite(convert, options.format as never);
  if (convert !== undefined)
    await checkOutput(convert, file === '-' ? [] : [{ path: file, role: 'recording' }], '--convert');
  const source = await openSource(io, file);
  const progress = progressOf(io, source, file);
  try {
    const read = (summary: Gathered) => openGathered(progress.source, options, summary);
    const gathered: Gathered = {
      summary: new RecordingSummary(),
      ...(options.json ? { digests: new ColumnDigests() } : {}),
    };
    const reader = await read(gathered);
    if (convert === undefined) for await (const _ of reader.chunks());
    else if (!output!.needsCount) await write(convert, reader);
    else {
      if (source.size === undefined)
        throw new UsageError(
          `--convert ${convert}: ${output!.name} begins with the number of events, which a pipe does not tell; give a file`,
        );
      for await (const _ of reader.chunks());
      await write(convert, await read({ summary: new RecordingSummary() }), gathered.summary.events);
    }
    progress.stop();
    const converted = convert === undefined ? undefined : { file: convert, format: output!.name };
    if (options.json)
      io.stdout.write(`${JSON.stringify({ ...documentOf(reader, gathered), ...given({ converted }) }, null, 2)}\n`);
    else print(io, reader, gathered.summary, converted);
  } finally {
    progress.stop();
    await source.close();
  }

  async function write(path: string, reader: EventReader, count?: number): Promise<void> {
    await writeNodeRecording(path, (sink) =>
      writeEvents(reader, sink, output!, { sensor: reader.sensor, events: count }),
    );
  }
}

async function openSource({ stdin }: Io, file: string): Promise<NodeSource> {
  if (file !== '-') return openNodeSource(file);
  if (!stdin) throw new UsageError('standard input: is a terminal; send a recording, as in: events - < recording.raw');
  return { ...sourceFromStream(stdin, 'standard input'), close: async () => undefined };
}

/** Shorter recordings are read before anybody looks. */
const longBytes = 20_000_000;

/** A source that shows how much of it was read. */
function progressOf(io: Io, source: NodeSource, file: string): { readonly source: ByteSource; stop(): void } {
  const { size, read, readNow } = source;
  if (size === undefined || size < longBytes) return { source, stop: () => undefined };
  const megabytes = (bytes: number) => Math.round(bytes / 1e6);
  const bar = startProgress(io, `events ${oneLine(file)}`, megabytes(size), 'MB');
  let done = 0;
  let isShown = true;
  const reached = (position: number) => {
    if (position - done < 1e6) return;
    done = position;
    bar.update(megabytes(done));
  };
  const counted: ByteSource = {
    name: source.name,
    size,
    async *stream() {
      let position = 0;
      for await (const piece of source.stream()) {
        yield piece;
        position += piece.length;
        reached(position);
      }
    },
    ...given({
      read:
        read &&
        (async (offset: number, length: number) => {
          reached(offset);
          return read(offset, length);
        }),
      readNow:
        readNow &&
        ((target: Uint8Array, offset: number) => {
          reached(offset);
          return readNow(target, offset);
        }),
    }),
  };
  const stop = () => {
    if (isShown) bar.stop();
    isShown = false;
  };
  return { source: counted, stop };
}

interface Gathered {
  readonly summary: RecordingSummary;
  readonly digests?: ColumnDigests;
}

/** A reader that mirrors what was asked for and gathers what passes. */
async function openGathered(source: ByteSource, options: Options, gathered: Gathered): Promise<EventReader> {
  const { from, sensor: asked, strict, order, timeUnit, dataset, flip } = options;
  const settings: OpenEventsOptions = { format: from, sensor: asked, strict, table: { order, timeUnit, dataset } };
  const reader = await openEvents(source, settings);
  const { name, sensor } = reader;
  if ((flip?.x || flip?.y) && !sensor)
    throw new UsageError(`--flip: the sensor of ${name} is not known; name it, as in --sensor 346x260`);
  const mirrored = (run: Events) =>
    flip === undefined
      ? run
      : flipped(run, flip, flip.x || flip.y ? sensor : undefined, (i) => {
          throw new UsageError(
            `--flip: ${name}: an event at (${run.x[i]}, ${run.y[i]}) is outside the sensor; name a larger one (--sensor)`,
          );
        });
  return {
    name,
    format: reader.format,
    sensor,
    skipped: reader.skipped,
    async *chunks() {
      for await (const run of reader.chunks()) {
        const events = mirrored(run);
        gathered.summary.add(events);
        gathered.digests?.add(events);
        yield events;
      }
    },
  };
}

/** By the conventions of docs/cli.md. */
function documentOf({ format, sensor, skipped }: EventReader, { summary, digests }: Gathered): object {
  return {
    command: 'events',
    format,
    width: sensor?.width ?? null,
    height: sensor?.height ?? null,
    events: summary.events,
    on: summary.on,
    first3: summary.first,
    last3: summary.last,
    sha256: digests!.digests(),
    skipped,
  };
}

const plotWidth = 60;
const eighths = '▁▂▃▄▅▆▇█';

/** Nothing where there was nothing, else eighths of the highest. */
export function sparkline(values: readonly number[]): string {
  const highest = Math.max(...values, 0);
  return values.map((value) => (value === 0 ? ' ' : eighths[Math.min(7, Math.floor((8 * value) / highest))]!)).join('');
}

function print(
  io: Io,
  { name, format, sensor, skipped }: EventReader,
  summary: RecordingSummary,
  converted: { readonly file: string; readonly format: string } | undefined,
): void {
  const { bold, dim } = io.colours;
  const print = (line: string) => io.stdout.write(`${line}\n`);
  const { events: count, on, duration, earliest, latest } = summary;
  print(
    `${bold(oneLine(name))} ${format}, ${sensor ? `${sensor.width} × ${sensor.height} pixels` : 'sensor not known'}`,
  );
  if (count === 0) print('no events');
  else {
    const rate = duration > 0 ? `, ${grouped(Math.round((1e6 * count) / duration))} events/s` : '';
    print(`${grouped(count)} events in ${seconds(duration)}${rate}; from ${seconds(earliest)} to ${seconds(latest)}`);
    print(`p = 1: ${grouped(on)} (${percent(on / count)}), p = 0: ${grouped(count - on)}`);
    const { rates, microseconds } = summary.rates(plotWidth);
    print(`▕${sparkline(rates)}▏`);
    print(dim(`up to ${grouped(Math.round(Math.max(...rates)))} events/s; a column is ${seconds(microseconds)}`));
  }
  for (const line of skippedLines(skipped)) print(line);
  if (converted) print(`wrote ${oneLine(converted.file)} as ${converted.format}`);
}

function seconds(microseconds: number): string {
  return `${(microseconds / 1e6).toFixed(6).replace(/0{1,3}$/, '')} s`;
}

const meanings: Readonly<Record<keyof Skipped, string>> = {
  truncatedBytes: 'bytes at the end that are no whole record',
  damagedBytes: 'bytes that make no sense, passed over',
  damagedRows: 'rows that are no event, passed over (is the order of the columns right? --order)',
  stepsBack: 'events earlier than the one in front of them',
  outsideSensor: 'events outside the sensor',
  beforeFirstTime: 'events in front of the first time, passed over',
  invalid: 'events that the file marks as invalid, passed over',
  triggers: 'triggers',
  other: 'records of other kinds',
};

function skippedLines(skipped: Readonly<Skipped>): string[] {
  const kinds = Object.keys(meanings) as (keyof Skipped)[];
  return kinds.filter((kind) => skipped[kind] > 0).map((kind) => `${grouped(skipped[kind])} ${meanings[kind]}`);
}
