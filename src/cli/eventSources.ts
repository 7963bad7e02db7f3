/** Where a recording of events comes from on the command line: a file, standard input, or a socket of this machine. */
import { createConnection, createServer, type Socket } from 'node:net';
import type { ByteSource } from '../data/events/byteSource.js';
import { openNodeSource, sourceFromStream } from '../data/events/nodeSource.js';
import { UsageError } from '../errors.js';
import type { Io } from './io.js';
import { loopback } from './labServer.js';
import { standardInput } from './pictures.js';

/** A source and what ends it. */
export interface OpenedSource {
  readonly source: ByteSource;
  close(): Promise<void>;
}

const socketAddress = /^tcp:\/\/([^/:]+|\[::1\]):(\d{1,5})\/?$/;
const ownHosts: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * @param argument A path, `-`, or `tcp://localhost:PORT`.
 * @throws UsageError for an address of another machine or a connection that fails; DataError for a file that cannot be read.
 */
export async function openEventSource(io: Io, argument: string): Promise<OpenedSource> {
  if (argument === standardInput) return fromStandardInput(io);
  if (/^tcp:/i.test(argument)) return fromSocket(argument, await connected(argument));
  const source = await openNodeSource(argument);
  return { source, close: () => source.close() };
}

function fromStandardInput({ stdin }: Io): OpenedSource {
  if (!stdin)
    throw new UsageError('-: standard input is a terminal; send a recording, as in `cat FILE | spikeformer stream -`');
  return { source: sourceFromStream(stdin, 'standard input'), close: async () => undefined };
}

/** Waits for one connection on the loopback address. @throws UsageError when the port cannot be used. */
export async function listenForEvents(io: Io, port: number, signal: AbortSignal): Promise<OpenedSource> {
  const server = createServer();
  try {
    const socket = await new Promise<Socket>((resolve, reject) => {
      const stop = () => reject(new UsageError('--listen: stopped before anything connected'));
      signal.addEventListener('abort', stop, { once: true });
      server.once('error', (cause) =>
        reject(new UsageError(`--listen ${port}: cannot be used: ${cause.message}; give another port`, { cause })),
      );
      server.once('connection', resolve);
      server.listen(port, loopback, () => {
        const address = server.address();
        const taken = typeof address === 'object' && address ? address.port : port;
        io.stderr.write(`waiting for events on ${loopback}:${taken}\n`);
      });
    });
    return fromSocket(`${loopback}:${port}`, socket);
  } finally {
    server.close();
  }
}

function fromSocket(name: string, socket: Socket): OpenedSource {
  return {
    source: sourceFromStream(socket, name),
    close: async () => {
      socket.destroy();
    },
  };
}

function connected(address: string): Promise<Socket> {
  const [, host = '', digits = ''] = socketAddress.exec(address) ?? [];
  const port = Number(digits);
  if (host === '' || port < 1 || port > 65_535)
    throw new UsageError(`${address}: is no address of a socket; expected one such as tcp://localhost:7777`);
  if (!ownHosts.has(host.toLowerCase()))
    throw new UsageError(
      `${address}: is on another machine, and only sockets of this one (localhost) are read; forward the port`,
    );
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: host === '[::1]' ? '::1' : host, port });
    socket.once('connect', () => resolve(socket));
    socket.once('error', (cause) =>
      reject(
        new UsageError(`${address}: does not answer (${cause.message}); start what sends the events first`, { cause }),
      ),
    );
  });
}
