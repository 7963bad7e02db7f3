/** The recordings of `event-formats` with their truth, in memory, and the digests that the truth speaks of. */
import { createHash } from 'node:crypto';
import { openBytes } from '../../../src/data/datasets/byteReader.js';
import { readTar } from '../../../src/data/datasets/tar.js';
import { sourceFromBytes } from '../../../src/data/events/byteSource.js';
import type { Events } from '../../../src/data/events/events.js';
import { type OpenEventsOptions, readEvents } from '../../../src/data/events/openEvents.js';
import { sharedPath } from '../../shared.js';

export interface Truth {
  readonly format: string;
  readonly sensor?: readonly [number, number] | null;
  readonly events?: number;
  readonly on?: number;
  readonly first3?: readonly (readonly number[])[];
  readonly last3?: readonly (readonly number[])[];
  readonly sha256?: Readonly<Record<'t' | 'x' | 'y' | 'p', string>>;
}

const archive = sharedPath('data', 'event-formats.tar.gz');

export const hasTruth = archive !== undefined;

/** The bytes of every file of the archive, by their path inside it. */
export async function truthFiles(): Promise<ReadonlyMap<string, Uint8Array>> {
  const reader = await openBytes(archive!);
  const files = new Map<string, Uint8Array>();
  try {
    for await (const file of readTar(reader, (name) => !name.endsWith('/'))) {
      const bytes = new Uint8Array(file.size);
      await file.fill(bytes);
      files.set(file.name.replace(/^(\.\/)?event-formats\//, ''), bytes);
    }
  } finally {
    await reader.close();
  }
  return files;
}

export function truthOf(files: ReadonlyMap<string, Uint8Array>): Readonly<Record<string, Truth>> {
  return JSON.parse(new TextDecoder().decode(files.get('truth.json')));
}

/** SHA-256 of each field packed little-endian: t int64, x uint16, y uint16, p uint8. */
export function digests({ length, t, x, y, p }: Events): Record<'t' | 'x' | 'y' | 'p', string> {
  const times = BigInt64Array.from({ length }, (_, i) => BigInt(t[i]!));
  return {
    t: sha256(times),
    x: sha256(x.slice(0, length)),
    y: sha256(y.slice(0, length)),
    p: sha256(p.slice(0, length)),
  };
}

/** Event `i` as truth and tests write it. */
export function event({ t, x, y, p }: Events, i: number): [t: number, x: number, y: number, p: number] {
  return [t[i]!, x[i]!, y[i]!, p[i]!];
}

/** A source that hands out its bytes a few at a time, as a slow pipe does, and cannot be read by range. */
export function inPieces(bytes: Uint8Array, size: number, name = 'recording') {
  return {
    name,
    async *stream() {
      for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
    },
  };
}

export { sourceFromBytes };

/** All events of a recording in memory, as a list too. */
export async function read(bytes: Uint8Array, options: OpenEventsOptions & { name?: string; limit?: number } = {}) {
  const recording = await readEvents(sourceFromBytes(bytes, options.name ?? 'recording'), options);
  return { ...recording, events: Array.from({ length: recording.length }, (_, i) => event(recording, i)) };
}

function sha256(values: NodeJS.TypedArray): string {
  return createHash('sha256').update(values).digest('hex');
}
