// @ts-check
/**
 * Counts in the JSON report of vitest. Vitest's own totals leave out files that could not even be loaded, so the count
 * is made here from each file and each test.
 */

/**
 * @typedef {object} FileReport one test file in vitest's JSON reporter
 * @property {string} name
 * @property {string} status
 * @property {string} [message]
 * @property {{ fullName: string, status: string }[]} assertionResults
 */

/**
 * @typedef {object} TestCounts
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 * @property {string[]} skippedTitles
 */

/**
 * @param {{ success: boolean, testResults: FileReport[] }} report
 * @returns {TestCounts}
 */
export function countTests(report) {
  const tests = report.testResults.flatMap((file) => file.assertionResults);
  const passed = tests.filter((test) => test.status === 'passed').length;
  const failedTests = tests.filter((test) => test.status === 'failed').length;
  const brokenFiles = report.testResults.filter(isBroken).length;
  const skippedTitles = tests
    .filter((test) => !['passed', 'failed'].includes(test.status))
    .map((test) => test.fullName);
  const failed = failedTests + brokenFiles;
  // An error outside any test (an unhandled rejection) fails the run without failing a test.
  const unaccounted = !report.success && failed === 0 ? 1 : 0;
  return { passed, failed: failed + unaccounted, skipped: skippedTitles.length, skippedTitles };
}

/**
 * A file that failed although none of its tests did: it could not be loaded, or a hook threw.
 *
 * @param {FileReport} file
 */
function isBroken(file) {
  return file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed');
}

/**
 * The last line of `npm test`; other programs read it.
 *
 * @param {{ passed: number, failed: number, skipped: number }} counts
 */
export function summaryLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
