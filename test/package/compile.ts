/** The TypeScript compiler as a stranger's project runs it, inside the test process; files that did not change are parsed once. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { root } from '../../scripts/setup.mjs';

export interface Project {
  readonly module: 'NodeNext' | 'Node16' | 'ESNext';
  readonly moduleResolution: 'NodeNext' | 'Node16' | 'Bundler';
  readonly customConditions?: readonly string[];
  /** What the program may take as given: a page's globals, or Node's. */
  readonly globals: 'page' | 'node';
}

const parsed = new Map<string, ts.SourceFile | undefined>();

/** @returns what the compiler complains of in `use.ts` and in this package's declarations, and the declarations of this package that it took. */
export function compile(
  folder: string,
  { module, moduleResolution, customConditions, globals }: Project,
): { readonly complaints: readonly string[]; readonly entries: readonly string[] } {
  const { options, errors } = ts.convertCompilerOptionsFromJson(
    {
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      target: 'ES2022',
      module,
      moduleResolution,
      ...(customConditions ? { customConditions } : {}),
      lib: globals === 'page' ? ['ES2022', 'DOM', 'DOM.Iterable'] : ['ES2023'],
      types: globals === 'page' ? [] : ['node'],
      typeRoots: [join(root, 'node_modules', '@types')],
    },
    folder,
  );
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile.bind(host);
  host.getSourceFile = (name, languageVersion, ...rest) => {
    const format = typeof languageVersion === 'object' ? languageVersion.impliedNodeFormat : '';
    const key = `${name} ${format}`;
    if (!parsed.has(key) || !name.endsWith('.d.ts')) parsed.set(key, read(name, languageVersion, ...rest));
    return parsed.get(key);
  };
  const program = ts.createProgram([join(folder, 'use.ts')], options, host);
  // Checking all of Node's and the page's declarations, too, would take most of the time and say nothing of ours.
  const ours = program.getSourceFiles().filter(({ fileName }) => /\/(use\.ts|meta-spikeformer\/.*)$/.test(fileName));
  const found = ours.flatMap((file) => [
    ...program.getSyntacticDiagnostics(file),
    ...program.getSemanticDiagnostics(file),
  ]);
  const complaints = [...errors, ...program.getOptionsDiagnostics(), ...found].map(({ file, messageText }) => {
    const text = ts.flattenDiagnosticMessageText(messageText, ' ');
    return file ? `${file.fileName.slice(folder.length + 1)}: ${text}` : text;
  });
  const entries = program.getSourceFiles().flatMap(({ fileName }) => {
    const [, entry] = /meta-spikeformer\/dist\/(index[\w.]*\.d\.ts)$/.exec(fileName) ?? [];
    return entry !== undefined && existsSync(fileName) ? [entry] : [];
  });
  return { complaints, entries };
}
