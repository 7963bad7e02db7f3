// @ts-check
/**
 * `npm start`: from a fresh clone to labels for the photographs that come with it. Arguments go to `predict`:
 * `npm start -- --checkpoint FILE`.
 */
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { returnToCaller, runCommandLine } from './commandLine.mjs';
import { root, setUpOrExit } from './setup.mjs';

/** @returns {string[]} the bundled photographs, as seen from the working folder */
function photographs() {
  const folder = join(root, 'assets', 'photographs');
  const names = readdirSync(folder).filter((name) => /\.(jpe?g|png|webp)$/i.test(name));
  return names.sort().map((name) => relative(process.cwd(), join(folder, name)));
}

await setUpOrExit((text) => process.stdout.write(text));
returnToCaller('start');
await runCommandLine(['predict', ...photographs(), ...process.argv.slice(2)]);
