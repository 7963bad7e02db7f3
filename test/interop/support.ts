/** Small builders for checkpoint files that no library would write. */
import { fileURLToPath } from 'node:url';
import { CheckpointError } from '../../src/interop/errors.js';
import { openCheckpoint } from '../../src/interop/openCheckpoint.js';
import { fileFromBytes } from '../../src/interop/randomAccessFile.js';
import { encodeZip } from '../../src/interop/zipWriter.js';

export function formatFixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/formats/${name}`, import.meta.url));
}

/** Bytes from numbers and from texts, one byte a character. */
export function bytes(...parts: readonly (number | string | Uint8Array)[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(
    parts.flatMap((part) => {
      if (typeof part === 'number') return [part];
      return typeof part === 'string' ? [...part].map((character) => character.charCodeAt(0)) : [...part];
    }),
  );
}

export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** A zip checkpoint around a pickle of one's own, with one storage of 24 bytes under the key 0. */
export function pthAround(
  pickle: Uint8Array,
  records: Readonly<Record<string, Uint8Array>> = {},
): Uint8Array<ArrayBuffer> {
  const all = { 'data.pkl': pickle, 'data/0': new Uint8Array(24), version: bytes('3\n'), ...records };
  return joined(encodeZip(Object.entries(all).map(([name, content]) => ({ name: `x/${name}`, content }))));
}

/** What a person is told when the bytes are given as a checkpoint; fails unless it is a CheckpointError of one line. */
export async function refusalOf(content: Uint8Array, name = 'file.pth'): Promise<string> {
  try {
    const checkpoint = await openCheckpoint(fileFromBytes(content, name));
    for (const tensor of checkpoint.tensors.values()) await tensor.readFloat32();
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    if (error.message.includes('\n') || !error.message.startsWith(name))
      throw new Error(`bad message: ${error.message}`);
    return error.message;
  }
  throw new Error('the file was accepted');
}
