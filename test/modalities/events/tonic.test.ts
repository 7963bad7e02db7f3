/** Every case of the golden file of tonic (d0cb6df3): windows, representations, filters, moves. */
import { describe, expect, it } from 'vitest';
import { setBits } from '../../../src/modalities/events/bitFrames.js';
import type { Events } from '../../../src/modalities/events/columns.js';
import {
  centreBox,
  cropArea,
  cropTime,
  decimate,
  denoise,
  dropArea,
  dropEvents,
  dropPixels,
  dropTime,
  hotPixels,
  refractoryPeriod,
  type SensorSize,
} from '../../../src/modalities/events/filters.js';
import { addHats, hatsShape } from '../../../src/modalities/events/hats.js';
import {
  alignTime,
  downsample,
  flipLeftRight,
  flipPolarity,
  flipUpDown,
  jitterSpace,
  jitterTime,
  reverseTime,
} from '../../../src/modalities/events/moves.js';
import { addPolarities, placesOf } from '../../../src/modalities/events/representations.js';
import { parseWindow, type WindowInput } from '../../../src/modalities/events/settings.js';
import type { SliceOptions } from '../../../src/modalities/events/slice.js';
import { slicesOf } from '../../../src/modalities/events/slicing.js';
import { surfaceMemory, writeTimeSurface } from '../../../src/modalities/events/timeSurface.js';
import { addVoxelGrid } from '../../../src/modalities/events/voxelGrid.js';
import { casesOf, eventGolden, expectClose, plain, sensors } from './support.js';

/** Not every case has every field; `params` are those of the Python call. */
interface TonicCase {
  readonly id: string;
  readonly params: Readonly<Record<string, number>> & {
    readonly size: readonly [number, number];
    readonly target_size: readonly [number, number];
  };
  readonly slices: readonly (readonly [number, number])[];
  readonly start: number;
  readonly duration: number;
  readonly x0: number;
  readonly y0: number;
  readonly width: number;
  readonly height: number;
  readonly coordinates: readonly (readonly [x: number, y: number])[];
}

const golden = eventGolden<TonicCase>('tonic');

/** The window and span of a `to_frame` call. */
function windowOf(params: TonicCase['params']): { window: WindowInput; options: SliceOptions } {
  const { time_window, event_count, n_time_bins, n_event_bins, overlap = 0, start_time, end_time } = params;
  const common = { overlap, convention: 'tonic' } as const;
  const includeIncomplete = Boolean(params.include_incomplete);
  const options = {
    ...(start_time === undefined ? {} : { startTime: start_time }),
    ...(end_time === undefined ? {} : { endTime: end_time }),
  };
  if (time_window !== undefined) {
    return { window: { by: 'time', microseconds: time_window, includeIncomplete, ...common }, options };
  }
  if (event_count !== undefined) {
    return { window: { by: 'count', events: event_count, includeIncomplete, ...common }, options };
  }
  if (n_time_bins !== undefined) return { window: { by: 'bins', bins: n_time_bins, ...common }, options };
  return { window: { by: 'bins', bins: n_event_bins!, of: 'events', ...common }, options };
}

type Check = (c: TonicCase, input: Events, sensor: SensorSize) => void;
type Change = (c: TonicCase, input: Events, sensor: SensorSize) => Events;

const tensor = (name: string) => golden!.tensor(name);
const changed =
  (change: Change): Check =>
  (c, input, sensor) => {
    const before = plain(input);
    expect(plain(change(c, input, sensor))).toEqual(plain(golden!.events(c.id)));
    expect(plain(input)).toEqual(before);
  };
const boxOf = ({ x0, y0 }: TonicCase, width: number, height: number) => ({ left: x0, top: y0, width, height });

