/** A checkpoint at an address, fetched whole: what `fetch` answers, in Node and in browsers, becomes bytes or one line of an error. */
import { UsageError } from '../errors.js';
import { fileFromBytes, type RandomAccessFile } from './randomAccessFile.js';

/** @throws UsageError when the address cannot be reached, or answers with something else than a file. */
export async function openRemoteFile(address: string | URL): Promise<RandomAccessFile> {
  const name = nameOf(address);
  let response: Response;
  try {
    response = await fetch(address);
    if (response.ok) return fileFromBytes(new Uint8Array(await response.arrayBuffer()), name);
  } catch (cause) {
    throw new UsageError(`${name}: cannot be fetched (${reasonOf(cause)}); check the address and the connection`, {
      cause,
    });
  }
  throw new UsageError(
    `${name}: the server answered ${`${response.status} ${response.statusText}`.trim()}; check the address`,
  );
}

/** Node hides the reason below "fetch failed". */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message;
}

/** An address that holds the whole file (`data:`) would fill the screen. */
function nameOf(address: string | URL): string {
  const text = String(address);
  return text.length > 200 ? `${text.slice(0, 60)}…` : text;
}
