/**
 * Names of YOLO's classes: a text with one name a line (`classes.txt`, `obj.names`), or the entry `names` of a `data.yaml`, as a list or with their numbers. Of YAML no more is
 * read than these three ways of writing it.
 */
import { DataError } from '../errors.js';

const mostClasses = 100_000;

/** By class number. @throws DataError when there are none, one is there twice or has no name. */
export function parseYoloNames(text: string, file: string): string[] {
  const lines = text.replace(/^\ufeff/, '').split(/\r\n|\n|\r/);
  const names = /\.ya?ml$/i.test(file) ? namesInYaml(lines, file) : plainNames(lines);
  if (names.length === 0 || names.length > mostClasses)
    throw new DataError(`${file}: names ${names.length} classes; expected 1 to ${mostClasses}`);
  const empty = names.findIndex((name) => name === '' || name.length > 200);
  if (empty >= 0) throw new DataError(`${file}: class ${empty} has no name, or one of more than 200 characters`);
  const seen = new Set<string>();
  const twice = names.find((name) => seen.size === seen.add(name).size);
  if (twice !== undefined) throw new DataError(`${file}: names the class ${JSON.stringify(twice)} twice`);
  return names;
}

function plainNames(lines: readonly string[]): string[] {
  const names = lines.map((line) => line.trim());
  while (names.at(-1) === '') names.pop();
  return names;
}

function namesInYaml(lines: readonly string[], file: string): string[] {
  const at = lines.findIndex((line) => /^names\s*:/.test(line));
  if (at < 0) throw new DataError(`${file}: has no entry "names"; give the names of the classes there`);
  const beside = withoutComment(lines[at]!.slice(lines[at]!.indexOf(':') + 1));
  if (beside !== '') return inBrackets(beside, lines.slice(at + 1), file);
  const names: string[] = [];
  for (const line of lines.slice(at + 1)) {
    const content = withoutComment(line);
    if (content === '') continue;
    const item = /^(?:-\s+|(\d{1,6})\s*:\s+)(.+)$/.exec(content);
    // The next entry of the file.
    if (item === null && /^\S/.test(line)) break;
    if (item === null) throw unreadable(file, content);
    if (item[1] !== undefined && Number(item[1]) !== names.length)
      throw new DataError(
        `${file}: class ${item[1]} comes after ${names.length} classes; number them from 0, in order`,
      );
    names.push(unquoted(item[2]!.trim(), file));
  }
  return names;
}

/** A list in brackets may go on over lines. */
function inBrackets(beside: string, following: readonly string[], file: string): string[] {
  let list = beside;
  for (const line of following) {
    if (list.endsWith(']')) break;
    list += ` ${withoutComment(line)}`;
  }
  const inside = /^\[(.*)\]$/.exec(list)?.[1]?.trim();
  if (inside === undefined) throw unreadable(file, list);
  if (inside === '') return [];
  // Names in quotes may hold commas.
  const items = inside.match(/(?:'[^']*'|"[^"]*"|[^,'"]+)(?:,|$)/g) ?? [];
  if (items.join('').replace(/\s/g, '') !== inside.replace(/\s/g, '')) throw unreadable(file, inside);
  return items.map((item) => unquoted(item.replace(/,$/, '').trim(), file));
}

function unquoted(name: string, file: string): string {
  const quoted = /^'([^']*)'$|^"([^"\\]*)"$/.exec(name);
  if (quoted !== null) return quoted[1] ?? quoted[2]!;
  if (/^['"[\]{}&*!|>%@`]/.test(name)) throw unreadable(file, name);
  return name;
}

function withoutComment(line: string): string {
  return line.replace(/(^|\s)#.*$/, '').trim();
}

function unreadable(file: string, found: string): DataError {
  return new DataError(
    `${file}: the names of the classes are written as ${JSON.stringify(found.slice(0, 60))}, which is not read here; write a list, or a text file with one name a line`,
  );
}
