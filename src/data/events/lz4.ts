/**
 * LZ4 frames (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md and lz4_Block_format.md) into memory: linked and independent blocks, with and without sizes,
 * several frames in a row, skippable frames. Sizes that a frame claims are not believed: memory grows with what is unpacked, up to a limit. Checksums are compared by
 * `xxhash32.ts`.
 */
import { UnpackError, type Unpacked } from './unpacked.js';
import { xxhash32 } from './xxhash32.js';

const frameMark = 0x184d2204;
const skippableMark = 0x184d2a50;
const shortestMatch = 4;

/** @returns a view on `into`, valid until it is used again. @throws UnpackError */
export function unpackLz4(packed: Uint8Array, into: Unpacked): Uint8Array {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  into.length = 0;
  for (let at = 0; at < packed.length; ) {
    need(packed, at, 8);
    const mark = view.getUint32(at, true);
    if (mark === frameMark) at = unpackFrame(packed, view, at + 4, into);
    else if ((mark & 0xfffffff0) >>> 0 === skippableMark) at += 8 + view.getUint32(at + 4, true);
    else throw new UnpackError('no LZ4 frame');
  }
  return into.bytes.subarray(0, into.length);
}

function unpackFrame(packed: Uint8Array, view: DataView, start: number, into: Unpacked): number {
  const flags = packed[start]!;
  if (flags >> 6 !== 1) throw new UnpackError('an LZ4 frame of another version');
  const [hasBlockChecksums, hasSize, hasChecksum, hasDictionary] = [flags & 16, flags & 8, flags & 4, flags & 1];
  if (hasDictionary) throw new UnpackError('an LZ4 frame that needs a dictionary');
  let at = start + 3 + (hasSize ? 8 : 0);
  need(packed, start, at - start);
  if (((xxhash32(packed.subarray(start, at - 1)) >>> 8) & 0xff) !== packed[at - 1])
    throw new UnpackError('a damaged LZ4 header');
  const first = into.length;
  while (true) {
    need(packed, at, 4);
    const word = view.getUint32(at, true);
    at += 4;
    if (word === 0) break;
    const size = word & 0x7fffffff;
    need(packed, at, size + (hasBlockChecksums ? 4 : 0));
    const block = packed.subarray(at, at + size);
    at += size;
    if (hasBlockChecksums) {
      if (xxhash32(block) !== view.getUint32(at, true)) throw new UnpackError('a damaged LZ4 block');
      at += 4;
    }
    if (word >>> 31) into.append(block);
    else unpackBlock(block, first, into);
  }
  if (hasChecksum) {
    need(packed, at, 4);
    if (xxhash32(into.bytes.subarray(first, into.length)) !== view.getUint32(at, true))
      throw new UnpackError('LZ4 content that differs from its checksum');
    at += 4;
  }
  return at;
}

function need(packed: Uint8Array, at: number, count: number): void {
  if (count > packed.length - at) throw new UnpackError('an LZ4 frame that ends early');
}

/** One block. Matches reach back to what earlier blocks of the frame gave, which begins at `first`. */
function unpackBlock(block: Uint8Array, first: number, into: Unpacked): void {
  const end = block.length;
  let at = 0;
  let to = into.length;
  while (at < end) {
    const token = block[at++]!;
    let literals = token >> 4;
    if (literals === 15) {
      let more: number;
      do {
        if (at >= end) throw new UnpackError('an LZ4 block that ends early');
        more = block[at++]!;
        literals += more;
      } while (more === 255);
    }
    if (literals > end - at) throw new UnpackError('an LZ4 block that ends early');
    let bytes = into.room(to + literals);
    if (literals > 32) bytes.set(block.subarray(at, at + literals), to);
    else for (let i = 0; i < literals; i++) bytes[to + i] = block[at + i]!;
    at += literals;
    to += literals;
    // The last sequence is literals alone.
    if (at === end) break;
    if (end - at < 2) throw new UnpackError('an LZ4 block that ends early');
    const distance = block[at]! | (block[at + 1]! << 8);
    at += 2;
    let length = (token & 15) + shortestMatch;
    if ((token & 15) === 15) {
      let more: number;
      do {
        if (at >= end) throw new UnpackError('an LZ4 block that ends early');
        more = block[at++]!;
        length += more;
      } while (more === 255);
    }
    const from = to - distance;
    if (distance === 0 || from < first) throw new UnpackError('an LZ4 match in front of the content');
    bytes = into.room(to + length);
    if (length > 32 && distance >= length) bytes.copyWithin(to, from, from + length);
    else for (let i = 0; i < length; i++) bytes[to + i] = bytes[from + i]!;
    to += length;
  }
  into.length = to;
}
