// @ts-check
/**
 * Brings a clone to the point where it runs: dependencies, kernels, compiled sources. Each step knows from the content
 * of files whether it is due, so calling this first costs a few hundredths of a second when nothing changed.
 */
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findCompiler, nativeFolder } from './build-native.mjs';
import { filesBelow, fingerprint, readIfPresent } from './fingerprint.mjs';
import { collect, npmCommand, withLock } from './processes.mjs';

/** The repository. */
export const root = fileURLToPath(new URL('..', import.meta.url)).replace(/[/\\]$/, '');

/** The compiled command line. */
export const commandLine = join(root, 'dist', 'cli', 'main.js');

const oldestNode = 20;

/** A step of the set-up failed; the message is what its program printed. */
export class SetupError extends Error {}

/**
 * @typedef {object} Step
 * @property {string} title what it does, in the present: "installing dependencies"
 * @property {(root: string) => boolean} isDue
 * @property {(root: string) => readonly (readonly string[])[]} commands
 * @property {(root: string) => void} [after] runs when all commands succeeded
 * @property {boolean} [optional] all goes on without it: when a command fails, a line says so, and it is due again when something changes
 */

const kernelInputs = [
  'kernels',
  'src/engines/calls',
  'src/engines/reference/calls',
  'src/engines/wasm/calls',
  'src/engines/wasm/instructionSet.ts',
  'src/engines/wasm/trainingInstructionSet.ts',
  'scripts/build-kernels.mjs',
  'scripts/list-calls.mjs',
  'scripts/nativeSources.mjs',
  'package-lock.json',
];
const kernelOutputs = [
  'src/engines/calls.generated.ts',
  'src/engines/reference/calls.generated.ts',
  'src/engines/wasm/calls.generated.ts',
  'src/engines/wasm/opcodes.generated.ts',
  'src/engines/wasm/kernels.generated.ts',
  'src/engines/native/revision.generated.ts',
];
const kernelStamp = 'node_modules/.cache/meta-spikeformer/kernels.stamp';
const nativeInputs = [
  'native',
  'kernels',
  'src/engines/wasm/instructionSet.ts',
  'src/engines/wasm/trainingInstructionSet.ts',
  'src/engines/wasm/opcodes.generated.ts',
  'scripts/build-native.mjs',
  'scripts/nativeSources.mjs',
  'package-lock.json',
  `${nativeFolder}/spikeformer.node`,
  `${nativeFolder}/spikeformer.json`,
];
const nativeStamp = 'node_modules/.cache/meta-spikeformer/native.stamp';
const sourceInputs = ['src', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json'];
// Inside dist, so that the stamp cannot outlive what it vouches for.
const sourceStamp = 'dist/.stamp';

/** @type {readonly Step[]} */
export const steps = [
  {
    title: 'installing dependencies',
    isDue: (folder) => !dependenciesMatchLock(folder),
    // Nothing we depend on needs its install script: sharp and esbuild ship their binaries as packages.
    commands: () => [[...npmCommand(), 'ci', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund']],
  },
  {
    title: 'compiling kernels',
    isDue: (folder) => readStamp(folder, kernelStamp) !== fingerprint(folder, [...kernelInputs, ...kernelOutputs]),
    commands: () => [
      [process.execPath, 'scripts/list-calls.mjs'],
      [process.execPath, 'scripts/build-kernels.mjs'],
    ],
    after: (folder) => writeStamp(folder, kernelStamp, fingerprint(folder, [...kernelInputs, ...kernelOutputs])),
  },
  {
    title: 'compiling native kernels',
    isDue: (folder) =>
      findCompiler() !== undefined && readStamp(folder, nativeStamp) !== fingerprint(folder, nativeInputs),
    commands: () => [[process.execPath, 'scripts/build-native.mjs']],
    after: (folder) => writeStamp(folder, nativeStamp, fingerprint(folder, nativeInputs)),
    optional: true,
  },
  {
    title: 'compiling sources',
    isDue: (folder) => readStamp(folder, sourceStamp) !== fingerprint(folder, sourceInputs),
    commands: () => [[process.execPath, 'node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json']],
    after: (folder) => {
      removeStaleOutputs(folder);
      writeStamp(folder, sourceStamp, fingerprint(folder, sourceInputs));
    },
  },
];

const labInputs = [
  'lab/index.html',
  'lab/vite.config.ts',
  'lab/src',
  'assets/photographs',
  'models',
  'package-lock.json',
];

/** Of the sources all that a page could import; the command line is none of it. @param {string} folder */
function labFingerprint(folder) {
  const sources = readdirSync(join(folder, 'src')).filter((name) => name !== 'cli');
  return fingerprint(folder, [...labInputs, ...sources.sort().map((name) => `src/${name}`)]);
}

// Inside the folder that the bundler empties first, so that an interrupted build leaves no stamp.
const labStamp = 'lab/dist/.stamp';

/** The static page: only for those who ask for it, because it takes longer than all the rest. @type {Step} */
export const labStep = {
  title: 'bundling the lab',
  isDue: (folder) => readStamp(folder, labStamp) !== labFingerprint(folder),
  commands: () => [
    [process.execPath, 'node_modules/vite/bin/vite.js', 'build', 'lab', '--config', 'lab/vite.config.ts'],
  ],
  after: (folder) => writeStamp(folder, labStamp, labFingerprint(folder)),
};

/**
 * Does whichever steps are due, one process at a time.
 *
 * @param {(text: string) => void} print receives one line per step that was due, the title first and the duration when
 *   the step is done; nothing when all is up to date
 * @param {{ lab?: boolean }} [wanted] the lab too
 * @throws {SetupError} when a step fails
 */
export async function setUp(print, { lab = false } = {}) {
  requireNode(process.versions.node);
  const wanted = lab ? [...steps, labStep] : steps;
  if (!wanted.some((step) => step.isDue(root))) return;
  await withLock(root, async () => {
    for (const step of wanted) {
      if (step.isDue(root)) await carryOut(step, print);
    }
  });
}

/**
 * Runs the set-up as the first thing a script does; when it fails, says why on standard error and ends the process.
 *
 * @param {(text: string) => void} print
 * @param {{ lab?: boolean }} [wanted]
 */
export async function setUpOrExit(print, wanted = {}) {
  try {
    await setUp(print, wanted);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`${error.message.trimEnd()}\n`);
    process.exit(1);
  }
}

/**
 * @param {Step} step
 * @param {(text: string) => void} print
 */
async function carryOut(step, print) {
  const started = performance.now();
  print(`${step.title} … `);
  for (const command of step.commands(root)) {
    const { code, output } = await collect(root, command);
    if (code === 0) continue;
    if (step.optional) {
      print(`left out after ${secondsSince(started)}: ${firstErrorIn(output)}\n`);
      step.after?.(root);
      return;
    }
    print(`failed after ${secondsSince(started)}\n`);
    throw new SetupError(`${output.trimEnd()}\n${step.title} failed: ${command.join(' ')} exited with ${code}`);
  }
  step.after?.(root);
  print(`${secondsSince(started)}\n`);
}

/**
 * The line of a program's output that says what went wrong, as compilers and Node write it.
 *
 * @param {string} output
 */
function firstErrorIn(output) {
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  return (lines.find((line) => /\berror\b/i.test(line)) ?? lines[0] ?? 'no reason given').trim();
}

/**
 * @param {number} started from `performance.now()`
 * @returns {string} for people: "3.4 s"
 */
export function secondsSince(started) {
  return `${((performance.now() - started) / 1000).toFixed(1)} s`;
}

/**
 * @param {string} version
 */
function requireNode(version) {
  if (Number.parseInt(version, 10) >= oldestNode) return;
  throw new SetupError(`this is Node ${version}, and ${oldestNode} or newer is needed: see https://nodejs.org`);
}

/**
 * Whether node_modules holds what package-lock.json asks for. npm leaves its own account of what it installed in
 * node_modules/.package-lock.json, last thing, so an interrupted or outdated installation shows; packages for other
 * platforms are optional in the lock and absent in the account.
 *
 * @param {string} folder
 * @returns {boolean}
 */
export function dependenciesMatchLock(folder) {
  const installed = readPackages(join(folder, 'node_modules', '.package-lock.json'));
  if (installed === undefined) return false;
  const wanted = readPackages(join(folder, 'package-lock.json')) ?? {};
  const strangers = Object.keys(installed).filter((path) => wanted[path] === undefined);
  return strangers.length === 0 && Object.entries(wanted).every(([path, entry]) => satisfied(path, entry, installed));
}

/**
 * @typedef {{ version?: string, integrity?: string, optional?: boolean, devOptional?: boolean }} LockEntry
 */

/**
 * @param {string} path
 * @param {LockEntry} entry
 * @param {Record<string, LockEntry>} installed
 */
function satisfied(path, entry, installed) {
  if (path === '') return true;
  const found = installed[path];
  if (found === undefined) return entry.optional === true || entry.devOptional === true;
  return found.version === entry.version && found.integrity === entry.integrity;
}

/**
 * @param {string} path
 * @returns {Record<string, LockEntry> | undefined}
 */
function readPackages(path) {
  const text = readIfPresent(path)?.toString('utf8');
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text).packages;
  } catch {
    return undefined;
  }
}

/**
 * Removes what was compiled from sources that are gone; tsc never does, and a leftover would still be imported.
 *
 * @param {string} folder
 */
export function removeStaleOutputs(folder) {
  for (const output of filesBelow(folder, 'dist')) {
    const source = output.replace(/^dist\//, 'src/').replace(/(\.d\.ts|\.js)(\.map)?$/, '.ts');
    const compiled = source.startsWith('src/') && source.endsWith('.ts');
    if (compiled && statSync(join(folder, source), { throwIfNoEntry: false }) === undefined)
      rmSync(join(folder, output));
  }
}

/**
 * @param {string} folder
 * @param {string} path
 */
function readStamp(folder, path) {
  return readIfPresent(join(folder, path))?.toString('utf8');
}

/**
 * @param {string} folder
 * @param {string} path
 * @param {string} value
 */
function writeStamp(folder, path, value) {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), value);
}
