// @ts-check
/**
 * `npm run build`: makes dist/ where it is missing or older than the sources; `npm run build:lab`, which also runs before packing, makes the
 * static page in lab/dist as well.
 */
import { setUpOrExit } from './setup.mjs';

// To standard error, because `npm pack` prints its own result on standard output.
await setUpOrExit((text) => process.stderr.write(text), { lab: process.argv[2] === 'lab' });
