import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { eventsOf } from '../../../src/modalities/events/columns.js';
import { frameShape, framesOf, writeFrames } from '../../../src/modalities/events/frames.js';
import { type EventPreprocessingInput, parseEventPreprocessing } from '../../../src/modalities/events/settings.js';

/** Two halves of a second on a sensor of 2 by 3 pixels. */
const recording = eventsOf([
  [0, 0, 0, 1],
  [1, 2, 1, 0],
  [2, 2, 1, 0],
  [6, 2, 1, 1],
  [7, 2, 1, 0],
  [10, 1, 0, 1],
]);
const preprocessing = (changes: Partial<EventPreprocessingInput> = {}) =>
  parseEventPreprocessing({ sensor: [2, 3], window: { by: 'bins', bins: 2 }, timeSteps: 2, ...changes });
const values = (changes: Partial<EventPreprocessingInput>) => [...framesOf(recording, preprocessing(changes)).data];

describe('frames of events', () => {
  it('count the events of each polarity', () => {
    // biome-ignore format: rows of pixels
    expect(values({})).toEqual([
      0, 0, 0,  0, 0, 2,   1, 0, 0,  0, 0, 0,
      0, 0, 0,  0, 0, 1,   0, 1, 0,  0, 0, 1,
    ]);
  });

  it('add up signs, or say whether there was an event', () => {
    // biome-ignore format: rows of pixels
    expect(values({ representation: 'signed' })).toEqual([
      1, 0, 0,  0, 0, -2,
      0, 1, 0,  0, 0, 0,
    ]);
    // biome-ignore format: rows of pixels
    expect(values({ representation: 'binary' })).toEqual([
      1, 0, 0,  0, 0, 1,
      0, 1, 0,  0, 0, 1,
    ]);
  });

  it('paint later events over earlier ones in the convention of HARDVS', () => {
    // biome-ignore format: rows of pixels
    expect(values({ representation: 'hardvs', window: { by: 'bins', bins: 1 }, timeSteps: 1 })).toEqual([
      0, 0, 0,  0, 0, 1,   1, 1, 0,  0, 0, 0,
    ]);
  });

  it('set a bit for each part of a window', () => {
    const data = values({ representation: { kind: 'bits', bits: 2 }, window: { by: 'bins', bins: 1 }, timeSteps: 1 });
    const [high, low] = [Math.fround(2 / 3), Math.fround(1 / 3)];
    // biome-ignore format: rows of pixels
    expect(data).toEqual([0, 0, 0,  0, 0, 1,   high, low, 0,  0, 0, low]);
  });

  it('share events between the bins of a voxel grid, whose sum stays the signed count', () => {
    const frames = framesOf(
      recording,
      preprocessing({
        representation: { kind: 'voxelGrid', bins: 3 },
        window: { by: 'bins', bins: 1 },
        timeSteps: 1,
      }),
    );
    const sums = Array.from({ length: 6 }, (_, pixel) =>
      [0, 6, 12].reduce((sum, at) => sum + frames.data[at + pixel]!, 0),
    );
    // biome-ignore format: rows of pixels
    expect(sums.map((sum) => Math.round(sum * 1e6) / 1e6)).toEqual([1, 1, 0, 0, 0, -2]);
    // The event at 1 of 10 is a fifth of the way from bin 0 to bin 1, the one at 2 two fifths; 6 and 7 cancel but for their distance.
    expect(frames.data[5]).toBeCloseTo(-0.8 - 0.6, 6);
    expect(frames.data[11]).toBeCloseTo(-0.2 - 0.4 + 0.8 - 0.6, 6);
    expect(frames.data[17]).toBeCloseTo(0.2 - 0.4, 6);
  });

  it('remember the last event of a pixel in time surfaces', () => {
    const data = values({ representation: { kind: 'timeSurface', tau: 5 } });
    expect(data[5]).toBeCloseTo(Math.exp(-3 / 5), 6);
    expect(data[6]).toBeCloseTo(Math.exp(-5 / 5), 6);
    expect(data[12 + 5]).toBeCloseTo(Math.exp(-3 / 5), 6);
    expect(data[12 + 6]).toBeCloseTo(Math.exp(-10 / 5), 6);
    expect(data[12 + 7]).toBeCloseTo(1, 6);
    expect(data[0]).toBe(0);
  });

  it('add up pixels that fall together when the size is smaller', () => {
    expect(values({ size: [1, 1], window: { by: 'bins', bins: 1 }, timeSteps: 1 })).toEqual([3, 3]);
    // 3 columns become 2: ⌊2x/3⌋ = 0, 0, 1.
    expect(values({ size: [2, 2], representation: 'binary', window: { by: 'bins', bins: 1 }, timeSteps: 1 })).toEqual([
      1, 0, 0, 1,
    ]);
  });

  it('show the centre, or an empty border', () => {
    const once = { window: { by: 'bins', bins: 1 }, timeSteps: 1, representation: 'signed', fit: 'crop' } as const;
    expect(values({ ...once, size: [2, 1] })).toEqual([1, 0]);
    // biome-ignore format: rows of pixels
    expect(values({ ...once, size: [4, 3] })).toEqual([0, 0, 0,  1, 1, 0,  0, 0, -2,  0, 0, 0]);
  });

  it('scale by clipping, logarithm and division', () => {
    const once = { window: { by: 'bins', bins: 1 }, timeSteps: 1, representation: 'signed' } as const;
    expect(values({ ...once, scale: { clip: 1, divide: 4 } })).toEqual([0.25, 0.25, 0, 0, 0, -0.25]);
    expect(values({ ...once, scale: { logarithm: true } })[5]).toBeCloseTo(-Math.log(3), 6);
  });

  it('are cut after the time steps, and padded with zeros', () => {
    const window = { by: 'time', microseconds: 5 } as const;
    expect(values({ window, timeSteps: 1, representation: 'signed' })).toEqual([1, 0, 0, 0, 0, -2]);
    const padded = values({ window, timeSteps: 5, representation: 'signed' });
    expect(padded.slice(12)).toEqual([0, 1, 0, 0, 0, 0, ...new Array(12).fill(0)]);
  });

  it('go to the offsets of a batch, replace what is there, and leave the rest', () => {
    const settings = preprocessing({ representation: 'binary' });
    expect(frameShape(settings)).toEqual({ timeSteps: 2, channels: 1, height: 2, width: 3 });
    const target = new Float32Array(24).fill(9);
    expect(writeFrames(recording, settings, target, [6, 18])).toBe(2);
    const nines = [9, 9, 9, 9, 9, 9];
    expect([...target]).toEqual([...nines, 1, 0, 0, 0, 0, 1, ...nines, 0, 1, 0, 0, 0, 1]);
    expect(() => writeFrames(recording, settings, target, [6, 19])).toThrow('frame 1 does not fit');
  });

  it('pass over events outside the sensor, and put times in order', () => {
    const disordered = eventsOf([
      [10, 1, 0, 1],
      [0, 0, 0, 1],
      [3, 3, 0, 1],
      [3, 0, 65_535, 1],
    ]);
    expect([...framesOf(disordered, preprocessing({ representation: 'binary' })).data]).toEqual([
      1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0,
    ]);
  });

  it('of an empty recording are zeros', () => {
    const { data } = framesOf(eventsOf([]), preprocessing({}));
    expect(data.every((value) => value === 0)).toBe(true);
  });
});

