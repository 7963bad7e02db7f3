/** docs/library.md is run as it stands: each program, in a folder with the files that it names, prints what the page says it prints. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repository } from '../cli/support.js';

const text = await readFile(join(repository, 'docs', 'library.md'), 'utf8');
const snippets: { readonly title: string; readonly code: string }[] = [];
let title = '';
for (const [, heading, code] of text.matchAll(/^## (.+)$|^```ts\n([\s\S]*?)^```$/gm)) {
  if (code === undefined) title = heading!;
  else snippets.push({ title, code });
}

/** What one process printed for all programs, in order; each ends with a line of its own. */
let printed: readonly string[];
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'guide-'));
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  await mkdir(join(folder, 'node_modules'));
  await symlink(repository, join(folder, 'node_modules', 'meta-spikeformer'), 'junction');
  await symlink(join(repository, 'models'), join(folder, 'models'), 'junction');
  for (const name of ['cat.jpg', 'coffee.jpg'])
    await copyFile(join(repository, 'assets', 'photographs', name), join(folder, name));
  for (const [label, name] of ['cats', 'cups'].entries()) {
    await mkdir(join(folder, 'my-images', name), { recursive: true });
    for (let image = 0; image < 4; image++) {
      const create = {
        width: 32,
        height: 32,
        channels: 3,
        background: { r: 60 * image, g: 200 * label, b: 90 },
      } as const;
      await sharp({ create })
        .png()
        .toFile(join(folder, 'my-images', name, `${image}.png`));
    }
  }
  await Promise.all(snippets.map(({ code }, index) => writeFile(join(folder, `${index}.mjs`), code)));
  const names = snippets.map((_, index) => `./${index}.mjs`);
  const runner = `for (const name of ${JSON.stringify(names)}) { await import(name).catch((error) => console.log(error.stack)); console.log('-----'); }`;
  await writeFile(join(folder, 'all.mjs'), runner);
  const child = spawn(process.execPath, ['all.mjs'], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    output += part;
  });
  await once(child, 'close');
  printed = output.split('-----\n');
}, 120_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('docs/library.md', () => {
  it.each(snippets.map(({ title, code }, index) => ({ title, code, index })))(
    'prints what it says under “$title” (program $index)',
    ({ code, index }) => {
      const expected = [...code.matchAll(/^\/\/ → (.*)$/gm)].map(([, line]) => line!);
      expect(expected).not.toEqual([]);
      const lines = printed[index]!.trimEnd().split('\n');
      expect(lines.length, printed[index]).toBe(expected.length);
      for (const [at, line] of lines.entries()) expect(line).toMatch(patternOf(expected[at]!));
    },
  );
});

/** `…` stands for whatever a machine may print there. */
function patternOf(line: string): RegExp {
  const parts = line.split('…').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`);
}
