// @ts-check
/** `npm run build`: makes dist/ where it is missing or older than the sources. Also runs before packing. */
import { setUpOrExit } from './setup.mjs';

// To standard error, because `npm pack` prints its own result on standard output.
await setUpOrExit((text) => process.stderr.write(text));
