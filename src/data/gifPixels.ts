/**
 * GIF's compressed pixels (LZW with codes of up to 12 bits, in blocks of up to 255 bytes), drawn into an RGB image. Time is
 * linear in codes and pixels whatever the codes are: no string of the table is longer than the table.
 */

/** Where coded pixels are in the file, and where they belong on the screen. */
export interface CodedPixels {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly interlaced: boolean;
  /** Bits of an index, at most 8. */
  readonly codeBits: number;
  /** Place of the first block. */
  readonly start: number;
}

/** RGB rows of `width` pixels, and the RGB of each index. */
export interface Screen {
  readonly data: Uint8Array;
  readonly width: number;
  readonly colours: Uint8Array;
}

const mostBits = 12;
const tableSize = 1 << mostBits;

/** Draws all pixels. Where the codes do not have them all, says why; those before are drawn. */
export function drawPixels(bytes: Uint8Array, pixels: CodedPixels, screen: Screen): string | undefined {
  const indices = new Uint8Array(pixels.width * pixels.height);
  const { count, damage } = readIndices(new CodeReader(bytes, pixels.start), pixels.codeBits, indices);
  drawIndices(indices.subarray(0, count), pixels, screen);
  return damage;
}

interface Indices {
  readonly count: number;
  readonly damage?: string;
}

/** A table's strings: each is another one, and one more index. */
class Strings {
  readonly before = new Uint16Array(tableSize);
  readonly last = new Uint8Array(tableSize);
  readonly lengths = new Uint16Array(tableSize);
  readonly #target: Uint8Array;

  constructor(alphabet: number, target: Uint8Array) {
    this.#target = target;
    for (let index = 0; index < alphabet; index++) {
      this.last[index] = index;
      this.lengths[index] = 1;
    }
  }

  add(code: number, before: number, last: number): void {
    this.before[code] = before;
    this.last[code] = last;
    this.lengths[code] = this.lengths[before]! + 1;
  }

  /** Writes a string, as far as there is room, and gives its first index. */
  write(code: number, place: number): number {
    let rest = code;
    let to = place + this.lengths[code]! - 1;
    for (; to >= this.#target.length; to--) rest = this.before[rest]!;
    for (; to > place; to--) {
      this.#target[to] = this.last[rest]!;
      rest = this.before[rest]!;
    }
    this.#target[place] = this.last[rest]!;
    return this.last[rest]!;
  }
}

/** Fills `target` with indices, in the file's order. */
function readIndices(codes: CodeReader, codeBits: number, target: Uint8Array): Indices {
  const clear = 1 << codeBits;
  const strings = new Strings(clear, target);
  let [next, width, previous, first, count] = [clear + 2, codeBits + 1, -1, 0, 0];
  while (count < target.length) {
    const code = codes.take(width);
    if (code < 0) return { count, damage: 'pixels are missing at its end' };
    if (code === clear) {
      [next, width, previous] = [clear + 2, codeBits + 1, -1];
      continue;
    }
    if (code === clear + 1) return { count, damage: 'its codes end before its pixels' };
    if (code > (previous < 0 ? clear : next)) return { count, damage: 'it has a code that was not defined' };
    // A string that is only now defined begins as the previous one.
    const isNew = previous >= 0 && code === next;
    if (isNew) strings.add(next, previous, first);
    first = strings.write(code, count);
    count += strings.lengths[code]!;
    if (previous >= 0 && next < tableSize) {
      if (!isNew) strings.add(next, previous, first);
      // Pillow's rule: with indices of one bit this never happens.
      if (next === (1 << width) - 1 && width < mostBits) width++;
      next++;
    }
    previous = code;
  }
  return { count: target.length };
}

/** First row and step of the passes over a picture: of one that is interlaced, and of others. */
const passes = {
  interlaced: [
    [0, 8],
    [4, 8],
    [2, 4],
    [1, 2],
  ],
  plain: [[0, 1]],
} as const;

function drawIndices(indices: Uint8Array, pixels: CodedPixels, { data, width, colours }: Screen): void {
  let from = 0;
  for (const [firstRow, step] of pixels.interlaced ? passes.interlaced : passes.plain) {
    for (let row = firstRow; row < pixels.height && from < indices.length; row += step) {
      const end = Math.min(from + pixels.width, indices.length);
      for (let to = 3 * ((pixels.top + row) * width + pixels.left); from < end; from++, to += 3) {
        const colour = 3 * indices[from]!;
        data[to] = colours[colour]!;
        data[to + 1] = colours[colour + 1]!;
        data[to + 2] = colours[colour + 2]!;
      }
    }
  }
}

/** Codes of any width, lowest bits first, out of blocks that begin with their length. */
class CodeReader {
  readonly #bytes: Uint8Array;
  #place: number;
  #blockEnd: number;
  #buffer = 0;
  #bits = 0;

  constructor(bytes: Uint8Array, start: number) {
    this.#bytes = bytes;
    this.#place = start;
    this.#blockEnd = start;
  }

  /** -1 when there is none: behind the empty block, or where a block is cut off. */
  take(width: number): number {
    while (this.#bits < width) {
      if (this.#place === this.#blockEnd && !this.#enterBlock()) return -1;
      this.#buffer |= this.#bytes[this.#place++]! << this.#bits;
      this.#bits += 8;
    }
    const code = this.#buffer & ((1 << width) - 1);
    this.#buffer >>= width;
    this.#bits -= width;
    return code;
  }

  #enterBlock(): boolean {
    const length = this.#bytes[this.#place] ?? 0;
    const start = this.#place + 1;
    if (length === 0 || start + length > this.#bytes.length) return false;
    this.#place = start;
    this.#blockEnd = start + length;
    return true;
  }
}
