// @ts-check
/**
 * `npm run -s spikeformer -- COMMAND`: the command line of this clone, built first where the sources changed. Standard
 * output belongs to the command; progress of the set-up is shown only to a person at a terminal.
 */
import { returnToCaller, runCommandLine } from './commandLine.mjs';
import { setUpOrExit } from './setup.mjs';

const lab = process.argv[2] === 'lab';
await setUpOrExit(
  (text) => {
    if (process.stderr.isTTY) process.stderr.write(text);
  },
  { lab },
);
returnToCaller('spikeformer');
await runCommandLine(process.argv.slice(2));
