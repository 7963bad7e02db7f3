/** The built command line as a process of its own: exit codes, pipes and signals. Skipped when nothing is built. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkpoint, fixture, repository, temporaryFolder } from './support.js';

const built = join(repository, 'dist', 'cli', 'main.js');
const present = existsSync(built);
const image = fixture('preprocess', 'images', 'noise_32x32.png');
const settings = ['--checkpoint', checkpoint, '--image-size', '32'];

const run = (...args: string[]) => spawnSync(process.execPath, [built, ...args], { encoding: 'utf8' });

describe.skipIf(!present)(`the process${present ? '' : ' (skipped: dist is not built; run npm run build)'}`, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  beforeAll(async () => {
    folder = await temporaryFolder();
  });
  afterAll(() => folder.remove());

  it('ends with 0 and JSON alone on standard output', () => {
    const { status, stdout, stderr } = run('predict', image, ...settings, '--json');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout).images[0].predictions).toHaveLength(5);
  });

  it('ends with 2 and one line on standard error', () => {
    const { status, stdout, stderr } = run('predict', image, '--checkpoint', join(folder.path, 'none.pth'), '--json');
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^spikeformer: [^\n]*none\.pth: cannot read: no such file[^\n]*\n$/);
  });

  it('is quiet when its reader stops reading', async () => {
    const child = spawn(process.execPath, [built, 'info', '--size', '55M', '--json']);
    // Closed before anything is written.
    child.stdout.destroy();
    let stderr = '';
    child.stderr.on('data', (bytes) => {
      stderr += bytes;
    });
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });

  it('ends an evaluation at Ctrl-C with what is done, and 130', async () => {
    const data = join(folder.path, 'data', 'noise');
    await mkdir(data, { recursive: true });
    for (let i = 0; i < 400; i++) await copyFile(image, join(data, `${i}.png`));
    const args = ['eval', '--data', join(folder.path, 'data'), ...settings, '--engine', 'reference', '--batch', '1'];
    const child = spawn(process.execPath, [built, ...args, '--time-steps', '16']);
    let stdout = '';
    // The first words come when it listens for Ctrl-C.
    child.stdout.on('data', (bytes) => {
      if (stdout === '') child.kill('SIGINT');
      stdout += bytes;
    });
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect(stdout).toMatch(/partial result: interrupted after \d+ images?\n/);
    expect(code).toBe(130);
  });
});
