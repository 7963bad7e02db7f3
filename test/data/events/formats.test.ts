/** Readers of recordings on what the recordings with a truth do not have: cut ends, clocks that run over or step back, damage, claims of gigabytes. Files are made here. */
import { describe, expect, it } from 'vitest';
import { openEvents, readEvents } from '../../../src/data/events/openEvents.js';
import {
  aedat3,
  aedat3Packet,
  aedat4Header,
  dvs128,
  dvsRecord,
  type Event,
  eventsFlatBuffer,
  evt3Time,
  joined,
  packet,
  text,
  three,
  words,
} from './encoders.js';
import { event, inPieces, read, sourceFromBytes } from './truth.js';

const evt2 = text('% evt 2.0\n% geometry 640x480\n% end\n');
const evt3 = text('% format EVT3;height=720;width=1280\n% end\n');
const dat = joined(
  text('% Data file containing CD events\n% Version 2\n% Width 640\n% Height 480\n'),
  words(1, [12, 8]),
);
const eventStream = joined(text('Event Stream'), words(1, [2, 0, 0, 1]), words(2, [320, 240]));

const datRecord = ([t, x, y, p]: Event) => words(4, [t, x | (y << 14) | (p << 28)]);
const digitRecord = ([t, x, y, p]: Event) => words(1, [x, y, (p << 7) | (t >> 16), (t >> 8) & 255, t & 255]);
const streamRecord = (dt: number, x: number, y: number, p: number) =>
  joined(words(1, [(dt << 1) | p]), words(2, [x, y]));

/** A recording of three events. */
interface Whole {
  readonly format: string;
  readonly header: Uint8Array;
  readonly records: readonly Uint8Array[];
  readonly name?: string;
}

const first28 = joined(aedat3, aedat3Packet(three).subarray(0, 28));
const whole: readonly Whole[] = [
  { format: 'aedat2-dvs128', header: dvs128, records: three.map(dvsRecord) },
  { format: 'aedat3', header: first28, records: three.map((each) => aedat3Packet([each]).subarray(28)) },
  { format: 'aedat4', header: aedat4Header(0), records: three.map((each) => packet(0, eventsFlatBuffer([each]))) },
  {
    format: 'evt2',
    header: evt2,
    records: three.map(([t, x, y, p]) => words(4, [0x80000000, (p << 28) | (t << 22) | (x << 11) | y])),
  },
  {
    format: 'evt3',
    header: evt3,
    records: three.map(([t, x, y, p]) => words(2, [...evt3Time(t), y, 0x2000 | (p << 11) | x])),
  },
  { format: 'prophesee-dat', header: dat, records: three.map(datRecord) },
  { format: 'nmnist-bin', header: text(''), records: three.map(digitRecord), name: 'digit.bin' },
  { format: 'es', header: eventStream, records: three.map(([, x, y, p]) => streamRecord(10, x, y, p)) },
];

describe.each(whole)('$format', ({ format, header, records, name = 'recording' }) => {
  const bytes = joined(header, ...records);

  it('reads the events that were written', async () => {
    const recording = await read(bytes, { name, strict: true });
    expect(recording.format).toBe(format);
    expect(recording.events).toEqual(three);
  });

  it('reads the same from a pipe that brings a byte at a time', async () => {
    const recording = await readEvents(inPieces(bytes, 1, name));
    expect([0, 1, 2].map((i) => event(recording, i))).toEqual(three);
  });

  it('gives whole records of a file that is cut anywhere, and counts the rest', async () => {
    for (let length = header.length + 1; length < bytes.length; length++) {
      const { events, skipped } = await read(bytes.subarray(0, length), { name });
      const ends = records.map((_, i) => joined(header, ...records.slice(0, i + 1)).length);
      const count = ends.filter((end) => end <= length).length;
      expect(events, `${length} bytes`).toEqual(three.slice(0, count));
      const last = ends[count - 1] ?? header.length;
      // Words of time that came whole are no rest.
      const word = format === 'evt2' ? 4 : format === 'evt3' ? 2 : Number.POSITIVE_INFINITY;
      expect(skipped.truncatedBytes, `${length} bytes`).toBe((length - last) % word);
    }
  });

  it('never fails on a header that is cut after its mark', async () => {
    for (let length = Math.min(header.length, 14); length < header.length; length++) {
      const extension =
        { 'aedat2-dvs128': '.aedat', 'prophesee-dat': '.dat' }[format] ??
        (format.startsWith('evt') ? '.raw' : `.${format}`);
      expect((await read(header.subarray(0, length), { name: `cut${extension}` })).length).toBe(0);
    }
  });

  it('is strict when asked', async () => {
    if (format === 'evt2' || format === 'evt3') return;
    const cut = bytes.subarray(0, bytes.length - 1);
    await expect(read(cut, { name, strict: true })).rejects.toThrow(/bytes at the end that are no whole record/);
  });
});

