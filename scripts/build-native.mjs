// @ts-check
/**
 * Builds the native twin of the kernels (native/) into dist/native/<platform>-<architecture>/spikeformer.node, where there is a C++ compiler; without one it succeeds and
 * does nothing. Objects are kept in node_modules/.cache by a hash of what they are made of, so that a change costs one file.
 *
 * `--sanitise` builds the same with the address and undefined-behaviour sanitisers into dist/native/sanitised/: scripts/sanitise.mjs runs tests with it.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { instructionSetHeader, kernelTable, nativeKernels, nativeRevision } from './nativeSources.mjs';
import { collect } from './processes.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cache = join(root, 'node_modules', '.cache', 'meta-spikeformer', 'native');
const keptDays = 14;

/** Flags of each instruction set, the widest last; `canRun` in native/addon.cpp asks the processor for the same. */
const avx2 = ['-mavx2', '-mfma', '-mbmi', '-mbmi2', '-mpopcnt', '-mlzcnt'];
const avx512 = ['f', 'bw', 'dq', 'vl', 'vnni'].map((part) => `-mavx512${part}`);
/** @type {Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>} */
const instructionSets = {
  x64: { sse41: ['-msse4.1', '-mpopcnt'], avx2, avx512: [...avx2, ...avx512, '-mprefer-vector-width=512'] },
  arm64: { neon: [] },
};

const sanitisers = '-fsanitize=address,undefined';
const optimised = ['-O3'];
const sanitised = ['-O1', '-g', '-fno-omit-frame-pointer', sanitisers, '-fno-sanitize-recover=undefined'];
// No contraction: a product and a sum are fused only where a kernel says so.
const common = [
  '-std=c++17',
  '-fPIC',
  '-ffp-contract=off',
  '-fno-strict-aliasing',
  '-fno-exceptions',
  '-fno-rtti',
].concat(['-fvisibility=hidden', '-Wall', '-Wextra', '-Wno-psabi']);

/** The folder that the module for this machine is built into, and looked for in: src/engines/native/nativeModule.ts. */
export const nativeFolder = `dist/native/${process.platform}-${process.arch}`;

/**
 * The C++ compiler: the one that the environment variable CXX names, or the first that is found.
 *
 * @returns {string | undefined} undefined where there is none, or none that this can use
 */
export function findCompiler() {
  if (process.platform === 'win32' || !(process.arch in instructionSets)) return undefined;
  const named = process.env.CXX;
  const folders = (process.env.PATH ?? '').split(delimiter);
  const candidates = [...(named ? [named] : []), 'c++', 'g++', 'clang++'];
  return candidates.find((name) =>
    name.includes('/') ? isProgram(name) : folders.some((folder) => isProgram(join(folder, name))),
  );
}

/** @param {string} path */
function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** @param {readonly (string | Buffer)[]} parts */
function hashOf(parts) {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex');
}

/** @param {string} path @param {string} text */
function writeIfOther(path, text) {
  if (existsSync(path) && readFileSync(path, 'utf8') === text) return;
  writeFileSync(`${path}.${process.pid}.tmp`, text);
  renameSync(`${path}.${process.pid}.tmp`, path);
}

/** @param {readonly string[]} command */
async function runOrFail(command) {
  const { code, output } = await collect(root, command);
  if (code !== 0) throw new Error(`${output.trimEnd()}\n${command[0]} failed`);
  process.stderr.write(output);
}

/** @template Item @param {readonly Item[]} items @param {(item: Item) => Promise<void>} work */
async function inParallel(items, work) {
  const left = [...items];
  const workers = Array.from({ length: availableParallelism() }, async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  });
  await Promise.all(workers);
}

/** All of this architecture, or those that `--sets=sse41,avx2` names. */
function setsToBuild() {
  const all = Object.entries(instructionSets[process.arch] ?? {});
  const named = argv
    .find((argument) => argument.startsWith('--sets='))
    ?.slice('--sets='.length)
    .split(',');
  return named ? all.filter(([set]) => named.includes(set)) : all;
}

/** @typedef {{ source: string, set: string, flags: readonly string[], object: string }} Job */

/**
 * What is to be compiled, each with the object that it becomes. What an object is made of is its source and all headers: there are few.
 *
 * @param {string} compiler @param {readonly string[]} flags
 * @returns {Job[]}
 */
