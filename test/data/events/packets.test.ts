/**
 * Packets of AEDAT 4: LZ4 and Zstandard against files of the official programs (`lz4` 1.9.4, `zstd` 1.5.4), damage of every byte, and claims of more than is there.
 * `test/fixtures/events/*` are the bytes of `pattern` or `squares`, packed by the command in the list.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { unpackLz4 } from '../../../src/data/events/lz4.js';
import { openEvents, readEvents } from '../../../src/data/events/openEvents.js';
import { UnpackError, Unpacked } from '../../../src/data/events/unpacked.js';
import { xxhash32 } from '../../../src/data/events/xxhash32.js';
import { unpackZstd } from '../../../src/data/events/zstd.js';
import {
  aedat4Header,
  type Event,
  eventsFlatBuffer,
  joined,
  packet,
  streamDescription,
  text,
  words,
} from './encoders.js';
import { event, sourceFromBytes } from './truth.js';

const fixture = (name: string) =>
  new Uint8Array(readFileSync(join(import.meta.dirname, '../../fixtures/events', name)));
const pattern = Uint8Array.from({ length: 150_000 }, (_, i) => (i % 251) ^ Math.floor(i / 4096));
const squares = Uint8Array.from({ length: 3000 }, (_, i) => (i * i) >> 7);

/** Comparing element by element takes seconds. */
const isSame = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

const limit = 1 << 20;
const lz4 = (packed: Uint8Array, most = limit) => unpackLz4(packed, new Unpacked(most));
const zstd = (packed: Uint8Array, most = limit) => unpackZstd(packed, most);

describe('LZ4 and Zstandard', () => {
  it.each([
    ['lz4 -1 -B4 -BD --no-frame-crc', 'l-linked.lz4'],
    ['lz4 -9 -B4 -BI --content-size', 'l-sizes.lz4'],
    ['lz4 -1 -B4 -BX', 'l-blockcrc.lz4'],
  ])('unpacks %s', (_, name) => {
    const packed = fixture(name);
    expect(isSame(lz4(packed), pattern)).toBe(true);
    const skippable = joined(words(4, [0x184d2a53, 3]), text('abc'));
    expect(isSame(lz4(joined(packed, skippable, packed)), joined(pattern, pattern))).toBe(true);
  });

  it.each([
    ['zstd -3 of a pipe', 'z-stream.zst', pattern],
    ['zstd -19', 'z-size.zst', pattern],
    ['zstd -3 --no-check', 'z-small.zst', squares],
  ])('unpacks %s', (_, name, content) => {
    expect(isSame(zstd(fixture(name)), content)).toBe(true);
  });

  it('has the checksums of the specification', () => {
    // https://github.com/Cyan4973/xxHash/blob/dev/cli/xsum_sanity_check.c and the empty input
    expect(xxhash32(new Uint8Array())).toBe(0x02cc5d05);
    expect(xxhash32(text('abc'))).toBe(0x32d153ff);
  });

  it('stops at the limit', () => {
    expect(() => lz4(fixture('l-linked.lz4'), 100_000)).toThrow(UnpackError);
    expect(() => zstd(fixture('z-size.zst'), 100_000)).toThrow(UnpackError);
    expect(() => zstd(fixture('z-stream.zst'), 100_000)).toThrow(UnpackError);
    // A window of gigabytes, a content of gigabytes, and blocks of one byte repeated.
    const blocks = new Array<Uint8Array>(10).fill(words(1, [0x02, 0x00, 0x10, 7]));
    expect(() => zstd(joined(words(4, [0xfd2fb528]), words(1, [0, 0xff, 1, 0, 0])))).toThrow(
      'a Zstandard window of more',
    );
    expect(() =>
      zstd(joined(words(4, [0xfd2fb528]), words(1, [0xa0]), words(4, [0xffffffff]), words(1, [1, 0, 0]))),
    ).toThrow('more than');
    expect(() => zstd(joined(words(4, [0xfd2fb528]), words(1, [0, 0]), ...blocks, words(1, [1, 0, 0])))).toThrow(
      'more than',
    );
  });

  it('refuses whatever is cut, and is not fooled by damage of any byte', () => {
    const [lz, zs] = [fixture('l-blockcrc.lz4'), fixture('z-small.zst')];
    for (let i = 1; i < lz.length; i += 97) expect(() => lz4(lz.subarray(0, i)), `${i} bytes`).toThrow(UnpackError);
    for (let i = 1; i < zs.length; i += 41) expect(() => zstd(zs.subarray(0, i)), `${i} bytes`).toThrow(UnpackError);
    for (let i = 0; i < lz.length; i += 53) {
      const damaged = lz.slice();
      damaged[i]! ^= 1 << (i % 8);
      expect(() => lz4(damaged), `byte ${i}`).toThrow(UnpackError);
    }
    for (let i = 0; i < zs.length; i++) {
      const damaged = fixture(i % 2 ? 'z-small.zst' : 'z-stream.zst');
      damaged[i % damaged.length]! ^= 1 << (i % 8);
      try {
        zstd(damaged);
      } catch (error) {
        expect(error).toBeInstanceOf(UnpackError);
      }
    }
  });

  it('refuses matches in front of the content', () => {
    const frame = (block: readonly number[]) => {
      const descriptor = [0x60, 0x40];
      const check = (xxhash32(words(1, descriptor)) >>> 8) & 255;
      return joined(
        words(4, [0x184d2204]),
        words(1, [...descriptor, check]),
        words(4, [block.length]),
        words(1, block),
        words(4, [0]),
      );
    };
    expect(lz4(frame([0x14, 65, 1, 0, 0x10, 66]))).toEqual(text('AAAAAAAAAB'));
    expect(() => lz4(frame([0x14, 65, 2, 0]))).toThrow('in front of the content');
    expect(() => lz4(frame([0x14, 65, 0, 0]))).toThrow('in front of the content');
    expect(() => lz4(frame([0xf0, 255, 255]))).toThrow('ends early');
  });
});

