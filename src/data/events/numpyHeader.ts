/**
 * The header of a NumPy array file (`.npy`, versions 1 to 3): a Python dictionary of `descr`, `fortran_order` and `shape`, read by a parser of its own that knows
 * strings, whole numbers, booleans, tuples and lists, and evaluates nothing. The format is NumPy's NEP 1.
 */
import { DataError } from '../errors.js';
import type { ElementType } from './elementTypes.js';

export const npyMagic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59] as const;

/** No array of events needs more; longer ones are refused before they are read. */
const largestHeader = 1 << 16;
const deepest = 8;

export interface NumpyField {
  readonly name: string;
  readonly type: ElementType;
  /** Bytes from the start of a record. */
  readonly offset: number;
}

export interface NumpyHeader {
  /** Elements of one type, or records of named fields. */
  readonly element: ElementType | { readonly fields: readonly NumpyField[] };
  /** Bytes of an element or a record. */
  readonly itemSize: number;
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
}

/** Bytes of the preamble: magic, version, and the length of the text in two (version 1) or four bytes. */
export function preambleLength(version: number): number {
  return version === 1 ? 10 : 12;
}

/**
 * How many bytes the header's text has, from the preamble.
 *
 * @throws DataError when the preamble is not that of an array file.
 */
export function headerLength(name: string, preamble: Uint8Array): number {
  const view = new DataView(preamble.buffer, preamble.byteOffset, preamble.byteLength);
  const version = preamble[6]!;
  if (npyMagic.some((byte, i) => preamble[i] !== byte) || version < 1 || version > 3)
    throw new DataError(`${name}: is no NumPy array file of version 1 to 3; save it with numpy.save`);
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > largestHeader)
    throw new DataError(
      `${name}: its header claims ${length} bytes, more than any array of events needs; save it again`,
    );
  return length;
}

type Literal = string | number | boolean | null | readonly Literal[] | ReadonlyMap<string, Literal>;

/** @throws DataError when the text is no header, or one whose types are no numbers. */
export function parseHeader(name: string, text: string): NumpyHeader {
  const parsed = new LiteralParser(name, text).parse();
  if (!(parsed instanceof Map)) throw malformed(name, 'it is no dictionary');
  const shape = parsed.get('shape');
  const fortranOrder = parsed.get('fortran_order');
  const descr = parsed.get('descr');
  if (!isShape(shape)) throw malformed(name, 'its shape is no tuple of whole numbers');
  if (typeof fortranOrder !== 'boolean') throw malformed(name, 'fortran_order is neither True nor False');
  if (typeof descr === 'string') {
    const type = elementType(name, descr);
    return { element: type, itemSize: type.size, fortranOrder, shape };
  }
  if (!Array.isArray(descr)) throw malformed(name, 'descr is neither a type nor a list of fields');
  const { fields, itemSize } = fieldsOf(name, descr);
  return { element: { fields }, itemSize, fortranOrder, shape };
}

function isShape(value: Literal | undefined): value is readonly number[] {
  const isSize = (size: Literal) => typeof size === 'number' && size >= 0;
  return (
    Array.isArray(value) &&
    value.every(isSize) &&
    Number.isSafeInteger(value.reduce((product, size) => product * size, 1))
  );
}

/** Fields follow each other without gaps; a gap is a field of raw bytes (`|V3`), which is passed over like any field that is no number. */
function fieldsOf(name: string, descr: readonly Literal[]): { fields: NumpyField[]; itemSize: number } {
  const fields: NumpyField[] = [];
  let offset = 0;
  for (const field of descr) {
    if (!Array.isArray(field) || field.length < 2 || field.length > 3) throw malformed(name, 'a field is no pair');
    const [fieldName, type, inner] = field as readonly Literal[];
    const label = Array.isArray(fieldName) ? fieldName[1] : fieldName;
    if (typeof label !== 'string' || typeof type !== 'string')
      throw new DataError(`${name}: a field of its records is itself a record; save t, x, y and p as plain fields`);
    const size = sizeOf(name, type) * (isShape(inner) ? inner.reduce((product, count) => product * count, 1) : 1);
    const number = numberType(type);
    if (number && inner === undefined) fields.push({ name: label, type: number, offset });
    offset += size;
  }
  if (!(offset > 0 && offset <= 4096)) throw malformed(name, `its records have ${offset} bytes`);
  return { fields, itemSize: offset };
}

