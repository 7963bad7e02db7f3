/** Recordings in files of Node: read whole, by range, and stopped early; what cannot be opened says why. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sourceFromBlob } from '../../../src/data/events/byteSource.js';
import { openNodeSource } from '../../../src/data/events/nodeSource.js';
import { openEvents, readEvents } from '../../../src/data/events/openEvents.js';
import { text, words } from './encoders.js';

describe('a recording in a file', () => {
  const count = 100_000;
  const header = text('% Data file containing CD events\n% Version 2\n\u000c\u0008');
  const records = words(
    4,
    Array.from({ length: 2 * count }, (_, i) => (i % 2 === 0 ? i >> 1 : (i >> 1) % 100)),
  );
  const bytes = Buffer.concat([header, records]);
  let folder: string;
  let path: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'events-'));
    path = join(folder, 'a.dat');
    await writeFile(path, bytes);
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('is read whole, in Node and from a Blob', async () => {
    const source = await openNodeSource(path);
    for (const each of [source, sourceFromBlob(new Blob([bytes]), 'a.dat')]) {
      const { length, t, x } = await readEvents(each, { strict: true });
      expect(length).toBe(count);
      expect(t.every((time, i) => time === i)).toBe(true);
      expect(x.every((column, i) => column === i % 100)).toBe(true);
    }
    await source.close();
  });

  it('can be read by range and left early', async () => {
    const source = await openNodeSource(path);
    expect(source.size).toBe(bytes.length);
    expect(Buffer.from(await source.read!(2, 9)).toString()).toBe('Data file');
    expect(await source.read!(bytes.length - 1, 9)).toHaveLength(1);
    for await (const run of (await openEvents(source)).chunks()) {
      expect(run.t[0]).toBe(0);
      break;
    }
    await source.close();
  });

  it('says why it cannot be opened', async () => {
    await expect(openNodeSource(join(folder, 'none.raw'))).rejects.toThrow('none.raw: cannot read: no such file');
    await expect(openNodeSource(folder)).rejects.toThrow('is a directory, not a recording');
  });
});
