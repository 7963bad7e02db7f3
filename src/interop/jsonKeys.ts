/**
 * Finds what `JSON.parse` silently forgives: a key that stands twice in one object. Two readers of such a file may believe
 * different values, so files from outside must not have it. Not a parser: it only tells strings from brackets, in one pass,
 * and leaves the text's syntax to `JSON.parse`.
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * The first key that occurs twice in the same object, or undefined.
 *
 * @throws RangeError when objects and arrays are nested deeper than `maximumDepth`, or there are more than `maximumKeys` keys.
 * @throws SyntaxError when a key is not a JSON string.
 */
export function duplicateKey(
  text: string,
  maximumDepth: number,
  maximumKeys = Number.POSITIVE_INFINITY,
): string | undefined {
  let count = 0;
  const open: (Set<string> | undefined)[] = [];
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '{' || character === '[') {
      if (open.length >= maximumDepth) throw new RangeError(`nested deeper than ${maximumDepth}`);
      open.push(character === '{' ? new Set() : undefined);
    } else if (character === '}' || character === ']') {
      open.pop();
    } else if (character === '"') {
      const end = stringEnd(text, at);
      const keys = isKey(text, end) ? open.at(-1) : undefined;
      const key = keys && String(JSON.parse(text.slice(at, end)));
      if (key !== undefined && keys?.has(key)) return key;
      if (key !== undefined) keys?.add(key);
      if (key !== undefined && ++count > maximumKeys) throw new RangeError(`more than ${maximumKeys} keys`);
      at = end - 1;
    }
  }
  return undefined;
}

/** The offset after the closing quote of the string that opens at `start`. */
function stringEnd(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text.charCodeAt(at) !== QUOTE) at += text.charCodeAt(at) === BACKSLASH ? 2 : 1;
  return at + 1;
}

function isKey(text: string, after: number): boolean {
  let at = after;
  while (at < text.length && ' \t\r\n'.includes(text[at]!)) at++;
  return text[at] === ':';
}
