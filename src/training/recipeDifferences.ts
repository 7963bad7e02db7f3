/** What differs between the recipe that a state was left by and the one to go on with, field by field. */
import { clipped } from './plainData.js';
import { settingsWithoutEffect } from './recipeSchema.js';

export interface RecipeDifference {
  readonly path: string;
  /** As `epochs: 3 → 5`. */
  readonly text: string;
}

/** Fields that decide the weights and are not what they were. */
export function recipeDifferences(was: unknown, now: unknown): RecipeDifference[] {
  const before = fieldsOf(was);
  const after = fieldsOf(now);
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((path) => before.get(path) !== after.get(path) && !settingsWithoutEffect.includes(path))
    .map((path) => ({ path, text: `${path}: ${shown(before.get(path))} → ${shown(after.get(path))}` }));
}

/** Leaves by path, as JSON; lists are leaves. */
function fieldsOf(value: unknown, path: readonly string[] = []): Map<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return new Map([[path.join('.'), JSON.stringify(value)]]);
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return new Map(fields.flatMap(([key, field]) => [...fieldsOf(field, [...path, key])]));
}

function shown(text: string | undefined): string {
  return text === undefined ? 'not set' : clipped(text);
}
