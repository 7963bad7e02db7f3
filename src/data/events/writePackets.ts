/**
 * Writers of formats that put events into packets: AEDAT 3.1 (cAER) and AEDAT 4 (DV), the latter not compressed and without a table of packets, which its readers can do without.
 * Layouts are those of the readers beside this file.
 */
import type { Events, Sensor } from './events.js';
import type { EventSink, WritableFormat } from './eventWriter.js';
import { ascii, putTime, signedTimes } from './writeRecords.js';

const packetHeaderBytes = 28;
const polarityType = 1;

/** Cameras whose sensors readers know by name. */
const cameras: readonly (readonly [string, Sensor])[] = [
  ['DVS128', { width: 128, height: 128 }],
  ['DAVIS240C', { width: 240, height: 180 }],
  ['DAVIS346', { width: 346, height: 260 }],
];

function cameraOf(sensor: Sensor | undefined): string {
  const known = cameras.find(([, { width, height }]) => width === sensor?.width && height === sensor.height);
  return known?.[0] ?? 'Unknown';
}

export const aedat3: WritableFormat = {
  name: 'aedat3',
  extensions: ['.aedat3'],
  limits: { x: 0x7fff, y: 0x7fff, t: Number.MAX_SAFE_INTEGER, earliest: 0, stepBack: Number.POSITIVE_INFINITY },
  start(sink, { sensor }) {
    const lines = ['#!AER-DAT3.1', '#Format: RAW', `#Source 1: ${cameraOf(sensor)}`, '#!END-HEADER', ''];
    sink.append(ascii(lines.join('\r\n')));
    return {
      write(events) {
        // A packet's events share the upper bits of their times.
        for (let from = 0; from < events.length; ) {
          const overflow = Math.floor(events.t[from]! / 2 ** 31);
          let to = from + 1;
          while (to < events.length && Math.floor(events.t[to]! / 2 ** 31) === overflow) to++;
          sink.append(polarityPacket(events, from, to, overflow));
          from = to;
        }
      },
      end: () => undefined,
    };
  },
};

function polarityPacket({ t, x, y, p }: Events, from: number, to: number, overflow: number): Uint8Array {
  const count = to - from;
  const bytes = new Uint8Array(packetHeaderBytes + 8 * count);
  const view = new DataView(bytes.buffer);
  view.setInt16(0, polarityType, true);
  view.setInt16(2, 1, true);
  // Size of an event, offset of its time, overflow, capacity, number, number of valid ones.
  for (const [i, value] of [8, 4, overflow, count, count, count].entries()) view.setInt32(4 + 4 * i, value, true);
  for (let i = from, at = packetHeaderBytes; i < to; i++, at += 8) {
    view.setUint32(at, ((x[i]! << 17) | (y[i]! << 2) | (p[i]! << 1) | 1) >>> 0, true);
    view.setUint32(at + 4, t[i]! % 2 ** 31, true);
  }
  return bytes;
}

export const aedat4: WritableFormat = {
  name: 'aedat4',
  extensions: ['.aedat4'],
  limits: { x: 0x7fff, y: 0x7fff, ...signedTimes },
  start(sink, { sensor }) {
    sink.append(ascii('#!AER-DAT4.0\r\n'));
    sink.append(ioHeader(description(sensor)));
    return { write: (events) => writeEventPacket(sink, events), end: () => undefined };
  },
};

/** The tree that DV's modules keep, as far as a reader asks for it. */
function description(sensor: Sensor | undefined): string {
  const path = '/mainloop/Recorder/outInfo/';
  const text = (key: string, value: string) => `<attr key="${key}" type="string">${value}</attr>`;
  const size = sensor
    ? `<attr key="sizeX" type="int">${sensor.width}</attr><attr key="sizeY" type="int">${sensor.height}</attr>`
    : '';
  return [
    `<dv version="2.0"><node name="outInfo" path="${path}"><node name="0" path="${path}0/">`,
    text('compression', 'NONE') + text('originalModuleName', 'capture') + text('originalOutputName', 'events'),
    text('typeDescription', 'Array of events (polarity ON/OFF).') + text('typeIdentifier', 'EVTS'),
    `<node name="info" path="${path}0/info/">${size}${text('source', cameraOf(sensor))}</node>`,
    '</node></node></dv>',
  ].join('');
}

/** Offsets in the two FlatBuffers below: a size, the offset of the root table, an identifier, then what the table of fields says. */
const fieldsAt = 12;

/** Fields: compression (none), the place of the table of packets (there is none), the description. */
function ioHeader(text: string): Uint8Array {
  const [table, string] = [24, 44];
  const content = ascii(text);
  const bytes = new Uint8Array(Math.ceil((string + 4 + content.length + 1) / 8) * 8);
  const view = new DataView(bytes.buffer);
  beginBuffer(view, 'IOHE', table, [10, 20, 4, 8, 16]);
  view.setInt32(table + 4, 0, true);
  view.setBigInt64(table + 8, -1n, true);
  view.setUint32(table + 16, string - (table + 16), true);
  view.setUint32(string, content.length, true);
  bytes.set(content, string + 4);
  return bytes;
}

/** One field: a vector of structures of 16 bytes, which begin at a multiple of 8. */
function writeEventPacket(sink: EventSink, { length, t, x, y, p }: Events): void {
  const [table, vector, first] = [20, 28, 32];
  const header = new Uint8Array(8);
  const bytes = new Uint8Array(first + 16 * length);
  const view = new DataView(bytes.buffer);
  new DataView(header.buffer).setInt32(4, bytes.length, true);
  beginBuffer(view, 'EVTS', table, [6, 8, 4]);
  view.setUint32(table + 4, vector - (table + 4), true);
  view.setUint32(vector, length, true);
  for (let i = 0, at = first; i < length; i++, at += 16) {
    putTime(view, at, t[i]!);
    view.setUint16(at + 8, x[i]!, true);
    view.setUint16(at + 10, y[i]!, true);
    view.setUint8(at + 12, p[i]!);
  }
  sink.append(header);
  sink.append(bytes);
}

function beginBuffer(view: DataView, identifier: string, table: number, fields: readonly number[]): void {
  view.setUint32(0, view.byteLength - 4, true);
  view.setUint32(4, table - 4, true);
  new Uint8Array(view.buffer).set(ascii(identifier), 8);
  for (const [i, value] of fields.entries()) view.setUint16(fieldsAt + 2 * i, value, true);
  view.setInt32(table, table - fieldsAt, true);
}
