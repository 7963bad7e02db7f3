/**
 * The rules of .dependency-cruiser.cjs, on a small tree in which each forbidden arrow is drawn once. A rule that does
 * not fire here would not fire in the repository either. The list of arrows is that of the architecture, not of the rules.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const cruiser = join(root, 'node_modules', 'dependency-cruiser', 'bin', 'dependency-cruise.mjs');

interface Violation {
  readonly from: string;
  readonly to: string;
  readonly rule: { readonly name: string };
}

/** Files of a tree whose arrows all point the right way; values are what each imports. */
const allowed: Record<string, readonly string[]> = {
  'src/errors.ts': [],
  'src/graph/shape.ts': ['../errors.js'],
  'src/engines/kernels.ts': ['../graph/shape.js', './calls/add.js'],
  'src/engines/calls/add.ts': ['../../graph/shape.js'],
  'src/engines/reference/index.ts': ['../kernels.js'],
  'src/engines/wasm/index.ts': ['../kernels.js', './platform.js'],
  'src/engines/wasm/calls/add.ts': ['../../calls/add.js'],
  'src/engines/native/index.ts': ['../wasm/index.js'],
  'src/engines/native/threads.ts': ['dynamic:node:worker_threads'],
  'src/engines/wasm/platform.ts': ['dynamic:node:worker_threads', 'type:node:worker_threads'],
  'src/operators/conv2d.ts': ['../graph/shape.js', '../engines/kernels.js', '../engines/calls/add.js'],
  'src/models/metaSpikeformer.ts': ['../operators/conv2d.js', '../graph/shape.js'],
  'src/runtime/engines.ts': ['../engines/native/index.js', '../engines/wasm/index.js', '../engines/reference/index.js'],
  'src/runtime/compile.ts': ['../models/metaSpikeformer.js', './engines.js', '../engines/kernels.js'],
  'src/inference/inference.ts': ['../runtime/compile.js', '../models/metaSpikeformer.js', '../engines/kernels.js'],
  'src/metrics/accuracy.ts': ['../inference/inference.js'],
  'src/data/decode.ts': ['sharp', 'node:fs', '../interop/crc32.js', '../metrics/accuracy.js'],
  'src/interop/checkpoint.ts': ['../data/names.js', '../models/metaSpikeformer.js'],
  'src/interop/crc32.ts': [],
  'src/data/names.ts': [],
  'src/insight/summary.ts': ['../inference/inference.js', '../interop/checkpoint.js'],
  'src/energy/meter.ts': ['../insight/summary.js', '../inference/inference.js'],
  'src/training/losses/index.ts': [],
  'src/modalities/registry.ts': ['../data/decode.js'],
  'src/loader/loader.ts': ['../modalities/registry.js', '../data/decode.js', 'node:worker_threads'],
  'src/tasks/task.ts': ['../graph/shape.js', '../modalities/registry.js'],
  'src/tasks/sorting/sorting.ts': ['../task.js', '../../training/losses/index.js', '../../metrics/accuracy.js'],
  'src/tasks/counting/counting.ts': ['../task.js'],
  'src/tasks/registry.ts': ['./sorting/sorting.js', './counting/counting.js', './task.js'],
  'src/training/loop.ts': [
    '../loader/loader.js',
    '../energy/meter.js',
    '../inference/inference.js',
    '../tasks/registry.js',
  ],
  'src/api/model.ts': ['../tasks/registry.js', '../inference/inference.js', '../energy/meter.js'],
  'src/index.ts': ['./api/model.js', './training/loop.js', './data/decode.js', './engines/wasm/index.js'],
  'src/index.browser.ts': ['./inference/inference.js'],
  'src/cli/main.ts': ['../index.js', '../engines/wasm/index.js', 'commander'],
  'bench/speed.ts': ['../src/index.js'],
  'lab/app.ts': ['../src/index.browser.js', 'vitest'],
  'test/loop.test.ts': ['../src/training/loop.js', '../src/engines/reference/index.js', '../bench/speed.js'],
};

