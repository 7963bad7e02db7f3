// @ts-check
/**
 * `npm start`: from a fresh clone to labels for the photographs that come with it. Arguments go to `predict`:
 * `npm start -- --checkpoint FILE`. `npm start -- --task segment IMAGE` asks the model that ships for another task.
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

/** The model that ships for what is asked; none for classification, whose is the default. */
const models = { classify: [], detect: ['--model', 'bccd'], segment: ['--model', 'camvid'] };

/**
 * Arguments for `predict`: `--task` names a shipped model, and with images of one's own the bundled ones are left out.
 *
 * @param {readonly string[]} given
 * @returns {string[]}
 */
function predictArguments(given) {
  const at = given.indexOf('--task');
  if (at < 0) return ['predict', ...photographs(), ...given];
  const task = given[at + 1] ?? '';
  if (!Object.hasOwn(models, task)) {
    process.stderr.write(`--task: found "${task}"; expected ${Object.keys(models).join(', ')}\n`);
    process.exit(2);
  }
  const rest = given.toSpliced(at, 2);
  const files = rest.length > 0 && !rest[0]?.startsWith('-') ? [] : photographs();
  return ['predict', ...files, ...rest, ...models[/** @type {keyof typeof models} */ (task)]];
}

await setUpOrExit((text) => process.stdout.write(text));
returnToCaller('start');
await runCommandLine(predictArguments(process.argv.slice(2)));
