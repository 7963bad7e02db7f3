/** The command `events`: what it says of recordings, what it refuses, and what it writes. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sparkline } from '../../src/cli/commands/events.js';
import { hasTruth, truthFiles, truthOf } from '../data/events/truth.js';
import { everythingIn, fixture, json, spikeformer, temporaryFolder } from './support.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const at = (name: string) => join(folder.path, name);
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => folder.remove());

const records = fixture('events', 'records.npy');

async function text(name: string, content: string): Promise<string> {
  await writeFile(at(name), content);
  return at(name);
}

/** 10,000 events in a second, of which the first half come in its last tenth. */
const lines = Array.from({ length: 10_000 }, (_, i) => {
  const time = i < 5000 ? i * 180 : 900_000 + (i - 5000) * 20;
  return `${time},${i % 346},${i % 260},${i % 4 === 0 ? 1 : 0}`;
});

async function refused(args: readonly string[], message: RegExp): Promise<void> {
  const before = await everythingIn(folder.path);
  const { code, stdout, stderr } = await spikeformer(['events', ...args]);
  expect(stderr).toMatch(message);
  expect(stderr).toMatch(/^spikeformer: [^\n]+\n$/);
  expect([code, stdout]).toEqual([2, '']);
  expect(await everythingIn(folder.path)).toEqual(before);
}

describe('what is in a recording', () => {
  it('is said in a few lines, with the rate over time', async () => {
    const { stdout, stderr, code } = await spikeformer([
      'events',
      await text('a.csv', `346 260\nt,x,y,p\n${lines.join('\n')}\nnonsense\n5,1,1,1\n`),
    ]);
    expect([code, stderr]).toEqual([0, '']);
    const [name, count, polarities, plot, scale, ...rest] = stdout.trimEnd().split('\n');
    expect(name).toMatch(/a\.csv csv, 346 × 260 pixels$/);
    expect(count).toBe('10,001 events in 0.99998 s, 10,001 events/s; from 0.000 s to 0.99998 s');
    expect(polarities).toBe('p = 1: 2,501 (25.0 %), p = 0: 7,500');
    expect(plot).toMatch(/^▕▁{45,}[▂▃▄▅▆▇]?█{4,6}[▁▂▃▄▅▆▇█]?▏$/);
    expect(scale).toMatch(/^up to (49|50),\d{3} events\/s; a column is 0\.0\d+ s$/);
    expect(rest).toEqual([
      '1 rows that are no event, passed over (is the order of the columns right? --order)',
      '1 events earlier than the one in front of them',
    ]);
  });

  it('is one document with --json', async () => {
    const { sha256, skipped, ...document } = await json(['events', await text('a.csv', '1,2,3,1\n5,6,7,0\n')]);
    expect(document).toEqual({
      command: 'events',
      format: 'csv',
      width: null,
      height: null,
      events: 2,
      on: 1,
      first3: [
        [1, 2, 3, 1],
        [5, 6, 7, 0],
      ],
      last3: [
        [1, 2, 3, 1],
        [5, 6, 7, 0],
      ],
    });
    // printf '\x01\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0' | sha256sum, and so on.
    expect(sha256).toEqual({
      t: 'e716a168cd65de1488a49d997610a642f97d64f655d2ca95d15c89ae0b4dc358',
      x: 'bef28849642bc5f0f208c33156297f4906512cbbf2943bcf1edf41c6821daed3',
      y: 'cbd6cbb89194d9741f03aebd649e58ab8aa62e73fb8ce914e2aaa102045c11dd',
      p: '47dc540c94ceb704a23875c11273e16bb0b8a87aed84de911f2133568115f254',
    });
    expect(skipped).toMatchObject({ truncatedBytes: 0, damagedRows: 0 });
  });

  it('comes from standard input as well', async () => {
    const stdin = await readFile(records);
    const document = await json(['events', '-'], { stdin });
    expect(document).toMatchObject({ format: 'npy', events: 300, on: 150 });
    const { code, stderr } = await spikeformer(['events', '-']);
    expect([code, stderr]).toEqual([
      2,
      'spikeformer: standard input: is a terminal; send a recording, as in: events - < recording.raw\n',
    ]);
  });

  it('takes order, unit, sensor and mirroring from options', async () => {
    const file = await text('a.csv', '3 4 1 0.5\n');
    const args = ['--order', 'x,y,p,t', '--time-unit', 'milliseconds', '--sensor', '10x20', '--flip', 'x,y,p'];
    const document = await json(['events', file, ...args]);
    expect(document).toMatchObject({ width: 10, height: 20, first3: [[500, 6, 15, 0]] });
  });

  it('finds the events of an HDF5 file where it is told', async () => {
    const file = fixture('events', 'two-recordings.h5');
    expect(await json(['events', file, '--dataset', 'prophesee/left'])).toMatchObject({ format: 'hdf5', events: 300 });
  });

  it.skipIf(!hasTruth)('is what event-formats says, to the digest', { timeout: 60_000 }, async () => {
    const files = await truthFiles();
    let compared = 0;
    for (const [name, truth] of Object.entries(truthOf(files))) {
      if (truth.events === undefined || !truth.sha256) continue;
      const path = at(name.replaceAll('/', '-'));
      await writeFile(path, files.get(name)!);
      const { events, on, first3, last3, sha256 } = truth;
      // The pack says of one that it was made from another.
      const format = truth.format.replace('-derived', '');
      expect(await json(['events', path])).toMatchObject({ format, events, on, first3, last3, sha256 });
      compared++;
    }
    expect(compared).toBeGreaterThan(8);
  });
});