/** Arrows that must be refused, and the rule that refuses each. */
const forbidden: readonly (readonly [from: string, to: string, rule: string])[] = [
  ['src/graph/wrong.ts', 'src/operators/conv2d.ts', 'graph-knows-only-what-is-below'],
  ['src/graph/wrongEngine.ts', 'src/engines/kernels.ts', 'graph-knows-only-what-is-below'],
  ['src/engines/wasm/wrong.ts', 'src/operators/conv2d.ts', 'engines-knows-only-what-is-below'],
  ['src/engines/wasm/wrongNative.ts', 'src/engines/native/index.ts', 'native-on-top-of-wasm'],
  ['src/engines/native/wrongThreads.ts', 'worker_threads', 'threads-only-on-demand'],
  ['src/operators/wrongKernel.ts', 'src/engines/wasm/calls/add.ts', 'engines-behind-kernels'],
  ['src/operators/wrong.ts', 'src/models/metaSpikeformer.ts', 'operators-knows-only-what-is-below'],
  ['src/operators/wrongExport.ts', 'src/training/loop.ts', 'operators-knows-only-what-is-below'],
  ['src/operators/wrongEngine.ts', 'src/engines/reference/index.ts', 'engines-behind-kernels'],
  ['src/models/wrong.ts', 'src/runtime/engines.ts', 'models-knows-only-what-is-below'],
  ['src/runtime/wrong.ts', 'src/inference/inference.ts', 'runtime-knows-only-what-is-below'],
  ['src/inference/wrong.ts', 'src/metrics/accuracy.ts', 'inference-knows-only-what-is-below'],
  ['src/inference/wrongData.ts', 'src/data/decode.ts', 'inference-knows-only-what-is-below'],
  ['src/inference/wrongEnergy.ts', 'src/energy/meter.ts', 'inference-knows-only-what-is-below'],
  ['src/metrics/wrongTask.ts', 'src/tasks/task.ts', 'metrics-knows-only-what-is-below'],
  ['src/metrics/wrong.ts', 'src/insight/summary.ts', 'metrics-knows-only-what-is-below'],
  ['src/data/wrongTraining.ts', 'src/training/loop.ts', 'data-knows-only-what-is-below'],
  ['src/interop/wrongEnergy.ts', 'src/energy/meter.ts', 'interop-knows-only-what-is-below'],
  ['src/insight/wrong.ts', 'src/energy/meter.ts', 'insight-knows-only-what-is-below'],
  ['src/energy/wrong.ts', 'src/training/loop.ts', 'energy-knows-only-what-is-below'],
  ['src/energy/wrongEntry.ts', 'src/index.ts', 'energy-knows-only-what-is-below'],
  ['src/training/wrong.ts', 'src/api/model.ts', 'training-knows-only-what-is-below'],
  ['src/training/wrongCommand.ts', 'src/cli/main.ts', 'training-knows-only-what-is-below'],
  ['src/tasks/wrong.ts', 'src/training/loop.ts', 'tasks-knows-only-what-is-below'],
  ['src/tasks/sorting/wrong.ts', 'src/runtime/engines.ts', 'tasks-knows-only-what-is-below'],
  ['src/tasks/sorting/wrongSister.ts', 'src/tasks/counting/counting.ts', 'tasks-do-not-know-each-other'],
  ['src/training/wrongTask.ts', 'src/tasks/sorting/sorting.ts', 'tasks-behind-their-registry'],
  ['src/training/losses/wrong.ts', 'src/tasks/task.ts', 'what-tasks-use-knows-no-task'],
  ['src/api/wrong.ts', 'src/cli/main.ts', 'api-knows-only-what-is-below'],
  ['src/cli/wrong.ts', 'src/attic/floorless.ts', 'no-room-without-a-floor'],
  ['src/training/wrongRun.ts', 'src/runtime/compile.ts', 'networks-run-in-inference'],
  ['src/runtime/execute.ts', 'src/engines/wasm/index.ts', 'engines-behind-kernels'],
  ['bench/wrong.ts', 'src/engines/wasm/index.ts', 'engines-behind-kernels'],
  ['src/data/wrongModality.ts', 'src/modalities/registry.ts', 'data-knows-only-what-is-below'],
  ['src/data/wrongLoader.ts', 'src/loader/loader.ts', 'data-knows-only-what-is-below'],
  ['src/modalities/wrong.ts', 'src/loader/loader.ts', 'modalities-knows-only-what-is-below'],
  ['src/modalities/wrongTraining.ts', 'src/training/loop.ts', 'modalities-knows-only-what-is-below'],
  ['src/loader/wrong.ts', 'src/training/loop.ts', 'loader-knows-only-what-is-below'],
  ['src/data/wrong.ts', 'test/loop.test.ts', 'sources-stand-alone'],
  ['src/interop/wrong.ts', 'bench/speed.ts', 'sources-stand-alone'],
  ['src/data/wrongPage.ts', 'lab/app.ts', 'sources-stand-alone'],
  ['lab/wrong.ts', 'src/api/model.ts', 'lab-knows-the-browser-entry'],
  ['lab/wrongEntry.ts', 'src/index.ts', 'lab-knows-the-browser-entry'],
  ['src/data/wrongThreads.ts', 'worker_threads', 'threads-only-where-work-is-shared'],
  ['src/runtime/wrongThreads.ts', 'worker_threads', 'threads-only-where-work-is-shared'],
  ['src/engines/wasm/wrongThreads.ts', 'worker_threads', 'threads-only-on-demand'],
  ['src/metrics/wrongPackage.ts', 'node_modules/vitest/index.js', 'shipped-code-uses-shipped-packages'],
  ['src/metrics/wrongPath.ts', './absent.js', 'imports-resolve'],
];

