/** `key=value` on top of a recipe: read, checked and put in its place without ever following an inherited key. */
import { TrainingError } from './errors.js';
import { clipped, forbiddenKeys, plainCopy } from './plainData.js';

export interface Assignment {
  /** As it was typed. */
  readonly text: string;
  readonly path: readonly string[];
  readonly value: unknown;
}

/**
 * @param recipeKeys A path of one name that is not among them is the network's.
 * @throws TrainingError naming all that are no assignments.
 */
export function parseAssignments(settings: readonly string[], recipeKeys: readonly string[]): Assignment[] {
  const wrong: string[] = [];
  const assignments: Assignment[] = [];
  for (const text of settings) {
    const split = text.indexOf('=');
    const path = text.slice(0, split).split('.');
    const reason = split < 1 ? expected : reasonAgainst(path);
    if (reason !== undefined) {
      wrong.push(`--set ${clipped(text)}: ${reason}`);
      continue;
    }
    if (path.length === 1 && !recipeKeys.includes(path[0]!)) path.unshift('model');
    assignments.push({ text, path, value: plainCopy(jsonOrText(text.slice(split + 1)), `--set ${clipped(text)}`) });
  }
  if (wrong.length > 0) throw new TrainingError(wrong.join('; '));
  return assignments;
}

const expected = 'expected key=value, such as schedule.learningRate=0.002';
const deepestPath = 16;

function reasonAgainst(path: readonly string[]): string | undefined {
  const forbidden = path.find((key) => forbiddenKeys.has(key));
  if (forbidden !== undefined) return `${forbidden} cannot be a setting`;
  if (path.length > deepestPath) return `a setting's path has at most ${deepestPath} names`;
  const wellFormed = /^[A-Za-z]/.test(path[0]!) && path.every((key) => /^\w+$/.test(key));
  return wellFormed ? undefined : expected;
}

/** @throws TrainingError for a place within a list that the list does not have. */
export function assign(target: Record<string, unknown>, { text, path, value }: Assignment): void {
  let place: Record<string, unknown> | unknown[] = target;
  for (const [depth, key] of path.entries()) {
    if (Array.isArray(place) && !(key in place && /^\d+$/.test(key))) {
      const list = path.slice(0, depth).join('.');
      const entries =
        place.length === 0 ? 'and empty' : `of ${place.length}, with the entries 0 to ${place.length - 1}`;
      throw new TrainingError(`--set ${clipped(text)}: ${list} is a list ${entries}; there is no ${key}`);
    }
    const holder = place as Record<string, unknown>;
    if (depth === path.length - 1) {
      holder[key] = value;
      return;
    }
    const next: unknown = Object.hasOwn(holder, key) ? holder[key] : undefined;
    const inner: Record<string, unknown> | unknown[] =
      typeof next === 'object' && next !== null ? (next as Record<string, unknown>) : {};
    holder[key] = inner;
    place = inner;
  }
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
