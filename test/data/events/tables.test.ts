/** Tables of events as NumPy and h5py write them (fixtures/events/make.py), and text: each holds the same 300 events, which are known here by their formula. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { DataError } from '../../../src/data/errors.js';
import { sourceFromBlob, sourceFromBytes } from '../../../src/data/events/byteSource.js';
import { openNodeSource } from '../../../src/data/events/nodeSource.js';
import { type OpenEventsOptions, readEvents } from '../../../src/data/events/openEvents.js';
import { event, inPieces } from './truth.js';

const folder = fileURLToPath(new URL('../../fixtures/events', import.meta.url));
const path = (name: string) => join(folder, name);

const count = 300;
const expected = Array.from({ length: count }, (_, i) => [
  1_000_000 + 37 * i + ((i * i) % 11),
  (i * 7) % 640,
  (i * 13) % 480,
  Math.floor((i * i) / 3) % 2,
]);

async function eventsOf(recording: ReturnType<typeof readEvents>): Promise<number[][]> {
  const all = await recording;
  return Array.from({ length: all.length }, (_, i) => event(all, i));
}

async function fileEvents(name: string, options?: OpenEventsOptions): Promise<number[][]> {
  const source = await openNodeSource(path(name));
  try {
    return await eventsOf(readEvents(source, options));
  } finally {
    await source.close();
  }
}

/** As a pipe brings it: in pieces, and not to be read by range. */
const pipedEvents = (name: string, options?: OpenEventsOptions) =>
  eventsOf(readEvents(inPieces(readFileSync(path(name)), 100, name), options));

async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(Error);
  expect((error as Error).constructor.name).toMatch(/DataError|CheckpointError/);
  expect((error as Error).message).not.toContain('\n');
  return (error as Error).message;
}

const xytp: OpenEventsOptions = { table: { order: ['x', 'y', 't', 'p'] } };

describe('arrays of NumPy', () => {
  it.each([
    ['records.npy', 'records with a boolean polarity', {}],
    ['records-big-endian.npy', 'fields in another order, under other names, the most significant byte first', {}],
    ['records-aligned.npy', 'fields with gaps between them', {}],
    ['records-seconds.npy', 'floats of two, four and eight bytes, times in seconds, OFF as -1', {}],
    ['matrix-int64.npy', 'four columns', {}],
    ['matrix-float64-xytp.npy', 'four columns of floats in an order that is asked for', xytp],
    ['matrix-int32-fortran.npy', "four columns in Fortran's order", {}],
    ['matrix-columns.npy', 'four rows', {}],
    ['columns.npz', 'an archive of columns', {}],
    ['columns-deflated.npz', 'a deflated archive of columns under other names', {}],
    ['records.npz', 'a deflated archive of records', {}],
  ] as const)('reads %s: %s', async (name, _title, options) => {
    expect(await fileEvents(name, options)).toEqual(expected);
  });

  it.each(['records.npy', 'records-aligned.npy', 'matrix-int64.npy', 'columns.npz', 'columns-deflated.npz'])(
    'reads %s from a pipe',
    async (name) => {
      expect(await pipedEvents(name)).toEqual(expected);
    },
  );

  it('reads a file that a person chose in a page', async () => {
    const blob = new Blob([readFileSync(path('columns-deflated.npz'))]);
    expect(await eventsOf(readEvents(sourceFromBlob(blob, 'a.npz')))).toEqual(expected);
  });

  it('counts the bytes of a row that is cut off, and hands out the rows before', async () => {
    const bytes = readFileSync(path('records.npy'));
    const recording = await readEvents(sourceFromBytes(bytes.subarray(0, bytes.length - 30)));
    expect(recording.length).toBe(count - 3);
    expect(recording.skipped.truncatedBytes).toBe(9);
    const columns = readFileSync(path('matrix-columns.npy'));
    const cut = await readEvents(sourceFromBytes(columns.subarray(0, columns.length - 30)));
    expect(cut.length).toBe(count - 8);
    expect(await refusal(readEvents(sourceFromBytes(bytes.subarray(0, 600)), { strict: true }))).toMatch(
      /no whole record/,
    );
  });

  it('takes times in the unit that is asked for', async () => {
    const [first] = await fileEvents('matrix-int64.npy', { table: { timeUnit: 'milliseconds' } });
    expect(first).toEqual([1_000_000_000, 0, 0, 0]);
  });

  it.each([
    ['image.npy', /image\.npy: is an array of shape \[3, 8, 8\]; events are records/],
    ['other.npz', /other\.npz: has no arrays t, x, y and p \(found image, label\)/],
    ['lengths.npz', /its columns have different lengths \(t 300, x 299, y 300, p 300\)/],
  ])('refuses %s', async (name, message) => {
    expect(await refusal(fileEvents(name))).toMatch(message);
  });

  it('refuses headers that are no header, whatever they claim', async () => {
    const header = (text: string) => {
      const bytes = Buffer.alloc(10 + text.length);
      bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
      bytes.writeUInt16LE(text.length, 8);
      bytes.write(text, 10);
      return readEvents(sourceFromBytes(bytes, 'a.npy'));
    };
    const dictionary = (descr: string, shape: string) =>
      `{'descr': ${descr}, 'fortran_order': False, 'shape': ${shape}}`;
    expect(await refusal(header(`__import__('os')`))).toMatch(/a\.npy: damaged header/);
    expect(await refusal(header('('.repeat(5000)))).toMatch(/nested too deeply/);
    expect(await refusal(header(dictionary("'|O'", '(3, 4)')))).toMatch(/type "\|O"/);
    expect(await refusal(header(dictionary("'<i8'", `(${'9'.repeat(15)}, ${'9'.repeat(15)})`)))).toMatch(/shape/);
    expect(await refusal(header(dictionary("[('t', [('a', '<i8')])]", '(3,)')))).toMatch(/is itself a record/);
    expect(await refusal(header(dictionary("[('t', '<i8'), ('x', '<i8')]", '(3,)')))).toMatch(
      /no fields t, x, y and p/,
    );
    const none = await header(dictionary("'<i8'", '(900000000000, 4)'));
    expect(none.length).toBe(0);
  });

  it('says so when a deflated archive is damaged', async () => {
    const bytes = Uint8Array.from(readFileSync(path('columns-deflated.npz')));
    bytes[300]! ^= 0x55;
    expect(await refusal(readEvents(sourceFromBytes(bytes, 'a.npz')))).toMatch(/^a\.npz: \w+: damaged/);
  });
});

