/**
 * What `predict` takes for an image: a file, a folder of them, an address of this machine, or standard input. Nothing is fetched from elsewhere: a program that
 * looks at images has no business on the net.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeImage, maximumImageBytes } from '../data/decode.js';
import { locate, readFolder, systemPath } from '../data/fileNames.js';
import type { RgbImage } from '../data/image.js';
import { UsageError } from '../errors.js';
import type { Io } from './io.js';
import { counted } from './text.js';

/** What is read by a glance at names; a file that is named itself may be called anything. */
const extensions = /\.(jpe?g|png|webp|gif|tiff?|avif)$/i;

export const standardInput = '-';

const localHosts: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/** An answer that takes longer is given up, in milliseconds. */
const patience = 30_000;

const isAddress = (source: string) => /^https?:/i.test(source);

/**
 * The images that an argument names, in order: those of a folder by name, without its sub-folders, hidden files and whatever is not called like an image.
 *
 * @throws UsageError when a folder has none.
 */
export async function picturesOf(argument: string): Promise<readonly string[]> {
  if (argument === standardInput || isAddress(argument)) return [argument];
  const place = await locate(argument);
  const status = await stat(systemPath(place)).catch(() => undefined);
  if (!status?.isDirectory()) return [place];
  const { folders, files } = await readFolder(place).catch((cause: NodeJS.ErrnoException) => {
    throw new UsageError(`${argument}: cannot be read as a folder (${cause.code}); check its permissions`, { cause });
  });
  const pictures = files.filter((name) => extensions.test(name) && !name.startsWith('.')).sort();
  if (pictures.length > 0) return pictures.map((name) => join(place, name));
  const inner = `only ${counted(folders.length, 'folder')}, and folders in a folder are not searched; name those`;
  throw new UsageError(`${argument}: holds no images${folders.length > 0 ? `, ${inner}` : '; name another'}`);
}

/**
 * The pixels of one image.
 *
 * @throws UsageError for an address of another machine or an answer that is no image; else as `decodeImage`.
 */
export async function readPicture(io: Io, source: string): Promise<RgbImage> {
  if (source === standardInput) return decodeImage(await bytesOfInput(io), 'standard input');
  if (isAddress(source)) return decodeImage(await fetched(source), source);
  return decodeImage(source);
}

async function bytesOfInput({ stdin }: Io): Promise<Uint8Array> {
  if (!stdin) throw new UsageError('standard input: is a terminal; send an image, as in: predict - < cat.jpg');
  try {
    return await collected(stdin, 'standard input');
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    throw new UsageError(`standard input: cannot be read (${(cause as Error).message}); send an image`, { cause });
  }
}

/** @throws UsageError for more than an image may have, before it is all in memory. */
async function collected(parts: AsyncIterable<Uint8Array>, name: string): Promise<Uint8Array> {
  const kept: Uint8Array[] = [];
  let length = 0;
  for await (const part of parts) {
    length += part.length;
    if (length > maximumImageBytes)
      throw new UsageError(`${name}: has more than the ${maximumImageBytes} bytes allowed; scale the image down`);
    kept.push(part);
  }
  return Buffer.concat(kept);
}

async function fetched(address: string): Promise<Uint8Array> {
  expectLocal(address);
  try {
    const response = await fetch(address, { redirect: 'manual', signal: AbortSignal.timeout(patience) });
    if (response.status !== 200 || !response.body) {
      await response.body?.cancel();
      throw new UsageError(`${address}: the server answered ${response.status}; expected 200 and an image`);
    }
    return await collected(partsOf(response.body), address);
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    throw new UsageError(`${address}: cannot be fetched (${reasonOf(cause as Error)}); check that it is served`, {
      cause,
    });
  }
}

/** Browsers' streams are no iterables for TypeScript. Who stops reading ends the transfer. */
async function* partsOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) yield part.value;
  } finally {
    await reader.cancel();
  }
}

function expectLocal(address: string): void {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url) throw new UsageError(`${address}: is not an address; expected one such as http://localhost:8080/cat.jpg`);
  if (!localHosts.has(url.hostname)) {
    throw new UsageError(
      `${address}: is on another machine, and only addresses of this one (localhost) are fetched; download the image and name the file`,
    );
  }
  if (url.username || url.password) throw new UsageError(`${address}: has a name or password, which is not supported`);
}

/** Undici hides what happened in the cause. */
function reasonOf(error: Error): string {
  if (error.name === 'TimeoutError') return `no answer within ${patience / 1000} s`;
  const { cause } = error;
  return cause instanceof Error ? (cause as NodeJS.ErrnoException).code || cause.message : error.message;
}