/** By the second word of the case's name. */
const checks: Readonly<Record<string, Check>> = {
  to_frame: ({ id, params, slices }, input, sensor) => {
    const { window, options } = windowOf(params);
    const made = slicesOf(input, parseWindow(window), options);
    expect(made.map(({ start, end }) => [start, end])).toEqual(
      slices.map(([start, end]) => [start, Math.min(end, input.length)]),
    );
    const { width, height } = sensor;
    const target = new Float32Array(made.length * 2 * height * width);
    for (const [k, { start, end }] of made.entries()) {
      addPolarities(input, start, end, placesOf(height, width), { target, offset: k * 2 * height * width });
    }
    expectClose(target, tensor(id).values, 0);
  },
  voxel: ({ id, params }, input, { height, width }) => {
    const bins = params.n_time_bins!;
    const target = new Float32Array(bins * height * width);
    const polarity = id.includes('bool') ? 'ignored' : 'signed';
    const whole = { start: 0, end: input.length, from: 0, to: 0 };
    const settings = { bins, polarity, convention: 'tonic' } as const;
    addVoxelGrid(input, whole, placesOf(height, width), settings, { target, offset: 0 });
    expectClose(target, tensor(id).values, 1e-5);
  },
  timesurface: ({ id, params }, input, { height, width }) => {
    const window = { by: 'time', microseconds: params.dt!, convention: 'tonic' } as const;
    const includeIncomplete = Boolean(params.include_incomplete);
    const slices = slicesOf(input, parseWindow({ ...window, includeIncomplete }));
    const places = placesOf(height, width);
    const memory = surfaceMemory(places);
    const target = new Float32Array(slices.length * 2 * height * width);
    for (const [k, slice] of slices.entries()) {
      writeTimeSurface(input, slice, places, params.tau!, memory, { target, offset: k * 2 * height * width });
    }
    expectClose(target, tensor(id).values, 1e-6);
  },
  hats: ({ id, params }, input, sensor) => {
    const settings = {
      cellSize: params.cell_size!,
      surfaceSize: params.surface_size!,
      timeWindow: params.time_window!,
      tau: params.tau!,
      decay: 'exponential',
    } as const;
    const shape = hatsShape(sensor, settings);
    expect(shape).toEqual(tensor(id).shape);
    const target = new Float32Array(shape.reduce((product, side) => product * side));
    addHats(input, sensor, settings, { target, offset: 0 });
    expectClose(target, tensor(id).values, 1e-5);
  },
  binarep: ({ id }, input, { height, width }) => {
    const slices = slicesOf(input, parseWindow({ by: 'bins', bins: 8, convention: 'tonic' }));
    const target = new Float32Array(2 * 2 * height * width);
    for (const [k, four] of [slices.slice(0, 4), slices.slice(4)].entries()) {
      setBits(input, four, placesOf(height, width), { target, offset: k * 2 * height * width });
    }
    expectClose(target, tensor(id).values, 1e-7);
  },
  time_jitter: ({ id }, input) => {
    const jittered = jitterTime(input, tensor(`${id}.shifts`).values, 'truncate');
    expect(plain(jittered).t).toEqual([...tensor(`${id}.t`).values]);
  },
  spatial_jitter: changed(({ id }, input, sensor) =>
    jitterSpace(input, tensor(`${id}.shifts`).values, sensor, 'truncate'),
  ),
  denoise: changed(({ params }, input, sensor) => denoise(input, params.filter_time!, sensor, 'tonic')),
  refractory: changed(({ params }, input, sensor) =>
    refractoryPeriod(input, params.refractory_period!, sensor, 'tonic'),
  ),
  decimate3: changed((_, input, sensor) => decimate(input, 3, sensor)),
  downsample: changed(({ id, params }, input, { width, height }) =>
    id.endsWith('half')
      ? downsample(input, { horizontal: 0.5, vertical: 0.5 })
      : downsample(input, {
          horizontal: params.target_size[0] / width,
          vertical: params.target_size[1] / height,
          time: params.time_factor!,
        }),
  ),
  centrecrop: changed(({ params }, input, sensor) => {
    const [width, height] = params.size;
    return cropArea(input, centreBox(sensor, { width, height }));
  }),
  randomcrop: changed((c, input) => cropArea(input, boxOf(c, c.params.target_size[0], c.params.target_size[1]))),
  fliplr: changed((_, input, sensor) => flipLeftRight(input, sensor)),
  flipud: changed((_, input, sensor) => flipUpDown(input, sensor)),
  flippol: changed((_, input) => flipPolarity(input)),
  timereversal: changed((_, input) => reverseTime(input)),
  timealign: changed((_, input) => alignTime(input)),
  croptime: changed(({ params }, input) => cropTime(input, params.min!, params.max!)),
  drop_event: changed(({ id }, input) => dropEvents(input, tensor(`${id}.dropped`).values)),
  drop_by_time: changed(({ start, duration }, input) => dropTime(input, start, start + duration)),
  drop_by_area: changed((c, input) => dropArea(input, boxOf(c, c.width, c.height))),
  hot_pixel: changed(({ params, coordinates }, input, sensor) => {
    const hot = hotPixels(input, params.hot_pixel_frequency!, sensor);
    expect(hot).toEqual(coordinates.map(([x, y]) => y * sensor.width + x));
    return dropPixels(input, hot, sensor);
  }),
};

describe.skipIf(golden === undefined)('events as tonic has them', () => {
  it.each(casesOf(golden))('%s', (id, c) => {
    const [record, kind] = id.split('.') as [string, string];
    checks[kind]!(c, golden!.events(`${record}.in`), sensors[record]!);
  });
});
