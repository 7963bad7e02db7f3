// @ts-check
/**
 * `npm test`: sets the clone up, then runs every check and every test, also after one failed, and ends with one line of
 * totals. Arguments go to vitest: `npm test -- lif` runs the test files whose path contains "lif".
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { runChecks } from './checks.mjs';
import { readIfPresent } from './fingerprint.mjs';
import { show } from './processes.mjs';
import { root, SetupError, secondsSince, setUp } from './setup.mjs';
import { countTests, summaryLine } from './testReport.mjs';

const reportPath = join(root, 'node_modules', '.cache', 'meta-spikeformer', 'vitest.json');

/**
 * Sources that do not compile are no reason to keep the tests of the others back: the failure is counted.
 *
 * @returns {Promise<number>} how many failed: 0 or 1
 */
async function setUpForTests() {
  try {
    await setUp((text) => process.stdout.write(text), { lab: true });
    return 0;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stdout.write(`${error.message}\n`);
    return 1;
  }
}

/**
 * @param {readonly string[]} filters
 * @returns {Promise<import('./testReport.mjs').TestCounts>}
 */
async function runTests(filters) {
  const started = performance.now();
  rmSync(reportPath, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportPath}`];
  const code = await show(root, [process.execPath, 'node_modules/vitest/vitest.mjs', 'run', ...reporters, ...filters]);
  const report = readIfPresent(reportPath)?.toString('utf8');
  const counts =
    report === undefined
      ? { passed: 0, failed: 1, skipped: 0, skippedTitles: [] }
      : countTests({ ...JSON.parse(report), success: code === 0 });
  process.stdout.write(`tests (vitest): ${counts.failed === 0 ? 'passed' : 'FAILED'}, ${secondsSince(started)}\n`);
  return counts;
}

const setupFailures = await setUpForTests();
const installed = readIfPresent(join(root, 'node_modules', '.package-lock.json')) !== undefined;
const checked = installed ? await runChecks() : { passed: 0, failed: 0 };
const tested = installed
  ? await runTests(process.argv.slice(2))
  : { passed: 0, failed: 0, skipped: 0, skippedTitles: [] };

if (tested.skipped > 0) process.stdout.write('skipped:\n');
for (const title of tested.skippedTitles) process.stdout.write(`  ${title}\n`);
const totals = {
  passed: checked.passed + tested.passed,
  failed: setupFailures + checked.failed + tested.failed,
  skipped: tested.skipped,
};
process.stdout.write(`${summaryLine(totals)}\n`);
process.exitCode = totals.failed === 0 ? 0 : 1;
