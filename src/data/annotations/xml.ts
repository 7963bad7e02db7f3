/**
 * XML as far as annotations of images use it: elements, text, comments and an XML declaration; attributes, which must not hold a `>`, are passed over. Entities are
 * the five of XML itself. Document types and with them all others, CDATA and processing instructions are refused: no annotation tool writes them, and they are how
 * XML attacks. Why no library: docs/decisions/021.
 */
import { DataError } from '../errors.js';

export interface XmlElement {
  readonly name: string;
  readonly children: readonly XmlElement[];
  /** Of the element itself, without white space around it. */
  readonly text: string;
}

interface OpenElement {
  readonly name: string;
  readonly children: XmlElement[];
  text: string;
}

/** An image with ten thousand objects has less. */
const mostCharacters = 2 ** 24;
const mostDepth = 32;

const mostTag = 4096;

const declaration = /^<\?xml\s[^?>]*\?>$/;
const closing = /^<\/([A-Za-z_][\w.:-]*)\s*>$/;
const opening = /^<([A-Za-z_][\w.:-]*)(?:\s+[\w.:-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*\s*(\/?)>$/;

/**
 * The outermost element.
 *
 * @param name What messages call the text.
 * @throws DataError with the line when it is no such XML, is larger than 16 million characters or deeper than 32 elements.
 */
export function parseXml(source: string, name: string): XmlElement {
  if (source.length > mostCharacters)
    throw new DataError(`${name}: has ${source.length} characters, expected at most ${mostCharacters}`);
  const outside: OpenElement = { name: '', children: [], text: '' };
  const open = [outside];
  const refuse = (at: number, found: string) => new DataError(`${name}: line ${lineOf(source, at)}: ${found}`);
  const start = source.startsWith('\ufeff') ? 1 : 0;
  for (let at = start; at < source.length; ) {
    const end = endOfPiece(source, at);
    const piece = source.slice(at, end);
    if (piece[0] !== '<') {
      open.at(-1)!.text += decoded(piece, (entity) =>
        refuse(at, `${entity} is no entity that is read here; ${allowed}`),
      );
    } else if (!isPassedOver(piece, at === start)) {
      const problem = piece.length > mostTag ? tooLong : place(piece, open);
      if (problem !== undefined) throw refuse(at, problem);
    }
    at = end;
  }
  if (open.length > 1) throw refuse(source.length, `<${open.at(-1)!.name}> is not closed; the file is cut off`);
  if (outside.children.length !== 1 || outside.text.trim() !== '')
    throw refuse(source.length, `${outside.children.length} outermost elements; expected one and no text beside it`);
  return outside.children[0]!;
}

/** Text goes to the next tag, a comment and a tag to their ends, or to that of the file. */
function endOfPiece(source: string, at: number): number {
  const [ending, length] = source.startsWith('<!--', at) ? ['-->', 3] : source[at] === '<' ? ['>', 1] : ['<', 0];
  const found = source.indexOf(ending as string, at + (length === 3 ? 4 : 1));
  return found < 0 ? source.length : found + (length as number);
}

function isPassedOver(piece: string, isFirst: boolean): boolean {
  return (
    (piece.startsWith('<!--') && piece.endsWith('-->') && piece.length >= 7) || (isFirst && declaration.test(piece))
  );
}

/** Opens or closes the element of a tag. Gives what is wrong. */
function place(tag: string, open: OpenElement[]): string | undefined {
  const current = open.at(-1)!;
  const ended = closing.exec(tag);
  if (ended !== null) {
    if (open.length === 1) return `</${ended[1]}> closes nothing`;
    if (current.name !== ended[1]) return `</${ended[1]}> closes <${current.name}>`;
    current.text = current.text.trim();
    open.pop();
    return undefined;
  }
  const begun = opening.exec(tag);
  if (begun === null) return `${JSON.stringify(tag.slice(0, 20))} is no element; ${allowed}`;
  if (open.length > mostDepth) return `elements are nested deeper than ${mostDepth}`;
  const element: OpenElement = { name: begun[1]!, children: [], text: '' };
  current.children.push(element);
  if (begun[2] === '') open.push(element);
  return undefined;
}

const tooLong = `a tag of more than ${mostTag} characters; expected plain elements with text`;
const allowed = 'expected plain elements with text';
const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function decoded(written: string, refuse: (entity: string) => DataError): string {
  return written.replace(/&([^&;]{0,20};?)/g, (all, content: string) => {
    const character = content.endsWith(';') ? entities[content.slice(0, -1)] : undefined;
    if (character === undefined) throw refuse(all);
    return character;
  });
}

function lineOf(source: string, at: number): number {
  let line = 1;
  for (let next = source.indexOf('\n'); next >= 0 && next < at; next = source.indexOf('\n', next + 1)) line++;
  return line;
}

/** The first child of a name. */
export function childOf(element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element?.children.find((child) => child.name === name);
}
