/**
 * Standard output and standard error as commands write to them: every byte is written, or the command ends and says what the system said.
 * A full disk is nobody's defect. Node's own streams take a short write for a whole one, so files are written to here.
 */
import { fstatSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';

export interface TextStream {
  write(text: string): unknown;
}

/** Thrown through everything that a command does: there is nobody left to answer to. */
export class OutputError extends Error {
  readonly code: string;

  constructor(stream: string, cause: NodeJS.ErrnoException) {
    super(`${stream}: cannot be written to (${reasonOf(cause)}); make room or send it elsewhere`, { cause });
    this.name = 'OutputError';
    this.code = cause.code ?? '';
  }
}

/** `ENOSPC: no space left on device, write` without the call, which tells a person nothing. */
function reasonOf({ message }: NodeJS.ErrnoException): string {
  return message.replace(/, \w+$/, '');
}

/** @param name What messages call it. */
export function outputStream(stream: NodeJS.WriteStream & { readonly fd: number }, name: string): TextStream {
  return isFile(stream.fd) ? { write: (text) => writeAll(stream.fd, text, name) } : stream;
}

/** Files and devices other than terminals; pipes, sockets and terminals are left to Node, which waits for slow readers. */
function isFile(descriptor: number): boolean {
  try {
    const status = fstatSync(descriptor);
    return (status.isFile() || status.isCharacterDevice()) && !isatty(descriptor);
  } catch {
    return false;
  }
}

/** @throws OutputError when the system takes no more. */
export function writeAll(descriptor: number, text: string, name: string): void {
  const bytes = Buffer.from(text);
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done);
  } catch (cause) {
    throw new OutputError(name, cause as NodeJS.ErrnoException);
  }
}