describe('faults of a clock and a sensor', () => {
  it('counts steps back and events outside the sensor, and hands them out', async () => {
    const events: readonly Event[] = [
      [50, 1, 2, 0],
      [49, 639, 479, 1],
      [60, 640, 0, 1],
      [60, 0, 480, 1],
    ];
    const bytes = joined(dat, ...events.map(datRecord));
    const recording = await read(bytes);
    expect(recording.events).toEqual(events);
    expect(recording.skipped).toMatchObject({ stepsBack: 1, outsideSensor: 2 });
    await expect(read(bytes, { strict: true })).rejects.toThrow('recording: has 1 events earlier');
    const sensor = { width: 641, height: 481 };
    expect((await read(bytes, { sensor })).skipped.outsideSensor).toBe(0);
  });

  it('follows counters of 32 bits that run over', async () => {
    const times = [0xfffffff0, 0xffffffff, 5, 2];
    const expected = [0xfffffff0, 0xffffffff, 2 ** 32 + 5, 2 ** 32 + 2];
    for (const [header, record] of [
      [dat, datRecord],
      [dvs128, dvsRecord],
    ] as const) {
      const recording = await read(joined(header, ...times.map((t) => record([t, 1, 1, 1]))));
      expect(recording.events.map(([t]) => t)).toEqual(expected);
      expect(recording.skipped.stepsBack).toBe(1);
    }
  });

  it('follows the 24 bits of EVT3 and the 34 of EVT2', async () => {
    const start = 0xfff000;
    const column = [0x2001];
    const three = joined(
      evt3,
      words(2, [
        7,
        ...evt3Time(start),
        ...column,
        ...evt3Time(5),
        ...column,
        ...evt3Time(start + 1),
        ...column,
        ...evt3Time(6),
        ...column,
      ]),
    );
    // A late word of the time before the counter ran over is that time.
    expect((await read(three)).events.map(([t]) => t)).toEqual([start, 2 ** 24 + 5, start + 1, 2 ** 24 + 6]);
    const two = joined(evt2, words(4, [0x8fffffff, 0x10000001, 0x80000000, 0x10400001, 0x80000001, 0x10000001]));
    expect((await read(two)).events.map(([t]) => t)).toEqual([2 ** 34 - 64, 2 ** 34 + 1, 2 ** 34 + 64]);
  });

  it('counts a small step back of the upper time as a step back', async () => {
    const bytes = joined(evt3, words(2, [7, ...evt3Time(0x5000), 0x2001, ...evt3Time(0x4000), 0x2001]));
    const recording = await read(bytes);
    expect(recording.events.map(([t]) => t)).toEqual([0x5000, 0x4000]);
    expect(recording.skipped.stepsBack).toBe(1);
  });
});

