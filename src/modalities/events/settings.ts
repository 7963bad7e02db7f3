/**
 * What becomes of a recording before a network sees it, as one description that a configuration file can hold: the sensor, how it is cut
 * into windows, what is drawn of a window, at what size and scale. Nothing here is random; that is in `augmentationSettings.ts`.
 */
import * as z from 'zod';
import { DataError } from '../../data/errors.js';

/** Coordinates are 16 bits, frames have to fit into memory. */
const side = z.int().min(1).max(4096);
const sizeSchema = z.tuple([side, side]);
/** Times are whole microseconds; a window of them has a whole length, so that its borders are exact. */
const microseconds = z.int().min(1).max(1e12);

export const conventions = ['ours', 'tonic', 'spikingjelly', 'spikingjelly-0.0.0.0.12'] as const;
/** Whose definition of windows; `ours` loses no event. */
const convention = z.enum(conventions).default('ours');
/** Only tonic asks: whether a last window that the recording does not fill is made. */
const includeIncomplete = z.boolean().default(false);

const windowSchema = z
  .discriminatedUnion('by', [
    z.strictObject({
      by: z.literal('time'),
      microseconds,
      /** Microseconds that a window shares with the one before. */
      overlap: z.int().min(0).max(1e12).default(0),
      /** Windows without events: frames of zeros, or no frames at all, so that a network sleeps while nothing happens. */
      empty: z.enum(['shown', 'leftOut']).default('shown'),
      convention,
      includeIncomplete,
    }),
    z.strictObject({
      by: z.literal('count'),
      events: z.int().min(1).max(1e9),
      /** Events that a window shares with the one before. */
      overlap: z.int().min(0).max(1e9).default(0),
      convention,
      includeIncomplete,
    }),
    z.strictObject({
      by: z.literal('bins'),
      /** How many windows, whatever the length of the recording. */
      bins: z.int().min(1).max(65_536),
      /** Equal spans of time, or equal numbers of events. */
      of: z.enum(['time', 'events']).default('time'),
      /** By what share of itself a bin is made longer, into the next. */
      overlap: z.number().min(0).lt(1).default(0),
      convention,
    }),
  ])
  .superRefine((window, context) => {
    const refuse = (field: string, message: string) => context.addIssue({ code: 'custom', path: [field], message });
    const length = window.by === 'time' ? window.microseconds : window.by === 'count' ? window.events : 1;
    if (window.overlap >= length) refuse('overlap', `must be less than the window, which is ${length}`);
    if (window.by === 'time' && window.empty === 'leftOut' && (window.overlap > 0 || window.convention !== 'ours')) {
      refuse('empty', 'windows can be left out where they do not overlap and are cut by our own convention');
    }
    if (window.convention.startsWith('spikingjelly')) {
      if (window.overlap > 0) refuse('overlap', 'spikingjelly has no overlapping windows; take "ours" or "tonic"');
      if (window.by === 'count') refuse('convention', 'spikingjelly has no windows by count; take "ours" or "tonic"');
    }
    if (window.by !== 'bins' && window.includeIncomplete && window.convention !== 'tonic') {
      refuse('includeIncomplete', 'is tonic\'s; "ours" always includes the last window');
    }
  });

const representationSchema = z.preprocess(
  (value) => (typeof value === 'string' ? { kind: value } : value),
  z.discriminatedUnion('kind', [
    /** Two channels: how many events of polarity 0, of polarity 1. */
    z.strictObject({ kind: z.literal('polarities') }),
    /** One channel: events of polarity 1 less those of polarity 0. */
    z.strictObject({ kind: z.literal('signed') }),
    /** One channel: 1 where there is an event of any polarity. */
    z.strictObject({ kind: z.literal('binary') }),
    /** As many channels as bins: signed, shared between the two nearest times (Zhu et al. 2019). */
    z.strictObject({
      kind: z.literal('voxelGrid'),
      bins: z.int().min(1).max(256),
      /** `tonic` loses the last event of a window. */
      convention: z.enum(['ours', 'tonic']).default('ours'),
      /** `ignored`: every event counts +1. */
      polarity: z.enum(['signed', 'ignored']).default('signed'),
    }),
    /** Two channels: exp(−age/τ) of the last event of each polarity, of all windows so far. */
    z.strictObject({ kind: z.literal('timeSurface'), tau: z.number().positive().max(1e12) }),
    /** Two channels: 1 in that of the polarity of the last event, as a later one paints over an earlier in a picture. */
    z.strictObject({ kind: z.literal('hardvs') }),
    /** Two channels: a window in so many equal parts, each a bit, the first the highest; all bits are 1 (Barchid et al. 2022). */
    z.strictObject({ kind: z.literal('bits'), bits: z.int().min(1).max(16) }),
  ]),
);

