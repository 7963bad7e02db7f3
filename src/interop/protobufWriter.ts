/**
 * Protobuf's wire format, writing only: a message is a list of fields, a field its number, its wire type and its value
 * (protobuf.dev/programming-guides/encoding). Messages are kept as lists of parts, so that large weights are never copied.
 */

/** Encoded bytes in order; their sum is `byteLength`. */
export interface Encoded {
  readonly parts: readonly Uint8Array[];
  readonly byteLength: number;
}

const wire = { varint: 0, eightBytes: 1, lengthDelimited: 2, fourBytes: 5 };

export function message(...fields: readonly Encoded[]): Encoded {
  return {
    parts: fields.flatMap(({ parts }) => parts),
    byteLength: fields.reduce((sum, { byteLength }) => sum + byteLength, 0),
  };
}

/** A field of type int64, int32 or enum; negative numbers take ten bytes, as their two's complement. */
export function integer(field: number, value: number): Encoded {
  return encoded([...key(field, wire.varint), ...varint(BigInt.asUintN(64, BigInt(value)))]);
}

export function double(field: number, value: number): Encoded {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value, true);
  return encoded([...key(field, wire.eightBytes), ...bytes]);
}

export function float(field: number, value: number): Encoded {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return encoded([...key(field, wire.fourBytes), ...bytes]);
}

export function text(field: number, value: string): Encoded {
  return bytes(field, new TextEncoder().encode(value));
}

/** A field of raw bytes, which are referred to and not copied. */
export function bytes(field: number, value: Uint8Array): Encoded {
  return nested(field, { parts: [value], byteLength: value.byteLength });
}

export function nested(field: number, value: Encoded): Encoded {
  const head = encoded([...key(field, wire.lengthDelimited), ...varint(BigInt(value.byteLength))]);
  return message(head, value);
}

/** One array of all parts. */
export function joined({ parts, byteLength }: Encoded): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(byteLength);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.byteLength;
  }
  return whole;
}

function encoded(numbers: readonly number[]): Encoded {
  return { parts: [Uint8Array.from(numbers)], byteLength: numbers.length };
}

function key(field: number, wireType: number): number[] {
  return varint(BigInt((field << 3) | wireType));
}

function varint(value: bigint): number[] {
  const groups: number[] = [];
  let rest = value;
  while (rest >= 128n) {
    groups.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  groups.push(Number(rest));
  return groups;
}
