/** Memory that threads share, for images: where there is none (a flag of Node, a full address space) a person is told so. */
import { DataError } from './errors.js';

/** @throws DataError naming what the memory was for. */
export function sharedMemory(bytes: number, what: string): SharedArrayBuffer {
  if (typeof SharedArrayBuffer === 'undefined') {
    throw new DataError(
      `${what}: threads cannot share memory in this Node; start it without --no-harmony-sharedarraybuffer`,
    );
  }
  try {
    return new SharedArrayBuffer(bytes);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    const mebibytes = Math.ceil(bytes / 2 ** 20);
    throw new DataError(
      `${what}: the system has no ${mebibytes} MiB of memory left for it; free some, raise the limit of the address space (ulimit -v) or use less data`,
      { cause },
    );
  }
}
