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

  it.each(['nmnist-bin/sample.bin'])('%s', async (path) => {
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
});
