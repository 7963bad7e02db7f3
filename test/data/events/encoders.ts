/** Recordings made for a test, written here from the descriptions of the formats, one event at a time; they have no part of the readers. */

export type Event = readonly [t: number, x: number, y: number, p: number];

/** Bytes of words of some bytes each, the least significant first unless told. */
export function words(bytes: 1 | 2 | 4, values: readonly number[], isBig = false): Uint8Array {
  const view = new DataView(new ArrayBuffer(bytes * values.length));
  for (const [i, value] of values.entries()) {
    if (bytes === 1) view.setUint8(i, value);
    else if (bytes === 2) view.setUint16(2 * i, value, !isBig);
    else view.setUint32(4 * i, value, !isBig);
  }
  return new Uint8Array(view.buffer);
}

export const text = (value: string) => new TextEncoder().encode(value);

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

const int64 = (value: number) => new Uint8Array(BigInt64Array.of(BigInt(value)).buffer);

/** An EVTS FlatBuffer with its size in front: root offset, identifier, table of fields, table, vector. */
export function eventsFlatBuffer(events: readonly Event[]): Uint8Array {
  const table = joined(words(2, [6, 8, 4, 0]), words(4, [8, 4, events.length]));
  const structures = events.map(([t, x, y, p]) => joined(int64(t), words(2, [x, y]), words(1, [p, 0, 0, 0])));
  const body = joined(words(4, [16]), text('EVTS'), table, ...structures);
  return joined(words(4, [body.length]), body);
}

export function aedat4Header(compression: number, description = streamDescription, table = -1): Uint8Array {
  const fields = joined(words(2, [10, 20, 4, 12, 8, 0]), words(4, [12, compression, 12]), int64(table));
  const body = joined(words(4, [20]), text('IOHE'), fields, words(4, [description.length]), text(`${description}\0`));
  return joined(text('#!AER-DAT4.0\r\n'), words(4, [body.length]), body);
}

export const streamDescription =
  '<node name="0" path="/"><attr key="typeIdentifier" type="string">EVTS</attr><node name="info"><attr key="sizeX" type="int">64</attr><attr key="sizeY" type="int">48</attr></node></node>';

export function packet(stream: number, content: Uint8Array): Uint8Array {
  return joined(words(4, [stream, content.length]), content);
}

/** The two words of EVT3 that say a time. */
export function evt3Time(t: number): number[] {
  return [0x8000 | ((t >> 12) & 0xfff), 0x6000 | (t & 0xfff)];
}

/** A polarity packet of AEDAT 3.1; `marks` says which events are valid. */
export function aedat3Packet(
  events: readonly Event[],
  overflow = 0,
  isValid: (i: number) => boolean = () => true,
): Uint8Array {
  const header = joined(words(2, [1, 1]), words(4, [8, 4, overflow, events.length + 3, events.length, events.length]));
  const data = events.map(([t, x, y, p], i) => words(4, [(x << 17) | (y << 2) | (p << 1) | (isValid(i) ? 1 : 0), t]));
  return joined(header, ...data);
}

export const jaer = (chip: string) => text(`#!AER-DAT2.0\r\n# AEChip: ${chip}\r\n`);
export const dvs128 = jaer('ch.unizh.ini.jaer.chip.retina.DVS128');
export const aedat3 = text('#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n');
export const three: readonly Event[] = [
  [10, 1, 2, 0],
  [20, 3, 4, 1],
  [30, 5, 6, 1],
];

export const dvsRecord = ([t, x, y, p]: Event) => words(4, [(y << 8) | (x << 1) | p, t], true);
