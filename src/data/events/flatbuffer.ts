/**
 * The few parts of a FlatBuffer (https://flatbuffers.dev/internals/) that AEDAT 4 needs, read by hand: a root table with its identifier, fields of numbers, strings and vectors.
 * Every offset is checked against the bytes that are there; what points outside is undefined, as a field that was left out.
 */

export class FlatTable {
  readonly #view: DataView;
  readonly #table: number;

  private constructor(view: DataView, table: number) {
    this.#view = view;
    this.#table = table;
  }

  /** The root of bytes that begin with their size, if their identifier is the given one. */
  static root(bytes: Uint8Array, identifier: string): FlatTable | undefined {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length < 16 || identifierOf(bytes) !== identifier) return undefined;
    const table = 4 + view.getUint32(4, true);
    return table <= bytes.length - 4 ? new FlatTable(view, table) : undefined;
  }

  /** Whether the field is there. */
  has(field: number): boolean {
    return this.#place(field, 1) !== undefined;
  }

  int32(field: number): number | undefined {
    const at = this.#place(field, 4);
    return at === undefined ? undefined : this.#view.getInt32(at, true);
  }

  /** As a double: exact up to 2^53. */
  int64(field: number): number | undefined {
    const at = this.#place(field, 8);
    return at === undefined ? undefined : this.#view.getInt32(at + 4, true) * 2 ** 32 + this.#view.getUint32(at, true);
  }

  /** Where the elements of a vector (or the bytes of a string) begin, and how many there are; undefined unless all are inside. */
  vector(field: number, elementBytes: number): { readonly start: number; readonly length: number } | undefined {
    const at = this.#place(field, 4);
    if (at === undefined) return undefined;
    const vector = at + this.#view.getUint32(at, true);
    const size = this.#view.byteLength;
    if (vector > size - 4) return undefined;
    const length = this.#view.getUint32(vector, true);
    return length <= (size - vector - 4) / elementBytes ? { start: vector + 4, length } : undefined;
  }

  /** The place of a field of a table, by its table of fields. */
  #place(field: number, bytes: number): number | undefined {
    const view = this.#view;
    const fields = this.#table - view.getInt32(this.#table, true);
    if (fields < 0 || fields > view.byteLength - 4) return undefined;
    const entry = 4 + 2 * field;
    if (entry + 2 > view.getUint16(fields, true) || fields + entry + 2 > view.byteLength) return undefined;
    const offset = view.getUint16(fields + entry, true);
    const at = this.#table + offset;
    return offset === 0 || at > view.byteLength - bytes ? undefined : at;
  }
}

/** The four letters that say what a size-prefixed FlatBuffer holds. */
export function identifierOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes.subarray(8, 12));
}
