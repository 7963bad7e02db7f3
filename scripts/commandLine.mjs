// @ts-check
/**
 * Hands over to the compiled command line inside this process, so that its exit code, its signals and its terminal are
 * its own and nothing has to be passed on.
 */
import { pathToFileURL } from 'node:url';
import { commandLine } from './setup.mjs';

/**
 * npm starts scripts in the repository; paths that a person types are meant from where that person is.
 *
 * @param {string} script name in package.json of the script that runs
 */
export function returnToCaller(script) {
  const { npm_lifecycle_event: running, INIT_CWD: caller } = process.env;
  if (running === script && caller !== undefined) process.chdir(caller);
}

/**
 * @param {readonly string[]} parameters
 */
export async function runCommandLine(parameters) {
  process.argv = [process.execPath, commandLine, ...parameters];
  await import(pathToFileURL(commandLine).href);
}
