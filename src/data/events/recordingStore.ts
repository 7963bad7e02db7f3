/**
 * Where the recordings of a data set are, as plain data that threads can share: files on disk or in an archive that is kept in memory, whole or
 * cut into clips. Reading one is the same function in every thread.
 */
import type { EncodedStore, FileStore } from '../datasets/imageStore.js';
import { DataError } from '../errors.js';
import { encodedFile } from '../storedFiles.js';
import { sourceFromBytes } from './byteSource.js';
import type { Events } from './events.js';
import { type Recording, readEvents } from './openEvents.js';
import { readEventFile } from './readEventFile.js';

/** Parts of recordings, by position. */
export interface Clips {
  /** The number of the file that clip p is of. */
  readonly file: Int32Array;
  /** Microseconds: events from here on, and before `to`. */
  readonly from: Float64Array;
  readonly to: Float64Array;
  /** Whether these are times as the file has them, or count from its first event. */
  readonly clock: 'stamps' | 'firstEvent';
}

/** Where the recordings of a data set are. It can be sent to another thread. */
export interface RecordingStore {
  readonly kind: 'recordings';
  readonly files: EncodedStore | FileStore;
  /** Without them each file is a sample. */
  readonly clips?: Clips;
}

/** How many samples there are. */
export function storedRecordings({ files, clips }: RecordingStore): number {
  return clips?.file.length ?? (files.kind === 'files' ? files.paths.length : files.ends.length);
}

/** The number of the file that a sample is in. */
export function fileOf({ clips }: RecordingStore, position: number): number {
  return clips ? clips.file[position]! : position;
}

export function fileName({ files }: RecordingStore, file: number): string {
  return files.kind === 'files' ? files.paths[file]! : files.names[file]!;
}

/** One sample, all in memory. Throws DataError naming the file when it cannot be read as a recording. */
export async function readRecording(store: RecordingStore, position: number): Promise<Recording> {
  const { clips } = store;
  const file = fileOf(store, position);
  if (clips === undefined) return readFile(store, file);
  const whole = await rememberedFile(store, file);
  const origin = clips.clock === 'stamps' ? 0 : (whole.t[0] ?? 0);
  return { ...whole, ...between(whole, origin + clips.from[position]!, origin + clips.to[position]!) };
}

function readFile({ files }: RecordingStore, file: number): Promise<Recording> {
  return files.kind === 'files'
    ? readEventFile(files.paths[file]!)
    : readEvents(sourceFromBytes(encodedFile(files, file), files.names[file]!));
}

/** Events of recordings that clips are cut out of, kept by each thread: about 13 bytes each. */
const mostRemembered = 8_000_000;

const remembered = new WeakMap<RecordingStore['files'], Map<number, Promise<Recording>>>();

/** Clips of one file come again and again, and the file is read as a whole. What was asked for longest ago is forgotten first. */
async function rememberedFile(store: RecordingStore, file: number): Promise<Recording> {
  const known = remembered.get(store.files) ?? new Map<number, Promise<Recording>>();
  remembered.set(store.files, known);
  const reading = known.get(file) ?? readFile(store, file);
  known.delete(file);
  known.set(file, reading);
  const recording = await reading.catch((error: unknown) => {
    known.delete(file);
    throw error;
  });
  let kept = 0;
  for (const [other, promise] of [...known].reverse()) {
    if (other !== file) kept += (await promise.catch(() => undefined))?.length ?? 0;
    else kept += recording.length;
    if (kept > mostRemembered) known.delete(other);
  }
  return recording;
}

/** Events with `from ≤ t < to`. Times may step back, so that all are looked at. */
function between(events: Events, from: number, to: number): Events {
  const { t } = events;
  const inside = (i: number) => t[i]! >= from && t[i]! < to;
  let [first, last, count] = [-1, -1, 0];
  for (let i = 0; i < events.length; i++) {
    if (!inside(i)) continue;
    if (first < 0) first = i;
    last = i;
    count++;
  }
  if (count === last - first + 1 || count === 0) return run(events, Math.max(first, 0), count);
  const chosen = Uint32Array.from({ length: count });
  for (let i = first, next = 0; i <= last; i++) if (inside(i)) chosen[next++] = i;
  const pick = <Column extends Float64Array | Uint16Array | Uint8Array>(column: Column, result: Column): Column => {
    for (let i = 0; i < count; i++) result[i] = column[chosen[i]!]!;
    return result;
  };
  return {
    length: count,
    t: pick(events.t, new Float64Array(count)),
    x: pick(events.x, new Uint16Array(count)),
    y: pick(events.y, new Uint16Array(count)),
    p: pick(events.p, new Uint8Array(count)),
  };
}

function run({ t, x, y, p }: Events, start: number, length: number): Events {
  const end = start + length;
  return {
    length,
    t: t.subarray(start, end),
    x: x.subarray(start, end),
    y: y.subarray(start, end),
    p: p.subarray(start, end),
  };
}

/** Throws DataError when clips name files that there are not, or times that are none. */
export function checkClips(store: RecordingStore, name: string): void {
  const { files, clips } = store;
  if (clips === undefined) return;
  const count = files.kind === 'files' ? files.paths.length : files.ends.length;
  for (let i = 0; i < clips.file.length; i++) {
    if (!(clips.file[i]! < count && clips.from[i]! >= 0 && clips.to[i]! > clips.from[i]!))
      throw new DataError(
        `${name}: clip ${i} goes from ${clips.from[i]} to ${clips.to[i]} µs of file ${clips.file[i]}`,
      );
  }
}