const some: readonly Event[] = [
  [1_605_537_493_718_345, 5, 6, 1],
  [1_605_537_493_718_346, 7, 8, 0],
];

async function read(bytes: Uint8Array, strict = false) {
  const recording = await readEvents(sourceFromBytes(bytes, 'a.aedat4'), { strict });
  return { ...recording, events: Array.from({ length: recording.length }, (_, i) => event(recording, i)) };
}

describe('AEDAT 4', () => {
  const content = eventsFlatBuffer(some);
  const stored = (bytes: Uint8Array) => {
    const check = (xxhash32(words(1, [0x60, 0x40])) >>> 8) & 255;
    return joined(
      words(4, [0x184d2204]),
      words(1, [0x60, 0x40, check]),
      words(4, [0x80000000 | bytes.length]),
      bytes,
      words(4, [0]),
    );
  };

  it('stops at the table that the header points to, and reads to the end without one', async () => {
    const table = text('this is a table of packets');
    const header = aedat4Header(0);
    const body = packet(0, content);
    const end = header.length + body.length;
    const recording = await read(joined(aedat4Header(0, streamDescription, end), body, table), true);
    expect(recording.events).toEqual(some);
    expect(recording.sensor).toEqual({ width: 64, height: 48 });
    expect((await read(joined(header, body), true)).events).toEqual(some);
  });

  it('passes over packets of other kinds and of a second stream of events', async () => {
    const frames = content.slice();
    frames.set(text('FRME'), 8);
    const bytes = joined(aedat4Header(0, ''), packet(3, frames), packet(1, content), packet(0, content));
    const { events, skipped, sensor } = await read(bytes, true);
    expect({ events, other: skipped.other, sensor }).toEqual({ events: some, other: 2, sensor: undefined });
  });

  it('passes over a packet that does not unpack, and reads the next', async () => {
    const damaged = stored(content);
    damaged[0]! ^= 1;
    const bytes = joined(aedat4Header(1), packet(0, stored(content)), packet(0, damaged), packet(0, stored(content)));
    const { events, skipped } = await read(bytes);
    expect(events).toEqual([...some, ...some]);
    expect(skipped).toMatchObject({ damagedBytes: damaged.length, stepsBack: 1, truncatedBytes: 0 });
    await expect(read(bytes, true)).rejects.toThrow('bytes that do not unpack or make no sense');
  });

  it('does not read outside a FlatBuffer, whatever its offsets say', async () => {
    for (let i = 0; i < content.length - 32; i++) {
      for (const value of [0, 1, 127, 128, 255]) {
        const damaged = content.slice();
        damaged[i] = value;
        const { length } = await read(joined(aedat4Header(0, ''), packet(0, damaged)));
        expect(length).toBeLessThan(content.length / 16);
      }
    }
  });

  it('does not believe sizes', async () => {
    const huge = joined(words(4, [0, 0x7fffffff]), content);
    const { length, skipped } = await read(joined(aedat4Header(0), huge));
    expect({ length, truncated: skipped.truncatedBytes }).toEqual({ length: 0, truncated: 8 + content.length });
    const header = aedat4Header(0);
    header.set(words(4, [0x70000000]), 14);
    await expect(read(header)).rejects.toThrow('a.aedat4: its AEDAT 4 header is damaged');
    expect((await read(joined(aedat4Header(0), words(4, [0, -5]), content))).skipped.damagedBytes).toBeGreaterThan(0);
  });

  it('refuses a compression that is not known', async () => {
    await expect(openEvents(sourceFromBytes(aedat4Header(7)))).rejects.toThrow('compressed in way 7');
  });
});
