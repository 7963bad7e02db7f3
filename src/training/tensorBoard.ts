/**
 * Metrics as TensorBoard reads them: an event file of scalars beside `metrics.jsonl`. The format is TensorFlow's: records framed by
 * lengths and masked CRC-32C sums (`tensorflow/core/lib/io/record_writer`), each a protobuf `Event` (`core/util/event.proto`). Only what scalars
 * need is written.
 */
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { double, float, integer, joined, message, nested, text } from '../interop/protobufWriter.js';
import { writing } from './runFolder.js';

/** Groups of scalars; a group's name and a scalar's make its tag, `group/name`. */
export type ScalarGroups = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** Version 2 events may announce a restart, after which TensorBoard forgets what an earlier file said of later steps. */
const fileVersion = 'brain.Event:2';
const restarted = 1;

export class TensorBoardLog {
  readonly #folder: string;
  #path: string | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Starts a new file; steps after `step` that an interrupted run may have written count no more. */
  async begin(step: number, now = Date.now()): Promise<void> {
    this.#path = join(this.#folder, `events.out.tfevents.${now}.spikeformer`);
    const seconds = now / 1000;
    const opening = message(double(1, seconds), text(3, fileVersion));
    const restart = message(double(1, seconds), integer(2, step + 1), nested(7, integer(1, restarted)));
    await this.#write(record(joined(opening)));
    if (step > 0) await this.#write(record(joined(restart)));
  }

  async append(step: number, groups: ScalarGroups, now = Date.now()): Promise<void> {
    const values = Object.entries(groups).flatMap(([group, scalars]) =>
      Object.entries(scalars).map(([name, value]) => nested(1, message(text(1, `${group}/${name}`), float(2, value)))),
    );
    const event = message(double(1, now / 1000), integer(2, step), nested(5, message(...values)));
    await this.#write(record(joined(event)));
  }

  #write(bytes: Uint8Array): Promise<void> {
    const path = this.#path;
    if (path === undefined) throw new Error('begin comes before append');
    return writing(path, () => appendFile(path, bytes));
  }
}

/** Length, its sum, data, its sum. */
function record(data: Uint8Array): Uint8Array {
  const framed = new Uint8Array(data.length + 16);
  const view = new DataView(framed.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedChecksum(framed.subarray(0, 8)), true);
  framed.set(data, 12);
  view.setUint32(12 + data.length, maskedChecksum(data), true);
  return framed;
}

/** A sum of data that holds sums of its own would be weak: TensorFlow rotates it and adds a constant. */
function maskedChecksum(data: Uint8Array): number {
  const sum = crc32c(data);
  return (((sum >>> 15) | (sum << 17)) + 0xa282ead8) >>> 0;
}

const checksumTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte;
  // The Castagnoli polynomial, bits reversed.
  for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0x82f63b78 : sum >>> 1;
  return sum;
});

/** CRC-32C (Castagnoli), RFC 3720. */
export function crc32c(data: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of data) sum = checksumTable[(sum ^ byte) & 0xff]! ^ (sum >>> 8);
  return (sum ^ 0xffffffff) >>> 0;
}
