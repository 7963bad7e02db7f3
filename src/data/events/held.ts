/** Sources that can be read by range, for formats that have to: files are that already; what arrives over a pipe is held in memory, as far as it fits. */
import { DataError } from '../errors.js';
import { type ByteSource, sourceFromBytes } from './byteSource.js';
import type { Inlet } from './inlet.js';

/** What a pipe may bring of a format that must be held whole. */
export const mostHeldBytes = 1 << 29;

export interface RangeSource extends ByteSource {
  readonly size: number;
  readonly read: NonNullable<ByteSource['read']>;
}

export interface SynchronousSource extends RangeSource {
  readonly readNow: NonNullable<ByteSource['readNow']>;
}

/** @param inlet The source's bytes from the beginning, of which nothing was taken. */
export async function rangeSource(source: ByteSource, inlet: Inlet): Promise<RangeSource> {
  const { name, read, size } = source;
  if (read === undefined || size === undefined) return held(source, inlet);
  await inlet.close();
  return { name, size, read, stream: () => source.stream() };
}

/** As {@link rangeSource}, for libraries that cannot wait for bytes. */
export async function synchronousSource(source: ByteSource, inlet: Inlet): Promise<SynchronousSource> {
  const { name, read, size, readNow } = source;
  if (read === undefined || size === undefined || readNow === undefined) return held(source, inlet);
  await inlet.close();
  return { name, size, read, readNow, stream: () => source.stream() };
}

async function held({ name, size }: ByteSource, inlet: Inlet): Promise<SynchronousSource> {
  const tooLarge = new DataError(
    `${name}: is larger than ${mostHeldBytes >> 20} MiB, the most of this format that is held in memory; give a file of this machine`,
  );
  if (size !== undefined && size > mostHeldBytes) throw tooLarge;
  while (await inlet.fill(inlet.length + 1)) if (inlet.length > mostHeldBytes) throw tooLarge;
  const bytes = inlet.bytes.slice(inlet.start, inlet.end);
  return { size: bytes.length, ...sourceFromBytes(bytes, name) } as SynchronousSource;
}
