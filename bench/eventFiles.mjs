// @ts-check
/**
 * Recordings of event cameras in every binary format, written from the formats' descriptions: for `events.mjs`, which reads them against the clock, and for `fuzz/`, which damages
 * them. Events are made: edges that cross a sensor, neighbours in a row at once, and noise.
 */
import { spawnSync } from 'node:child_process';
import { lz4Frame } from './lz4Frame.mjs';

/** @typedef {{ t: Float64Array, x: Uint16Array, y: Uint16Array, p: Uint8Array, length: number, duration: number, width: number, height: number }} Columns */

/**
 * @typedef {object} FileKind
 * @property {string} format
 * @property {string} extension
 * @property {[number, number]} sensor
 * @property {() => Buffer} header
 * @property {(events: Columns, offset: number) => Buffer} body events, their times later by `offset` microseconds
 */

/** @param {number} count @param {[number, number]} sensor @returns {Columns} */
export function madeEvents(count, [width, height]) {
  let state = 1;
  const below = (/** @type {number} */ limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  const t = new Float64Array(count);
  const [x, y, p] = [new Uint16Array(count), new Uint16Array(count), new Uint8Array(count)];
  let time = 0;
  for (let i = 0; i < count; ) {
    time += below(4) === 0 ? 1 : 0;
    const row = below(height);
    // Three of four are edges of some columns, the others single.
    const run = below(10) === 0 ? 2 + below(10) : 1;
    const start = below(Math.max(1, width - run));
    const polarity = below(2);
    for (let k = 0; k < run && i < count && start + k < width; k++, i++) {
      t[i] = time;
      x[i] = start + k;
      y[i] = row;
      p[i] = polarity;
    }
  }
  return { t, x, y, p, length: count, duration: time + 1, width, height };
}

const text = (/** @type {string} */ value) => Buffer.from(value, 'latin1');

/** Two words of 32 bits for each event. @param {Columns} events @param {boolean} isBig @param {(i: number) => [number, number]} pair */
function pairs(events, isBig, pair) {
  const bytes = Buffer.alloc(8 * events.length);
  for (let i = 0; i < events.length; i++) {
    const [first, second] = pair(i);
    if (isBig) {
      bytes.writeUInt32BE(first >>> 0, 8 * i);
      bytes.writeUInt32BE(second >>> 0, 8 * i + 4);
    } else {
      bytes.writeUInt32LE(first >>> 0, 8 * i);
      bytes.writeUInt32LE(second >>> 0, 8 * i + 4);
    }
  }
  return bytes;
}

/** @param {Columns} events @param {number} offset */
function evt2Body({ t, x, y, p, length }, offset) {
  const words = new Uint32Array(2 * length + 1);
  let [n, high] = [0, -1];
  for (let i = 0; i < length; i++) {
    const time = t[i] + offset;
    const next = Math.floor(time / 64) % 2 ** 28;
    if (next !== high) {
      words[n++] = 0x80000000 + next;
      high = next;
    }
    words[n++] = (p[i] << 28) | ((time % 64) << 22) | (x[i] << 11) | y[i];
  }
  return Buffer.from(words.buffer, 0, 4 * n);
}

/** Neighbours in a row become vectors from three on. @param {Columns} events @param {number} offset */
function evt3Body({ t, x, y, p, length }, offset) {
  const words = new Uint16Array(6 * length + 8);
  let [n, high, low, row] = [0, -1, -1, -1];
  for (let i = 0; i < length; ) {
    const time = (t[i] + offset) % 2 ** 24;
    if (time >> 12 !== high) {
      high = time >> 12;
      words[n++] = 0x8000 | high;
      low = -1;
    }
    if ((time & 0xfff) !== low) {
      low = time & 0xfff;
      words[n++] = 0x6000 | low;
    }
    if (y[i] !== row) {
      row = y[i];
      words[n++] = row;
    }
    let run = 1;
    while (
      run < 12 &&
      i + run < length &&
      t[i + run] === t[i] &&
      y[i + run] === row &&
      p[i + run] === p[i] &&
      x[i + run] === x[i] + run
    )
      run++;
    if (run < 3) words[n++] = 0x2000 | (p[i] << 11) | x[i];
    else {
      words[n++] = 0x3000 | (p[i] << 11) | x[i];
      words[n++] = (run > 8 ? 0x4000 : 0x5000) | ((1 << run) - 1);
    }
    i += run < 3 ? 1 : run;
  }
  return Buffer.from(words.buffer, 0, 2 * n);
}

/** @param {Columns} events @param {number} offset */
function digitsBody({ t, x, y, p, length }, offset) {
  const bytes = Buffer.alloc(5 * length);
  for (let i = 0; i < length; i++) {
    bytes[5 * i] = x[i];
    bytes[5 * i + 1] = y[i];
    // The time has 23 bits: later repetitions begin again.
    bytes.writeUIntBE((p[i] << 23) | ((t[i] + offset) % 2 ** 23), 5 * i + 2, 3);
  }
  return bytes;
}

/** @param {Columns} events */
function eventStreamBody({ t, x, y, p, length, duration }) {
  const bytes = Buffer.alloc(5 * length + Math.ceil(duration / 127) + 8);
  let [n, last] = [0, 0];
  const passTo = (/** @type {number} */ time) => {
    for (; time - last > 126; last += 127) bytes[n++] = 0xff;
  };
  for (let i = 0; i < length; i++) {
    passTo(t[i]);
    bytes[n++] = ((t[i] - last) << 1) | p[i];
    last = t[i];
    bytes.writeUInt16LE(x[i], n);
    bytes.writeUInt16LE(y[i], n + 2);
    n += 4;
  }
  passTo(duration + 127);
  return bytes.subarray(0, n);
}

const packetEvents = 4096;

/** @param {Columns} events @param {(from: number, count: number) => Buffer} packet */
function inPackets({ length }, packet) {
  const parts = [];
  for (let from = 0; from < length; from += packetEvents)
    parts.push(packet(from, Math.min(packetEvents, length - from)));
  return Buffer.concat(parts);
}

/** @param {Columns} events @param {number} offset */
function aedat3Body(events, offset) {
  const { t, x, y, p } = events;
  return inPackets(events, (from, count) => {
    const bytes = Buffer.alloc(28 + 8 * count);
    const overflow = Math.floor((t[from] + offset) / 2 ** 31);
    bytes.writeInt16LE(1, 0);
    for (const [i, value] of [8, 4, overflow, count, count, count].entries()) bytes.writeInt32LE(value, 4 + 4 * i);
    for (let i = 0; i < count; i++) {
      const k = from + i;
      bytes.writeUInt32LE(((x[k] << 17) | (y[k] << 2) | (p[k] << 1) | 1) >>> 0, 28 + 8 * i);
      // A packet in which the overflow changes keeps its first.
      bytes.writeInt32LE(Math.min(t[k] + offset - overflow * 2 ** 31, 2 ** 31 - 1), 32 + 8 * i);
    }
    return bytes;
  });
}

const start1970 = 1.6e15;

/** @param {(content: Buffer) => Buffer} pack @returns {FileKind['body']} */
const aedat4Body = (pack) => (events, offset) => {
  const { t, x, y, p } = events;
  return inPackets(events, (from, count) => {
    const content = Buffer.alloc(36 + 16 * count);
    content.writeUInt32LE(content.length - 4, 0);
    content.writeUInt32LE(20, 4);
    content.write('EVTS', 8, 'latin1');
    // The table of fields (6 bytes long, table of 8, field at 4) and the table; then the vector.
    for (const [i, value] of [0, 6, 8, 4].entries()) content.writeUInt16LE(value, 14 + 2 * i);
    for (const [i, value] of [8, 4, count].entries()) content.writeUInt32LE(value, 24 + 4 * i);
    for (let i = 0, at = 36; i < count; i++, at += 16) {
      const k = from + i;
      const time = start1970 + t[k] + offset;
      content.writeUInt32LE(time % 2 ** 32, at);
      content.writeUInt32LE(Math.floor(time / 2 ** 32), at + 4);
      content.writeUInt16LE(x[k], at + 8);
      content.writeUInt16LE(y[k], at + 10);
      content[at + 12] = p[k];
    }
    const packed = pack(content);
    const header = Buffer.alloc(8);
    header.writeInt32LE(packed.length, 4);
    return Buffer.concat([header, packed]);
  });
};

/** @param {number} compression */
function aedat4Header(compression) {
  const description = text(
    '<node name="0"><attr key="typeIdentifier" type="string">EVTS</attr><node name="info"><attr key="sizeX" type="int">640</attr><attr key="sizeY" type="int">480</attr></node></node>\0',
  );
  const fields = Buffer.alloc(52);
  fields.writeUInt32LE(fields.length - 4 + description.length, 0);
  fields.writeUInt32LE(24, 4);
  fields.write('IOHE', 8, 'latin1');
  for (const [i, value] of [10, 20, 4, 12, 8].entries()) fields.writeUInt16LE(value, 16 + 2 * i);
  for (const [i, value] of [12, compression, 12].entries()) fields.writeUInt32LE(value, 28 + 4 * i);
  fields.writeBigInt64LE(-1n, 40);
  fields.writeUInt32LE(description.length - 1, 48);
  return Buffer.concat([text('#!AER-DAT4.0\r\n'), fields, description]);
}

/** By the program `zstd`. @param {Buffer} content */
function zstdFrame(content) {
  const { stdout, status } = spawnSync('zstd', ['-q', '-c', '--stream-size', String(content.length)], {
    input: content,
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error('the program zstd is not there; leave out aedat4-zstd');
  return stdout;
}

const jaer = (/** @type {string} */ chip) => () =>
  text(`#!AER-DAT2.0\r\n# AEChip: ${chip}\r\n#End Of ASCII Header\r\n`);

/** @type {Readonly<Record<string, FileKind>>} */
export const fileKinds = {
  evt2: {
    format: 'evt2',
    extension: '.raw',
    sensor: [640, 480],
    header: () => text('% evt 2.0\n% geometry 640x480\n% end\n'),
    body: evt2Body,
  },
  evt3: {
    format: 'evt3',
    extension: '.raw',
    sensor: [1280, 720],
    header: () => text('% evt 3.0\n% geometry 1280x720\n% end\n'),
    body: evt3Body,
  },
  'prophesee-dat': {
    format: 'prophesee-dat',
    extension: '.dat',
    sensor: [640, 480],
    header: () => text('% Data file containing CD events\n% Version 2\n% Width 640\n% Height 480\n\x0c\x08'),
    body: (events, offset) =>
      pairs(events, false, (i) => [events.t[i] + offset, events.x[i] | (events.y[i] << 14) | (events.p[i] << 28)]),
  },
  'aedat2-dvs128': {
    format: 'aedat2-dvs128',
    extension: '.aedat',
    sensor: [128, 128],
    header: jaer('ch.unizh.ini.jaer.chip.retina.DVS128'),
    body: (events, offset) =>
      pairs(events, true, (i) => [(events.y[i] << 8) | (events.x[i] << 1) | events.p[i], events.t[i] + offset]),
  },
  'aedat2-davis240c': {
    format: 'aedat2-davis240c',
    extension: '.aedat',
    sensor: [240, 180],
    header: jaer('eu.seebetter.ini.chips.davis.DAVIS240C'),
    body: (events, offset) =>
      pairs(events, true, (i) => [
        (events.y[i] << 22) | (events.x[i] << 12) | (events.p[i] << 11),
        events.t[i] + offset,
      ]),
  },
  aedat3: {
    format: 'aedat3',
    extension: '.aedat',
    sensor: [346, 260],
    header: () => text('#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DAVIS346\r\n#!END-HEADER\r\n'),
    body: aedat3Body,
  },
  aedat4: {
    format: 'aedat4',
    extension: '.aedat4',
    sensor: [640, 480],
    header: () => aedat4Header(0),
    body: aedat4Body((content) => content),
  },
  'aedat4-lz4': {
    format: 'aedat4',
    extension: '.aedat4',
    sensor: [640, 480],
    header: () => aedat4Header(1),
    body: aedat4Body(lz4Frame),
  },
  'aedat4-zstd': {
    format: 'aedat4',
    extension: '.aedat4',
    sensor: [640, 480],
    header: () => aedat4Header(3),
    body: aedat4Body(zstdFrame),
  },
  'nmnist-bin': { format: 'nmnist-bin', extension: '.bin', sensor: [34, 34], header: () => text(''), body: digitsBody },
  es: {
    format: 'es',
    extension: '.es',
    sensor: [640, 480],
    header: () => Buffer.concat([text('Event Stream\x02\x00\x00\x01'), Buffer.from(Uint16Array.of(640, 480).buffer)]),
    body: eventStreamBody,
  },
};

/** An AEDAT 4 recording of one packet, which is a frame of LZ4 or Zstandard. @param {Buffer} frame */
export function packedPacket(frame) {
  const header = Buffer.alloc(8);
  header.writeInt32LE(frame.length, 4);
  return Buffer.concat([aedat4Header(frame[0] === 0x04 ? 1 : 3), header, frame]);
}
