// @ts-check
/**
 * Fuzzes every parser: `npm run fuzz -- --minutes 10`. Damaged copies of small good files go through each, those that reach new code
 * are damaged further. Only errors of ours are right; anything else, and what takes too long or too much, is written to a file and ends
 * the command with 1.
 *
 * `--minutes N` (1) for all targets together, `--target NAME`, `--seed N` (by default another each time, printed), `--output FOLDER`.
 */
import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { targets } from './targets.mjs';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    target: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    output: { type: 'string', default: 'fuzz-findings' },
  },
});
const minutes = Number(values.minutes);
const chosen = targets.filter(({ name }) => values.target === undefined || name === values.target);
if (!(minutes > 0) || chosen.length === 0) {
  process.stderr.write(
    `--minutes must be a number above 0, --target one of ${targets.map(({ name }) => name).join(', ')}\n`,
  );
  process.exit(2);
}

/** Nothing heard for so long: it hangs. */
const silentMilliseconds = 20_000;
const childPath = fileURLToPath(new URL('child.mjs', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'fuzz-'));

/** @typedef {{ kind: string, message: string, input: string }} Finding */

/** @param {string} name @param {number} milliseconds @returns {Promise<{ report: { runs: number, corpus: number, covered: number }, findings: Finding[] }>} */
function fuzz(name, milliseconds) {
  const current = join(scratch, 'input');
  const child = fork(childPath, [name, values.seed, current], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  let report = { runs: 0, corpus: 0, covered: 0 };
  let heard = Date.now();
  let ending = false;
  /** @type {Finding[]} */
  const findings = [];
  const inHand = () => readFileSync(current).toString('base64');
  child.on('message', (/** @type {{ report?: typeof report, finding?: Finding }} */ message) => {
    heard = Date.now();
    if (message.report) report = message.report;
    if (message.finding) findings.push(message.finding);
  });
  const watch = setInterval(() => {
    if (Date.now() - heard < silentMilliseconds) return;
    findings.push({ kind: 'hang', message: `nothing for ${silentMilliseconds / 1000} s`, input: inHand() });
    end();
  }, 1000);
  const end = () => {
    ending = true;
    child.kill('SIGKILL');
  };
  const timer = setTimeout(end, milliseconds);
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      clearInterval(watch);
      clearTimeout(timer);
      if (!ending) findings.push({ kind: 'crash', message: `exit ${code ?? signal}`, input: inHand() });
      resolve({ report, findings });
    });
  });
}

/** @param {string} target @param {Finding} finding */
function keep(target, { kind, message, input }) {
  const bytes = Buffer.from(input, 'base64');
  const digest = createHash('sha256').update(bytes).digest('hex').slice(0, 12);
  mkdirSync(values.output, { recursive: true });
  const path = join(values.output, `${target.replaceAll(' ', '-')}-${kind.replaceAll(' ', '-')}-${digest}.bin`);
  writeFileSync(path, bytes);
  process.stdout.write(`  ${kind}: ${message}\n  kept in ${path}\n`);
}

process.stdout.write(`seed ${values.seed}, ${minutes} minutes\n`);
let failures = 0;
for (const { name } of chosen) {
  const { report, findings } = await fuzz(name, (minutes * 60_000) / chosen.length);
  process.stdout.write(
    `${name}: ${report.runs} inputs, ${report.corpus} kept, ${report.covered} characters of code reached, ${findings.length} findings\n`,
  );
  for (const finding of findings) keep(name, finding);
  // A target that ran nothing shows nothing.
  failures += findings.length + (report.runs === 0 ? 1 : 0);
}
rmSync(scratch, { recursive: true, force: true });
process.exitCode = failures === 0 ? 0 : 1;
