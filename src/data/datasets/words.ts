/**
 * Names of classes whose folders are WordNet numbers (`n02124075`), out of the `words.txt` that lies beside the splits of Tiny-ImageNet: a number, a tab, and words for it, the
 * commonest first.
 */
import { className } from '../names.js';

export const wordsFile = 'words.txt';

/** Of all of WordNet's 82,115 nouns it has 2.5 MB. */
export const longestWords = 2 ** 24;

const line = /^(n\d{8})[\t ]+(\S.*)$/;
const longestName = 200;

/** The words of each number; lines that are something else are passed over. */
export function parseWords(text: string): Map<string, string> {
  const words = new Map<string, string>();
  for (const each of text.split('\n')) {
    const [, number, named] = line.exec(each.trimEnd()) ?? [];
    if (number !== undefined && named !== undefined) words.set(number, className(named.slice(0, longestName)).trim());
  }
  return words;
}

/**
 * Class folders by the first of their words; where two classes would have one name, by all of their words, and where that does not tell them apart, by their numbers. Folders that no
 * word is known for keep their names.
 */
export function wordedClasses(classes: readonly string[], words: ReadonlyMap<string, string>): readonly string[] {
  const choices: ((folder: string) => string)[] = [
    (folder) => words.get(folder)?.split(',', 1).join('').trim() || folder,
    (folder) => words.get(folder) ?? folder,
    (folder) => folder,
  ];
  let names = classes;
  const open = new Set(classes.keys());
  for (const choice of choices) {
    names = names.map((name, i) => (open.has(i) ? choice(classes[i]!) : name));
    for (const i of [...open]) if (names.indexOf(names[i]!) === names.lastIndexOf(names[i]!)) open.delete(i);
  }
  return names;
}
