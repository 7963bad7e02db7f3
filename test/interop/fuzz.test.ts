/** Damaged files of every format: a reader either reads them or throws CheckpointError, soon, and never anything else. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CheckpointError } from '../../src/interop/errors.js';
import { openCheckpoint } from '../../src/interop/openCheckpoint.js';
import { readPickle } from '../../src/interop/pickle.js';
import { fileFromBytes } from '../../src/interop/randomAccessFile.js';
import { encodeSafetensors } from '../../src/interop/safetensors.js';
import { TorchWorld } from '../../src/interop/torchPickle.js';
import { formatFixture, pthAround } from './support.js';

/** mulberry32: every run damages the same bytes. */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

function damage(original: Uint8Array, random: (below: number) => number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(original);
  for (let flips = 1 + random(4); flips > 0; flips--) {
    const at = random(bytes.length);
    bytes[at] = random(3) === 0 ? random(256) : bytes[at]! ^ (1 << random(8));
  }
  return random(5) === 0 ? bytes.slice(0, random(bytes.length)) : bytes;
}

async function outcome(attempt: () => Promise<void>): Promise<'read' | 'refused'> {
  try {
    await attempt();
    return 'read';
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    expect(error.message).not.toContain('\n');
    return 'refused';
  }
}

async function readAll(bytes: Uint8Array): Promise<void> {
  const checkpoint = await openCheckpoint(fileFromBytes(bytes));
  for (const tensor of checkpoint.tensors.values()) await tensor.readFloat32();
}

const zip = readFileSync(formatFixture('tiny/zip.pth'));
/** A training checkpoint's pickle, the record at the beginning of the file: damaged without a checksum to catch it. */
const pickle = readFileSync(formatFixture('tiny/trainer.pth')).subarray(64);

const safetensors = encodeSafetensors(
  new Map([
    ['weight', { dtype: 'float32', shape: [2, 3], data: new Float32Array(6) } as const],
    ['bn.num_batches_tracked', { dtype: 'int64', shape: [], data: new BigInt64Array(1) } as const],
  ]),
  { format: 'pt' },
);

describe('four hundred damaged copies', () => {
  it.each<[string, Uint8Array]>([
    ['a zip checkpoint', zip],
    ['a legacy stream', readFileSync(formatFixture('tiny/legacy.pth'))],
    ['a legacy stream of protocol 4', readFileSync(formatFixture('tiny/legacy-protocol4.pth'))],
    ['a safetensors file', safetensors],
    ['a pickle in an archive whose checksums are right', pickle],
  ])('of %s are read or refused', async (_, original) => {
    const random = seeded(20240403);
    const wrap = original === pickle ? pthAround : (bytes: Uint8Array) => bytes;
    const outcomes = { read: 0, refused: 0 };
    for (let round = 0; round < 400; round++) {
      const damaged = wrap(damage(original, random));
      outcomes[await outcome(() => readAll(damaged))]++;
    }
    expect(outcomes.refused).toBeGreaterThan(20);
  });

  it('of a bare pickle are read, refused or found unfinished', async () => {
    const random = seeded(7);
    for (let round = 0; round < 2000; round++) {
      const damaged = damage(pickle, random);
      await outcome(async () => void readPickle(damaged, 'f', new TorchWorld('f')));
    }
    expect(readPickle(pickle, 'f', new TorchWorld('f'))).toBeDefined();
  });
});
