/**
 * When the set-up of a clone is due. The lock files of these tests have the form that npm 10 and 11 write; the last test
 * asks npm itself, through the installation that runs it.
 */
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { filesBelow, fingerprint } from '../../scripts/fingerprint.mjs';
import { withLock } from '../../scripts/processes.mjs';
import { dependenciesMatchLock, labStep, removeStaleOutputs, root } from '../../scripts/setup.mjs';

let folder: string;

function write(path: string, content: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'setup-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('the fingerprint of the sources', () => {
  beforeEach(() => {
    write('src/a.ts', 'first');
    write('src/deep/b.ts', 'second');
  });

  it('does not change with the modification time', () => {
    const before = fingerprint(folder, ['src']);
    utimesSync(join(folder, 'src/a.ts'), 1, 1);
    expect(fingerprint(folder, ['src'])).toBe(before);
  });

  it.each<[change: string, make: () => void]>([
    ['content', () => write('src/deep/b.ts', 'Second')],
    ['a name', () => renameSync(join(folder, 'src/a.ts'), join(folder, 'src/c.ts'))],
    ['the number of files', () => write('src/empty.ts', '')],
    [
      'the border between two files',
      () => ['a.ts', 'deep/b.ts'].map((name, i) => write(`src/${name}`, ['firsts', 'econd'][i]!)),
    ],
  ])('changes with %s', (_change, make) => {
    const before = fingerprint(folder, ['src']);
    make();
    expect(fingerprint(folder, ['src'])).not.toBe(before);
  });

  it('tells an absent file from an empty one', () => {
    const absent = fingerprint(folder, ['output.ts']);
    write('output.ts', '');
    expect(fingerprint(folder, ['output.ts'])).not.toBe(absent);
  });
});

describe('the dependencies', () => {
  const wanted = {
    '': { version: '0.1.0' },
    'node_modules/zod': { version: '4.0.0', integrity: 'sha512-zod' },
    'node_modules/other-platform': { version: '1.0.0', integrity: 'sha512-other', optional: true },
  };
  const { 'node_modules/zod': zod } = wanted;

  function install(packages: Record<string, object> | undefined): boolean {
    write('package-lock.json', JSON.stringify({ packages: wanted }));
    if (packages !== undefined) write('node_modules/.package-lock.json', JSON.stringify({ packages }));
    return dependenciesMatchLock(folder);
  }

  it('match the lock file when npm installed what it asks for', () => {
    expect(install({ 'node_modules/zod': zod })).toBe(true);
  });

  it.each<[state: string, packages: Record<string, object> | undefined]>([
    ['nothing is installed or an installation was interrupted', undefined],
    ['a package is missing', {}],
    ['a package has another version', { 'node_modules/zod': { ...zod, version: '3.0.0' } }],
    ['a package has other content', { 'node_modules/zod': { ...zod, integrity: 'sha512-else' } }],
    ['there is a package too many', { 'node_modules/zod': zod, 'node_modules/stranger': { version: '1.0.0' } }],
  ])('are installed again when %s', (_state, packages) => {
    expect(install(packages)).toBe(false);
  });

  it('match in the installation that runs this test', () => {
    expect(dependenciesMatchLock(root)).toBe(true);
  });

  it('are locked for every platform, without which npm ci refuses to install on any', () => {
    const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { optionalDependencies?: Record<string, string> }>;
    };
    const optional = Object.values(lock.packages).flatMap((entry) => Object.keys(entry.optionalDependencies ?? {}));
    expect(optional).toContain('@biomejs/cli-darwin-arm64');
    expect(optional.filter((name) => lock.packages[`node_modules/${name}`] === undefined)).toEqual([]);
  });
});

describe('a build', () => {
  it('removes what was compiled from sources that are gone, and nothing else', () => {
    write('src/cli/main.ts', '');
    for (const name of [
      'cli/main.js',
      'cli/main.js.map',
      'cli/main.d.ts',
      'gone.js',
      'gone.js.map',
      'gone.d.ts',
      '.stamp',
    ]) {
      write(`dist/${name}`, '');
    }
    removeStaleOutputs(folder);
    expect(filesBelow(folder, 'dist')).toEqual(
      ['.stamp', 'cli/main.d.ts', 'cli/main.js', 'cli/main.js.map'].map((name) => `dist/${name}`),
    );
  });

  it('of the lab is due when the page or what it imports changed, and not for the command line', () => {
    for (const path of ['lab/index.html', 'lab/src/main.tsx', 'src/graph/graph.ts', 'src/cli/main.ts']) write(path, '');
    expect(labStep.isDue(folder)).toBe(true);
    labStep.after!(folder);
    expect(labStep.isDue(folder)).toBe(false);
    write('src/cli/main.ts', 'other');
    expect(labStep.isDue(folder)).toBe(false);
    for (const path of ['src/graph/graph.ts', 'lab/src/main.tsx']) {
      write(path, 'other');
      expect(labStep.isDue(folder), path).toBe(true);
      labStep.after!(folder);
    }
  });

  it('is made by one process at a time', async () => {
    const events: string[] = [];
    const job = (name: string) =>
      withLock(folder, async () => {
        events.push(`${name} begins`);
        await new Promise((resolve) => setTimeout(resolve, 20));
        events.push(`${name} ends`);
      });
    await Promise.all([job('one'), job('two')]);
    expect(events).toEqual(['one begins', 'one ends', 'two begins', 'two ends']);
  });
});
