/**
 * What the command line needs of the process around it, so that it can run inside another one (a test) as well. Commands write
 * results to `stdout` and everything else to `stderr`; they never touch `process` themselves.
 */
import { isatty } from 'node:tty';
import pc from 'picocolors';
import { outputStream, type TextStream } from './outputStream.js';

export interface Io {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  /** Standard input, unless a person types there. */
  readonly stdin?: AsyncIterable<Uint8Array>;
  /** Standard error when a person watches it: a progress bar may move there. */
  readonly terminal?: NodeJS.WritableStream;
  readonly colours: Colours;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Calls back at the first Ctrl-C, unless the returned function was called before; a second one ends the process. */
  onInterrupt(callback: () => void): () => void;
}

export type Colours = Pick<typeof pc, 'bold' | 'dim' | 'cyan' | 'yellow'>;

export const plainColours: Colours = pc.createColors(false);

export function processIo(): Io {
  const { stdout, stderr, env } = process;
  const standardInput = {
    // Asked for only when it is read: a stream that was touched keeps the process waiting.
    async *[Symbol.asyncIterator]() {
      yield* process.stdin;
    },
  };
  return {
    stdout: outputStream(stdout, 'standard output'),
    stderr: outputStream(stderr, 'standard error'),
    ...(isatty(0) ? {} : { stdin: standardInput }),
    ...(stderr.isTTY ? { terminal: stderr } : {}),
    colours: stdout.isTTY && pc.isColorSupported ? pc.createColors(true) : plainColours,
    environment: env,
    onInterrupt(callback) {
      process.once('SIGINT', callback);
      return () => {
        process.off('SIGINT', callback);
      };
    },
  };
}
