/** What is wrong with a recipe, in words: every field at once, with the name that was probably meant, and the `--set` that is to blame. */
import type { z } from 'zod';
import { settingNames } from '../models/registry.js';
import { nearestName } from '../optionNames.js';
import { TrainingError } from './errors.js';
import { clipped } from './plainData.js';
import { settingPaths } from './recipeSchema.js';
import type { Assignment } from './settings.js';

/** Something that does not fit, and the field that says so. */
export interface RecipeProblem {
  readonly path: readonly string[];
  readonly message: string;
}

/** A recipe as written, with settings on top, before anybody trusts it. */
export interface RecipeDraft {
  /** What messages call it. */
  readonly source: string;
  readonly value: Record<string, unknown>;
  readonly assignments: readonly Assignment[];
}

/** More is no help. */
const mostNamed = 12;

/** Everything that does not fit, in one message. */
export function misfit(draft: RecipeDraft, problems: readonly RecipeProblem[]): TrainingError {
  const found = problems.map((problem) => ({ problem, setting: settingBehind(draft, problem) }));
  const named = found.slice(0, mostNamed).map(({ problem, setting }) => {
    const text = problem.message;
    return setting === undefined ? text : `--set ${clipped(setting)}: ${text}`;
  });
  if (found.length > mostNamed) named.push(`and ${found.length - mostNamed} more`);
  const allSet = found.every(({ setting }) => setting !== undefined);
  const opening = found.length > 1 ? `${found.length} things do not fit: ` : '';
  return new TrainingError(`${allSet ? '' : `${draft.source}: `}${opening}${named.join('; ')}`);
}

/** The last setting that wrote the field, something in it or something around it. */
function settingBehind({ assignments }: RecipeDraft, { path }: RecipeProblem): string | undefined {
  return assignments.findLast(({ path: set }) => {
    const shared = Math.min(set.length, path.length);
    return set.slice(0, shared).every((key, index) => key === path[index]);
  })?.text;
}

/** A schema's findings, one by one; `prefix` is where its value stands in the recipe. */
export function problemsIn(error: z.ZodError, prefix: readonly string[], value: unknown): RecipeProblem[] {
  return error.issues.flatMap((issue): RecipeProblem[] => {
    const path = [...prefix, ...issue.path.map(String)];
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => ({ path: [...path, key], message: unknownKey([...path, key]) }));
    const place = path.join('.') || 'the whole';
    if (isMissing(value, issue.path)) return [{ path, message: `recipe is wrong at ${place}: the field is missing` }];
    return [
      { path, message: `recipe is wrong at ${place}: ${clipped(issue.message.replace(/^Invalid input: /, ''), 200)}` },
    ];
  });
}

function isMissing(value: unknown, path: readonly PropertyKey[]): boolean {
  let found: unknown = value;
  for (const key of path) found = typeof found === 'object' && found !== null ? Reflect.get(found, key) : undefined;
  return found === undefined;
}

function unknownKey(path: readonly string[]): string {
  const key = path.at(-1)!;
  if (key === 'threads' || key === 'engine') return `${key} is not a field of a recipe; use --${key}`;
  const near = nearest(path);
  // A field of another architecture is no slip of the pen.
  const other = near === path.join('.') ? '; another architecture has it' : undefined;
  const question = other ?? (near === undefined ? '' : `; did you mean ${near}?`);
  return `recipe is wrong at ${clipped(path.join('.'))}: there is no such field${question}`;
}

/** A field of the same name elsewhere, or of nearly the same name; of equally near ones the first that stands in the same place. */
function nearest(path: readonly string[]): string | undefined {
  const model = ['architecture', ...settingNames()].map((name) => `model.${name}`);
  const all = [...settingPaths, ...model];
  const place = path.slice(0, -1).join('.');
  const beside = all.filter((candidate) => candidate.slice(0, Math.max(0, candidate.lastIndexOf('.'))) === place);
  const lastOf = (candidate: string) => candidate.split('.').at(-1)!;
  const byName = new Map([...all, ...beside].map((candidate) => [lastOf(candidate), candidate]));
  const name = nearestName(path.at(-1)!, [...new Set([...beside, ...all].map(lastOf))]);
  return name === undefined ? undefined : byName.get(name);
}
