/** The built command line as a process of its own: exit codes, pipes and signals. Skipped when nothing is built. */
import { type StdioOptions, spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkpoint, fixture, repository, temporaryFolder, writeDarkAndLight } from './support.js';

const built = join(repository, 'dist', 'cli', 'main.js');
const present = existsSync(built);
const image = fixture('preprocess', 'images', 'noise_32x32.png');
const settings = ['--checkpoint', checkpoint, '--image-size', '32'];

/** Four batches an epoch, a state every other step, augmentation, averaging and smaller images at first: all that a state must hold. */
const smallRecipe = {
  name: 'killed',
  model: {
    embedDim: [8, 16, 16, 16],
    heads: 4,
    depths: [1, 0, 0, 1, 0],
    strides: [1, 2, 1, 1, 1],
    stemKernel: 3,
    classes: 2,
  },
  batchNormBias: { neurons: 1, branches: 0, last: 2 },
  data: {
    preprocessing: {
      resize: 10,
      crop: [10, 10],
      interpolation: 'bicubic',
      mean: [0.5, 0.5, 0.5],
      std: [0.25, 0.25, 0.25],
    },
    holdOut: 8,
    workers: 1,
  },
  epochs: 16,
  smallerFirst: [{ epochs: 6, imageSize: 8 }],
  batchSize: 10,
  optimizer: { name: 'adamw' },
  schedule: { learningRate: 0.003, warmUpEpochs: 1 },
  augmentation: { horizontalFlip: 0.5, randomErasing: {} },
  movingAverage: 0.9,
  saveEvery: 2,
  logEvery: 1,
};

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

  it.skipIf(!existsSync('/dev/full'))(
    'ends with 2 and the reason of the system when an output is full or the input no file',
    () => {
      const full = openSync('/dev/full', 'w');
      const reason = (name: string) =>
        `spikeformer: ${name}: cannot be written to (ENOSPC: no space left on device); make room or send it elsewhere\n`;
      const ask = (args: readonly string[], stdio: StdioOptions) =>
        spawnSync(process.execPath, [built, ...args], { encoding: 'utf8', stdio });
      for (const args of [['--version'], ['info', '--json']]) {
        const { status, stderr } = ask(args, ['ignore', full, 'pipe']);
        expect({ status, stderr }).toEqual({ status: 2, stderr: reason('standard output') });
      }
      expect(ask(['train', '--help'], ['ignore', full, full]).status).toBe(2);
      closeSync(full);
      const directory = openSync(folder.path, 'r');
      const unreadable = ask(['predict', '-'], [directory, 'pipe', 'pipe']);
      expect([unreadable.status, unreadable.stderr]).toEqual([
        2,
        expect.stringMatching(/standard input: (is empty|cannot be read)/),
      ]);
      closeSync(directory);
    },
  );

  it.skipIf(process.platform === 'win32')('does not take half a document for a whole one', async () => {
    const file = join(folder.path, 'half.json');
    // The system takes the first 1024 bytes, and of the same call no more.
    const { status, stderr } = spawnSync(
      'bash',
      ['-c', `ulimit -f 1; exec "$0" "$1" info --json > "$2"`, process.execPath, built, file],
      { encoding: 'utf8' },
    );
    expect(status).toBe(2);
    expect(stderr).toMatch(/^spikeformer: standard output: cannot be written to \(EFBIG: file too large\)/);
    expect(await readFile(file)).toHaveLength(1024);
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

  it('ends an evaluation at once at Ctrl-C while a decoder is busy, and says what is done', async () => {
    const data = join(folder.path, 'slow', 'noise');
    await mkdir(data, { recursive: true });
    await copyFile(fixture('preprocess', 'slow.jpg'), join(data, '0.jpg'));
    const args = ['eval', '--data', join(folder.path, 'slow'), ...settings, '--memory', '4GiB'];
    const child = spawn(process.execPath, [built, ...args]);
    let stdout = '';
    let pressed = 0;
    const press = () => {
      pressed = performance.now();
      child.kill('SIGINT');
    };
    child.stdout.on('data', (bytes) => {
      if (stdout === '') setTimeout(press, 500);
      stdout += bytes;
    });
    const end = await new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal })));
    // Decoding takes many seconds, and nothing but a signal ends a process whose thread is in native code.
    expect(end).toEqual({ code: null, signal: 'SIGINT' });
    expect(performance.now() - pressed).toBeLessThan(3000);
    expect(stdout).toContain('partial result: interrupted after 0 images');
  });

  it('trains, killed at random moments and resumed, to the bytes of a run left alone', async () => {
    const data = join(folder.path, 'labelled');
    await writeDarkAndLight(data, 24);
    const recipe = join(folder.path, 'recipe.json');
    await writeFile(recipe, JSON.stringify(smallRecipe));
    const args = (output: string) => [
      'train',
      '--recipe',
      recipe,
      '--data',
      data,
      '--output',
      join(folder.path, output),
    ];
    expect(run(...args('alone'), '--threads', '2').status).toBe(0);
    const lines = async () => {
      const text = await readFile(join(folder.path, 'killed', 'metrics.jsonl'), 'utf8').catch(() => '');
      return text.split('\n').length - 1;
    };
    let resumes = 0;
    for (let kill = 0; kill < 3; kill++) {
      const more = existsSync(join(folder.path, 'killed', 'state.safetensors')) ? ['--resume'] : [];
      resumes += more.length;
      const child = spawn(process.execPath, [built, ...args('killed'), ...more], { stdio: 'ignore' });
      const closed = new Promise((resolve) => child.on('close', resolve));
      // A resumed run first drops the lines that it will write again.
      const from = await lines();
      const until = from + 3 + Math.floor(25 * Math.random());
      while (child.exitCode === null && (await lines()) < until) await new Promise((resolve) => setTimeout(resolve, 2));
      child.kill('SIGKILL');
      await closed;
    }
    expect(resumes).toBeGreaterThan(0);
    expect(run(...args('killed'), '--resume', '--threads', '1').status).toBe(0);
    for (const file of ['last.safetensors', 'best.safetensors', 'state.safetensors']) {
      const [expected, found] = await Promise.all(
        ['alone', 'killed'].map((output) => readFile(join(folder.path, output, file))),
      );
      expect(found!.equals(expected!), file).toBe(true);
    }
  });
});
