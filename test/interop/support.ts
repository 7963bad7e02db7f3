/** Small builders for checkpoint files that no library would write. */
import { fileURLToPath } from 'node:url';
import { CheckpointError } from '../../src/interop/errors.js';
import { openCheckpoint } from '../../src/interop/openCheckpoint.js';
import { fileFromBytes } from '../../src/interop/randomAccessFile.js';
import type { TensorData } from '../../src/interop/tensorData.js';
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

/** A piece of pickle, as it stands, for a value that `pthOf` does not know. */
export class Pickled {
  constructor(readonly code: Uint8Array) {}
}

export function pickled(code: string): Pickled {
  return new Pickled(bytes(code));
}

/** A zip checkpoint of nested dictionaries, lists, numbers, texts and tensors, as `torch.save` would write them; protocol 2. */
export function pthOf(value: unknown): Uint8Array<ArrayBuffer> {
  const records: Record<string, Uint8Array> = {};
  const content = joined([bytes(0x80, 2), encoded(value, records), bytes('.')]);
  return pthAround(content, records);
}

function encoded(value: unknown, records: Record<string, Uint8Array>): Uint8Array {
  const each = (items: readonly unknown[]) => items.map((item) => encoded(item, records));
  if (value instanceof Pickled) return value.code;
  if (typeof value === 'number') return bytes('J', new Uint8Array(Int32Array.of(value).buffer));
  if (typeof value === 'string') {
    const text = new TextEncoder().encode(value);
    return joined([bytes('X'), new Uint8Array(Uint32Array.of(text.length).buffer), text]);
  }
  if (Array.isArray(value)) return joined([bytes(']('), ...each(value), bytes('e')]);
  if (isTensor(value)) return encodedTensor(value, records);
  return joined([bytes('}('), ...each(Object.entries(value as object).flat()), bytes('u')]);
}

function isTensor(value: unknown): value is TensorData {
  return typeof value === 'object' && value !== null && 'dtype' in value && 'data' in value;
}

function encodedTensor({ shape, data }: TensorData, records: Record<string, Uint8Array>): Uint8Array {
  const key = String(1 + Object.keys(records).length);
  records[`data/${key}`] = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const numbers = (items: readonly number[]) =>
    joined([bytes('('), ...items.map((item) => encoded(item, records)), bytes('t')]);
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const texts = ['storage', key, 'cpu'].map((text) => encoded(text, records));
  const [kind, name, place] = texts as [Uint8Array, Uint8Array, Uint8Array];
  const elements = encoded(data.byteLength / 4, records);
  const storage = joined([bytes('('), kind, bytes('ctorch\nFloatStorage\n'), name, place, elements, bytes('tQ')]);
  const view = [encoded(0, records), numbers(shape), numbers(strides), bytes(0x89, '}')];
  return joined([bytes('ctorch._utils\n_rebuild_tensor_v2\n('), storage, ...view, bytes('tR')]);
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
