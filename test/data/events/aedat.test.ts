/** AEDAT 2 and 3 on what the recordings with a truth do not have: other conventions, other words and packets, headers that say little, claims that are false. */
import { describe, expect, it } from 'vitest';
import { aedat3, aedat3Packet, dvs128, dvsRecord, jaer, joined, text, three, words } from './encoders.js';
import { read } from './truth.js';

describe('AEDAT', () => {
  it('shows what jAER shows when asked', async () => {
    const dvs = joined(dvs128, dvsRecord([1, 3, 4, 1]));
    expect((await read(dvs, { convention: 'jaer' })).events).toEqual([[1, 124, 4, 0]]);
    const davis = joined(
      jaer('eu.seebetter.ini.chips.davis.Davis346red'),
      words(4, [(200 << 22) | (300 << 12) | (1 << 11), 9], true),
    );
    const recording = await read(davis, { convention: 'jaer' });
    expect(recording).toMatchObject({
      format: 'aedat2',
      sensor: { width: 346, height: 260 },
      events: [[9, 45, 200, 1]],
    });
    expect((await read(davis)).events).toEqual([[9, 300, 200, 1]]);
  });

  it('passes over words of frames, the inertial sensor and special events', async () => {
    const address = [0x80000000, 0x80000800, 0x00000400, (7 << 22) | (8 << 12)];
    const bytes = joined(
      jaer('DAVIS240C'),
      words(
        4,
        address.flatMap((word) => [word, 1]),
        true,
      ),
    );
    const { format, events, skipped } = await read(bytes);
    expect({ format, events, other: skipped.other }).toEqual({
      format: 'aedat2-davis240c',
      events: [[1, 8, 7, 0]],
      other: 3,
    });
  });

  it('tells records from lines of the header, also those that begin with the mark', async () => {
    const record = (0x23 << 24) | (5 << 12);
    const bytes = joined(jaer('DAVIS240C'), words(4, [record, 1, record, 10], true));
    expect((await read(bytes)).events.map(([t, x]) => [t, x])).toEqual([
      [1, 5],
      [10, 5],
    ]);
  });

  it('decides by the addresses where the header names no camera', async () => {
    const nameless = text('#!AER-DAT2.0\r\n');
    expect((await read(joined(nameless, ...three.map(dvsRecord)))).format).toBe('aedat2-dvs128');
    expect((await read(joined(nameless, words(4, [(100 << 22) | (9 << 12), 1], true)))).format).toBe(
      'aedat2-davis240c',
    );
  });

  it('reads overflow, leaves out invalid events, and passes over other packets in AEDAT 3', async () => {
    const special = joined(words(2, [0, 1]), words(4, [12, 4, 0, 2, 2, 2]), new Uint8Array(24));
    const bytes = joined(
      aedat3,
      special,
      aedat3Packet(three, 3, (i) => i !== 1),
      aedat3Packet([]),
      aedat3Packet([[1, 0, 0, 0]], 4),
    );
    const recording = await read(bytes, { strict: true });
    expect(recording.events).toEqual([
      [3 * 2 ** 31 + 10, 1, 2, 0],
      [3 * 2 ** 31 + 30, 5, 6, 1],
      [2 ** 33 + 1, 0, 0, 0],
    ]);
    expect(recording.skipped).toMatchObject({ invalid: 1, other: 2, truncatedBytes: 0 });
  });

  it('counts the rest behind an AEDAT 3 packet that makes no sense', async () => {
    const claims = [
      [1, 4, 0, 0, 1],
      [1, 8, 5, 0, 1],
      [1, -8, 4, 0, 1],
      [1, 8, 4, 0, -1],
      [-1, 8, 4, 0, 1],
      [1, 8, 4, -1, 1],
    ];
    for (const [type, size, offset, overflow, number] of claims) {
      const damaged = joined(
        words(2, [type!, 1]),
        words(4, [size!, offset!, overflow!, 0, number!, 0]),
        new Uint8Array(50),
      );
      const recording = await read(joined(aedat3, aedat3Packet(three), damaged));
      expect(recording.length).toBe(3);
      expect(recording.skipped.damagedBytes).toBe(78);
    }
  });

  it('does not believe sizes', async () => {
    const huge = joined(words(2, [1, 1]), words(4, [8, 4, 0, 0, 0x7fffffff, 0]), aedat3Packet(three).subarray(28));
    expect((await read(joined(aedat3, huge))).events).toEqual(three);
    const wide = joined(words(2, [5, 1]), words(4, [1 << 26, 4, 0, 0, 0x7fffffff, 0]), new Uint8Array(100));
    expect((await read(joined(aedat3, wide))).skipped.truncatedBytes).toBe(100);
  });

  it('refuses other versions and codings', async () => {
    await expect(read(text('#!AER-DAT1.0\n'), { format: 'aedat2' })).rejects.toThrow('is AEDAT 1, read as AEDAT 2');
    await expect(read(text('#!AER-DAT3.1\r\n#Format: SerializedTS\r\n#!END-HEADER\r\n'))).rejects.toThrow(
      'stored as SerializedTS',
    );
  });
});
