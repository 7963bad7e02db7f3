/** Recordings written to files of Node: under a temporary name, renamed when they are whole. */
import { closeSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { replaceNodeFile } from '../../interop/nodeFile.js';
import type { EventSink } from './eventWriter.js';

/** Small pieces are gathered up to this. */
const bufferBytes = 1 << 20;

/**
 * Writes a file by a sink. On failure nothing of it is left, and what was at `path` before is untouched.
 *
 * @throws what `write` throws, and an error naming the file when the system takes no more.
 */
export async function writeNodeRecording(path: string, write: (sink: EventSink) => Promise<void>): Promise<void> {
  await replaceNodeFile(path, async (temporary) => {
    const sink = new NodeSink(path, openSync(temporary, 'wx+'));
    try {
      await write(sink);
      sink.sync();
    } finally {
      sink.close();
    }
  });
}

class NodeSink implements EventSink {
  size = 0;
  readonly name: string;
  readonly #descriptor: number;
  readonly #buffer = new Uint8Array(bufferBytes);
  #buffered = 0;

  constructor(name: string, descriptor: number) {
    this.name = name;
    this.#descriptor = descriptor;
  }

  append(bytes: Uint8Array): void {
    if (this.#buffered + bytes.length > bufferBytes) this.#flush();
    if (bytes.length > bufferBytes) this.#write(bytes, this.size);
    else {
      this.#buffer.set(bytes, this.#buffered);
      this.#buffered += bytes.length;
    }
    this.size += bytes.length;
  }

  put(bytes: Uint8Array, position: number): void {
    this.#flush();
    this.#write(bytes, position);
    this.size = Math.max(this.size, position + bytes.length);
  }

  read(target: Uint8Array, position: number): number {
    this.#flush();
    return readSync(this.#descriptor, target, 0, target.length, position);
  }

  truncate(size: number): void {
    this.#flush();
    ftruncateSync(this.#descriptor, size);
    this.size = size;
  }

  sync(): void {
    this.#flush();
    fsyncSync(this.#descriptor);
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #flush(): void {
    const count = this.#buffered;
    this.#buffered = 0;
    if (count > 0) this.#write(this.#buffer.subarray(0, count), this.size - count);
  }

  #write(bytes: Uint8Array, position: number): void {
    for (let done = 0; done < bytes.length; )
      done += writeSync(this.#descriptor, bytes, done, bytes.length - done, position + done);
  }
}
