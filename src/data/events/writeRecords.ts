/**
 * Writers of formats whose events are records of one size behind a short text: AEDAT 2 of the DVS128, Prophesee's DAT, N-MNIST's `.bin`, NumPy's array of records, and text. The
 * layouts are those of the readers beside this file.
 */
import type { Events } from './events.js';
import type { EventSink, EventWriter, Limits, RecordingFacts, WritableFormat } from './eventWriter.js';

export const ascii = (text: string) => new TextEncoder().encode(text);

/** 53 bits: whole numbers of a float64 are exact. */
export const signedTimes = {
  t: Number.MAX_SAFE_INTEGER,
  earliest: Number.MIN_SAFE_INTEGER,
  stepBack: Number.POSITIVE_INFINITY,
} as const;
export const coordinates16 = { x: 0xffff, y: 0xffff } as const;

/** Where event `i` goes: `at` is the offset of its record in the view. */
type Put = (view: DataView, at: number, events: Events, i: number) => void;

/** Memory for the records of a run, used again. */
class RecordBuffer {
  #bytes = new Uint8Array();
  readonly #recordBytes: number;
  readonly #put: Put;

  constructor(recordBytes: number, put: Put) {
    this.#recordBytes = recordBytes;
    this.#put = put;
  }

  /** Valid until the next call. */
  fill(events: Events): Uint8Array {
    const size = events.length * this.#recordBytes;
    if (this.#bytes.length < size) this.#bytes = new Uint8Array(size);
    const view = new DataView(this.#bytes.buffer);
    for (let i = 0; i < events.length; i++) this.#put(view, i * this.#recordBytes, events, i);
    return this.#bytes.subarray(0, size);
  }
}

export function recordWriter(sink: EventSink, header: Uint8Array, recordBytes: number, put: Put): EventWriter {
  sink.append(header);
  const records = new RecordBuffer(recordBytes, put);
  return { write: (events) => sink.append(records.fill(events)), end: () => undefined };
}

/** Signed 32 bits, as jAER reads them. */
const times31: Pick<Limits, 't' | 'earliest' | 'stepBack'> = {
  t: 2 ** 31 - 1,
  earliest: 0,
  stepBack: Number.POSITIVE_INFINITY,
};

export const aedat2: WritableFormat = {
  name: 'aedat2-dvs128',
  extensions: ['.aedat', '.aedat2'],
  limits: { x: 127, y: 127, ...times31 },
  start: (sink) =>
    recordWriter(
      sink,
      ascii(
        '#!AER-DAT2.0\r\n# This is a raw AE data file - do not edit\r\n# AEChip: ch.unizh.ini.jaer.chip.retina.DVS128\r\n',
      ),
      8,
      (view, at, { t, x, y, p }, i) => {
        view.setUint32(at, (y[i]! << 8) | (x[i]! << 1) | p[i]!);
        view.setUint32(at + 4, t[i]!);
      },
    ),
};

const typeOfChanges = 12;

export const dat: WritableFormat = {
  name: 'prophesee-dat',
  extensions: ['.dat'],
  limits: { x: 0x3fff, y: 0x3fff, t: 0xffff_ffff, earliest: 0, stepBack: Number.POSITIVE_INFINITY },
  start(sink, { sensor }) {
    const size = sensor ? `% Height ${sensor.height}\n% Width ${sensor.width}\n` : '';
    const header = ascii(`% Data file containing CD events.\n% Version 2\n${size}..`);
    header.set([typeOfChanges, 8], header.length - 2);
    return recordWriter(sink, header, 8, (view, at, { t, x, y, p }, i) => {
      view.setUint32(at, t[i]!, true);
      view.setUint32(at + 4, x[i]! | (y[i]! << 14) | (p[i]! << 28), true);
    });
  },
};

export const nmnist: WritableFormat = {
  name: 'nmnist-bin',
  extensions: ['.bin', '.bs2'],
  // Row 240 is the mark of an overflow.
  limits: { x: 255, y: 239, t: 2 ** 23 - 1, earliest: 0, stepBack: Number.POSITIVE_INFINITY },
  start: (sink) =>
    recordWriter(sink, new Uint8Array(), 5, (view, at, { t, x, y, p }, i) => {
      view.setUint8(at, x[i]!);
      view.setUint8(at + 1, y[i]!);
      view.setUint8(at + 2, (p[i]! << 7) | (t[i]! >> 16));
      view.setUint16(at + 3, t[i]! & 0xffff);
    }),
};

/** Long enough for any number of events, so that the number can be put in when it is known. */
const numpyHeaderBytes = 192;

/** The header of an array file; padded with blanks, as NumPy does. */
export function numpyHeader(descr: string, events: number, bytes = numpyHeaderBytes): Uint8Array {
  const header = new Uint8Array(bytes).fill(0x20);
  header.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
  new DataView(header.buffer).setUint16(8, bytes - 10, true);
  header.set(ascii(`{'descr': ${descr}, 'fortran_order': False, 'shape': (${events},), }`), 10);
  header[bytes - 1] = 0x0a;
  return header;
}

export const npy: WritableFormat = {
  name: 'npy',
  extensions: ['.npy'],
  limits: { ...coordinates16, ...signedTimes },
  start(sink) {
    const descr = "[('t', '<i8'), ('x', '<u2'), ('y', '<u2'), ('p', '|u1')]";
    const writer = recordWriter(sink, numpyHeader(descr, 0), 13, (view, at, { t, x, y, p }, i) => {
      putTime(view, at, t[i]!);
      view.setUint16(at + 8, x[i]!, true);
      view.setUint16(at + 10, y[i]!, true);
      view.setUint8(at + 12, p[i]!);
    });
    return { ...writer, end: () => sink.put(numpyHeader(descr, (sink.size - numpyHeaderBytes) / 13), 0) };
  },
};

/** An int64, little-endian. */
export function putTime(view: DataView, at: number, time: number): void {
  const high = Math.floor(time / 0x1_0000_0000);
  view.setUint32(at, time - high * 0x1_0000_0000, true);
  view.setInt32(at + 4, high, true);
}

export const csv: WritableFormat = {
  name: 'csv',
  extensions: ['.csv', '.txt', '.tsv'],
  limits: { ...coordinates16, ...signedTimes },
  start(sink: EventSink, _facts: RecordingFacts) {
    sink.append(ascii('t,x,y,p\n'));
    return {
      write({ length, t, x, y, p }) {
        let text = '';
        for (let i = 0; i < length; i++) text += `${t[i]},${x[i]},${y[i]},${p[i]}\n`;
        sink.append(ascii(text));
      },
      end: () => undefined,
    };
  },
};
