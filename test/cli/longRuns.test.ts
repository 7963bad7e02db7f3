/** What lets a training run beside other work: moments as they are typed, and niceness as the system sees it. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { getPriority } from 'node:os';
import { describe, expect, it } from 'vitest';
import { momentOf } from '../../src/cli/longRuns.js';

describe('a moment', () => {
  const now = new Date(2026, 10, 30, 18, 30, 15);

  it.each([
    ['18:31', new Date(2026, 10, 30, 18, 31)],
    ['18:30', new Date(2026, 11, 1, 18, 30)],
    ['6:05', new Date(2026, 11, 1, 6, 5)],
    ['00:00', new Date(2026, 11, 1)],
    ['2026-12-24T08:00', new Date(2026, 11, 24, 8)],
    ['2026-12-24 08:00:30', new Date(2026, 11, 24, 8, 0, 30)],
    ['2026-12-24T08:00Z', new Date(Date.UTC(2026, 11, 24, 8))],
    ['2026-12-24T08:00+02:00', new Date(Date.UTC(2026, 11, 24, 6))],
  ])('%s is the next such', (text, moment) => {
    expect(momentOf(text, now)).toEqual(moment);
  });

  it.each(['', '24:00', '18.30', '8', '1e3', '2026-12-24', '2026-13-01T00:00', '2026-02-30 25:00', 'x'.repeat(1e5)])(
    'is not %j',
    (text) => {
      expect(() => momentOf(text, now)).toThrow(/^--until .{0,100}: expected a time such as 18:30/);
    },
  );
});

const compiled = new URL('../../dist/cli/longRuns.js', import.meta.url);
const able = process.platform === 'linux' && existsSync(compiled);

describe.skipIf(!able)(`giving way${able ? '' : ' (skipped: needs Linux, and dist; run npm run build)'}`, () => {
  it('makes every thread nice, those that come later too, and never less nice', () => {
    const program = `
      import { Worker } from 'node:worker_threads';
      import { readdirSync, readFileSync } from 'node:fs';
      import { giveWay } from ${JSON.stringify(compiled.href)};
      giveWay(12);
      giveWay(5);
      new Worker('setTimeout(() => undefined, 500)', { eval: true }).on('online', () => {
        const nice = readdirSync('/proc/self/task').map((thread) => {
          const status = readFileSync('/proc/self/task/' + thread + '/stat', 'utf8');
          return Number(status.slice(status.lastIndexOf(')') + 2).split(' ')[16]);
        });
        console.log(JSON.stringify([...new Set(nice)]));
      });`;
    const printed = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
    // Tests that give way more themselves hand that on.
    expect(JSON.parse(printed)).toEqual([Math.max(12, getPriority())]);
  });
});
