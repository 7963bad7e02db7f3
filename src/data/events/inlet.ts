/**
 * Bytes of a stream on their way into a decoder: pieces of any size become one buffer whose unread part begins at 0 after every `fill`, so that typed arrays over the buffer
 * are aligned. It grows only with bytes that have arrived, never with a size that a file claims.
 */
/** Small enough for a processor's second cache; pieces are taken in as many parts as it needs. */
const firstBytes = 1 << 16;

export class Inlet {
  /** Unread bytes are those from `start` to `end`. */
  bytes = new Uint8Array(firstBytes);
  start = 0;
  end = 0;
  /** No more bytes will come. */
  ended = false;
  /** Bytes of the stream in front of `start`. */
  get position(): number {
    return this.#filled - this.length;
  }
  readonly #pieces: AsyncIterator<Uint8Array>;
  #piece: Uint8Array = new Uint8Array();
  #filled = 0;

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#pieces = stream[Symbol.asyncIterator]();
  }

  /** Unread bytes. */
  get length(): number {
    return this.end - this.start;
  }

  /**
   * Moves what is unread to the front and takes in more until `atLeast` bytes are there or the stream has ended. What has arrived beyond that is taken too, as far as there
   * is room.
   *
   * @returns whether `atLeast` bytes are there.
   */
  async fill(atLeast: number): Promise<boolean> {
    this.bytes.copyWithin(0, this.start, this.end);
    this.end -= this.start;
    this.start = 0;
    while (true) {
      this.#take();
      if (this.end >= atLeast) return true;
      if (this.end === this.bytes.length) this.#grow();
      else if (!(await this.#next())) return false;
    }
  }

  /** As `fill`, but bytes that are there already stay where they are. */
  async has(count: number): Promise<boolean> {
    return this.length >= count || this.fill(count);
  }

  /** Passes over bytes without keeping them. @returns how many there were. */
  async skip(count: number): Promise<number> {
    let passed = 0;
    while (passed < count && (await this.has(1))) {
      const some = Math.min(count - passed, this.length);
      this.start += some;
      passed += some;
    }
    return passed;
  }

  /** Ends the stream, if it can be ended from here. */
  async close(): Promise<void> {
    this.ended = true;
    await this.#pieces.return?.();
  }

  #take(): void {
    const count = Math.min(this.#piece.length, this.bytes.length - this.end);
    if (count === 0) return;
    this.bytes.set(this.#piece.subarray(0, count), this.end);
    this.end += count;
    this.#filled += count;
    this.#piece = this.#piece.subarray(count);
  }

  async #next(): Promise<boolean> {
    if (this.ended) return false;
    const { done, value } = await this.#pieces.next();
    if (done) this.ended = true;
    else this.#piece = value;
    return !done;
  }

  #grow(): void {
    const larger = new Uint8Array(this.bytes.length * 2);
    larger.set(this.bytes);
    this.bytes = larger;
  }
}