const packages = { sharp: 'dependencies', commander: 'dependencies', vitest: 'devDependencies' };

let folder: string;

function write(path: string, content: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
}

function importing(specifiers: readonly string[]): string {
  const lines = specifiers.map((name) => {
    if (name.startsWith('dynamic:')) return `await import('${name.slice('dynamic:'.length)}');`;
    if (name.startsWith('type:')) return `export type All = typeof import('${name.slice('type:'.length)}');`;
    return `import '${name}';`;
  });
  return `${lines.join('\n')}\nexport {};\n`;
}

/** From one file of the tree to another, or to a package or a module of Node. */
function specifier(from: string, to: string): string {
  if (to === 'worker_threads') return 'node:worker_threads';
  if (to.startsWith('./')) return to;
  if (to.startsWith('node_modules/')) return to.split('/')[1]!;
  return `${'../'.repeat(from.split('/').length - 1)}${to.replace(/\.ts$/, '.js')}`;
}

function writeAllowedTree(): void {
  for (const [path, imports] of Object.entries(allowed)) write(path, importing(imports));
  const manifest: Record<string, Record<string, string>> = { dependencies: {}, devDependencies: {} };
  for (const [name, kind] of Object.entries(packages)) {
    manifest[kind]![name] = '1.0.0';
    write(`node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', main: 'index.js' }));
    write(`node_modules/${name}/index.js`, 'export {};\n');
  }
  write('package.json', JSON.stringify({ name: 'tree', type: 'module', ...manifest }));
}

/** Runs the repository's rules over the tree, as `npm run check` does. */
function cruise(outputType: 'json' | 'err') {
  const parameters = ['--config', join(root, '.dependency-cruiser.cjs'), '--output-type', outputType];
  const command = [cruiser, ...parameters, 'src', 'bench', 'lab', 'test'];
  const env = { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' };
  return spawnSync(process.execPath, command, { cwd: folder, encoding: 'utf8', env });
}

function violations(): readonly string[] {
  const { summary } = JSON.parse(cruise('json').stdout) as { summary: { violations: readonly Violation[] } };
  return summary.violations.map(({ from, to, rule }) => `${from} → ${to}: ${rule.name}`).sort();
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'arrows-'));
  writeAllowedTree();
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('the rules about arrows between folders', () => {
  it('accept a tree in which every arrow points down', () => {
    expect(violations()).toEqual([]);
  });

  it('refuse each forbidden arrow, by name, and nothing else', () => {
    write('src/attic/floorless.ts', importing([]));
    for (const [from, to] of forbidden) write(from, importing([specifier(from, to)]));
    expect(violations()).toEqual(forbidden.map(([from, to, rule]) => `${from} → ${to}: ${rule}`).sort());
  });

  it('refuse a cycle that only types make, and say so with the exit code', () => {
    write('src/graph/a.ts', `import type { B } from './b.js';\nexport type A = B;\n`);
    write('src/graph/b.ts', `import type { A } from './a.js';\nexport type B = A[];\n`);
    const { status, stdout } = cruise('err');
    expect(status).toBe(1);
    expect(stdout).toContain('no-cycles: src/graph/a.ts');
  });

  it('refuse what a browser lacks wherever index.browser.ts reaches it', () => {
    write('src/index.browser.ts', importing(['./inference/inference.js', './data/decode.js']));
    expect(violations()).toEqual([
      'src/index.browser.ts → fs: browser-without-node',
      'src/index.browser.ts → node_modules/sharp/index.js: browser-without-node',
    ]);
  });
});
