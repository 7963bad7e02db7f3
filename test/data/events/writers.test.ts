/** Recordings as they are written: every format holds the events that were put in, as bytes assembled here by hand say and as the readers of this folder read them. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sourceFromBytes } from '../../../src/data/events/byteSource.js';
import type { EventFormatName, Events, Sensor } from '../../../src/data/events/events.js';
import { writeNodeRecording } from '../../../src/data/events/nodeSink.js';
import { readEvents } from '../../../src/data/events/openEvents.js';
import { formatToWrite, writableFormatNames, writeEvents } from '../../../src/data/events/writers.js';
import { fileFromBytes } from '../../../src/interop/randomAccessFile.js';
import { openZip } from '../../../src/interop/zip.js';
import { aedat3Packet, type Event, eventsFlatBuffer, joined, packet, text, words } from './encoders.js';
import { event } from './truth.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'events-'));
});
afterEach(() => rm(folder, { recursive: true }));

const columns = (events: readonly Event[]): Events => ({
  length: events.length,
  t: Float64Array.from(events, ([t]) => t),
  x: Uint16Array.from(events, ([, x]) => x),
  y: Uint16Array.from(events, ([, , y]) => y),
  p: Uint8Array.from(events, ([, , , p]) => p),
});

const sized: Sensor = { width: 128, height: 128 };

/** Handed out in runs, as a reader does. */
function reader(events: readonly Event[], run = 1000) {
  return {
    async *chunks() {
      for (let at = 0; at < events.length; at += run) yield columns(events.slice(at, at + run));
    },
  };
}

async function written(
  format: EventFormatName,
  events: readonly Event[],
  sensor: Sensor | 'unknown' = sized,
): Promise<Uint8Array> {
  const path = join(folder, `a.${format}`);
  await writeNodeRecording(path, (sink) =>
    writeEvents(reader(events), sink, formatToWrite(path, format), {
      sensor: sensor === 'unknown' ? undefined : sensor,
      events: events.length,
    }),
  );
  return new Uint8Array(await readFile(path));
}

async function refusal(format: EventFormatName, events: readonly Event[], sensor?: 'unknown'): Promise<string> {
  await writeFile(join(folder, `a.${format}`), 'before');
  const error = await written(format, events, sensor).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(Error);
  expect(await readdir(folder)).toEqual([`a.${format}`]);
  expect(await readFile(join(folder, `a.${format}`), 'utf8')).toBe('before');
  return (error as Error).message;
}

/** Times that do not step back, with pauses of all lengths up to a quarter of a minute. */
const many: readonly Event[] = Array.from({ length: 5000 }, (_, i) => [
  1000 * i + ((i * i) % 700) + (i > 2500 ? 17_000_000 : 0) + (i > 4000 ? 3 : 0),
  (i * 7) % 128,
  (i * 13) % 128,
  Math.floor((i * i) / 3) % 2,
]);
const few: readonly Event[] = [
  [5, 1, 2, 1],
  [5, 3, 2, 0],
  [70, 4, 127, 1],
];

describe('what is written is read again', () => {
  it.each(writableFormatNames)('%s', async (format) => {
    // 23 bits of microseconds.
    const events = format === 'nmnist-bin' ? many.slice(0, 2500) : many;
    const read = await readEvents(
      sourceFromBytes(await written(format, events), `a.${format === 'nmnist-bin' ? 'bin' : ''}`),
    );
    expect(read.format).toBe(format);
    expect(Array.from({ length: read.length }, (_, i) => event(read, i))).toEqual(events);
    const untold = ['npy', 'npz', 'csv', 'nmnist-bin'].includes(format);
    if (!untold) expect(read.sensor).toEqual({ width: 128, height: 128 });
  });

  it.each(writableFormatNames)('%s without events', async (format) => {
    const read = await readEvents(sourceFromBytes(await written(format, []), 'a.bin'), { format });
    expect(read.length).toBe(0);
  });

  it.each(['aedat3', 'aedat4', 'npy', 'npz', 'csv', 'hdf5'] as const)(
    '%s with times since 1970 and steps back',
    async (format) => {
      const events: readonly Event[] = few.map(([t, ...rest], i) => [1_700_000_000_000_000 + t - 40 * i, ...rest]);
      const read = await readEvents(sourceFromBytes(await written(format, events), 'a'));
      expect(Array.from({ length: 3 }, (_, i) => event(read, i))).toEqual(events);
      expect(read.skipped.stepsBack).toBe(1);
    },
  );

  it.each(['npy', 'npz', 'csv', 'hdf5', 'aedat4'] as const)('%s with times before 0', async (format) => {
    const events: readonly Event[] = [
      [-5_000_000_000, 1, 2, 0],
      [-1, 1, 2, 1],
    ];
    const read = await readEvents(sourceFromBytes(await written(format, events), 'a'));
    expect([event(read, 0), event(read, 1)]).toEqual(events);
  });

  it('evt3 that begins after hours', async () => {
    const events: readonly Event[] = [
      [36_000_000_000, 3, 4, 1],
      [36_100_000_000, 2047, 2047, 0],
    ];
    const read = await readEvents(sourceFromBytes(await written('evt3', events, 'unknown'), 'a'));
    expect([event(read, 0), event(read, 1)]).toEqual(events);
  });
});