const typePattern = /^([<>|=])?([biufVSUc?])(\d{0,6})$/;

function sizeOf(name: string, type: string): number {
  const match = typePattern.exec(type);
  if (!match)
    throw new DataError(`${name}: its type ${JSON.stringify(type)} is no number; save t, x, y and p as numbers`);
  const [, , kind, digits] = match;
  return Number(digits || 1) * (kind === 'U' ? 4 : 1);
}

const kinds: Readonly<Record<string, ElementType['kind']>> = {
  i: 'signed',
  u: 'unsigned',
  f: 'float',
  b: 'boolean',
  '?': 'boolean',
};

function numberType(type: string): ElementType | undefined {
  const [, order, letter, digits] = typePattern.exec(type) ?? [];
  const kind = kinds[letter ?? ''];
  return kind && { kind, size: Number(digits || 1), littleEndian: order !== '>' };
}

function elementType(name: string, descr: string): ElementType {
  const type = numberType(descr);
  if (!type) throw new DataError(`${name}: its elements are of type ${JSON.stringify(descr)}; save numbers`);
  return type;
}

/** The few literals of Python that headers have. */
class LiteralParser {
  private at = 0;

  constructor(
    private readonly name: string,
    private readonly text: string,
  ) {}

  parse(): Literal {
    const value = this.value(0);
    this.space();
    if (this.at < this.text.length) throw this.unexpected();
    return value;
  }

  private value(depth: number): Literal {
    if (depth > deepest) throw malformed(this.name, 'it is nested too deeply');
    this.space();
    const character = this.text[this.at];
    if (character === '{') return this.dictionary(depth);
    if (character === '(') return this.sequence(')', depth);
    if (character === '[') return this.sequence(']', depth);
    const word = this.match(/(?:[uUbB]?'([^'\\]*)'|[uU]?"([^"\\]*)"|(\d{1,15})L?|(True|False|None))/y);
    if (!word) throw this.unexpected();
    const [, single, double, digits, name] = word;
    if (digits !== undefined) return Number(digits);
    if (name !== undefined) return name === 'None' ? null : name === 'True';
    return single ?? double ?? '';
  }

  private sequence(end: string, depth: number): readonly Literal[] {
    const values: Literal[] = [];
    this.at++;
    while (!this.taken(end)) {
      values.push(this.value(depth + 1));
      if (!this.taken(',')) {
        if (!this.taken(end)) throw this.unexpected();
        break;
      }
    }
    return values;
  }

  private dictionary(depth: number): ReadonlyMap<string, Literal> {
    const entries = new Map<string, Literal>();
    this.at++;
    while (!this.taken('}')) {
      const key = this.value(depth + 1);
      if (typeof key !== 'string' || !this.taken(':')) throw this.unexpected();
      entries.set(key, this.value(depth + 1));
      if (!this.taken(',')) {
        if (!this.taken('}')) throw this.unexpected();
        break;
      }
    }
    return entries;
  }

  private taken(character: string): boolean {
    this.space();
    if (this.text[this.at] !== character) return false;
    this.at++;
    return true;
  }

  private space(): void {
    this.match(/\s*/y);
  }

  private match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.text);
    if (match) this.at += match[0].length;
    return match;
  }

  private unexpected(): DataError {
    return malformed(this.name, `it cannot be read at character ${this.at}`);
  }
}

function malformed(name: string, what: string): DataError {
  return new DataError(`${name}: damaged header of a NumPy array: ${what}; save it again with numpy.save`);
}
