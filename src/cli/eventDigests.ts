/** SHA-256 of the columns of a recording, packed without gaps, the least significant byte first: t int64, x uint16, y uint16, p uint8. By these two readers are compared. */
import { createHash } from 'node:crypto';
import type { Events } from '../data/events/events.js';

export class ColumnDigests {
  readonly #hashes = {
    t: createHash('sha256'),
    x: createHash('sha256'),
    y: createHash('sha256'),
    p: createHash('sha256'),
  };
  #words = new Int32Array();

  add({ length, t, x, y, p }: Events): void {
    if (this.#words.length < 2 * length) this.#words = new Int32Array(2 * length);
    const words = this.#words.subarray(0, 2 * length);
    for (let i = 0; i < length; i++) {
      const high = Math.floor(t[i]! / 0x1_0000_0000);
      words[2 * i] = t[i]! - high * 0x1_0000_0000;
      words[2 * i + 1] = high;
    }
    this.#hashes.t.update(words);
    this.#hashes.x.update(x.subarray(0, length));
    this.#hashes.y.update(y.subarray(0, length));
    this.#hashes.p.update(p.subarray(0, length));
  }

  /** In hexadecimal; nothing may be added afterwards. */
  digests(): Readonly<Record<'t' | 'x' | 'y' | 'p', string>> {
    const { t, x, y, p } = this.#hashes;
    return { t: t.digest('hex'), x: x.digest('hex'), y: y.digest('hex'), p: p.digest('hex') };
  }
}