describe('bytes, assembled by hand', () => {
  it('of aedat2-dvs128', async () => {
    const body = joined(...few.map(([t, x, y, p]) => words(4, [(y << 8) | (x << 1) | p, t], true)));
    const bytes = await written('aedat2-dvs128', few);
    expect(bytes.subarray(-body.length)).toEqual(body);
    expect(Buffer.from(bytes).toString('latin1')).toMatch(/^#!AER-DAT2\.0\r\n(#.*\r\n)+/);
  });

  it('of prophesee-dat', async () => {
    const header = '% Data file containing CD events.\n% Version 2\n% Height 128\n% Width 128\n';
    const body = few.map(([t, x, y, p]) => words(4, [t, (p << 28) | (y << 14) | x]));
    expect(await written('prophesee-dat', few)).toEqual(joined(text(header), words(1, [12, 8]), ...body));
  });

  it('of nmnist-bin', async () => {
    expect(await written('nmnist-bin', [[0x123456, 9, 8, 1]])).toEqual(words(1, [9, 8, 0x92, 0x34, 0x56]));
  });

  it('of es', async () => {
    const header = joined(text('Event Stream'), words(1, [2, 0, 0, 1]), words(2, [128, 128]));
    const body = words(1, [
      (5 << 1) | 1,
      1,
      0,
      2,
      0,
      0,
      3,
      0,
      2,
      0,
      (65 << 1) | 1,
      4,
      0,
      127,
      0,
      0xff,
      0xff,
      0,
      0,
      0,
      0,
      0,
    ]);
    expect(await written('es', [...few, [70 + 254, 0, 0, 0]], sized)).toEqual(joined(header, body));
  });

  it('of evt2', async () => {
    const header = text('% evt 2.0\n% format EVT2;height=128;width=128\n% geometry 128x128\n% end\n');
    const on = (t: number, x: number, y: number, p: number) => p * 2 ** 28 + ((t << 22) | (x << 11) | y);
    const body = words(4, [0x80000000, on(5, 1, 2, 1), on(5, 3, 2, 0), 0x80000001, on(6, 4, 127, 1)]);
    expect(await written('evt2', few)).toEqual(joined(header, body));
  });

  it('of evt3', async () => {
    const body = words(2, [0x8000, 0x6005, 0x0002, 0x2801, 0x2003, 0x6046, 0x007f, 0x2804]);
    expect((await written('evt3', few)).subarray(-body.length)).toEqual(body);
  });

  it('of aedat3', async () => {
    const bytes = await written('aedat3', [...few, [2 ** 31 + 1, 1, 1, 1]]);
    const expected = joined(aedat3Packet(few), aedat3Packet([[1, 1, 1, 1]], 1));
    // The packets of the encoder have room for three more; the number of events and of valid ones is what counts.
    const capacity = (packet: Uint8Array, at: number, count: number) => packet.set(words(4, [count]), at + 16);
    capacity(expected, 0, 3);
    capacity(expected, 28 + 24, 1);
    expect(bytes.subarray(-expected.length)).toEqual(expected);
  });

  it('of aedat4', async () => {
    const bytes = await written('aedat4', few);
    const events = eventsFlatBuffer(few);
    // The structures and their number end both; the encoder's table stands elsewhere.
    const end = 16 * few.length + 4;
    expect(bytes.subarray(-end)).toEqual(packet(0, events).subarray(-end));
  });

  it('of csv', async () => {
    expect(Buffer.from(await written('csv', few)).toString()).toBe('t,x,y,p\n5,1,2,1\n5,3,2,0\n70,4,127,1\n');
  });
});

describe('tables as NumPy writes them', () => {
  const events = Array.from(
    { length: 300 },
    (_, i): Event => [1_000_000 + 37 * i + ((i * i) % 11), (i * 7) % 640, (i * 13) % 480, Math.floor((i * i) / 3) % 2],
  );
  const fixture = (name: string) => readFile(fileURLToPath(new URL(`../../fixtures/events/${name}`, import.meta.url)));

  it('npy has its records', async () => {
    const ours = await written('npy', events);
    const theirs = new Uint8Array(await fixture('records.npy'));
    expect(ours.subarray(-13 * 300)).toEqual(theirs.subarray(-13 * 300));
  });

  it('npz has its columns', async () => {
    const [ours, theirs] = await Promise.all(
      [await written('npz', events), await fixture('columns.npz')].map((bytes) => openZip(fileFromBytes(bytes))),
    );
    expect([...ours!.entries.keys()]).toEqual([...theirs!.entries.keys()]);
    for (const [name, entry] of ours!.entries) {
      const other = theirs!.entries.get(name)!;
      expect((await ours!.read(entry, 0, entry.size)).subarray(128)).toEqual(
        (await theirs!.read(other, 0, other.size)).subarray(128),
      );
    }
  });
});

describe('what a format cannot hold', () => {
  it.each([
    [
      'aedat2-dvs128',
      [[1, 128, 0, 0]],
      /event 1 has x = 128, but aedat2-dvs128 holds x up to 127; choose another format/,
    ],
    [
      'aedat2-dvs128',
      [
        [1, 1, 0, 0],
        [2 ** 31, 1, 0, 0],
      ],
      /event 2 is at 2147483648 µs, but .* times from 0 to 2147483647 µs/,
    ],
    ['nmnist-bin', [[1, 0, 240, 0]], /has y = 240, but nmnist-bin holds y up to 239/],
    ['nmnist-bin', [[2 ** 23, 0, 0, 0]], /times from 0 to 8388607/],
    ['prophesee-dat', [[2 ** 32, 0, 0, 0]], /times from 0 to 4294967295/],
    ['prophesee-dat', [[-1, 0, 0, 0]], /is at -1 µs/],
    ['evt2', [[2 ** 34, 0, 0, 0]], /times from 0 to 17179869183/],
    ['evt3', [[0, 0, 2048, 0]], /holds y up to 2047/],
    [
      'evt3',
      [
        [9, 0, 0, 0],
        [8, 0, 0, 0],
      ],
      /event 2 is 1 µs earlier than the event in front of it, but evt3 holds times that never step back/,
    ],
    ['aedat4', [[0, 40_000, 0, 0]], /holds x up to 32767/],
  ] as const)('%s refuses %j and leaves what was there', async (format, events, message) => {
    expect(await refusal(format, events)).toMatch(message);
  });

  it('es needs a sensor, and a byte for each 127 µs', async () => {
    expect(await refusal('es', few, 'unknown')).toMatch(/es says the sensor, which is not known/);
    expect(await refusal('es', [[2 ** 40, 0, 0, 0]])).toMatch(/a pause of 1099511627776 µs/);
  });

  it('hdf5 that cannot be finished leaves nothing, and the next is whole', async () => {
    const events: readonly Event[] = [...many.slice(0, 2000), [2 ** 60, 1, 1, 1]];
    expect(await refusal('hdf5', events)).toMatch(
      /event 2001 is at 1152921504606847000 µs, but hdf5 holds times from -9007199254740991 to/,
    );
    const read = await readEvents(sourceFromBytes(await written('hdf5', few), 'a'));
    expect([event(read, 0), event(read, 1), event(read, 2)]).toEqual(few);
  });

  it('says which formats there are', () => {
    expect(() => formatToWrite('a.xyz')).toThrow(
      /a\.xyz: its extension names no format that can be written; use one of evt2, evt3/,
    );
    expect(() => formatToWrite('a.aedat', 'aedat2-davis240c')).toThrow(/aedat2-davis240c cannot be written/);
    expect(formatToWrite('A.RAW').name).toBe('evt3');
    expect(formatToWrite('b.h5').name).toBe('hdf5');
  });
});