describe('settings of frames', () => {
  it('are those that the documentation shows', () => {
    const text = readFileSync(new URL('../../../docs/events.md', import.meta.url), 'utf8');
    const shown = /## Events to frames[\s\S]*?```json\n([\s\S]*?)```/.exec(text)![1]!;
    expect(parseEventPreprocessing(JSON.parse(shown))).toMatchObject({
      size: [32, 32],
      fit: 'crop',
      scale: { clip: 4 },
    });
  });

  it('fill in what is left out', () => {
    expect(preprocessing({})).toEqual({
      sensor: [2, 3],
      window: { by: 'bins', bins: 2, of: 'time', overlap: 0, convention: 'ours' },
      timeSteps: 2,
      representation: { kind: 'polarities' },
      size: [2, 3],
      fit: 'scale',
      scale: { clip: null, logarithm: false, divide: 1 },
    });
  });

  it.each([
    [{ representation: 'timeSurface' }, 'representation.tau'],
    [{ representation: { kind: 'voxelGrid', bins: 0 } }, 'representation.bins'],
    [{ representation: 'colours' }, 'representation.kind'],
    [{ size: [4, 4] }, 'size'],
    [{ sensor: [0, 3] }, 'sensor.0'],
    [{ timeSteps: 1.5 }, 'timeSteps'],
    [{ timeSteps: 65_536, sensor: [4096, 4096] }, 'timeSteps'],
    [{ scale: { divide: 0 } }, 'scale.divide'],
    [{ window: { by: 'bins', bins: 2, size: 3 } }, 'window'],
  ])('refuse %j, naming %s', (changes, field) => {
    expect(() => preprocessing(changes as Partial<EventPreprocessingInput>)).toThrow(
      `event preprocessing: the settings are wrong at ${field}: `,
    );
  });
});