const scaleSchema = z.strictObject({
  /** Values are brought between −clip and clip first. */
  clip: z.number().positive().max(1e9).nullable().default(null),
  /** Then sign(v)·ln(1 + |v|) is taken. */
  logarithm: z.boolean().default(false),
  /** Then they are divided. */
  divide: z.number().positive().max(1e9).default(1),
});

/** Of one recording's frames: 512 MiB. */
export const mostValues = 1 << 27;

/** Channels of a frame. */
export function channelsOf(representation: Representation): number {
  if (representation.kind === 'voxelGrid') return representation.bins;
  return representation.kind === 'signed' || representation.kind === 'binary' ? 1 : 2;
}

/** See the fields; {@link parseEventPreprocessing} fills in what is left out. */
export const eventPreprocessingSchema = z
  .strictObject({
    /** Height and width of what recorded; events outside are left out. */
    sensor: sizeSchema,
    window: windowSchema,
    /** Windows that a network sees: later ones are left out, missing ones are zero frames at the end. */
    timeSteps: z.int().min(1).max(65_536),
    representation: representationSchema.default({ kind: 'polarities' }),
    /** Height and width of the frames; the sensor's by default. */
    size: sizeSchema.optional(),
    /**
     * How the sensor becomes the size. `scale`: each axis by its own factor; `cover`: both by the larger factor, then the centre;
     * `crop`: the centre as it is, with an empty border where the size is larger. Pixels that fall together add up.
     */
    fit: z.enum(['scale', 'cover', 'crop']).default('scale'),
    scale: scaleSchema.default({ clip: null, logarithm: false, divide: 1 }),
  })
  .transform((settings) => ({ ...settings, size: settings.size ?? settings.sensor }))
  .superRefine(({ timeSteps, representation, size }, context) => {
    const values = timeSteps * channelsOf(representation) * size[0] * size[1];
    if (values <= mostValues) return;
    const message = `a recording would become ${values} numbers, more than ${mostValues}; take fewer time steps or a smaller size`;
    context.addIssue({ code: 'custom', path: ['timeSteps'], message });
  })
  .superRefine(({ fit, sensor, size }, context) => {
    if (fit === 'crop' || (size[0] <= sensor[0] && size[1] <= sensor[1])) return;
    const message = `${size.join(' × ')} is larger than the sensor, ${sensor.join(' × ')}, which would leave holes; take "fit": "crop" for an empty border`;
    context.addIssue({ code: 'custom', path: ['size'], message });
  });

/** Preprocessing of events as a person writes it. */
export type EventPreprocessingInput = z.input<typeof eventPreprocessingSchema>;
/** With every field filled in. */
export type EventPreprocessing = z.output<typeof eventPreprocessingSchema>;
/** A window with every field filled in. */
export type WindowSettings = z.output<typeof windowSchema>;
export type WindowInput = z.input<typeof windowSchema>;
export type Representation = z.output<typeof representationSchema>;
export type ScaleSettings = z.output<typeof scaleSchema>;

/** Complete settings out of data from outside. Throws DataError naming `source` and the field that is wrong. */
export function parseEventPreprocessing(value: unknown, source = 'event preprocessing'): EventPreprocessing {
  return parsed(eventPreprocessingSchema, value, source);
}

/** One window's settings out of data from outside. Throws DataError naming `source` and the field that is wrong. */
export function parseWindow(value: unknown, source = 'window'): WindowSettings {
  return parsed(windowSchema, value, source);
}

/** What a schema makes of a value. Throws DataError naming `source` and the field that is wrong. */
export function parsed<Schema extends z.ZodType>(schema: Schema, value: unknown, source: string): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const field = issue.path.length > 0 ? issue.path.join('.') : 'the whole';
  throw new DataError(`${source}: the settings are wrong at ${field}: ${issue.message}`);
}
