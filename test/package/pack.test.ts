/**
 * What a stranger gets: the tarball that `npm publish` would send is installed into an empty folder and used from there,
 * by Node, by a bundler's `browser` condition, by the TypeScript compiler and by npx.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { npmCommand } from '../../scripts/processes.mjs';
import { root } from '../../scripts/setup.mjs';
import { compile, type Project } from './compile.js';

/** The tarball may not grow beyond this without a reason: 23 MiB, of which the ten trained models take eighteen and a half. */
const largestTarball = 23 * 2 ** 20;

const offline = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|ENOTCACHED/;

/** The same program for Node and for a page: whatever a checkpoint and an image may be. */
const useOfAllThatRuns = `
import { createEngine, loadModel, type Engine, type LoadOptions, type Prediction, type UnseenOptions } from 'meta-spikeformer';

export async function use(file: File, blob: Blob, bytes: Uint8Array, buffer: ArrayBuffer, address: URL, text: string) {
  const options: LoadOptions = { timeSteps: 2, weightsAddress: address };
  for (const checkpoint of [file, blob, bytes, buffer, address, text]) await loadModel({ checkpoint }, options);
  const model = await loadModel({ model: text });
  const found: Prediction[] = [];
  for (const image of [file, blob, bytes, buffer, address, text]) found.push(...(await model.classify(image, 1)));
  const engine: Engine = await createEngine({ threads: 1 });
  const changes: UnseenOptions = { timeSteps: 4 };
  const warnings: readonly string[] = model.reconfigured(changes, engine).warnings;
  // @ts-expect-error An option that there is not.
  await loadModel({}, { timesteps: 4 });
  return { found, warnings };
}
`;

let folder: string;
let tarball: string;
let installation: { readonly status: number | null; readonly output: string };

function run(command: readonly string[], cwd: string) {
  const [program = '', ...parameters] = command;
  const { status, stdout, stderr } = spawnSync(program, parameters, { cwd, encoding: 'utf8' });
  return { status, stdout, output: `${stdout}${stderr}` };
}

