#!/usr/bin/env node
/** The executable `spikeformer`: the command line of `program.ts` inside a process of its own. */
import { decodesUnderWay } from '../data/decodingRules.js';
import { processIo } from './io.js';
import { OutputError } from './outputStream.js';
import { main, report } from './program.js';
import { exitCodes } from './session.js';

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

/** How long decodes may keep the process from ending: any after Ctrl-C, else those that took too long already. Milliseconds. */
const patience = { interrupted: 100, givenUp: 5000 } as const;

/**
 * Leaves the process to end by itself with `code`. Node waits for its threads even in `process.exit`, so where one does not come back from
 * native code only a signal ends it: after Ctrl-C SIGINT, which shells report as 130 too.
 */
async function end(code: number): Promise<void> {
  process.exitCode = code;
  const interrupted = code === exitCodes.interrupted;
  const expected = () => decodesUnderWay.count - (interrupted ? 0 : decodesUnderWay.givenUp);
  await waitWhile(() => expected() > 0, interrupted ? patience.interrupted : Number.POSITIVE_INFINITY);
  if (!interrupted) await waitWhile(() => decodesUnderWay.count > 0, patience.givenUp);
  if (decodesUnderWay.count > 0) {
    process.removeAllListeners('SIGINT');
    process.kill(process.pid, interrupted ? 'SIGINT' : 'SIGKILL');
  }
  // Decodes that would still begin are not wanted any more.
  if (interrupted) process.stdout.write('', () => process.exit());
}

async function waitWhile(condition: () => boolean, milliseconds: number): Promise<void> {
  const deadline = performance.now() + milliseconds;
  while (condition() && performance.now() < deadline) await new Promise((next) => setTimeout(next, 10));
}

await end(await main(process.argv.slice(2), io));
