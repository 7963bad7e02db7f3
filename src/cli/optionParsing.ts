/** How options are checked, whatever they are about: the pieces that every command's schema is made of. Loads nothing of networks and engines. */
import { z } from 'zod';
import { UsageError } from '../errors.js';

/** An option was typed wrong: the help of the command says how it is typed right. */
export class OptionError extends UsageError {}

/** A share from 0 to 1. */
export function share() {
  const expected = 'expected a number from 0 to 1, such as 0.5';
  return z
    .string()
    .regex(/^(\d{1,9}(\.\d{0,20})?|\.\d{1,20})$/, expected)
    .transform(Number)
    .refine((value) => value <= 1, expected);
}

/** A whole number in decimal digits. */
export function wholeNumber(least: number, most: number) {
  const expected = `expected a whole number from ${least} to ${most}`;
  return z
    .string()
    .regex(/^\d{1,9}$/, expected)
    .transform(Number)
    .refine((value) => value >= least && value <= most, expected);
}

/** One of a few words. */
export function oneOf<const Words extends readonly [string, ...string[]]>(words: Words) {
  return z.enum(words, `expected ${words.join(' or ')}`);
}

/**
 * What was typed, checked and typed.
 *
 * @throws OptionError naming the option, what was found and what was expected.
 */
export function parseOptions<Schema extends z.ZodType>(
  schema: Schema,
  typed: Record<string, unknown>,
): z.output<Schema> {
  const parsed = schema.safeParse(typed);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const [key] = issue.path;
  if (typeof key !== 'string') throw new OptionError(issue.message);
  const found = typed[key];
  const option = `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  throw new OptionError(
    found === undefined ? `${option}: ${issue.message}` : `${option}: found "${String(found)}", ${issue.message}`,
  );
}

/** For `refine` on a whole schema: at most one of the options is given. */
export function atMostOne(...keys: readonly string[]) {
  return (options: object) => keys.filter((key) => Reflect.get(options, key) !== undefined).length <= 1;
}

type Given<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

/** Without the properties that are undefined: the library tells "not given" from "given as undefined". */
export function given<T extends object>(options: T): Given<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Given<T>;
}
