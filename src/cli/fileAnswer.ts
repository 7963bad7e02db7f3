/**
 * One file as the answer to a request: streamed from the disk as fast as the reader takes it, whole, in the range that was asked for, or not at all when
 * the reader has it already. After RFC 9110, sections 13 and 14; of several ranges at once the whole is sent, as it allows.
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';

export type Headers = Readonly<Record<string, string>>;

/** Says in a line why there is no file. */
export function refuse(response: ServerResponse, status: number, text: string, headers: Headers): void {
  const body = `${text}\n`;
  const about = { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': Buffer.byteLength(body) };
  response.writeHead(status, { ...headers, ...about }).end(body);
}

/**
 * @param path Not followed when it is a link.
 * @param headers Sent with whatever the answer is.
 */
export async function sendFile(
  path: string,
  type: string,
  request: IncomingMessage,
  response: ServerResponse,
  headers: Headers,
): Promise<void> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  } catch (error) {
    return refuseUnopened(response, (error as NodeJS.ErrnoException).code ?? '', headers);
  }
  try {
    await sendOpened(file, type, request, response, headers);
  } finally {
    await file.close();
  }
}

/** A file that cannot be opened now is not one that does not exist. */
function refuseUnopened(response: ServerResponse, code: string, headers: Headers): void {
  if (['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN'].includes(code)) {
    refuse(response, 503, 'too many files are open; try again', { ...headers, 'Retry-After': '1' });
  } else if (['EACCES', 'EPERM', 'EIO'].includes(code)) refuse(response, 500, 'the file cannot be read', headers);
  else refuse(response, 404, 'no such file', headers);
}

async function sendOpened(
  file: FileHandle,
  type: string,
  request: IncomingMessage,
  response: ServerResponse,
  common: Headers,
): Promise<void> {
  const status = await file.stat({ bigint: true });
  if (!status.isFile()) return refuse(response, 404, 'no such file', common);
  const size = Number(status.size);
  const version = {
    tag: `"${status.size.toString(36)}-${status.mtimeNs.toString(36)}"`,
    modified: new Date(Number(status.mtimeMs)).toUTCString(),
  };
  const headers = {
    ...common,
    'Cache-Control': 'no-cache',
    'Accept-Ranges': 'bytes',
    ETag: version.tag,
    'Last-Modified': version.modified,
  };
  if (isKnown(request.headers, version)) {
    response.writeHead(304, headers).end();
    return;
  }
  const range = rangeOf(request, version, size);
  if (range === 'unsatisfiable') {
    return refuse(response, 416, `the file has ${size} bytes`, { ...headers, 'Content-Range': `bytes */${size}` });
  }
  const { start, end } = range ?? { start: 0, end: size - 1 };
  const length = end - start + 1;
  response.writeHead(range ? 206 : 200, {
    ...headers,
    'Content-Type': type,
    'Content-Length': length,
    ...(range ? { 'Content-Range': `bytes ${start}-${end}/${size}` } : {}),
  });
  if (request.method === 'HEAD' || length === 0) {
    response.end();
    return;
  }
  const content = file.createReadStream({ start, end, autoClose: false });
  await pipeline(content, response);
  // The file became shorter meanwhile: the reader must not wait for the rest.
  if (content.bytesRead < length) response.socket?.destroy();
}

interface Version {
  readonly tag: string;
  /** As `Last-Modified` has it, in whole seconds. */
  readonly modified: string;
}

function isKnown(headers: IncomingHttpHeaders, { tag, modified }: Version): boolean {
  const known = headers['if-none-match'];
  if (known !== undefined) {
    return known.trim() === '*' || known.split(',').some((candidate) => candidate.trim().replace(/^W\//, '') === tag);
  }
  const since = Date.parse(headers['if-modified-since'] ?? '');
  return Date.parse(modified) <= since;
}

interface Range {
  readonly start: number;
  /** Inclusive. */
  readonly end: number;
}

/** Undefined for the whole file: no range, one of another version of the file, several, or one that is written wrong. */
function rangeOf(
  { method, headers }: IncomingMessage,
  version: Version,
  size: number,
): Range | 'unsatisfiable' | undefined {
  const condition = headers['if-range'];
  if (method !== 'GET' || headers.range === undefined) return undefined;
  if (condition !== undefined && condition !== version.tag && condition !== version.modified) return undefined;
  const [, first = '', last = ''] = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(headers.range) ?? [];
  if (first === '') return last === '' ? undefined : lastBytes(Number(last), size);
  if (last !== '' && Number(last) < Number(first)) return undefined;
  if (Number(first) >= size) return 'unsatisfiable';
  return { start: Number(first), end: last === '' ? size - 1 : Math.min(Number(last), size - 1) };
}

function lastBytes(count: number, size: number): Range | 'unsatisfiable' {
  return count === 0 || size === 0 ? 'unsatisfiable' : { start: Math.max(0, size - count), end: size - 1 };
}