describe('HDF5', () => {
  const shifted = expected.map(([t, ...rest]) => [t! - 1_000_000, ...rest]);

  it.each([
    ['dsec.h5', 'events/{t,x,y,p}, chunked and deflated; times as stored', shifted],
    ['ts-xs-ys-ps.h5', 'events/{ts,xs,ys,ps}, the newest layout, seconds, mixed types', expected],
    ['metavision.h5', 'records at CD/events', expected],
    ['mixed-orders.h5', 'records of fields in both orders of bytes', expected],
    ['records-big-endian.h5', 'records elsewhere, the most significant byte first', expected],
  ] as const)('reads %s: %s', async (name, _title, events) => {
    expect(await fileEvents(name)).toEqual(events);
  });

  it('reads four columns in an order that is asked for', async () => {
    expect(await fileEvents('mvsec.h5', xytp)).toEqual(expected);
  });

  it('takes the sensor from what stands beside the events', async () => {
    expect((await readEvents(sourceFromBytes(readFileSync(path('metavision.h5'))))).sensor).toEqual({
      width: 640,
      height: 480,
    });
  });

  it('reads from a pipe, and what a person chose in a page', async () => {
    expect(await pipedEvents('metavision.h5')).toEqual(expected);
    const blob = new Blob([readFileSync(path('metavision.h5'))]);
    expect(await eventsOf(readEvents(sourceFromBlob(blob, 'a.h5')))).toEqual(expected);
  });

  it('asks which, where there are several recordings', async () => {
    expect(await refusal(fileEvents('two-recordings.h5'))).toMatch(/\/prophesee\/left, \/prophesee\/right/);
    expect(await fileEvents('two-recordings.h5', { table: { dataset: '/prophesee/right' } })).toEqual(expected);
    expect(await refusal(fileEvents('two-recordings.h5', { table: { dataset: 'a/b' } }))).toMatch(/no events at a\/b/);
  });

  it.each([
    ['other.h5', /other\.h5: has no datasets t, x, y and p \(found images\)/],
    ['plug-in.h5', /plug-in\.h5: is compressed by lzf, a plug-in of HDF5 that is not here; repack it/],
    ['outside.h5', /outside\.h5: damaged or not HDF5/],
    ['boundless.h5', /claims 1000000000000 events, more than a file of \d+ bytes can hold/],
  ])('refuses %s', async (name, message) => {
    expect(await refusal(fileEvents(name))).toMatch(message);
  });

  it('refuses damaged files, cut off or overwritten anywhere, and reads the next', async () => {
    const bytes = readFileSync(path('dsec.h5'));
    for (let at = 8; at < bytes.length; at += 997) {
      const damaged = Uint8Array.from(bytes);
      damaged.fill(0xa5, at, at + 64);
      await readEvents(sourceFromBytes(damaged, 'a.h5')).catch((error) => expect(error).toBeInstanceOf(DataError));
      const cut = readEvents(sourceFromBytes(bytes.subarray(0, at), 'a.h5'));
      expect(await refusal(cut)).toMatch(/^a\.h5: /);
    }
    expect(await fileEvents('dsec.h5')).toEqual(shifted);
  });
});

