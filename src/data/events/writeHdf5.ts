/**
 * Writes HDF5: `events/{t,x,y,p}` as int64, uint16, uint16 and uint8, in chunks of 65,536 that are deflated, and the sensor as `width` and `height` beside them. The library
 * writes through a sink of ours; a chunk of each column is in memory.
 */
import type { Dataset, File } from 'h5wasm';
import type { Events, Sensor } from './events.js';
import type { EventSink, EventWriter, WritableFormat } from './eventWriter.js';
import { type OpenedHdf5, openHdf5File } from './hdf5Library.js';
import { coordinates16, signedTimes } from './writeRecords.js';

const chunkRows = 1 << 16;
const deflation = 4;

type Values = BigInt64Array | Uint16Array | Uint8Array;

export const hdf5: WritableFormat = {
  name: 'hdf5',
  extensions: ['.h5', '.hdf5', '.hdf'],
  limits: { ...coordinates16, ...signedTimes },
  async start(sink, { sensor }) {
    const opened = await openHdf5File(sink.name, virtual(sink), 'w');
    return opened.guarded(() => new Hdf5Writer(opened.file, sensor, opened));
  },
};

function virtual(sink: EventSink) {
  return {
    get size() {
      return sink.size;
    },
    read: (target: Uint8Array, position: number) => sink.read(target, position),
    write: (bytes: Uint8Array, position: number) => sink.put(bytes, position),
    truncate: (size: number) => sink.truncate(size),
  };
}

class Hdf5Writer implements EventWriter {
  readonly #columns: readonly Column[];
  readonly #opened: OpenedHdf5;

  constructor(file: File, sensor: Sensor | undefined, opened: OpenedHdf5) {
    const group = file.create_group('events');
    for (const side of sensor ? (['width', 'height'] as const) : [])
      group.create_attribute(side, Int32Array.of(sensor![side]), [], '<i');
    const column = (name: string, empty: Values, pick: (events: Events) => Values) => {
      const settings = { maxshape: [null], chunks: [chunkRows], compression: deflation };
      return new Column(group.create_dataset({ name, data: empty, shape: [0], ...settings }), pick);
    };
    this.#columns = [
      column('t', new BigInt64Array(0), ({ t, length }) => BigInt64Array.from({ length }, (_, i) => BigInt(t[i]!))),
      column('x', new Uint16Array(0), ({ x, length }) => x.subarray(0, length)),
      column('y', new Uint16Array(0), ({ y, length }) => y.subarray(0, length)),
      column('p', new Uint8Array(0), ({ p, length }) => p.subarray(0, length)),
    ];
    this.#opened = opened;
  }

  write(events: Events): void {
    this.#opened.guarded(() => {
      for (const column of this.#columns) column.append(events);
    });
  }

  end(): void {
    this.#opened.close();
  }

  /** The library would keep the file open. */
  abandon(): void {
    try {
      this.#opened.close();
    } catch {
      // What went wrong is being thrown already.
    }
  }
}

class Column {
  #rows = 0;

  constructor(
    readonly dataset: Dataset,
    readonly pick: (events: Events) => Values,
  ) {}

  append(events: Events): void {
    const next = this.#rows + events.length;
    this.dataset.resize([next]);
    this.dataset.write_slice([[this.#rows, next]], this.pick(events));
    this.#rows = next;
  }
}
