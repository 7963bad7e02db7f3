/**
 * Recordings of event cameras: runs of events as columns, what a reader of a recording is, and what it counts as it reads. Times are microseconds; coordinates and
 * polarities are the bits that a file stores, neither mirrored nor flipped (`docs/events.md` says what each format means by them).
 */

/** The formats, as messages, options and JSON name them. */
export const eventFormatNames = [
  'aedat2',
  'aedat2-dvs128',
  'aedat2-davis240c',
  'aedat3',
  'aedat4',
  'evt2',
  'evt3',
  'prophesee-dat',
  'nmnist-bin',
  'es',
  'npy',
  'npz',
  'hdf5',
  'csv',
] as const;

export type EventFormatName = (typeof eventFormatNames)[number];

/**
 * A run of events in the order of their file. Columns may be longer than `length`, and are valid until the next run is asked for: readers fill the same memory
 * again.
 */
export interface Events {
  readonly length: number;
  /** Microseconds, whole numbers, no offset taken away. */
  readonly t: Float64Array;
  readonly x: Uint16Array;
  /** The format says whether row 0 is at the top. */
  readonly y: Uint16Array;
  /** 1 where the stored bit is set, else 0. */
  readonly p: Uint8Array;
}

/** Pixels. */
export interface Sensor {
  readonly width: number;
  readonly height: number;
}

/** What a reader met that is no good event, counted. Nothing of it ends the reading unless `strict` is asked for. */
export interface Skipped {
  /** Bytes at the end of the file that are no whole record; a whole record of them would have become events. */
  truncatedBytes: number;
  /** Bytes in the midst of the file that make no sense (a packet that does not unpack) and were passed over. */
  damagedBytes: number;
  /** Rows of a table, or lines of a text, that are no event, and were passed over. */
  damagedRows: number;
  /** Events earlier than the event in front of them. They are handed out. */
  stepsBack: number;
  /** Events outside the sensor. They are handed out; frames leave them out. */
  outsideSensor: number;
  /** Events in front of the first word that says the time, or the row. */
  beforeFirstTime: number;
  /** Events that the file itself marks as invalid. Not a fault. */
  invalid: number;
  /** Triggers from outside: edges on the camera's pins. Not a fault. */
  triggers: number;
  /** Records of other kinds: frames, inertial samples, special events, words of the camera. Not a fault. */
  other: number;
}

/** Nothing counted yet. */
export function nothingSkipped(): Skipped {
  return {
    truncatedBytes: 0,
    damagedBytes: 0,
    damagedRows: 0,
    stepsBack: 0,
    outsideSensor: 0,
    beforeFirstTime: 0,
    invalid: 0,
    triggers: 0,
    other: 0,
  };
}

/** A recording that was recognised and whose header was read. It runs in Node and in a page. */
export interface EventReader {
  /** What messages call the recording. */
  readonly name: string;
  readonly format: EventFormatName;
  /** As asked for, else as the file or its format says. */
  readonly sensor: Sensor | undefined;
  /** Grows while the events are read. */
  readonly skipped: Readonly<Skipped>;
  /**
   * The events, in runs of bounded size, as the bytes arrive; can be asked for once.
   *
   * @throws DataError when the file cannot be read further, or for the first fault where `strict` was asked for.
   */
  chunks(): AsyncGenerator<Events, void, undefined>;
}
