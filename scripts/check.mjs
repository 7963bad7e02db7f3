// @ts-check
/** `npm run check`: everything that can be said about the sources without running them. */
import { runChecks } from './checks.mjs';
import { setUpOrExit } from './setup.mjs';

await setUpOrExit((text) => process.stdout.write(text));
const { failed } = await runChecks();
process.exitCode = failed === 0 ? 0 : 1;
