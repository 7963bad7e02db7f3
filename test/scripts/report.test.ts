/**
 * The totals of `npm test`, counted in what vitest really reports about a folder of tests that pass, fail, are skipped,
 * and cannot be loaded.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { root } from '../../scripts/setup.mjs';
import { countTests, summaryLine } from '../../scripts/testReport.mjs';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'report-'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction');
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Runs vitest on test files with these contents and counts. */
function run(...files: string[]) {
  files.forEach((content, index) => {
    writeFileSync(
      join(folder, `${index}.test.js`),
      `import { beforeAll, describe, expect, it } from 'vitest';\n${content}\n`,
    );
  });
  const output = join(folder, 'report.json');
  const command = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--root', folder, '--reporter=json'];
  const { status } = spawnSync(process.execPath, [...command, `--outputFile=${output}`], { cwd: folder });
  return countTests({ ...JSON.parse(readFileSync(output, 'utf8')), success: status === 0 });
}

describe('the totals of npm test', () => {
  it('count each test once and name those that were skipped', () => {
    const counts = run(
      `it('passes', () => {});
       it('also passes', () => {});
       it('fails', () => expect(1).toBe(2));
       describe('a group', () => { it.skip('is skipped', () => {}); it.todo('is to come'); });`,
    );
    expect(counts).toEqual({
      passed: 2,
      failed: 1,
      skipped: 2,
      skippedTitles: ['a group is skipped', 'a group is to come'],
    });
    expect(summaryLine(counts)).toBe('2 passed, 1 failed, 2 skipped');
  });

  it('count a file that cannot be loaded as one failure', () => {
    expect(run(`it('passes', () => {});`, `import './absent.js';`)).toMatchObject({ passed: 1, failed: 1 });
  });

  it('count a hook that throws as a failure', () => {
    expect(
      run(`describe('a group', () => { beforeAll(() => { throw new Error('hook'); }); it('waits', () => {}); });`),
    ).toMatchObject({
      passed: 0,
      failed: 1,
    });
  });

  it('count an error outside every test as a failure', () => {
    expect(
      run(
        `it('passes', () => { setTimeout(() => { throw new Error('late'); }); return new Promise((done) => setTimeout(done, 50)); });`,
      ),
    ).toMatchObject({
      passed: 1,
      failed: 1,
    });
  });

  it('count a run that finds no test as a failure', () => {
    expect(run()).toMatchObject({ passed: 0, failed: 1 });
  });
});
