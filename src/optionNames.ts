/**
 * Options by name: an option that is not there is refused where it is given, with the name that was probably meant, instead of being passed
 * over in silence. What an option may be is checked by those who read it.
 */
import { UsageError } from './errors.js';

/** Every name of `Options`, as a record: the compiler misses none and admits no other. */
export type OptionNames<Options> = Readonly<Record<keyof Required<Options> & string, true>>;

/**
 * @param where What the options were given to, as a person writes it: `loadModel`.
 * @throws UsageError when `options` is no object or has a name that is not among `known`.
 */
export function checkOptionNames<Options extends object>(
  where: string,
  options: Options | undefined,
  known: OptionNames<Options>,
): void {
  if (options === undefined) return;
  checkNames(where, options, Object.keys(known));
}

/** As `checkOptionNames`, for names that a schema has. @throws UsageError */
export function checkNames(where: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new UsageError(`${where}: found ${described(options)}, expected an object such as {${known[0]}: …}`);
  }
  const stranger = Object.keys(options).find((name) => !known.includes(name));
  if (stranger === undefined) return;
  const meant = nearestName(stranger, known);
  const hint = meant === undefined ? `there are ${known.join(', ')}` : `did you mean ${meant}?`;
  throw new UsageError(`${where}: there is no option ${cut(stranger)}; ${hint}`);
}

/** The name that was probably meant; undefined when none is near. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const wanted = plain(name);
  const distances = known.map((candidate) => ({ candidate, distance: distanceOf(wanted, plain(candidate)) }));
  const [nearest] = distances.sort((a, b) => a.distance - b.distance);
  return nearest && nearest.distance <= Math.max(1, Math.floor(wanted.length / 3)) ? nearest.candidate : undefined;
}

/** What a value is, in a few words for a message. */
export function described(value: unknown): string {
  if (typeof value === 'string') return `the text "${cut(value)}"`;
  if (value === null || value === undefined || typeof value === 'number' || typeof value === 'boolean')
    return String(value);
  if (Array.isArray(value)) return 'a list';
  if (typeof value !== 'object') return `a ${typeof value}`;
  const name: unknown = (Object.getPrototypeOf(value) as { constructor?: { name?: unknown } } | null)?.constructor
    ?.name;
  return typeof name === 'string' && name !== 'Object' && name !== '' ? `an object of class ${cut(name)}` : 'an object';
}

const longest = 60;

function cut(text: string): string {
  return text.length > longest ? `${text.slice(0, longest - 1)}…` : text;
}

/** `time-steps`, `time_steps` and `TimeSteps` are one name. */
function plain(name: string): string {
  return name
    .slice(0, longest)
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, '');
}

/** Letters to insert, leave out or change; a name that begins with the whole of another is one step from it. */
function distanceOf(a: string, b: string): number {
  if (Math.min(a.length, b.length) >= 3 && a !== b && (a.startsWith(b) || b.startsWith(a))) return 1;
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(changed, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
