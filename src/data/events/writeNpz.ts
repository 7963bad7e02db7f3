/**
 * Writes NumPy's archives: t (int64), x, y (uint16) and p (uint8) as arrays of their own, stored. The columns stand one after the other, so the number of events must be known
 * before; each run is put into its four places, and the checksums at the end. Layouts are from PKWARE's APPNOTE 6.3, as in `interop/zip.ts`; without ZIP64.
 */
import { crc32 } from '../../interop/crc32.js';
import {
  DIRECTORY_BYTES,
  DIRECTORY_SIGNATURE,
  END_BYTES,
  END_SIGNATURE,
  LOCAL_BYTES,
  LOCAL_SIGNATURE,
} from '../../interop/zip.js';
import { DataError } from '../errors.js';
import type { Events } from './events.js';
import type { EventSink, WritableFormat } from './eventWriter.js';
import { ascii, coordinates16, numpyHeader, putTime, signedTimes } from './writeRecords.js';

const largestArchive = 0xffff_ffff;
/** 1 January 1980, the first day zip knows: the same events are the same bytes. */
const date = 0x0021;
const version = 20;
const headerBytes = 128;

type Column = 't' | 'x' | 'y' | 'p';

class Member {
  readonly name: Uint8Array;
  readonly #header: Uint8Array;
  #crc = 0;
  #written: number;

  constructor(
    readonly column: Column,
    readonly descr: string,
    readonly itemSize: number,
    readonly start: number,
    readonly events: number,
  ) {
    this.name = ascii(`${column}.npy`);
    this.#header = numpyHeader(`'${descr}'`, events, headerBytes);
    this.#written = this.content;
  }

  get size(): number {
    return headerBytes + this.itemSize * this.events;
  }

  get content(): number {
    return this.start + LOCAL_BYTES + this.name.length;
  }

  begin(sink: EventSink): void {
    this.append(sink, this.#header);
  }

  append(sink: EventSink, bytes: Uint8Array): void {
    this.#crc = crc32(bytes, this.#crc);
    sink.put(bytes, this.#written);
    this.#written += bytes.length;
  }

  localHeader(): Uint8Array {
    const bytes = new Uint8Array(LOCAL_BYTES + this.name.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, LOCAL_SIGNATURE, true);
    this.#describe(view, 4);
    bytes.set(this.name, LOCAL_BYTES);
    return bytes;
  }

  directoryEntry(): Uint8Array {
    const bytes = new Uint8Array(DIRECTORY_BYTES + this.name.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, DIRECTORY_SIGNATURE, true);
    view.setUint16(4, version, true);
    this.#describe(view, 6);
    view.setUint32(42, this.start, true);
    bytes.set(this.name, DIRECTORY_BYTES);
    return bytes;
  }

  /** What both have, from the version that is needed to the length of the name. */
  #describe(view: DataView, at: number): void {
    view.setUint16(at, version, true);
    view.setUint16(at + 8, date, true);
    view.setUint32(at + 10, this.#crc, true);
    view.setUint32(at + 14, this.size, true);
    view.setUint32(at + 18, this.size, true);
    view.setUint16(at + 22, this.name.length, true);
  }
}

const columns = [
  ['t', '<i8', 8],
  ['x', '<u2', 2],
  ['y', '<u2', 2],
  ['p', '|u1', 1],
] as const;

export const npz: WritableFormat = {
  name: 'npz',
  extensions: ['.npz'],
  limits: { ...coordinates16, ...signedTimes },
  needsCount: true,
  start(sink, { events = 0 }) {
    const members: Member[] = [];
    let end = 0;
    for (const [column, descr, itemSize] of columns) {
      const member = new Member(column, descr, itemSize, end, events);
      end = member.content + member.size;
      members.push(member);
    }
    if (end > largestArchive - 1024)
      throw new DataError(
        `${sink.name}: cannot be written: ${events} events make an .npz archive of more than 4 GB; choose npy or hdf5`,
      );
    for (const member of members) member.begin(sink);
    return {
      write(run) {
        for (const member of members) member.append(sink, bytesOf(run, member.column));
      },
      end() {
        for (const member of members) sink.put(member.localHeader(), member.start);
        const directory = members.map((member) => member.directoryEntry());
        for (const entry of directory) sink.append(entry);
        sink.append(endRecord(directory, end));
      },
    };
  },
};

function bytesOf({ length, t, x, y, p }: Events, column: Column): Uint8Array {
  if (column === 'p') return p.subarray(0, length);
  const bytes = new Uint8Array(length * (column === 't' ? 8 : 2));
  const view = new DataView(bytes.buffer);
  if (column === 't') for (let i = 0; i < length; i++) putTime(view, 8 * i, t[i]!);
  else {
    const values = column === 'x' ? x : y;
    for (let i = 0; i < length; i++) view.setUint16(2 * i, values[i]!, true);
  }
  return bytes;
}

function endRecord(directory: readonly Uint8Array[], offset: number): Uint8Array {
  const bytes = new Uint8Array(END_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, END_SIGNATURE, true);
  view.setUint16(8, directory.length, true);
  view.setUint16(10, directory.length, true);
  view.setUint32(
    12,
    directory.reduce((sum, entry) => sum + entry.length, 0),
    true,
  );
  view.setUint32(16, offset, true);
  return bytes;
}
