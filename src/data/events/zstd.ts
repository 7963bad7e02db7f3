/**
 * Zstandard frames (RFC 8878) into memory. `fzstd` decodes them; what a frame claims, its window, its content and the number of its blocks, is added up here before, so that a
 * few bytes cannot ask for gigabytes. Checksums are not compared.
 */
import { decompress } from 'fzstd';
import { UnpackError } from './unpacked.js';

const frameMark = 0xfd2fb528;
const skippableMark = 0x184d2a50;
const largestBlock = 1 << 17;
/** `fzstd` takes it for every frame that does not say how long its content is. */
const largestWindow = 1 << 25;

/** @throws UnpackError when it is no Zstandard, or may become more than `limit` bytes. */
export function unpackZstd(packed: Uint8Array, limit: number): Uint8Array {
  checkClaims(packed, limit);
  try {
    return decompress(packed);
  } catch (cause) {
    throw new UnpackError('damaged Zstandard', { cause });
  }
}

function checkClaims(packed: Uint8Array, limit: number): void {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  let most = 0;
  for (let at = 0; at < packed.length; ) {
    need(packed, at, 8);
    const mark = view.getUint32(at, true);
    if ((mark & 0xfffffff0) >>> 0 === skippableMark) at += 8 + view.getUint32(at + 4, true);
    else if (mark === frameMark) {
      const frame = frameAt(packed, view, at);
      most += Math.max(frame.claimed, frame.most);
      at = frame.end;
      if (most > limit) throw new UnpackError(`more than ${limit} bytes`);
    } else throw new UnpackError('no Zstandard frame');
  }
}

function frameAt(packed: Uint8Array, view: DataView, start: number) {
  const flags = packed[start + 4]!;
  const isSingle = (flags & 32) !== 0;
  const sizeBytes = flags >> 6 ? 1 << (flags >> 6) : isSingle ? 1 : 0;
  const dictionaryBytes = [0, 1, 2, 4][flags & 3]!;
  let at = start + 5 + (isSingle ? 0 : 1) + dictionaryBytes;
  need(packed, at, sizeBytes + 3);
  let claimed = 0;
  for (let i = sizeBytes - 1; i >= 0; i--) claimed = claimed * 256 + packed[at + i]!;
  if (sizeBytes === 2) claimed += 256;
  const exponent = packed[start + 5]!;
  const window = isSingle ? claimed : 2 ** (10 + (exponent >> 3)) * (1 + (exponent & 7) / 8);
  at += sizeBytes;
  let most = 0;
  for (let isLast = false; !isLast; ) {
    need(packed, at, 3);
    const header = view.getUint16(at, true) | (packed[at + 2]! << 16);
    const [type, size] = [(header >> 1) & 3, header >> 3];
    isLast = (header & 1) === 1;
    // Stored, one byte repeated, compressed.
    most += type === 2 ? largestBlock : size;
    at += 3 + (type === 1 ? 1 : size);
    if (type === 3 || size > largestBlock) throw new UnpackError('a Zstandard block that cannot be');
  }
  // Blocks of unknown content count by their most, unless the frame says its size.
  if (window > Math.max(largestWindow, claimed))
    throw new UnpackError(`a Zstandard window of more than ${largestWindow} bytes`);
  return { claimed, most: claimed > 0 ? 0 : most, end: at + (flags & 4 ? 4 : 0) };
}

function need(packed: Uint8Array, at: number, count: number): void {
  if (count > packed.length - at) throw new UnpackError('a Zstandard frame that ends early');
}