describe('Prophesee raw files', () => {
  it('places vectors one behind the other from their base', async () => {
    const bytes = joined(
      evt3,
      words(2, [9, ...evt3Time(100), 0x3800 | 40, 0x4801, 0x5081, 0x4002, 0x3000 | 8, 0x5003]),
    );
    expect((await read(bytes)).events).toEqual([
      [100, 40, 9, 1],
      [100, 51, 9, 1],
      [100, 52, 9, 1],
      [100, 59, 9, 1],
      [100, 61, 9, 1],
      [100, 8, 9, 0],
      [100, 9, 9, 0],
    ]);
  });

  it('counts triggers, other words, and events in front of the first time, row or base', async () => {
    const early = [0x2001, 0x5003, 7, 0x2002, ...evt3Time(1), 0x4001];
    const bytes = joined(evt3, words(2, [...early, 0xa001, 0xe001, 0x7001, 0xf001, 0x2005]));
    const recording = await read(bytes);
    expect(recording.events).toEqual([[1, 5, 7, 0]]);
    expect(recording.skipped).toMatchObject({ beforeFirstTime: 5, triggers: 1, other: 3 });
    const two = await read(
      joined(evt2, words(4, [0x10000001, 0x80000000, 0xa0000000, 0xe0000000, 0xf0000000, 0x10000801])),
    );
    expect(two.events).toEqual([[0, 1, 1, 1]]);
    expect(two.skipped).toMatchObject({ beforeFirstTime: 1, triggers: 1, other: 2 });
  });

  it.each([
    ['% evt 3.0\n% geometry 1280x720\n', 'evt3', [1280, 720]],
    ['% evt 2.0\n% plugin_name hal_plugin_gen3_fx3\n', 'evt2', [640, 480]],
    ['% format EVT2;width=320;height=320\n% end\n', 'evt2', [320, 320]],
    ['% evt 3.0\n% geometry 0x99999999\n', 'evt3', undefined],
  ])('knows encoding and sensor of %j', async (header, format, sensor) => {
    const reader = await openEvents(sourceFromBytes(text(header)));
    expect(reader.format).toBe(format);
    expect(reader.sensor && [reader.sensor.width, reader.sensor.height]).toEqual(sensor);
  });

  it.each([
    ['% evt 2.1\n% end\n\0\0\0\0', 'is encoded as EVT 2.1'],
    ['% format EVT4;width=640;height=480\n% end\n\0\0\0\0', 'is encoded as EVT 4.0'],
    ['% evt 3.0\n% endianness big\n% end\n\0\0\0\0', 'most significant byte first'],
    ['% camera none\n% end\n\0\0\0\0', 'names no encoding; name the format, evt2 or evt3'],
  ])('refuses %j', async (content, message) => {
    await expect(read(text(content), { name: 'a.raw' })).rejects.toThrow(message);
  });

  it('takes a named encoding where the header has none', async () => {
    const bytes = joined(text('% camera none\n'), words(2, [...evt3Time(3), 2, 0x2001]));
    expect((await read(bytes, { name: 'a.raw', format: 'evt3' })).events).toEqual([[3, 1, 2, 0]]);
  });

  it('reads DAT without lines, without a version, and of version 1', async () => {
    const events: readonly Event[] = [
      [5, 300, 200, 1],
      [6, 2, 1, 0],
    ];
    const old = ([t, x, y, p]: Event) => words(4, [t, x | (y << 9) | (p << 17)]);
    const marked = (lines: string) => joined(text(lines), words(1, [0, 8]));
    const name = 'a.dat';
    expect((await read(joined(...events.map(datRecord)), { name })).events).toEqual(events);
    expect((await read(joined(marked('% Date 2017\n'), ...events.map(datRecord)), { name })).events).toEqual(events);
    expect((await read(joined(marked('% Version 1\n'), ...events.map(old)), { name })).events).toEqual(events);
    await expect(read(joined(text('% Data file\n'), words(1, [14, 8]), ...events.map(datRecord)))).rejects.toThrow(
      'events of type 14 with 8 bytes',
    );
  });
});

describe('Event Stream and N-MNIST', () => {
  it('adds 127 µs for every overflow and counts reserved bytes', async () => {
    const bytes = joined(
      eventStream,
      words(1, [0xff, 0xff, 0xfe]),
      streamRecord(126, 1, 2, 1),
      words(1, [0xff]),
      streamRecord(0, 3, 4, 0),
    );
    const { events, skipped } = await read(bytes);
    expect(events).toEqual([
      [380, 1, 2, 1],
      [507, 3, 4, 0],
    ]);
    expect(skipped.other).toBe(1);
  });

  it.each([
    [joined(text('Event Stream'), words(1, [1, 0, 0, 1]), words(2, [3, 3])), 'is Event Stream 1; version 2'],
    [joined(text('Event Stream'), words(1, [2, 0, 0, 4]), words(2, [3, 3])), 'of type 4 (colour)'],
  ])('refuses other versions and types', async (bytes, message) => {
    await expect(read(bytes)).rejects.toThrow(message);
  });

  it('adds the time of overflow records, and knows the sensor of the objects', async () => {
    const events: readonly Event[] = [
      [5, 100, 100, 1],
      [0, 0, 240, 0],
      [6, 233, 170, 0],
    ];
    const recording = await read(joined(...events.map(digitRecord)), { name: 'image_0001.bin' });
    expect(recording.events).toEqual([
      [5, 100, 100, 1],
      [8198, 233, 170, 0],
    ]);
    expect(recording).toMatchObject({ sensor: { width: 240, height: 180 }, skipped: { other: 1 } });
  });
});

describe('opening', () => {
  it('says what to do with an empty or unknown file', async () => {
    await expect(read(new Uint8Array(), { name: 'a.raw' })).rejects.toThrow('a.raw: is empty');
    await expect(read(text('hello'), { name: 'a.txt' })).rejects.toThrow('a.txt: is no recording of a known format');
  });

  it('takes no more events than the limit', async () => {
    await expect(read(joined(dat, ...three.map(datRecord)), { limit: 2 })).rejects.toThrow('holds more than 2 events');
  });

  it('hands out runs of bounded size over memory that it uses again', async () => {
    const record = datRecord([7, 1, 2, 1]);
    const bytes = joined(dat, ...new Array<Uint8Array>(70_000).fill(record));
    const lengths: number[] = [];
    const columns = new Set<Float64Array>();
    for await (const run of (await openEvents(sourceFromBytes(bytes))).chunks()) {
      lengths.push(run.length);
      columns.add(run.t);
    }
    expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(70_000);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(8192);
    expect(columns.size).toBe(1);
  });
});
