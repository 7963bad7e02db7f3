/**
 * One line of a table as numbers, read straight from its bytes: fields separated by a comma, a semicolon, or blanks. Numbers are decimal, with or without a fraction and an
 * exponent, and rounded as `Number` rounds them; `true` and `false` are 1 and 0.
 */

const [tab, space, plus, comma, minus, point, zero, nine, semicolon, cr] = [9, 32, 43, 44, 45, 46, 48, 57, 59, 13];

/** Up to here quotients of a whole number of at most 2^53 by a power of ten are rounded once, as they should be. */
const powersOfTen = Float64Array.from({ length: 23 }, (_, i) => 10 ** i);
const longestField = 64;

/** Reads numbers of fields into columns. */
export class RowParser {
  readonly #targets: readonly (Float64Array | undefined)[];
  #at = 0;
  #value = Number.NaN;

  /** @param targets For each field the column it goes to; undefined for fields that are passed over. Fields behind the last are not looked at. */
  constructor(targets: readonly (Float64Array | undefined)[]) {
    this.#targets = targets;
  }

  /** Whether the bytes from `start` to `end` had a number for each column; they are in place `row` of the columns. */
  parse(bytes: Uint8Array, start: number, end: number, row: number): boolean {
    this.#at = start;
    for (const target of this.#targets) {
      this.#blanks(bytes, end);
      if (target) {
        if (!this.#number(bytes, end)) return false;
        target[row] = this.#value;
      } else this.#field(bytes, end);
      this.#blanks(bytes, end);
      const code = bytes[this.#at];
      if (this.#at < end && (code === comma || code === semicolon)) this.#at++;
    }
    return true;
  }

  #blanks(bytes: Uint8Array, end: number): void {
    let at = this.#at;
    while (at < end && isBlank(bytes[at]!)) at++;
    this.#at = at;
  }

  #field(bytes: Uint8Array, end: number): void {
    let at = this.#at;
    while (at < end && !isBlank(bytes[at]!) && bytes[at] !== comma && bytes[at] !== semicolon) at++;
    this.#at = at;
  }

  #number(bytes: Uint8Array, end: number): boolean {
    const start = this.#at;
    let at = start;
    const first = at < end ? bytes[at]! : 0;
    if (first === minus || first === plus) at++;
    let mantissa = 0;
    let digits = 0;
    let fraction = 0;
    for (let inFraction = false; at < end; at++) {
      const code = bytes[at]!;
      if (code >= zero && code <= nine) {
        mantissa = mantissa * 10 + (code - zero);
        digits++;
        if (inFraction) fraction++;
      } else if (code === point && !inFraction) inFraction = true;
      else break;
    }
    this.#at = at;
    const isOver = at === end || isBlank(bytes[at]!) || bytes[at] === comma || bytes[at] === semicolon;
    if (!isOver || digits === 0 || mantissa > Number.MAX_SAFE_INTEGER || fraction >= powersOfTen.length)
      return this.#slowly(bytes, start, end);
    const value = fraction === 0 ? mantissa : mantissa / powersOfTen[fraction]!;
    this.#value = first === minus ? -value : value;
    return true;
  }

  /** Exponents, many digits, words. */
  #slowly(bytes: Uint8Array, start: number, end: number): boolean {
    this.#at = start;
    this.#field(bytes, end);
    if (this.#at === start || this.#at - start > longestField) return false;
    let text = '';
    for (let at = start; at < this.#at; at++) text += String.fromCharCode(bytes[at]!);
    this.#value = wordValue(text);
    return !Number.isNaN(this.#value);
  }
}

function wordValue(text: string): number {
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?$/i.test(text)) return Number(text);
  if (/^true$/i.test(text)) return 1;
  return /^false$/i.test(text) ? 0 : Number.NaN;
}

function isBlank(code: number): boolean {
  return code === space || code === tab || code === cr;
}
