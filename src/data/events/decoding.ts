/** From a stream of bytes to runs of events, for the formats that are one record after the other: the loop around a decoder. */
import { EventColumns } from './columns.js';
import type { Events, Skipped } from './events.js';
import type { Inlet } from './inlet.js';

/**
 * Decodes whole records from `inlet.start` on, moves `start` behind them and appends events to the columns, until the columns are full or what is left is no whole record.
 * It is called with the unread bytes at offset 0 or at the multiple of the record at which it stopped.
 */
export type Decoder = (inlet: Inlet, columns: EventColumns) => void;

export async function* decoded(inlet: Inlet, skipped: Skipped, decode: Decoder): AsyncGenerator<Events, void> {
  const columns = new EventColumns();
  // What came with the header is decoded before more is waited for.
  await inlet.fill(inlet.length);
  do {
    let before: number;
    do {
      before = inlet.start;
      columns.length = 0;
      decode(inlet, columns);
      if (columns.length > 0) yield columns;
    } while (inlet.start > before);
  } while (await inlet.fill(inlet.length + 1));
  skipped.truncatedBytes += inlet.length;
}
