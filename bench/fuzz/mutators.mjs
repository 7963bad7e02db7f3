// @ts-check
/**
 * Ways to damage an input: bytes anywhere, numbers that parsers trip over, pieces of another input, and trees of JSON. Nothing here knows
 * a format; what must be right for a parser to look further (checksums) is put right by `repairs.mjs`.
 */

/** @typedef {import('./random.mjs').Random} Random */

const tellingBytes = [0, 1, 0x7f, 0x80, 0xfe, 0xff, 0x0a, 0x22, 0x2e, 0x2f, 0x7b];
const tellingNumbers = [0, 1, 255, 256, 65_535, 65_536, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1, 100_000_000];
const tellingLongs = [
  0n,
  1n,
  2n ** 31n,
  2n ** 32n,
  2n ** 53n - 1n,
  2n ** 53n + 1n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
];

/** @type {readonly ((random: Random, bytes: Buffer, other: Buffer) => Buffer)[]} */
const byteMutations = [
  (random, bytes) => changed(bytes, (copy, at) => (copy[at] = copy[at] ^ (1 << random.below(8))), random),
  (random, bytes) => changed(bytes, (copy, at) => (copy[at] = random.below(256)), random),
  (random, bytes) => changed(bytes, (copy, at) => (copy[at] = random.pick(tellingBytes)), random),
  (random, bytes) =>
    changed(
      bytes,
      (copy, at) => {
        if (at + 4 > copy.length) return;
        const value = random.pick(tellingNumbers);
        if (random.chance(0.5)) copy.writeUInt32LE(value, at);
        else copy.writeUInt32BE(value, at);
      },
      random,
    ),
  (random, bytes) =>
    changed(
      bytes,
      (copy, at) => {
        if (at + 8 <= copy.length) copy.writeBigUInt64LE(random.pick(tellingLongs), at);
      },
      random,
    ),
  // A piece less, twice, of another input, or of one byte alone.
  (random, bytes) => spliced(bytes, random.below(bytes.length), 1 + random.below(64), Buffer.alloc(0)),
  (random, bytes) => {
    const from = random.below(bytes.length);
    return spliced(bytes, from, 0, bytes.subarray(from, from + 1 + random.below(64)));
  },
  (random, bytes, other) => {
    const from = random.below(other.length);
    const piece = other.subarray(from, from + 1 + random.below(128));
    return spliced(bytes, random.below(bytes.length), random.chance(0.5) ? piece.length : 0, piece);
  },
  (random, bytes) =>
    spliced(bytes, random.below(bytes.length), 0, Buffer.alloc(1 + random.below(32), random.pick(tellingBytes))),
  (random, bytes) => (random.chance(0.2) ? bytes.subarray(0, random.below(bytes.length)) : bytes),
];

/** @param {Buffer} bytes @param {(copy: Buffer, at: number) => unknown} change @param {Random} random */
function changed(bytes, change, random) {
  const copy = Buffer.from(bytes);
  change(copy, random.below(copy.length));
  return copy;
}

/** @param {Buffer} bytes @param {number} at @param {number} removed @param {Buffer} added */
function spliced(bytes, at, removed, added) {
  return Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + removed)]);
}

/** A few changes of bytes, most often one or two. @param {Random} random @param {Buffer} bytes @param {Buffer} other */
export function mutateBytes(random, bytes, other) {
  let result = bytes;
  for (let changes = 1 << random.below(5); changes > 0 && result.length > 0; changes--) {
    result = random.pick(byteMutations)(random, result, other.length > 0 ? other : bytes);
  }
  return result;
}

const tellingLeaves = [
  0,
  -1,
  1.5,
  1e308,
  2 ** 31,
  2 ** 53,
  -0,
  null,
  true,
  '',
  'x',
  '\u0000',
  '\ud800',
  'a'.repeat(5000),
  [],
  {},
  [[]],
  [null],
  [2 ** 32, 2 ** 32],
  Array(40).fill(1),
  '__proto__',
  '../x',
  '\u001b[2J\n',
];
const tellingKeys = ['__proto__', 'constructor', 'length', 'toString', '__metadata__', 'hasOwnProperty', '', 'x'];

/** JSON with a node somewhere replaced, removed, doubled, buried or added. @param {Random} random @param {unknown} value @returns {unknown} */
export function mutateTree(random, value) {
  if (value === null || typeof value !== 'object') return random.chance(0.8) ? random.pick(tellingLeaves) : value;
  if (random.chance(0.08)) return random.pick(tellingLeaves);
  /** @type {any} */
  const copy = Array.isArray(value) ? [...value] : Object.assign(Object.create(null), value);
  const keys = Object.keys(copy);
  const kind = random.below(10);
  if (kind === 0 || keys.length === 0) {
    if (Array.isArray(copy)) copy.push(random.pick(tellingLeaves));
    else Object.defineProperty(copy, random.pick(tellingKeys), { value: random.pick(tellingLeaves), enumerable: true });
    return copy;
  }
  const key = random.pick(keys);
  if (kind === 1 && !Array.isArray(copy)) delete copy[key];
  else if (kind === 1) copy.splice(Number(key), 1);
  else if (kind === 2) copy[key] = buried(copy[key], random.pick([4, 50, 2000]), random);
  else if (kind === 3) copy[key] = copy[random.pick(keys)];
  else copy[key] = mutateTree(random, copy[key]);
  return copy;
}

/** @param {unknown} value @param {number} depth @param {Random} random */
function buried(value, depth, random) {
  let result = value;
  for (let level = 0; level < depth; level++) result = random.chance(0.5) ? [result] : { a: result };
  return result;
}

/** Mostly a tree that was changed, sometimes text that is no JSON any more. @param {Random} random @param {Buffer} bytes @param {Buffer} other */
export function mutateJson(random, bytes, other) {
  if (random.chance(0.25)) return mutateBytes(random, bytes, other);
  try {
    let tree = JSON.parse(bytes.toString('utf8'));
    for (let changes = 1 << random.below(3); changes > 0; changes--) tree = mutateTree(random, tree);
    return Buffer.from(JSON.stringify(tree) ?? 'null');
  } catch {
    return mutateBytes(random, bytes, other);
  }
}
