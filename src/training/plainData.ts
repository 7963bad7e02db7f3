/**
 * Values from outside, copied into plain data before anything clones, indexes or checks them: objects, lists, text, numbers, booleans
 * and null, of limited depth and number. Anything else (cycles, functions, inherited keys) is refused here, in one place.
 */
import { TrainingError } from './errors.js';

/** A recipe is four levels deep. */
const deepest = 32;
const mostValues = 20_000;

/** Keys that mean something else to JavaScript than to whoever wrote them. */
export const forbiddenKeys: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * @param source What messages call it.
 * @throws TrainingError when the value is no plain data, naming the place.
 */
export function plainCopy(value: unknown, source: string): unknown {
  let values = 0;
  const copy = (part: unknown, path: readonly string[]): unknown => {
    const refuse = (why: string): never => {
      throw new TrainingError(`${source}: ${placeOf(path)} ${why}`);
    };
    if (++values > mostValues) return refuse(`has more than ${mostValues} values; a recipe has about a hundred`);
    if (part === null || typeof part === 'string' || typeof part === 'number' || typeof part === 'boolean') return part;
    if (typeof part !== 'object') return refuse(`is a ${typeof part}; expected a value that JSON can hold`);
    if (path.length >= deepest) return refuse(`is nested more than ${deepest} levels deep; a recipe has about four`);
    if (Array.isArray(part)) return part.map((item, index) => copy(item, [...path, String(index)]));
    const prototype: unknown = Object.getPrototypeOf(part);
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null)
      return refuse('is an object of a class; expected a value that JSON can hold');
    const plain: Record<string, unknown> = {};
    for (const [key, item] of Object.entries(part)) {
      if (forbiddenKeys.has(key)) return refuse(`has a key ${key}, which cannot be a setting; leave it out`);
      if (item !== undefined) plain[key] = copy(item, [...path, key]);
    }
    return plain;
  };
  return copy(value, []);
}

/** The first keys of a path, for messages. */
function placeOf(path: readonly string[]): string {
  if (path.length === 0) return 'the whole';
  return path.length <= 6 ? clipped(path.join('.')) : `${clipped(path.slice(0, 6).join('.'))}…`;
}

/** Text of others in a message: no more than a line's worth. */
export function clipped(text: string, most = 80): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
