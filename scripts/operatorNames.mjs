// @ts-check
/**
 * Refuses code that decides by an operator's name outside `src/operators`: comparisons, switches, look-ups and patterns on `node.operator`, and outside `src/models` also on
 * the ends of the authors' module names. What is to be known of an operator is a trait of it (`src/operators/traits.ts`). Names may be passed on and printed.
 *
 * `node scripts/operatorNames.mjs [FOLDER…]`, by default `src` and `lab/src` of the repository; exit code 1 when something is refused.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Methods that find out whether a name is one of several, or what belongs to it. */
const lookUps = new Set(['has', 'get', 'includes', 'indexOf', 'some', 'find', 'test', 'exec']);
const comparisons = new Set([
  ts.SyntaxKind.EqualsEqualsToken,
  ts.SyntaxKind.EqualsEqualsEqualsToken,
  ts.SyntaxKind.ExclamationEqualsToken,
  ts.SyntaxKind.ExclamationEqualsEqualsToken,
]);
/** Parts of the names that only one architecture's modules have. */
const moduleName = /_lif\b|\.body\b|\battn\b|body\\\.|\\\.body/;
const nameMethods = new Set([
  'endsWith',
  'startsWith',
  'includes',
  'replace',
  'replaceAll',
  'split',
  'match',
  'indexOf',
]);

/**
 * @param {string} file
 * @param {string} text
 * @param {{ readonly modules: boolean }} rules Whether names of modules are refused as well.
 * @returns {string[]} `FILE:LINE: what it does`, one for each place.
 */
export function operatorNameDecisions(file, text, rules) {
  const kind = file.endsWith('.tsx') ? ts.ScriptKind.TSX : ts.ScriptKind.TS;
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true, kind);
  /** @type {string[]} */
  const found = [];
  /** @param {ts.Node} node @param {string} does */
  const refuse = (node, does) => {
    const { line } = source.getLineAndCharacterOfPosition(node.getStart());
    found.push(`${file}:${line + 1}: ${does}: ${node.getText().replace(/\s+/g, ' ').slice(0, 80)}`);
  };
  /** @param {ts.Node} node */
  const visit = (node) => {
    if (ts.isBinaryExpression(node) && comparisons.has(node.operatorToken.kind)) {
      if (isOperatorName(node.left) || isOperatorName(node.right)) refuse(node, "compares an operator's name");
    } else if (ts.isSwitchStatement(node)) {
      if (isOperatorName(node.expression)) refuse(node.expression, "switches by an operator's name");
    } else if (ts.isElementAccessExpression(node)) {
      if (isOperatorName(node.argumentExpression)) refuse(node, "looks up by an operator's name");
    } else if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
      const { expression, name } = node.expression;
      if (isOperatorName(expression)) refuse(node, "asks an operator's name");
      else if (lookUps.has(name.text) && node.arguments.some(isOperatorName))
        refuse(node, "looks up by an operator's name");
      else if (
        rules.modules &&
        (nameMethods.has(name.text) || lookUps.has(name.text)) &&
        node.arguments.some(isModuleName)
      )
        refuse(node, "decides by a module's name");
    } else if (rules.modules && ts.isRegularExpressionLiteral(node) && moduleName.test(node.text)) {
      // As an argument it was refused above.
      if (!ts.isCallExpression(node.parent)) refuse(node, "decides by a module's name");
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** `operator`, `node.operator`, `node?.operator`, `node.operator as X`. @param {ts.Expression} given @returns {boolean} */
function isOperatorName(given) {
  if (ts.isParenthesizedExpression(given) || ts.isAsExpression(given) || ts.isNonNullExpression(given))
    return isOperatorName(given.expression);
  if (ts.isIdentifier(given)) return given.text === 'operator';
  if (!ts.isPropertyAccessExpression(given)) return false;
  if (given.name.text === 'operator') return true;
  // The registry's `operatorOf(node).name`.
  if (given.name.text !== 'name') return false;
  const of = given.expression;
  const called = ts.isCallExpression(of) && ts.isIdentifier(of.expression) && of.expression.text === 'operatorOf';
  return called || isOperatorName(of);
}

/** @param {ts.Expression} given */
function isModuleName(given) {
  const text = ts.isRegularExpressionLiteral(given) || ts.isStringLiteralLike(given) ? given.text : given.getText();
  const isText =
    ts.isRegularExpressionLiteral(given) || ts.isStringLiteralLike(given) || ts.isTemplateExpression(given);
  return isText && moduleName.test(text);
}

/** @param {string} folder @returns {string[]} */
function filesIn(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesIn(path);
    return /\.tsx?$/.test(entry.name) && !entry.name.endsWith('.generated.ts') ? [path] : [];
  });
}

/**
 * @param {string} base Folder of the repository, or of something like it.
 * @param {readonly string[]} folders In it.
 */
export function decisionsIn(base, folders) {
  const files = folders.flatMap((folder) => {
    const path = join(base, folder);
    return statSync(path, { throwIfNoEntry: false }) ? filesIn(path) : [];
  });
  return files.flatMap((path) => {
    const file = relative(base, path).split(sep).join('/');
    if (file.startsWith('src/operators/')) return [];
    return operatorNameDecisions(file, readFileSync(path, 'utf8'), { modules: !file.startsWith('src/models/') });
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = decisionsIn(root, process.argv.length > 2 ? process.argv.slice(2) : ['src', 'lab/src']);
  for (const line of found) console.log(line);
  if (found.length > 0) console.log('ask a trait of the operator instead (src/operators/traits.ts)');
  process.exitCode = found.length === 0 ? 0 : 1;
}
