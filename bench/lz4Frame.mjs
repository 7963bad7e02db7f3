// @ts-check
/** The simplest LZ4 (https://github.com/lz4/lz4/tree/dev/doc): greedy matches by a table of four bytes, blocks of 64 KiB that know nothing of each other. For files to read in a bench. */
import { xxhash32 } from '../dist/data/events/xxhash32.js';

const blockBytes = 1 << 16;
/** A block ends with literals, and the last match begins this far in front of its end. */
const endBytes = 12;

/** @param {Buffer} content */
export function lz4Frame(content) {
  const header = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0]);
  header[6] = xxhash32(header.subarray(4, 6)) >>> 8;
  const parts = [header];
  for (let from = 0; from < content.length; from += blockBytes) {
    const block = packedBlock(content.subarray(from, from + blockBytes));
    const size = Buffer.alloc(4);
    size.writeUInt32LE(block.length);
    parts.push(size, block);
  }
  return Buffer.concat([...parts, Buffer.alloc(4)]);
}

/** @param {Buffer} input */
function packedBlock(input) {
  const output = Buffer.alloc(input.length + Math.ceil(input.length / 255) + 16);
  const table = new Int32Array(1 << 13).fill(-1);
  let [to, anchor] = [0, 0];
  const lengthBytes = (/** @type {number} */ length) => {
    for (let left = length - 15; left >= 0; left -= 255) output[to++] = Math.min(left, 255);
  };
  const literals = (/** @type {number} */ end, /** @type {number} */ match) => {
    const count = end - anchor;
    output[to++] = (Math.min(count, 15) << 4) | Math.min(match, 15);
    lengthBytes(count);
    input.copy(output, to, anchor, end);
    to += count;
  };
  for (let at = 0; at < input.length - endBytes; ) {
    const word = input.readUInt32LE(at);
    const slot = Math.imul(word, 2654435761) >>> 19;
    const from = table[slot] ?? -1;
    table[slot] = at;
    if (from < 0 || input.readUInt32LE(from) !== word) {
      at++;
      continue;
    }
    let length = 4;
    while (at + length < input.length - 5 && input[from + length] === input[at + length]) length++;
    literals(at, length - 4);
    output.writeUInt16LE(at - from, to);
    to += 2;
    lengthBytes(length - 4);
    at += length;
    anchor = at;
  }
  literals(input.length, 0);
  return output.subarray(0, to);
}
