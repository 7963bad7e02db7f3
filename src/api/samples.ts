/**
 * What a call needs of samples, taken when it begins: readers wait for the system, and callers fill their buffers again in the meantime. The answer is for what was given.
 */
import { UsageError } from '../errors.js';
import type { AnyInput } from '../modalities/inputs.js';
import { described } from '../optionNames.js';
import type { SampleSource } from './modelTypes.js';

/** A copy that nobody else can change. */
export function ownBytes(bytes: Uint8Array | ArrayBuffer): Uint8Array {
  return new Uint8Array(bytes instanceof ArrayBuffer ? bytes.slice(0) : bytes);
}

/** @throws UsageError for no list, an empty one, and what is no sample of this kind nor a place to read one from. */
export function checkSamples(samples: readonly SampleSource[], kind: AnyInput): void {
  const given: unknown = samples;
  const { noun, sources, inMemory } = kind;
  if (!Array.isArray(given) || given.length === 0)
    throw new UsageError(
      `${noun}s: found ${Array.isArray(given) ? 'none' : described(given)}, expected a list of ${noun}s`,
    );
  for (const sample of given as readonly unknown[]) {
    if (typeof sample === 'string' || (typeof sample === 'object' && sample !== null && isSource(sample, kind)))
      continue;
    throw new UsageError(`${noun}: found ${described(sample)}, expected ${sources}, or ${inMemory}`);
  }
}

function isSource(value: object, kind: AnyInput): boolean {
  if (value instanceof Blob || value instanceof URL || value instanceof ArrayBuffer) return true;
  return value instanceof Uint8Array || kind.isSample(value);
}

/**
 * Gives `put` each sample: what is in memory already at once, others read one after the other, bytes among them copied before anything is waited for. Paths,
 * addresses and blobs are nobody's to change.
 */
export async function takeSamples(
  samples: readonly SampleSource[],
  kind: AnyInput,
  read: (sample: SampleSource) => Promise<unknown>,
  put: (sample: unknown, index: number) => void,
): Promise<void> {
  const encoded = samples.map((sample, index) => {
    if (sample instanceof Uint8Array || sample instanceof ArrayBuffer) return ownBytes(sample);
    if (typeof sample !== 'object' || !kind.isSample(sample)) return sample;
    put(sample, index);
    return undefined;
  });
  for (const [index, sample] of encoded.entries()) if (sample !== undefined) put(await read(sample), index);
}