/** Files of the tarball, without the folder `package/` that npm puts around them. */
function contents(): readonly string[] {
  const { stdout } = run(['tar', '-tzf', tarball], folder);
  return stdout
    .trim()
    .split('\n')
    .map((name) => name.replace(/^package\//, ''));
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'package-'));
  const packed = run([...npmCommand(), 'pack', '--pack-destination', folder], root);
  const name = readdirSync(folder).find((file) => file.endsWith('.tgz'));
  if (name === undefined) throw new Error(`npm pack made no tarball: ${packed.output}`);
  tarball = join(folder, name);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'stranger', private: true, type: 'module' }));
  const options = ['--prefer-offline', '--no-audit', '--no-fund', '--fetch-retries=0'];
  installation = run([...npmCommand(), 'install', ...options, `./${name}`], folder);
}, 120_000);

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('the tarball', () => {
  it('holds the compiled library, the command line, the photographs and the licence', () => {
    const files = contents();
    for (const file of ['package.json', 'README.md', 'LICENSE', 'NOTICE', 'dist/index.js', 'dist/index.d.ts']) {
      expect(files).toContain(file);
    }
    for (const file of ['dist/index.browser.js', 'dist/index.browser.d.ts', 'dist/cli/main.js'])
      expect(files).toContain(file);
    expect(files).toContainEqual(expect.stringMatching(/^assets\/photographs\/.*\.jpg$/));
    expect(files).toContain('models/cifar10.safetensors');
  });

  it('holds the page of the lab, and the weights once', () => {
    const files = contents();
    for (const file of ['lab/dist/index.html', 'lab/dist/licences.txt']) expect(files).toContain(file);
    expect(files).toContainEqual(expect.stringMatching(/^lab\/dist\/assets\/worker-[\w-]+\.js$/));
    const models = [
      'bccd',
      'camvid',
      'cifar10-wide',
      'cifar10',
      'fashion-mnist-t4',
      'fashion-mnist',
      'nmnist',
      'nw-ucla',
      'photographs-t4',
      'photographs',
    ].map((name) => `models/${name}.safetensors`);
    expect(files.filter((name) => name.endsWith('.safetensors')).sort()).toEqual(models);
  });

  it('holds no sources, tests, source maps or traces of the build', () => {
    expect(
      contents().filter((name) =>
        /^(src|test|bench|kernels|scripts|lab\/src)\/|\.map$|\.stamp$|tsbuildinfo$/.test(name),
      ),
    ).toEqual([]);
  });

  it('holds what its pages link to', () => {
    const files = contents();
    const pages = files.filter((name) => name.endsWith('.md'));
    expect(pages).toContain('docs/cli.md');
    expect(files).toContain('examples/fashion-mnist.mjs');
    const dead = pages.flatMap((page) => {
      const text = readFileSync(join(root, page), 'utf8').replace(/```[\s\S]*?```/g, '');
      return [...text.matchAll(/\]\(([^)\s#]+)[^)]*\)/g)]
        .map(([, target]) => target!)
        .filter((target) => !/^[a-z]+:/.test(target))
        .map((target) => ({
          target,
          path: posix.normalize(posix.join(posix.dirname(page), target)).replace(/\/$/, ''),
        }))
        .filter(({ path }) => !files.some((file) => file === path || file.startsWith(`${path}/`)))
        .map(({ target }) => `${page}: ${target}`);
    });
    expect(dead).toEqual([]);
  });

  it('names the licence of every native library that comes with its dependencies', () => {
    const notice = readFileSync(join(root, 'NOTICE'), 'utf8');
    const packages = readdirSync(join(root, 'node_modules', '@img')).filter((name) => name.startsWith('sharp-libvips'));
    for (const name of packages) {
      const { license } = JSON.parse(
        readFileSync(join(root, 'node_modules', '@img', name, 'package.json'), 'utf8'),
      ) as { license: string };
      expect(notice).toContain('libvips');
      expect(notice).toContain(license);
    }
  });

  it('names no address that is not there', () => {
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as object;
    expect(Object.keys(manifest)).not.toEqual(expect.arrayContaining(['repository']));
    expect(Object.keys(manifest)).not.toEqual(expect.arrayContaining(['homepage']));
    expect(Object.keys(manifest)).not.toEqual(expect.arrayContaining(['bugs']));
  });

  it('is small', () => {
    expect(readFileSync(tarball).length).toBeLessThan(largestTarball);
  });
});

describe('the package, installed into an empty folder', () => {
  beforeEach(({ skip }) => {
    if (installation.status !== 0 && offline.test(installation.output)) skip('the package registry is out of reach');
    if (installation.status !== 0) throw new Error(installation.output);
  });

  it('answers to npx spikeformer --help with its commands', () => {
    const { status, stdout } = run([...npmCommand(), 'exec', '--no', '--', 'spikeformer', '--help'], folder);
    expect(stdout).toContain('predict');
    expect(status).toBe(0);
  });

  it('serves the lab, with the weights where the page looks for them', async () => {
    const command = join(folder, 'node_modules', 'meta-spikeformer', 'dist', 'cli', 'main.js');
    const server = spawn(process.execPath, [command, 'lab', '--port', '0'], { cwd: folder });
    try {
      const [line] = (await once(server.stdout, 'data')) as [Buffer];
      const address = /http:\S+/.exec(line.toString())![0];
      const page = await (await fetch(address)).text();
      const [script] = /assets\/index-[\w-]+\.js/.exec(page)!;
      expect((await fetch(`${address}${script}`)).status).toBe(200);
      const weights = await fetch(`${address}models/cifar10.safetensors`);
      const packed = readFileSync(join(root, 'models', 'cifar10.safetensors'));
      expect(packed.equals(Buffer.from(await weights.arrayBuffer()))).toBe(true);
      server.kill('SIGINT');
      expect(await once(server, 'exit')).toEqual([0, null]);
    } finally {
      server.kill('SIGKILL');
    }
  });

  it('is the same library as the one that was built here', async () => {
    const script = `console.log(JSON.stringify(Object.keys(await import('meta-spikeformer')).sort()))`;
    const { stdout } = run([process.execPath, '--input-type=module', '--eval', script], folder);
    const exported = Object.keys(await import('../../src/index.js')).sort();
    expect(exported).not.toEqual([]);
    expect(JSON.parse(stdout)).toEqual(exported);
  });

  it('runs the first example of the README as it is pasted', () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8');
    const example = /```ts\n([\s\S]*?)```/.exec(readme)![1]!;
    expect(example.trimEnd().split('\n').length).toBeLessThanOrEqual(15);
    const { status, stdout, output } = run([process.execPath, '--input-type=module', '--eval', example], folder);
    expect(output).toBe(stdout);
    expect(stdout.match(/ % {2}/g)).toHaveLength(5);
    expect(status).toBe(0);
  });

  it('gives a bundler for the browser the entry without Node', () => {
    const script = `console.log(import.meta.resolve('meta-spikeformer'))`;
    const resolve = (...conditions: string[]) =>
      run([process.execPath, ...conditions, '--input-type=module', '--eval', script], folder).stdout.trim();
    expect(resolve('--conditions=browser')).toMatch(/\/dist\/index\.browser\.js$/);
    expect(resolve()).toMatch(/\/dist\/index\.js$/);
  });

  it.each<[string, string, Project]>([
    ['Node', 'index.d.ts', { module: 'NodeNext', moduleResolution: 'NodeNext', globals: 'node' }],
    ['Node of before', 'index.d.ts', { module: 'Node16', moduleResolution: 'Node16', globals: 'node' }],
    ['a bundler', 'index.d.ts', { module: 'ESNext', moduleResolution: 'Bundler', globals: 'page' }],
    [
      'a bundler for the browser',
      'index.browser.d.ts',
      { module: 'ESNext', moduleResolution: 'Bundler', customConditions: ['browser'], globals: 'page' },
    ],
  ])(
    'has types that admit all that runs, for %s',
    (_title, entry, project) => {
      writeFileSync(join(folder, 'use.ts'), useOfAllThatRuns);
      const { complaints, entries } = compile(folder, project);
      expect(complaints).toEqual([]);
      expect(entries).toContain(entry);
    },
    60_000,
  );
});
