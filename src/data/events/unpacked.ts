/** Memory that unpacked bytes are written to, one packet after the other: it grows as they come, up to a limit. */

/** Packed bytes are damaged, or become more than is allowed. Whoever unpacks names the file. */
export class UnpackError extends Error {}

export class Unpacked {
  bytes = new Uint8Array(1 << 16);
  length = 0;

  constructor(readonly limit: number) {}

  /** The memory, with room for `size` bytes; what is in it stays. The length is the writer's to move. */
  room(size: number): Uint8Array {
    if (size <= this.bytes.length) return this.bytes;
    if (size > this.limit) throw new UnpackError(`more than ${this.limit} bytes`);
    const larger = new Uint8Array(Math.min(this.limit, Math.max(size, 2 * this.bytes.length)));
    larger.set(this.bytes);
    this.bytes = larger;
    return larger;
  }

  append(bytes: Uint8Array): void {
    this.room(this.length + bytes.length).set(bytes, this.length);
    this.length += bytes.length;
  }
}
