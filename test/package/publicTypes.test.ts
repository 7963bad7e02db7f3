/**
 * What a TypeScript user sees: every type that a public signature names can be imported by name, and nothing of a declaration needs
 * Node's types. Walks the compiled declarations with the compiler itself.
 */
import { join, relative } from 'node:path';
import ts from 'typescript';
import { beforeAll, describe, expect, it } from 'vitest';
import { root } from '../../scripts/setup.mjs';

const entries = ['index.d.ts', 'index.browser.d.ts'];

/** Types named by the declarations of an entry's exports, and by those of the types they name, that the entry does not export. */
function unexported(program: ts.Program, entry: string): readonly string[] {
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(join(root, 'dist', entry))!;
  const resolved = (symbol: ts.Symbol) =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const exported = new Set(checker.getExportsOfModule(checker.getSymbolAtLocation(source)!).map(resolved));
  const missing = new Set<string>();
  const isOurs = (symbol: ts.Symbol) =>
    symbol.declarations?.some((declaration) => {
      const file = declaration.getSourceFile().fileName;
      return file.startsWith(join(root, 'dist')) && ts.isSourceFile(declaration.parent);
    }) ?? false;
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) check(node);
    ts.forEachChild(node, visit);
  };
  const check = (name: ts.Identifier): void => {
    const symbol = checker.getSymbolAtLocation(name);
    if (!symbol) return;
    const target = resolved(symbol);
    if (isOurs(target) && !exported.has(target)) missing.add(`${target.name} (${nameOfFile(target)})`);
  };
  for (const symbol of exported) for (const declaration of symbol.declarations ?? []) visit(declaration);
  return [...missing].sort();
}

function nameOfFile(symbol: ts.Symbol): string {
  return relative(root, symbol.declarations![0]!.getSourceFile().fileName);
}

describe('the declarations', () => {
  let program: ts.Program;
  beforeAll(() => {
    const options: ts.CompilerOptions = {
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      target: ts.ScriptTarget.ES2022,
      lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
      types: [],
    };
    program = ts.createProgram(
      entries.map((entry) => join(root, 'dist', entry)),
      options,
    );
  }, 60_000);

  it.each(entries)('of %s export every type that they name', (entry) => {
    expect(unexported(program, entry)).toEqual([]);
  });
});
