/** The check that refuses decisions by an operator's name, on a small tree in which each is made once, and on the sources themselves with one added. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decisionsIn, operatorNameDecisions } from '../../scripts/operatorNames.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** One line each that must be refused. */
const refused = [
  "nodes.filter((node) => node.operator === 'lif');",
  "if ('add' !== node?.operator) skip();",
  "nodes.filter(({ operator }) => operator == 'lif');",
  "if (operatorOf(node).name === 'lif') skip();",
  'if (new Set(names).has(node.operator)) skip();',
  "if (['conv2d', 'linear'].includes(producer.operator)) skip();",
  'const made = makers[node.operator];',
  'const made = makers.get(node.operator as string);',
  "if (node.operator.startsWith('conv')) skip();",
  'if (/^conv/.test(node.operator)) skip();',
  "switch (node.operator) { case 'lif': skip(); }",
  "const inner = node.name.includes('.body.');",
  'const first = layers.find(({ name }) => name.endsWith(".q_lif"));',
  'const short = name.replace(/\\.attn$/, "");',
  'const inside = /\\.body\\.2\\.[01]$/;',
  'const known = layers.has(`$' + '{name}.0.body.0`);',
];

/** What passes a name on, prints it, or asks a trait. */
const accepted = [
  'throw new GraphError(`node $' + '{node.name} ($' + '{node.operator}): it cannot be trained`);',
  "const pad = { ...node, operator: 'pad' };",
  'const edge = { from, to: node.name, operator: node.operator };',
  'if (operatorOf(node).neuron) skip();',
  "if (kind === 'linear') skip();",
  'const parts = await collected(response.body);',
];

let folder: string;

function write(path: string, lines: readonly string[]): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), `${lines.join('\n')}\n`);
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'operator-names-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('the check for operators that are known by name', () => {
  it.each(refused)('refuses %s', (line) => {
    write('src/energy/wrong.ts', ['', line]);
    const found = decisionsIn(folder, ['src', 'lab/src']);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^src\/energy\/wrong\.ts:2: /);
  });

  it.each(accepted)('accepts %s', (line) => {
    write('lab/src/right.tsx', [line]);
    expect(decisionsIn(folder, ['src', 'lab/src'])).toEqual([]);
  });

  it('leaves operators to know themselves and architectures to know their modules', () => {
    write('src/operators/registry.ts', refused);
    write(
      'src/models/titles.ts',
      refused.filter((line) => /lif"|attn|body/.test(line)),
    );
    expect(decisionsIn(folder, ['src'])).toEqual([]);
    write('src/models/wrong.ts', [refused[0]!]);
    expect(decisionsIn(folder, ['src'])).toHaveLength(1);
  });

  it('finds one that is added to the sources, and says so with the exit code', () => {
    const file = 'src/runtime/compile.ts';
    const text = readFileSync(join(root, file), 'utf8');
    expect(operatorNameDecisions(file, text, { modules: true })).toEqual([]);
    const worse = text.replace('operatorOf(node).isView', "node.operator === 'mapToTokens'");
    expect(operatorNameDecisions(file, worse, { modules: true })).toHaveLength(1);
    const { status, stdout } = spawnSync(process.execPath, ['scripts/operatorNames.mjs'], {
      cwd: root,
      encoding: 'utf8',
    });
    expect([status, stdout]).toEqual([0, '']);
  });
});
