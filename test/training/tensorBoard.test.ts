/** Event files for TensorBoard, against bytes that TensorFlow writes and published sums. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { crc32c, TensorBoardLog } from '../../src/training/tensorBoard.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'spikeformer-board-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const written = (): Uint8Array => readFileSync(join(folder, readdirSync(folder)[0]!));

/** The records of a file, each sum checked, as TensorFlow's reader does. */
function recordsOf(bytes: Uint8Array): Uint8Array[] {
  const records: Uint8Array[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (let at = 0; at < bytes.length; ) {
    const length = Number(view.getBigUint64(at, true));
    expect(unmasked(view.getUint32(at + 8, true))).toBe(crc32c(bytes.subarray(at, at + 8)));
    const data = bytes.subarray(at + 12, at + 12 + length);
    expect(unmasked(view.getUint32(at + 12 + length, true))).toBe(crc32c(data));
    records.push(data);
    at += 16 + length;
  }
  return records;
}

/** `crc32c::Unmask` of TensorFlow. */
function unmasked(sum: number): number {
  const rotated = (sum - 0xa282ead8) >>> 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0;
}

type Field = readonly [number, number | bigint | Uint8Array];

/** Protobuf fields by the rules of its encoding guide. */
function fieldsOf(bytes: Uint8Array): Field[] {
  const fields: Field[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    if ((key & 7) === 0) fields.push([key >> 3, varint()]);
    else if ((key & 7) === 1) {
      fields.push([key >> 3, view.getFloat64(at, true)]);
      at += 8;
    } else if ((key & 7) === 5) {
      fields.push([key >> 3, view.getFloat32(at, true)]);
      at += 4;
    } else {
      const length = varint();
      fields.push([key >> 3, bytes.subarray(at, at + length)]);
      at += length;
    }
  }
  return fields;
}

const text = (value: unknown) => new TextDecoder().decode(value as Uint8Array);

describe('an event file', () => {
  it('sums as RFC 3720 and its test vectors do', () => {
    expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
  });

  it('begins with the bytes that every event file of TensorFlow begins with', async () => {
    await new TensorBoardLog(folder).begin(0, 1e12);
    expect([...written().subarray(0, 13)]).toEqual([0x18, 0, 0, 0, 0, 0, 0, 0, 0xa3, 0x7f, 0x4b, 0x22, 0x09]);
    expect(readdirSync(folder)[0]).toMatch(/^events\.out\.tfevents\.\d+\./);
  });

  it('holds scalars under their tags and steps, and announces a restart', async () => {
    const log = new TensorBoardLog(folder);
    await log.begin(70_000, 1e12);
    await log.append(
      70_001,
      { train: { loss: 1.5, accuracy: 0.25 }, firingRates: { 'block3.0.attn.q_lif': 0.125 } },
      1e12,
    );
    const [opening, restart, event] = recordsOf(written()).map(fieldsOf);
    expect(opening![0]).toEqual([1, 1e9]);
    expect(text(opening![1]![1])).toBe('brain.Event:2');
    expect(restart![1]).toEqual([2, 70_001]);
    expect([restart![2]![0], fieldsOf(restart![2]![1] as Uint8Array)]).toEqual([7, [[1, 1]]]);
    expect(event![1]).toEqual([2, 70_001]);
    const values = fieldsOf(event![2]![1] as Uint8Array).map(([, value]) => fieldsOf(value as Uint8Array));
    expect(values.map(([tag, number]) => [text(tag![1]), number])).toEqual([
      ['train/loss', [2, 1.5]],
      ['train/accuracy', [2, 0.25]],
      ['firingRates/block3.0.attn.q_lif', [2, 0.125]],
    ]);
  });
});