describe('text', () => {
  const read = (text: string, options: OpenEventsOptions = {}, name = 'a.csv') =>
    readEvents(sourceFromBytes(new TextEncoder().encode(text), name), options);
  const events = async (...args: Parameters<typeof read>) => eventsOf(read(...args));
  const two = [
    [1_000_001, 3, 4, 1],
    [1_500_000, 5, 6, 0],
  ];

  it.each([
    ['a header in any order', 'x,y,polarity,timestamp\n3,4,1,1000001\n5,6,0,1500000\n'],
    ['semicolons and Windows line ends', 't;x;y;p\r\n1000001;3;4;1\r\n1500000;5;6;0\r\n'],
    ['tabs', '1000001\t3\t4\t1\n1500000\t5\t6\t0\n'],
    ['blanks and seconds, as rpg writes', '1.000001 3 4 1\n1.500000000 5 6 0\n'],
    ['commas with blanks, no last line end', '1000001, 3, 4, 1\n1500000, 5, 6, 0'],
    ['exponents, signs, words', '+1.000001e0,3.0,4,True\n15.0e-1,5,6,-1\n'],
    ['comments and empty lines', '# made by hand\n\n% t x y p\n1000001 3 4 1\n// half\n1500000 5 6 0\n\n'],
    ['an index column', ',t,x,y,p\n0,1000001,3,4,1\n1,1500000,5,6,0\n'],
    ['a column of words in front', 'label,t,x,y,p\ncat,1000001,3,4,1\ncat,1500000,5,6,0\n'],
    ['quoted names and a mark of the encoding', '\ufeff"t","x","y","p"\n1000001,3,4,1\n1500000,5,6,0\n'],
    ['more columns than asked for', '1000001,3,4,1,a\n1500000,5,6,0,b\n'],
  ])('reads %s', async (_title, text) => {
    expect(await events(text)).toEqual(two);
    // Recognised by its content alone, and from a pipe that brings a byte at a time.
    const piped = inPieces(new TextEncoder().encode(text), 1, '-');
    expect(await eventsOf(readEvents(piped))).toEqual(two);
  });

  it('takes an order and a unit that are asked for', async () => {
    const table = { order: ['p', 'y', 'x', 't'], timeUnit: 'milliseconds' } as const;
    expect(await events('1 4 3 1000.001\n0 6 5 1500', { table })).toEqual(two);
  });

  it('takes two numbers in front as the sensor', async () => {
    const { sensor, length } = await read('240 180\n0.1 3 4 1\n', {}, 'events.txt');
    expect([sensor, length]).toEqual([{ width: 240, height: 180 }, 1]);
  });

  it('keeps the microseconds of seconds since 1970', async () => {
    const [first] = await events('1468939993.067416019 3 4 1\n');
    expect(first![0]).toBe(1468939993067416);
  });

  it('counts lines that are no event; with strict they are an error', async () => {
    const text = '1,2,3,1\nnonsense\n2,3\n3,-1,4,0\n4,70000,4,0\n5,1.5,4,0\n6,2,3,0\n';
    const recording = await read(text);
    expect([recording.length, recording.skipped.damagedRows]).toEqual([2, 5]);
    expect(await refusal(read(text, { strict: true }))).toMatch(/rows that are no event/);
  });

  it('drops a line without end as it arrives', async () => {
    const long = `1,2,3,1\n${'9'.repeat(3_000_000)}\n2,3,4,0\n`;
    const recording = await readEvents(inPieces(new TextEncoder().encode(long), 10_000, 'a.csv'));
    expect([recording.length, recording.skipped.damagedRows]).toEqual([2, 1]);
  });

  it('refuses text that names other columns', async () => {
    expect(await refusal(read('name,age\nada,36\n'))).toMatch(
      /a\.csv: has no columns t, x, y and p \(found name, age\)/,
    );
  });

  it('reads more than a run holds', async () => {
    const lines = Array.from({ length: 100_000 }, (_, i) => `${i},${i % 346},${i % 260},${i % 2}\n`).join('');
    const recording = await read(lines);
    expect(recording.length).toBe(100_000);
    expect(event(recording, 99_999)).toEqual([99_999, 99_999 % 346, 99_999 % 260, 1]);
  });
});
