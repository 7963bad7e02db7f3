/** A recording as a page can hold it: its first millions of events, in the order of time, in columns that belong to the caller. */
import { type Events, openEvents, type Sensor, sourceFromBlob } from '../../../../src/index.browser.js';
import type { RecordingView } from '../messages.js';

/** 13 bytes each, here and once more in the page. */
export const mostEvents = 4_000_000;

/** Something that is what it says it is, and of no use here. */
export class Unusable extends Error {}

export interface ReadRecording {
  readonly recording: RecordingView;
  /** Whether the file says what recorded it. */
  readonly sensorIsKnown: boolean;
  /** Whether there are more events than are held. */
  readonly isCut: boolean;
}

/** @throws DataError when no format fits or the file cannot be read; Unusable for one without events and for HDF5. */
export async function readRecording(file: Blob, name: string): Promise<ReadRecording> {
  if (await isHdf5(file))
    throw new Unusable(`${name}: is HDF5, which this page does not read; spikeformer events FILE --convert OTHER.npz`);
  const reader = await openEvents(sourceFromBlob(file, name));
  const runs: Events[] = [];
  let length = 0;
  let isCut = false;
  for await (const { length: count, t, x, y, p } of reader.chunks()) {
    const taken = Math.min(count, mostEvents - length);
    runs.push({
      length: taken,
      t: t.slice(0, taken),
      x: x.slice(0, taken),
      y: y.slice(0, taken),
      p: p.slice(0, taken),
    });
    length += taken;
    isCut = taken < count;
    if (isCut) break;
  }
  if (length === 0) throw new Unusable(`${name}: holds no events; choose another recording`);
  const events = ordered(joined(runs, length));
  const sensor = reader.sensor ?? reachOf(events);
  const { format } = reader;
  return { recording: { name, format, sensor, ...events }, sensorIsKnown: reader.sensor !== undefined, isCut };
}

const hdf5Mark = [0x89, 0x48, 0x44, 0x46];

async function isHdf5(file: Blob): Promise<boolean> {
  const head = new Uint8Array(await file.slice(0, hdf5Mark.length).arrayBuffer());
  return hdf5Mark.every((byte, i) => head[i] === byte);
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

/** Events of one time keep their order. */
function ordered(events: Events): Events {
  const { length, t, x, y, p } = events;
  if (t.every((time, i) => i === 0 || t[i - 1]! <= time)) return events;
  const order = Uint32Array.from({ length }, (_, i) => i).sort((a, b) => t[a]! - t[b]! || a - b);
  return {
    length,
    t: Float64Array.from(order, (i) => t[i]!),
    x: Uint16Array.from(order, (i) => x[i]!),
    y: Uint16Array.from(order, (i) => y[i]!),
    p: Uint8Array.from(order, (i) => p[i]!),
  };
}

function reachOf({ x, y }: Events): Sensor {
  const after = (column: Uint16Array) => 1 + column.reduce((a, b) => Math.max(a, b), 0);
  return { width: after(x), height: after(y) };
}
