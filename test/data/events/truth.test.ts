/** Every recording of `event-formats` gives the events that other programs read from it: counts, first and last events, digests of all fields. */
import { beforeAll, describe, expect, it } from 'vitest';
import { openEvents, readEvents } from '../../../src/data/events/openEvents.js';
import { digests, event, hasTruth, inPieces, sourceFromBytes, type Truth, truthFiles, truthOf } from './truth.js';

describe.skipIf(!hasTruth)('recordings with a truth', () => {
  let files: ReadonlyMap<string, Uint8Array>;
  let truth: Readonly<Record<string, Truth>>;
  beforeAll(async () => {
    files = await truthFiles();
    truth = truthOf(files);
  });

  const recordings = [
    'aedat2-davis240c/boxes-imu-cut.aedat',
    'aedat2-dvs128/pendulum-cut.aedat',
    'aedat2-dvs128/walking-again.aedat',
    'aedat3-derived/pendulum-polarity-only.aedat',
    'aedat4/dvxplorer-lz4.aedat4',
    'aedat4/dvxplorer-none-first6.aedat4',
    'es/dvs-part1.es',
    'evt2/gen3-640x480.raw',
    'evt3/gen41-part1.raw',
    'nmnist-bin/sample.bin',
    'prophesee-dat/ncars.dat',
  ];

  it.each(recordings)('%s', async (path) => {
    const { format, sensor, events, on, first3, last3, sha256 } = truth[path]!;
    const bytes = files.get(path)!;
    const recording = await readEvents(sourceFromBytes(bytes, path));
    const { length } = recording;
    expect({
      format: recording.format,
      sensor: recording.sensor ? [recording.sensor.width, recording.sensor.height] : null,
      events: length,
      on: recording.p.reduce((sum, p) => sum + p, 0),
      first3: [0, 1, 2].map((i) => event(recording, i)),
      last3: [3, 2, 1].map((i) => event(recording, length - i)),
      sha256: digests(recording),
    }).toEqual({ format: format.replace('-derived', ''), sensor, events, on, first3, last3, sha256 });
    expect(recording.skipped).toMatchObject({ truncatedBytes: 0, stepsBack: 0, outsideSensor: 0 });
    // The same from a pipe, in pieces of an odd size.
    expect(digests(await readEvents(inPieces(bytes, 4999, path)))).toEqual(sha256);
    await expect(
      (await openEvents(sourceFromBytes(bytes, path), { strict: true })).chunks().next(),
    ).resolves.toBeDefined();
  });

  it('reads a header without events', async () => {
    const path = 'aedat2-header-only/header.aedat';
    const recording = await readEvents(sourceFromBytes(files.get(path)!, path), { strict: true });
    const { length, format, sensor } = recording;
    expect({ length, format, sensor }).toEqual({
      length: 0,
      format: truth[path]!.format,
      sensor: { width: 346, height: 260 },
    });
  });

  it('refuses an Event Stream of another type', async () => {
    const source = sourceFromBytes(files.get('es/generic.es')!, 'generic.es');
    await expect(openEvents(source)).rejects.toThrow('generic.es: is an Event Stream of type 0 (generic)');
  });
});
