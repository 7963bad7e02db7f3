// @ts-check
/** Puts right what a parser checks first, so that damage reaches what lies behind: checksums of tar headers, CRCs of PNG chunks and zip records. */
import { crc32 } from '../../dist/interop/crc32.js';

/** Every 512-byte block that looks like a header gets the checksum it should have. @param {Buffer} bytes */
export function repairTar(bytes) {
  const copy = Buffer.from(bytes);
  for (let at = 0; at + 512 <= copy.length; at += 512) {
    if (copy.toString('latin1', at + 257, at + 262) !== 'ustar') continue;
    copy.fill(0x20, at + 148, at + 156);
    let sum = 0;
    for (let i = 0; i < 512; i++) sum += copy[at + i] ?? 0;
    copy.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148, 'latin1');
  }
  return copy;
}

/** The CRC behind every chunk. @param {Buffer} bytes */
export function repairPng(bytes) {
  const copy = Buffer.from(bytes);
  for (let at = 8; at + 12 <= copy.length; ) {
    const length = copy.readUInt32BE(at);
    if (at + 12 + length > copy.length) break;
    copy.writeUInt32BE(crc32(copy.subarray(at + 4, at + 8 + length)) >>> 0, at + 8 + length);
    at += 12 + length;
  }
  return copy;
}

/** The CRC of every stored record, in its own header and in the directory. @param {Buffer} bytes */
export function repairZip(bytes) {
  const copy = Buffer.from(bytes);
  const end = copy.lastIndexOf('PK\x05\x06', undefined, 'latin1');
  if (end < 0 || end + 22 > copy.length) return copy;
  let at = copy.readUInt32LE(end + 16);
  for (let records = copy.readUInt16LE(end + 10); records > 0 && at + 46 <= copy.length; records--) {
    if (copy.readUInt32LE(at) !== 0x02014b50) return copy;
    const size = copy.readUInt32LE(at + 20);
    const header = copy.readUInt32LE(at + 42);
    if (copy.readUInt16LE(at + 10) === 0 && header + 30 <= copy.length) {
      const start = header + 30 + copy.readUInt16LE(header + 26) + copy.readUInt16LE(header + 28);
      const sum = crc32(copy.subarray(start, start + size)) >>> 0;
      copy.writeUInt32LE(sum, at + 16);
      copy.writeUInt32LE(sum, header + 14);
    }
    at += 46 + copy.readUInt16LE(at + 28) + copy.readUInt16LE(at + 30) + copy.readUInt16LE(at + 32);
  }
  return copy;
}