describe('conversion', () => {
  it.each(['evt2.raw', 'evt3.raw', 'a.dat', 'a.aedat3', 'a.aedat4', 'a.es', 'a.npy', 'a.npz', 'a.csv', 'a.h5'])(
    'keeps every event: %s',
    async (name) => {
      const format = name.startsWith('evt') ? ['--format', name.slice(0, 4)] : [];
      const file = fixture('events', 'metavision.h5');
      const converted = await json(['events', file, '--convert', at(name), ...format]);
      expect(await everythingIn(folder.path)).toEqual([name]);
      const { events, on, sha256 } = await json(['events', at(name)]);
      expect({ events, on, sha256 }).toEqual({ events: 300, on: 150, sha256: converted.sha256 });
      expect(converted).toMatchObject({ converted: { file: at(name) } });
    },
  );

  it('says what it wrote, also from standard input', async () => {
    const { stdout } = await spikeformer(['events', '-', '--convert', at('b.csv')], { stdin: await readFile(records) });
    expect(stdout).toMatch(/\nwrote .*b\.csv as csv\n$/);
    expect((await readFile(at('b.csv'), 'utf8')).split('\n').length).toBe(302);
  });

  it('refuses what a format cannot hold, and leaves nothing', async () => {
    const file = await text('wide.csv', `${lines.join('\n')}\n`);
    await refused(
      [file, '--convert', at('a.aedat')],
      /a\.aedat: cannot be written: event 129 has x = 128, but aedat2-dvs128/,
    );
    await refused([file, '--convert', at('a.es')], /es says the sensor, which is not known; name it, such as 346x260/);
    await refused([file, '--convert', at('a.xyz')], /its extension names no format that can be written/);
    await refused([file, '--convert', file], /--convert .*: is the recording itself/);
    await refused([file, '--convert', at('none/a.npy')], /there is no folder/);
    const { code, stderr } = await spikeformer(['events', '-', '--convert', at('a.npz')], {
      stdin: await readFile(file),
    });
    expect([code, stderr]).toEqual([2, expect.stringContaining('npz begins with the number of events')]);
  });
});

describe('bad input', () => {
  it('ends in one line', async () => {
    await refused([at('none.raw')], /none\.raw: cannot read: no such file/);
    await refused([folder.path], /is a directory, not a recording/);
    await refused([await text('empty.csv', '')], /empty\.csv: is empty/);
    await refused([await text('a.bmp', 'BM')], /a\.bmp: is no recording of a known format/);
    await refused([fixture('events', 'boundless.h5')], /claims 1000000000000 events/);
    await refused([await text('b.csv', '2,1,1,0\n1,1,1,0\n'), '--strict'], /1 events earlier than the event in front/);
    await mkdir(at('folder'));
    await refused([at('b.csv'), '--convert', at('folder')], /its extension names no format/);
  });

  it('of options is named', async () => {
    await refused([records, '--sensor', '346'], /--sensor: found "346", expected width and height in pixels/);
    await refused([records, '--sensor', '70000x1'], /--sensor: found .*at most 65535/);
    await refused([records, '--order', 'txy'], /--order: found "txy", expected each of t, x, y and p once/);
    await refused([records, '--flip', 'z'], /--flip: found "z", expected some of x, y and p/);
    await refused([records, '--flip', 'x'], /--flip: the sensor of .*records\.npy is not known; name it/);
    await refused([records, '--flip', 'x', '--sensor', '100x100'], /is outside the sensor; name a larger one/);
    await refused([records, '--format', 'npz'], /--format is for --convert OUT/);
    await refused([records, '--from', 'wav'], /--from: found "wav", expected aedat2 or/);
  });
});

describe('the plot', () => {
  it('is empty where nothing was, and as high as the highest rate', () => {
    expect(sparkline([0, 1, 4, 8, 0])).toBe(' ▂▅█ ');
    expect(sparkline([])).toBe('');
  });
});
