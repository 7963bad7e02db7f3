#!/usr/bin/env node
/** The executable `spikeformer`: the command line of `program.ts` inside a process of its own. */
import { processIo } from './io.js';
import { OutputError } from './outputStream.js';
import { main, report } from './program.js';

const io = processIo();

/** Whoever reads a pipe may stop reading, as `head` does: no reason to complain. */
for (const [stream, name] of [
  [process.stdout, 'standard output'],
  [process.stderr, 'standard error'],
] as const) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? 0 : report(new OutputError(name, error), io));
  });
}
process.on('uncaughtException', (error) => process.exit(report(error, io)));

process.exitCode = await main(process.argv.slice(2), io);