function jobsOf(compiler, flags) {
  const sets = Object.fromEntries(setsToBuild());
  const table = join(cache, 'kernelTable.generated.cpp');
  writeIfOther(join(cache, 'instructionSet.generated.h'), instructionSetHeader());
  writeIfOther(table, kernelTable(Object.keys(sets)));
  const native = readdirSync(join(root, 'native')).map((name) => join(root, 'native', name));
  const headers = [...native.filter((path) => path.endsWith('.h')), join(cache, 'instructionSet.generated.h')];
  const version = spawnSync(compiler, ['--version'], { encoding: 'utf8' }).stdout;
  const common = [compiler, version, ...headers.map((path) => readFileSync(path))];
  /** @param {string} source @param {string} set @param {readonly string[]} more */
  const job = (source, set, more) => {
    const own = [...flags, ...more];
    const hash = hashOf([...common, ...own, readFileSync(source)]).slice(0, 24);
    return { source, set, flags: own, object: join(cache, `${basename(source, '.cpp')}-${set}-${hash}.o`) };
  };
  return [
    ...[...native.filter((path) => path.endsWith('.cpp')), table].map((source) => job(source, 'all', [])),
    ...nativeKernels().flatMap(({ file }) =>
      Object.entries(sets).map(([set, more]) => job(join(root, file), set, [...more, `-DSPIKEFORMER_ISA=${set}`])),
    ),
  ];
}

/**
 * Compiles vector.h once for all kernels of an instruction set: the compiler's intrinsics take a second to read. GCC takes it by itself from the first folder that has it.
 *
 * @param {string} compiler @param {Job} job one of those of the set
 * @returns {Promise<string>} the folder
 */
async function precompileHeader(compiler, { set, flags }) {
  const folder = join(cache, `headers-${set}-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  const header = join(root, 'native', 'vector.h');
  await runOrFail([compiler, ...flags, '-w', '-x', 'c++-header', header, '-o', join(folder, 'vector.h.gch')]);
  return folder;
}

/** @param {string} compiler @param {readonly Job[]} jobs */
async function compileAll(compiler, jobs) {
  for (const { object } of jobs) if (existsSync(object)) utimesSync(object, new Date(), new Date());
  const due = jobs.filter(({ object }) => !existsSync(object));
  const isGcc = spawnSync(compiler, ['--version'], { encoding: 'utf8' }).stdout.includes('Free Software Foundation');
  /** @type {Map<string, string>} */
  const folders = new Map();
  try {
    const sets = [...new Set(due.map(({ set }) => set))].filter((set) => set !== 'all' && isGcc);
    const many = sets.map((set) => due.filter((job) => job.set === set)).filter(({ length }) => length > 2);
    await inParallel(many, async ([job]) => {
      if (job) folders.set(job.set, await precompileHeader(compiler, job));
    });
    await inParallel(due, async ({ source, set, flags, object }) => {
      const folder = folders.get(set);
      const temporary = `${object}.${process.pid}.tmp`;
      await runOrFail([compiler, '-c', source, '-o', temporary, ...(folder ? [`-I${folder}`] : []), ...flags]);
      renameSync(temporary, object);
    });
  } finally {
    for (const folder of folders.values()) rmSync(folder, { recursive: true, force: true });
  }
}

function removeOldObjects() {
  const oldest = Date.now() - keptDays * 24 * 3600 * 1000;
  for (const name of readdirSync(cache)) {
    const path = join(cache, name);
    if (name.endsWith('.o') && statSync(path).mtimeMs < oldest) rmSync(path, { force: true });
  }
}

/**
 * @param {string} compiler
 * @param {{ sanitise: boolean }} options
 * @returns {Promise<string>} the module's path
 */
async function build(compiler, { sanitise }) {
  mkdirSync(cache, { recursive: true });
  const headers = join(root, 'node_modules', 'node-api-headers', 'include');
  const includes = [join(root, 'native'), cache, headers].map((folder) => `-I${folder}`);
  const jobs = jobsOf(compiler, [...common, ...(sanitise ? sanitised : optimised), ...includes]);
  await compileAll(compiler, jobs);
  const folder = join(root, sanitise ? 'dist/native/sanitised' : nativeFolder);
  mkdirSync(folder, { recursive: true });
  const target = join(folder, 'spikeformer.node');
  const temporary = `${target}.${process.pid}.tmp`;
  const isApple = process.platform === 'darwin';
  const kind = isApple ? ['-bundle', '-undefined', 'dynamic_lookup'] : ['-shared', '-static-libgcc'];
  await runOrFail([
    compiler,
    ...kind,
    ...(sanitise ? [sanitisers] : []),
    '-o',
    temporary,
    ...jobs.map((job) => job.object),
  ]);
  const sha256 = createHash('sha256').update(readFileSync(temporary)).digest('hex');
  renameSync(temporary, target);
  writeIfOther(
    join(folder, 'spikeformer.json'),
    `${JSON.stringify({ revision: nativeRevision(), sha256 }, null, 2)}\n`,
  );
  removeOldObjects();
  return target;
}

/** @param {string} compiler */
async function main(compiler) {
  const started = performance.now();
  try {
    await build(compiler, { sanitise: argv.includes('--sanitise') });
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.exitCode = 1;
    return;
  }
  const count = nativeKernels().flatMap(({ names }) => names).length;
  const sets = setsToBuild()
    .map(([set]) => set)
    .join(', ');
  console.log(`native: ${count} kernels for ${sets}, ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const compiler = findCompiler();
  if (compiler) await main(compiler);
  else console.log('native: no C++ compiler; nothing built');
}
