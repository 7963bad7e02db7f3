// @ts-check
/**
 * The checks that need no test runner: format and lint, types, and the one-way arrows between folders. `npm run check`
 * and `npm test` run the same list.
 */
import { statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { collect } from './processes.mjs';
import { root, secondsSince } from './setup.mjs';

const cruisedFolders = ['src', 'test', 'bench', 'examples', 'lab', 'scripts'];

/**
 * @typedef {{ title: string, command: () => readonly string[] }} Check
 */

/** @type {readonly Check[]} */
export const checks = [
  {
    title: 'format and lint (biome)',
    command: () => [process.execPath, 'node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings'],
  },
  {
    title: 'types (tsc)',
    command: () => [process.execPath, 'node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'],
  },
  {
    title: 'types of the lab (tsc)',
    command: () => [process.execPath, 'node_modules/typescript/bin/tsc', '-p', 'lab/tsconfig.json'],
  },
  {
    title: 'no operator is known by its name (operatorNames)',
    command: () => [process.execPath, 'scripts/operatorNames.mjs'],
  },
  {
    title: 'arrows between folders (dependency-cruiser)',
    command: () => [
      process.execPath,
      'node_modules/dependency-cruiser/bin/dependency-cruise.mjs',
      '--config',
      '.dependency-cruiser.cjs',
      ...cruisedFolders.filter((folder) => statSync(join(root, folder), { throwIfNoEntry: false })),
    ],
  },
];

/** Most checks are one thread. More at a time would wait for memory rather than processors. */
const checksAtATime = Math.min(2, availableParallelism());

/**
 * Runs every check, also after one failed, and prints a line for each as it ends; what a failing check has to say comes before.
 *
 * @returns {Promise<{ passed: number, failed: number }>}
 */
export async function runChecks() {
  let failed = 0;
  const waiting = [...checks];
  const work = async () => {
    for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
      const started = performance.now();
      const { code, output } = await collect(root, check.command());
      const said = code === 0 ? '' : `${output.trimEnd()}\n`;
      process.stdout.write(`${said}${check.title}: ${code === 0 ? 'passed' : 'FAILED'}, ${secondsSince(started)}\n`);
      if (code !== 0) failed += 1;
    }
  };
  await Promise.all(Array.from({ length: checksAtATime }, work));
  return { passed: checks.length - failed, failed };
}
