/**
 * Hands out the static build of the lab on this machine only, with the headers that give a page shared memory and so threads. The folder is read
 * once, at the start: a request is looked up among the files found there and never becomes a path, so there is no way out of the folder.
 */
import { readdir } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { extname, join } from 'node:path';
import { UsageError } from '../errors.js';
import { refuse, sendFile } from './fileAnswer.js';

export const loopback = '127.0.0.1';

/** Sent with everything: isolation for threads, and nothing in or out but the page's own files. */
export const pageHeaders: Readonly<Record<string, string>> = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Content-Security-Policy': [
    "default-src 'none'",
    // The engine's threads are workers made from text, and its kernels WebAssembly.
    "script-src 'self' blob: 'wasm-unsafe-eval'",
    "worker-src 'self' blob:",
    "connect-src 'self' blob:",
    "img-src 'self' blob: data:",
    "media-src 'self' blob:",
    "style-src 'self'",
    "font-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'Permissions-Policy': 'camera=(self), microphone=()',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

/** How long a reader may take, in milliseconds; whoever is slower makes room for others. */
export interface Patience {
  /** From the first byte of a request to the end of its headers, and to the end of all of it. */
  readonly request: number;
  /** Without a byte in either direction. */
  readonly silence: number;
}

const defaultPatience: Patience = { request: 15_000, silence: 60_000 };

/**
 * The names of this machine for itself. A page from elsewhere can make its own name mean this machine (DNS rebinding), but it cannot make the
 * browser send another one than its own.
 */
const ownNames: ReadonlySet<string> = new Set(['localhost', loopback, '[::1]']);

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.jpg': 'image/jpeg',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
};

/** What the browser asks for → where it lies. Hidden files and links are left out, wherever they point. */
async function filesBelow(folder: string, prefix = '/'): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.name.startsWith('.')) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory())
      for (const [name, file] of await filesBelow(path, `${prefix}${entry.name}/`)) found.set(name, file);
    if (entry.isFile()) found.set(prefix + entry.name, path);
  }
  return found;
}

/**
 * @param folder The static build.
 * @param weights The folder of the trained models; the package has them there and not in the build.
 * @param port 0 takes any that is free.
 * @param patience With slow readers.
 * @returns a server that listens, on the loopback address.
 * @throws UsageError when the folder is no build of the lab, or the port cannot be had.
 */
export async function serveLab(
  folder: string,
  weights: string,
  port: number,
  patience: Patience = defaultPatience,
): Promise<Server> {
  const none = () => new Map<string, string>();
  const page = await filesBelow(folder).catch(none);
  const files = new Map([...(await filesBelow(weights, '/models/').catch(none)), ...page]);
  if (!files.has('/index.html'))
    throw new UsageError(
      `lab: the page is not built (${join(folder, 'index.html')} is missing); run npm run build:lab`,
    );
  const limits = {
    headersTimeout: patience.request,
    requestTimeout: patience.request,
    connectionsCheckingInterval: patience.request / 5,
  };
  const server = createServer(limits, (request, response) => {
    answer(files, request, response).catch(() => response.destroy());
  });
  server.timeout = patience.silence;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(refused(error, port)));
    server.listen(port, loopback, resolve);
  });
  return server;
}

function refused(error: NodeJS.ErrnoException, port: number): UsageError {
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: 'another program listens there',
    EACCES: 'this port is reserved for the system',
  };
  const reason = reasons[error.code ?? ''] ?? error.message;
  return new UsageError(`--port: ${port} on ${loopback} cannot be used: ${reason}; give another, or 0 for any`, {
    cause: error,
  });
}

async function answer(
  files: ReadonlyMap<string, string>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!isMeant(request)) return refuse(response, 403, 'this server answers to localhost only', pageHeaders);
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return refuse(response, 405, 'only GET and HEAD', { ...pageHeaders, Allow: 'GET, HEAD' });
  }
  const name = nameOf(request.url ?? '');
  if (name === undefined) return refuse(response, 400, 'not an address', pageHeaders);
  const path = files.get(name === '/' ? '/index.html' : name);
  if (path === undefined) return refuse(response, 404, 'no such file', pageHeaders);
  await sendFile(path, types[extname(path)] ?? 'application/octet-stream', request, response, pageHeaders);
}

/** Whether the request names this machine, under whatever port: it may be forwarded. */
function isMeant({ headersDistinct }: IncomingMessage): boolean {
  const [host, ...others] = headersDistinct.host ?? [];
  if (host === undefined || others.length > 0) return false;
  return ownNames.has(host.toLowerCase().replace(/:\d{1,5}$/, ''));
}

/** The decoded path of an address, or undefined for one that no browser sends. */
function nameOf(address: string): string | undefined {
  if (!address.startsWith('/')) return undefined;
  try {
    const name = decodeURIComponent(address.replace(/[?#].*$/s, ''));
    return name.includes('\0') ? undefined : name;
  } catch {
    return undefined;
  }
}
