/**
 * The CRC-32 of zip archives (polynomial 0xEDB88320, reflected; ISO 3309). Four tables, one 32-bit word per turn: several
 * hundred megabytes a second, so checking a checkpoint costs less than reading it.
 */

const TABLES = makeTables();

/**
 * The CRC-32 of the bytes as an unsigned number.
 *
 * @param before That of the bytes that came before them, for contents in parts.
 */
export function crc32(bytes: Uint8Array, before = 0): number {
  const [first, second, third, fourth] = TABLES;
  let crc = ~before;
  let index = 0;
  for (const end = bytes.length - 3; index < end; index += 4) {
    crc ^= bytes[index]! | (bytes[index + 1]! << 8) | (bytes[index + 2]! << 16) | (bytes[index + 3]! << 24);
    crc = fourth[crc & 0xff]! ^ third[(crc >>> 8) & 0xff]! ^ second[(crc >>> 16) & 0xff]! ^ first[crc >>> 24]!;
  }
  for (; index < bytes.length; index++) crc = first[(crc ^ bytes[index]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

type Tables = readonly [Int32Array, Int32Array, Int32Array, Int32Array];

function makeTables(): Tables {
  const tables: Tables = [new Int32Array(256), new Int32Array(256), new Int32Array(256), new Int32Array(256)];
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    tables[0][byte] = crc;
  }
  for (let byte = 0; byte < 256; byte++) {
    for (const [level, table] of tables.slice(1).entries()) {
      const previous = tables[level]![byte]!;
      table[byte] = tables[0][previous & 0xff]! ^ (previous >>> 8);
    }
  }
  return tables;
}
