/**
 * A format of recordings, as its file of this folder describes it and `formats.ts` lists it: how it is recognised, and what reads it. Steps of the clock and coordinates
 * outside the sensor are checked for all formats in one place (`openEvents.ts`).
 */
import type { ByteSource } from './byteSource.js';
import type { EventFormatName, Events, Sensor, Skipped } from './events.js';
import type { Inlet } from './inlet.js';
import type { TableOptions } from './tableColumns.js';

export interface EventFormat {
  /** One, or the variants that one reader tells apart. */
  readonly names: readonly EventFormatName[];
  /** Lower case, with the dot. They decide only where no format recognises the content. */
  readonly extensions: readonly string[];
  /** Whether a file that begins with these bytes (up to 64 KiB, fewer where fewer have arrived) is of this format; left out by formats without a mark. */
  readonly recognises?: (head: Uint8Array) => boolean;
  /**
   * Reads the header.
   *
   * @throws DataError when it cannot be used.
   */
  open(opening: Opening): Promise<Opened>;
}

/** Bits as they are stored, or as the program that wrote them shows them. */
export type Convention = 'stored' | 'jaer';

export interface Opening {
  readonly source: ByteSource;
  /** The bytes of the source from the beginning. Formats that read by range leave it alone. */
  readonly inlet: Inlet;
  /** The variant that was asked for by name. */
  readonly variant: EventFormatName | undefined;
  readonly convention: Convention;
  /** What was said about tables, which do not say everything themselves. */
  readonly table: TableOptions;
  /** To be counted in by `chunks`: all but `stepsBack` and `outsideSensor`. */
  readonly skipped: Skipped;
}

export interface Opened {
  readonly format: EventFormatName;
  /** What the file says, or its format fixes. */
  readonly sensor: Sensor | undefined;
  /** Runs of at least one event each. */
  chunks(): AsyncGenerator<Events, void, undefined>;
}
