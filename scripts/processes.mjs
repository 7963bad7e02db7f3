// @ts-check
/**
 * Running other programs from the scripts: one function that collects what they print, one that lets them print, and a
 * lock so that two scripts started at the same time do not build into the same folder.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * @typedef {object} Finished
 * @property {number} code exit code; 1 when a signal ended the program
 * @property {string} output standard output and standard error, in the order they came
 */

/**
 * Runs a program to its end and collects what it prints. Its standard input is empty.
 *
 * @param {string} root working folder
 * @param {readonly string[]} command
 * @returns {Promise<Finished>}
 */
export function collect(root, command) {
  return start(root, command, 'pipe');
}

/**
 * Runs a program that prints straight to our standard output and error.
 *
 * @param {string} root working folder
 * @param {readonly string[]} command
 * @returns {Promise<number>} exit code
 */
export async function show(root, command) {
  return (await start(root, command, 'inherit')).code;
}

/**
 * @param {string} root
 * @param {readonly string[]} command
 * @param {'pipe' | 'inherit'} output
 * @returns {Promise<Finished>}
 */
function start(root, command, output) {
  const [program = '', ...parameters] = command;
  // npm is a script on Windows, which only a shell can start; none of our parameters needs quoting.
  const shell = process.platform === 'win32' && program === 'npm';
  return new Promise((resolve) => {
    const child = spawn(program, parameters, { cwd: root, stdio: ['ignore', output, output], shell });
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
    });
    child.stderr?.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
    });
    child.on('error', (error) => resolve({ code: 1, output: `${program}: ${error.message}\n` }));
    child.on('close', (code) => resolve({ code: code ?? 1, output: text }));
  });
}

/**
 * The command that runs npm: the very npm that runs us where there is one, so that no second version interferes.
 *
 * @param {NodeJS.ProcessEnv} environment
 * @returns {string[]}
 */
export function npmCommand(environment = process.env) {
  const running = environment.npm_execpath;
  return running !== undefined && basename(running) === 'npm-cli.js' ? [process.execPath, running] : ['npm'];
}

/**
 * Runs `work` while no other process holds the lock of the same name; waits for it otherwise. A lock whose owner has
 * died is taken over. The lock lies in the system's temporary folder because `npm ci` empties node_modules.
 *
 * @template Result
 * @param {string} name what is locked, usually a folder
 * @param {() => Promise<Result>} work
 * @returns {Promise<Result>}
 */
export async function withLock(name, work) {
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 16);
  const path = join(tmpdir(), `meta-spikeformer-${digest}.lock`);
  while (!take(path)) await sleep(100);
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}

/**
 * @param {string} path
 * @returns {boolean} whether the lock is ours now
 */
function take(path) {
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    if (abandoned(path)) rmSync(path, { force: true });
    return false;
  }
}

/**
 * @param {string} path
 * @returns {boolean}
 */
function abandoned(path) {
  try {
    const owner = Number(readFileSync(path, 'utf8'));
    // Between creation and writing the file is empty; an owner that died just then leaves it empty for ever.
    if (owner === 0) return Date.now() - statSync(path).mtimeMs > 5000;
    process.kill(owner, 0);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH';
  }
}
